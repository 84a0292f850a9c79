//! The two outputs of a Linux gateway that a lamp can hang on, as embedded-hal pins.
//!
//! A GPIO line through the character device, found by its name; and a lamp of the kernel's LED class,
//! which knows its own polarity. Made by `board::lamp`.

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin, PinState};
use gpiocdev::line::Value;
use gpiocdev::{FoundLine, Request};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What `gpioinfo` shows as the user of the line.
const CONSUMER: &str = "qbo-relay";

/// An output of either kind.
#[derive(Debug)]
pub enum Pin {
    /// A GPIO line.
    Line(Line),
    /// A lamp of the LED class.
    LedClass(LedClass),
}

/// A GPIO line, held for as long as this lives.
#[derive(Debug)]
pub struct Line(Request);

/// A lamp of the LED class, taken from its kernel trigger.
#[derive(Debug)]
pub struct LedClass {
    brightness: PathBuf,
    full: String,
}

/// Why a level could not be set.
#[derive(thiserror::Error, Debug)]
pub enum Stuck {
    /// The line refuses.
    #[error(transparent)]
    Line(#[from] gpiocdev::Error),
    /// The lamp's file cannot be written.
    #[error(transparent)]
    File(#[from] io::Error),
}

impl Line {
    /// Takes the line as an output at this level.
    ///
    /// # Errors
    /// The kernel's: somebody else holds it, or the device may not be opened.
    pub fn take(found: &FoundLine, level: PinState) -> Result<Self, gpiocdev::Error> {
        let value = match level {
            PinState::Low => Value::Inactive,
            PinState::High => Value::Active,
        };
        let mut builder = Request::builder();
        builder
            .with_consumer(CONSUMER)
            .with_found_line(found)
            .as_output(value);
        builder.request().map(Self)
    }
}

impl LedClass {
    /// Takes the lamp of this folder from whatever the kernel shows on it.
    ///
    /// # Errors
    /// The file system's: there is no such lamp, or it may not be written.
    pub fn take(folder: &Path) -> io::Result<Self> {
        let full = fs::read_to_string(folder.join("max_brightness")).unwrap_or_else(|_| "1".into());
        // Not every driver has triggers; the brightness is what counts.
        match fs::write(folder.join("trigger"), "none") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let led = Self {
            brightness: folder.join("brightness"),
            full: full.trim().to_owned(),
        };
        // `write` would make a file where there is no lamp.
        fs::metadata(&led.brightness)?;
        led.put("0")?;
        Ok(led)
    }

    fn put(&self, level: &str) -> io::Result<()> {
        fs::write(&self.brightness, level)
    }
}

impl Error for Stuck {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Pin {
    type Error = Stuck;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Stuck> {
        match self {
            Self::Line(Line(request)) => Ok(request.set_lone_value(Value::Inactive)?),
            Self::LedClass(led) => Ok(led.put("0")?),
        }
    }

    fn set_high(&mut self) -> Result<(), Stuck> {
        match self {
            Self::Line(Line(request)) => Ok(request.set_lone_value(Value::Active)?),
            Self::LedClass(led) => Ok(led.put(&led.full)?),
        }
    }
}

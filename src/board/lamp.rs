//! The lamp of this machine: which one is meant, and taking it.
//!
//! A choice is what the configuration says; it comes to a [`Seat`], or to no lamp. Called by `run`,
//! `check` and `led`. Promises: what cannot be had is an error that names the lamp and what to do,
//! and never more than that (invariant I10).

use super::led::{Polarity, StatusLed};
use super::pin::{LedClass, Line, Pin, Stuck};
use super::profile::{self, Profile};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the kernel shows its lamps.
const LEDS: &str = "/sys/class/leds";

/// Where the firmware's device tree names the board.
const MODEL: &str = "/sys/firmware/devicetree/base/model";

/// The profile's name that means: look what this machine is.
pub const AUTO: &str = "auto";

/// What the configuration says about the lamp.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// A profile's name, or [`AUTO`].
    pub board: String,
    /// A lamp of its own; goes before the board's.
    pub seat: Option<Seat>,
}

/// What a lamp hangs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seat {
    /// One of these lamps of the LED class, the first that is there: names in `/sys/class/leds`, or
    /// folders.
    LedClass(Vec<String>),
    /// A GPIO line.
    Line {
        /// Its name.
        name: String,
        /// Which level lights it.
        polarity: Polarity,
    },
}

/// Why there is no lamp.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// `auto`, on a machine that no profile knows.
    #[error(
        "no board is known by this machine's model ({model}); name one in [led] board, or a lamp by led_class or line"
    )]
    UnknownModel {
        /// What the device tree says.
        model: String,
    },
    /// There is no such lamp.
    #[error("{LEDS} has no lamp {names}; there are: {present}")]
    NoLed {
        /// The names that were looked for.
        names: String,
        /// The names that are there.
        present: String,
    },
    /// It is there and may not be used.
    #[error("the lamp in {} cannot be used: {error}{}", folder.display(), hint(error))]
    Led {
        /// Its folder.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// There is no such line.
    #[error(
        "no GPIO line is called {name}, or the chips cannot be opened; `gpioinfo` shows the names, the group gpio may open the chips"
    )]
    NoLine {
        /// The name that was looked for.
        name: String,
    },
    /// It is there and may not be used.
    #[error("the GPIO line {name} cannot be used: {error} (`gpioinfo` shows who holds it)")]
    Line {
        /// Its name.
        name: String,
        /// Why not.
        error: gpiocdev::Error,
    },
    /// It was taken and cannot be lit.
    #[error("{lamp} cannot be lit: {error}")]
    Stuck {
        /// What it hangs on.
        lamp: String,
        /// Why not.
        error: Stuck,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " (the group gpio may, by board/60-qbo-relay-lamp.rules)"
        }
        io::ErrorKind::ReadOnlyFilesystem => " (the unit's ReadWritePaths= has to name it)",
        _ => "",
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LedClass(names) => write!(f, "LED class, {}", names.join(" or ")),
            Self::Line { name, polarity } => {
                let low = match polarity {
                    Polarity::ActiveLow => ", lit when low",
                    Polarity::ActiveHigh => "",
                };
                write!(f, "GPIO line {name}{low}")
            }
        }
    }
}

impl Choice {
    /// The lamp that is meant; `None` when there is to be none.
    ///
    /// # Errors
    /// [`Error::UnknownModel`].
    pub fn seat(&self) -> Result<Option<Seat>, Error> {
        if let Some(seat) = &self.seat {
            return Ok(Some(seat.clone()));
        }
        if self.board != AUTO {
            return Ok(profile::find(&self.board).and_then(seat_of));
        }
        let model = fs::read_to_string(MODEL).unwrap_or_default();
        let model = model.trim_end_matches('\0');
        match profile::of_model(model) {
            Some((_, profile)) => Ok(seat_of(profile)),
            // A machine without a device tree is no board.
            None if model.is_empty() => Ok(None),
            None => Err(Error::UnknownModel {
                model: model.into(),
            }),
        }
    }

    /// Takes the lamp that is meant; `None` when there is to be none.
    ///
    /// # Errors
    /// [`Error`].
    pub fn take(&self) -> Result<Option<StatusLed<Pin>>, Error> {
        self.seat()?.map(|seat| seat.take()).transpose()
    }
}

fn seat_of(profile: Profile) -> Option<Seat> {
    let facts = profile.lamp?;
    match (facts.led_class, facts.line) {
        (Some(names), _) if !names.is_empty() => Some(Seat::LedClass(names)),
        (_, Some(name)) => Some(Seat::Line {
            name,
            polarity: Polarity::of(facts.active_low),
        }),
        _ => None,
    }
}

impl Seat {
    /// Whether it is there, without touching it.
    ///
    /// # Errors
    /// [`Error::NoLed`] or [`Error::NoLine`].
    pub fn find(&self) -> Result<(), Error> {
        match self {
            Self::LedClass(names) => led_folder(names).map(|_| ()),
            Self::Line { name, .. } => match gpiocdev::find_named_line(name) {
                Some(_) => Ok(()),
                None => Err(Error::NoLine { name: name.clone() }),
            },
        }
    }

    /// Takes the lamp, dark.
    ///
    /// # Errors
    /// [`Error`], but not [`Error::UnknownModel`].
    pub fn take(&self) -> Result<StatusLed<Pin>, Error> {
        match self {
            Self::LedClass(names) => {
                let folder = led_folder(names)?;
                let led = LedClass::take(&folder).map_err(|error| Error::Led { folder, error })?;
                Ok(StatusLed::new(Pin::LedClass(led), Polarity::ActiveHigh))
            }
            Self::Line { name, polarity } => {
                let found = gpiocdev::find_named_line(name);
                let found = found.ok_or_else(|| Error::NoLine { name: name.clone() })?;
                let line =
                    Line::take(&found, polarity.level(false)).map_err(|error| Error::Line {
                        name: name.clone(),
                        error,
                    })?;
                Ok(StatusLed::new(Pin::Line(line), *polarity))
            }
        }
    }

    /// Makes the lamp stand still, lit: "there is power, and the relay does not run". A line keeps
    /// its level after this process on a Raspberry Pi, and goes dark elsewhere; it stands still
    /// either way.
    ///
    /// # Errors
    /// As for [`Self::take`], and the pin's.
    pub fn stop(&self) -> Result<(), Error> {
        let stuck = |error| Error::Stuck {
            lamp: self.to_string(),
            error,
        };
        self.take()?.put(true).map_err(stuck)
    }
}

/// The folder of the first lamp that is there.
fn led_folder(names: &[String]) -> Result<PathBuf, Error> {
    let folders = names.iter().map(|name| Path::new(LEDS).join(name));
    let mut there = folders.filter(|folder| folder.join("brightness").exists());
    there.next().ok_or_else(|| {
        let entries = fs::read_dir(LEDS).into_iter().flatten().flatten();
        let mut present: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .take(20)
            .collect();
        present.sort();
        Error::NoLed {
            names: names.join(" or "),
            present: if present.is_empty() {
                "none".into()
            } else {
                present.join(", ")
            },
        }
    })
}

//! The lamp, drawn: a pin whose level is a character on the screen.

use crate::board::StatusLed;
use crate::rules::led::Pattern;
use embedded_hal::digital::{ErrorType, OutputPin};
use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

/// An output pin that only remembers its level.
struct DrawnPin(Rc<Cell<bool>>);

impl ErrorType for DrawnPin {
    type Error = Infallible;
}

impl OutputPin for DrawnPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set(true);
        Ok(())
    }
}

/// How much time one character stands for.
const STEP: Duration = Duration::from_millis(100);
const STEPS: u32 = 40;

/// Four seconds of a pattern on one line, as the lamp's own driver shows it.
pub(super) fn drawn(pattern: Pattern) -> String {
    let level = Rc::new(Cell::new(false));
    let mut led = StatusLed::new(
        DrawnPin(Rc::clone(&level)),
        crate::board::Polarity::ActiveHigh,
    );
    (0..STEPS)
        .map(|step| {
            let Ok(()) = led.show(pattern, STEP * step);
            if level.get() { '●' } else { '·' }
        })
        .collect()
}

//! The status lamp: an output pin with a polarity, told whether to be lit and never a level.
//!
//! `worker::lamp` and the demo call it whenever something may have changed.
//! The pin is written only when its level changes, or when the last write failed.

use crate::rules::led::Pattern;
use embedded_hal::digital::{OutputPin, PinState};
use std::time::Duration;

/// Which level of the pin lights the lamp.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Polarity {
    /// High: the line feeds the lamp.
    ActiveHigh,
    /// Low: the line sinks the lamp's current.
    ActiveLow,
}

impl Polarity {
    /// The polarity of a lamp that is lit by a low line, or by a high one.
    pub const fn of(active_low: bool) -> Self {
        if active_low {
            Self::ActiveLow
        } else {
            Self::ActiveHigh
        }
    }

    /// The level that lights it, or that leaves it dark.
    pub fn level(self, lit: bool) -> PinState {
        PinState::from(lit == (self == Self::ActiveHigh))
    }
}

/// A lamp on a pin.
#[derive(Debug)]
pub struct StatusLed<P> {
    pin: P,
    polarity: Polarity,
    /// What the pin was last set to; `None` when that is not known.
    lit: Option<bool>,
}

impl<P: OutputPin> StatusLed<P> {
    /// A lamp on `pin`, which is not touched before the first [`Self::show`].
    pub fn new(pin: P, polarity: Polarity) -> Self {
        Self {
            pin,
            polarity,
            lit: None,
        }
    }

    /// Puts the lamp to where `pattern` is, `elapsed` after it began.
    ///
    /// # Errors
    /// The pin's own; the next call tries again.
    pub fn show(&mut self, pattern: Pattern, elapsed: Duration) -> Result<(), P::Error> {
        self.put(pattern.is_lit(elapsed))
    }

    /// Lit or dark.
    ///
    /// # Errors
    /// The pin's own; the next call tries again.
    pub fn put(&mut self, lit: bool) -> Result<(), P::Error> {
        if self.lit == Some(lit) {
            return Ok(());
        }
        self.lit = None;
        self.pin.set_state(self.polarity.level(lit))?;
        self.lit = Some(lit);
        Ok(())
    }

    /// Gives the pin back, at the level that it has.
    pub fn release(self) -> P {
        self.pin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Condition;
    use crate::rules::led::pattern;
    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    /// Shows the healthy pattern for as long, in steps of 50 ms, on a pin that expects exactly these
    /// levels.
    fn expect(polarity: Polarity, levels: &[State], span_ms: u64) {
        let expected: Vec<Transaction> = levels.iter().cloned().map(Transaction::set).collect();
        let mut led = StatusLed::new(Mock::new(&expected), polarity);
        for ms in (0..span_ms).step_by(50) {
            let elapsed = Duration::from_millis(ms);
            led.show(pattern(Condition::Delivered), elapsed).unwrap();
        }
        led.release().done();
    }

    #[test]
    fn the_pin_is_written_only_when_the_level_changes() {
        let levels = [State::High, State::Low, State::High, State::Low];
        expect(Polarity::ActiveHigh, &levels, 4_000);
    }

    #[test]
    fn an_active_low_lamp_is_lit_by_a_low_pin() {
        let levels = [State::Low, State::High, State::Low];
        expect(Polarity::ActiveLow, &levels, 2_100);
    }

    #[test]
    fn a_lamp_that_was_never_shown_anything_leaves_its_pin_alone() {
        expect(Polarity::ActiveHigh, &[], 0);
    }

    #[test]
    fn a_failed_write_is_reported_and_made_up_for() {
        let broken = MockError::Io(std::io::ErrorKind::BrokenPipe);
        let expected = [
            Transaction::set(State::High),
            Transaction::set(State::Low).with_error(broken.clone()),
            // Nobody knows where the pin is now, so even the last level is written again.
            Transaction::set(State::High),
        ];
        let mut led = StatusLed::new(Mock::new(&expected), Polarity::ActiveHigh);
        let mut show = |ms| led.show(pattern(Condition::Delivered), Duration::from_millis(ms));
        assert_eq!(show(0), Ok(()));
        assert_eq!(show(150), Err(broken));
        assert_eq!([show(2_000), show(2_050)], [Ok(()), Ok(())]);
        led.release().done();
    }
}

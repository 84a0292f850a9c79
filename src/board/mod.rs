//! Floor 2: the board that the relay runs on, which is to say its lamp.
//!
//! A driver is generic over the pins of embedded-hal and knows no board; which line it is and which
//! level lights it are facts given from outside. Nothing here can influence the relay (invariant
//! I10): what fails is reported and the relay goes on without a lamp.

pub mod lamp;
pub mod led;
pub mod pin;
pub mod profile;

pub use lamp::{Choice, Error, Seat};
pub use led::{Polarity, StatusLed};
pub use pin::Pin;

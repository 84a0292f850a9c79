//! What the relay knows about the device that it runs on, besides its work.

/// The device's part of [`Health`](super::Health).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Device {
    /// Whether the wall clock can be believed.
    pub clock: ClockTrust,
    /// Why the lamp cannot be driven; `None` while it can, or when there is none.
    pub lamp_trouble: Option<String>,
    /// Parts that have not shown progress within their deadline. The watchdog is not fed and the
    /// lamp stands still while there is one.
    pub stalled: Vec<&'static str>,
    /// The configuration on the boot partition was refused at the last start of the machine.
    pub import_refused: bool,
    /// Why the last reload was refused; `None` when it was not, or when none was asked for.
    pub reload_refused: Option<String>,
}

/// Whether the wall clock can be believed. Many boards have no clock that runs while they are off.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ClockTrust {
    /// It can.
    #[default]
    Trusted,
    /// Not yet: what needs the time waits, receiving does not.
    Waiting,
    /// Nobody has set it for long, and it stands before the day this program was made: a person has
    /// to. Deliveries are tried all the same.
    Wrong,
}

impl ClockTrust {
    /// The word for it in JSON and on the status page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Waiting => "waiting",
            Self::Wrong => "wrong",
        }
    }
}

//! Floor 2: what systemd and the relay say to each other.
//!
//! [`notify`] tells the service manager how the relay is; [`sockets`] takes the listeners that it
//! passes; [`unit`] reads what the installed units say. Called by the roof and by `worker::herald`. Promise: nothing happens when the process was
//! not started by systemd.

pub mod notify;
pub mod sockets;
pub mod unit;

pub use sockets::Inherited;

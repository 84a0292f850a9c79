//! The relay as the firmware of a device: its lamp, its clock, systemd, its papers, the boot
//! partition. What these show on this machine, `tests/device` shows on an emulated board.

mod boot_import;
mod clock;
mod lamp;
mod notify;
mod papers;
mod sockets;

//! The relay's two pure floors, compiled alone, and what has to hold of whatever they accept.
//!
//! The floors are taken by path and not through the relay's library: what a stranger's bytes can
//! reach before they are journaled is all in there, and so a fuzz build needs neither SQLite nor TLS
//! and takes a minute.

#[path = "../../../src/model/mod.rs"]
pub mod model;
#[path = "../../../src/wire/mod.rs"]
pub mod wire;

pub mod explained;
pub mod request;

//! qbo-relay: a gateway that receives QuickBooks Online notifications, journals them before it
//! answers, and relays them onward, signed and in order.
//!
//! The house has five floors. A module imports from the floors below its own, never from above, and
//! never from a sibling; `tests/it/tidy.rs` checks it. In reading order:
//!
//! - floor 0, words: [`model`]
//! - floor 1, pure logic, no I/O, no clock, no entropy: [`wire`] (bytes to words and back),
//!   [`rules`] (decisions)
//! - floor 2, adapters, each the owner of one outside thing: [`clock`], [`journal`], [`sink`],
//!   [`tls`], [`qbo`] (QuickBooks's API), [`vault`] (tokens and secrets at rest), [`board`], [`signals`],
//!   [`systemd`]
//! - floor 3, tasks: [`server`] (socket to journal), [`worker`] (journal to sink, and
//!   QuickBooks to journal), [`connect`] (a person's consent to stored tokens),
//!   [`instances`] (what callers of the Open Connectors interface ask for)
//! - floor 4, the roof, where everything is joined: [`cli`], [`command`], [`config`], [`run`],
//!   [`demo`], [`simulate`]
//!
//! Data walks one way: socket, raw bytes, verified signature, receipt, journal, answer; then
//! journal, lane, sink, settlement, journal; and journal, company, call, reading, journal. The
//! segments are joined by the journal only.
//!
//! Invariants, by the marks under which the code mentions them:
//! I1 no success answer before the commit; I2 one database writer; I3 `wire` and `rules` are
//! synchronous and know no clock; I4 only a company's own task renews its tokens, and stores them
//! before it uses them; I6 attempts within a lane are in order; I7 serialized forms stay
//! in `wire`; I8 every queue, body, batch, retry count and wait is bounded by
//! [`Limits`](model::Limits); I9 secrets are not printable; I10 the lamp cannot influence the relay;
//! I11 a broken journal means exit; I12 a restart is the ordinary path.

pub mod model;

pub mod files;
pub mod rules;
pub mod wire;

pub mod board;
pub mod clock;
pub mod journal;
pub mod qbo;
pub mod signals;
pub mod sink;
pub mod systemd;
pub mod tls;
pub mod vault;

pub mod connect;
pub mod instances;
pub mod server;
pub mod worker;

pub mod cli;
pub mod command;
pub mod config;
pub mod demo;
mod logging;
pub mod run;
pub mod simulate;
mod terminal;

//! Integration tests: one crate, one module a promise.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop where it fails; the exceptions in .clippy.toml do not reach its helpers"
)]

mod admin;
mod listener;
mod support;
mod tls;
mod webhook;
mod webhook_h2;

//! Integration tests: one crate, one module a promise.

mod admin;
mod listener;
mod support;
mod tls;
mod webhook;
mod webhook_h2;

//! Integration tests: one crate, one module a promise.

mod listener;
mod support;
mod webhook;

//! Integration tests: one crate, one module a promise.

mod journal;

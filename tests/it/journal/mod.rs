//! The journal's promises, sentence by sentence.

#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod keeping;
mod support;

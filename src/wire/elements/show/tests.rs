//! Answers against the documented ones, and against what its own API tests ask of them.

//! The plain form of a token set, which the vault seals.

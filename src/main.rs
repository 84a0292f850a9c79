//! The table of exit statuses.
fn main() {}

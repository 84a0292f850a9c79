//! The QuickBooks side, with the simulated Intuit on the other end.

mod configuring;
mod connecting;
mod model;
mod picture;
mod world;

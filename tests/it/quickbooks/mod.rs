//! The QuickBooks side, with the simulated Intuit on the other end.

mod configuring;
mod connecting;
mod consenting;
mod house;
mod model;
mod picture;
mod proving;
mod world;

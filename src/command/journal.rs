//! scratch
use crate::cli::Exit;
use clap::Args;
/// a
#[derive(Args, Debug)]
pub struct ListOptions {}
/// a
#[derive(Args, Debug)]
pub struct ShowOptions {}
/// a
#[derive(Args, Debug)]
pub struct VerifyOptions {}
/// a
pub fn list(_: &ListOptions) -> Exit {
    Exit::Success
}
/// a
pub fn show(_: &ShowOptions) -> Exit {
    Exit::Success
}
/// a
pub fn verify(_: &VerifyOptions) -> Exit {
    Exit::Success
}
/// a
pub fn export(_: &ListOptions) -> Exit {
    Exit::Success
}

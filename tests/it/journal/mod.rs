//! The journal's promises, sentence by sentence.

mod child;
mod crashes;
mod failing;
mod inspecting;
mod keeping;
mod log_cut;
mod opening;
mod reading;
mod readings;
mod reconciling;
mod replaying;
mod retaining;
mod room;
mod settling;
mod support;

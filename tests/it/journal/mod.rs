//! The journal's promises, sentence by sentence.

mod inspecting;
mod keeping;
mod opening;
mod replaying;
mod retaining;
mod room;
mod settling;
mod support;

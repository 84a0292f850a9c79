//! The journal's promises, sentence by sentence.

mod child;
mod companies;
mod company_crashes;
mod crashes;
mod failing;
mod gaps;
mod gating;
mod inspecting;
mod interleaving;
mod keeping;
mod log_cut;
mod opening;
mod reading;
mod readings;
mod reconciling;
mod replaying;
mod retaining;
mod room;
mod salvaging;
mod settling;
mod support;

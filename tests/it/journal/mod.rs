//! The journal's promises, sentence by sentence.

mod child;
mod companies;
mod company_crashes;
mod crashes;
mod failing;
mod gaps;
mod gating;
mod inspecting;
mod instance_crashes;
mod instance_events;
mod instance_interest;
mod instance_support;
mod instances;
mod interleaving;
mod keeping;
mod log_cut;
mod migrating;
mod opening;
mod reading;
mod readings;
mod reconciling;
mod replaying;
mod retaining;
mod room;
mod settling;
mod support;

//! Integration tests: one crate, one module a promise.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop where it fails; the exceptions in .clippy.toml do not reach its helpers"
)]

mod admin;
mod admin_secret;
mod audited;
mod check_tries;
mod companies_many;
mod company;
mod company_apps;
mod company_forget;
mod company_misses;
mod company_polls;
mod company_tokens;
mod company_trouble;
mod configuration;
mod configuration_text;
mod decoding_memory;
mod device;
mod elements_access;
mod elements_requests;
mod elements_rights;
mod fake_intuit;
mod fake_intuit_faults;
mod fake_intuit_oauth;
mod gateway;
mod http2;
mod instances;
mod instances_plain;
mod instances_zones;
mod journal;
mod lanes;
mod lanes_instances;
mod lanes_life;
mod lanes_outage;
mod lanes_replay;
mod lanes_tasks;
mod linear;
mod listener;
mod logs;
mod memory;
mod packaging;
mod paths;
mod qbo;
mod qbo_books;
mod qbo_oauth;
mod qbo_proof;
mod qbo_reach;
mod quickbooks;
mod reloading;
mod replaying;
mod servicestack;
mod servicestack_coded;
mod servicestack_sources;
mod sinks;
mod sinks_answers;
mod sinks_file;
mod sinks_reach;
mod support;
mod tidy;
mod tls;
mod tutorial;
mod webhook;
mod webhook_h2;

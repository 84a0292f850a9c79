//! What a command changes while no relay runs: it opens the journal in the relay's place, whose lock makes
//! it the only one that writes, and leaves an audit entry as the relay would.

use crate::cli::Exit;
use crate::clock::{Clock as _, System};
use crate::config::Config;
use crate::journal::{AuditedChange, Caller, Journal};
use crate::model::access;
use crate::run::journal_settings;
use crate::terminal::complain;
use serde_json::Value;
use std::path::Path;

/// Changes something in the journal. `call` is the command as an entry names it, `None` for what only
/// looks.
///
/// # Errors
/// The exit status and a sentence: there is no journal, it cannot be used, or what `act` said.
pub(super) async fn change(
    config: &Config,
    call: Option<String>,
    act: impl AsyncFnOnce(&Journal) -> Result<Value, String>,
) -> Result<Value, (Exit, String)> {
    let unusable = |why: String| (Exit::Journal, why);
    if let Err(error) = config.journal.metadata() {
        return Err(unusable(access::not_opened(&config.journal, &error)));
    }
    let opened = Journal::open(journal_settings(config), System.now());
    let journal = opened.map_err(|error| unusable(error.to_string()))?;
    let done = act(&journal).await;
    if let Some(call) = call {
        let why = done.as_ref().err().map(String::as_str);
        journal.audit(System.now(), &entry(call, why)).await;
    }
    let closed = journal.close().await;
    let done = done.map_err(|why| (Exit::Failure, why))?;
    closed.map_err(|error| unusable(error.to_string()))?;
    Ok(done)
}

/// Writes down what a command changed that had no need of the journal, or had it for itself: `why` says
/// what kept it from being done. Says on stderr when it is not written down; the change stands.
pub(super) fn record(journal: &Path, call: &str, why: Option<&str>) {
    let entry = entry(call.to_owned(), why);
    if let Err(error) = Journal::audit_closed(journal, System.now(), &entry) {
        complain(format_args!("no audit entry was written: {error}"));
    }
}

fn entry(call: String, why: Option<&str>) -> AuditedChange {
    AuditedChange {
        peer: "a command without a relay".into(),
        caller: Caller::Shell,
        call,
        outcome: why.unwrap_or("done").to_owned(),
    }
}

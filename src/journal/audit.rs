//! Who changed what: one entry for every change that somebody asks of the running relay, or makes in the
//! journal while none runs.
//!
//! Called by whoever carries a change out, when it is known what came of it. Promises: it goes to the
//! log and, durably, into the small table of events, as kind `audit`; no secret and no payload is in
//! it; a journal in trouble does not hold the change up.

use super::error::Failure;
use super::{Error, Event, Journal, events, open};
use crate::model::Timestamp;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// The kind of these events.
pub const AUDIT: &str = "audit";

/// A journal in trouble must not hold up what was done.
const PATIENCE: Duration = Duration::from_secs(2);

/// What somebody else wrote is cut to a bearable length.
const CHARACTERS_MAX: usize = 200;

/// A change that somebody asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditedChange {
    /// Where the request came from: an address, or the socket.
    pub peer: String,
    /// By what the caller was let in.
    pub caller: Caller,
    /// What was asked for, as the command line would say it: `company disconnect 310687`.
    pub call: String,
    /// What came of it: `done`, or why not.
    pub outcome: String,
}

/// By what somebody was let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// The operator's shell: the control socket.
    Shell,
    /// A browser, without a login.
    Browser,
    /// The secrets of the Open Connectors interface.
    Organization,
    /// The token of one element instance.
    Instance(u32),
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shell => f.write_str("the operator's shell"),
            Self::Browser => f.write_str("a browser without a login"),
            Self::Organization => f.write_str("the organization's secrets"),
            Self::Instance(id) => write!(f, "the token of instance {id}"),
        }
    }
}

impl AuditedChange {
    fn text(&self) -> String {
        let Self {
            peer,
            caller,
            call,
            outcome,
        } = self;
        let [peer, call, outcome] = [peer, call, outcome].map(|text| plain(text));
        format!("{call}: {outcome}; by {caller} from {peer}")
    }
}

impl Journal {
    /// Writes down that this was asked for `at` that time.
    pub async fn audit(&self, at: Timestamp, change: &AuditedChange) {
        let AuditedChange {
            peer,
            caller,
            call,
            outcome,
        } = change;
        tracing::info!(peer, %caller, call, outcome, "audit");
        let event = Event {
            at,
            kind: AUDIT.into(),
            text: change.text(),
        };
        let noted = timeout(PATIENCE, self.note(event)).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::warn!("the audit entry before this line is in the log only");
        }
    }
}

impl Journal {
    /// The same in the journal of a relay that does not run, by a command that needs nothing else of it.
    /// Where there is no journal, none is made and nothing is written down.
    ///
    /// # Errors
    /// Those of [`Journal::open`], or [`Error::Full`] and the like: then it is in no journal.
    pub fn audit_closed(
        journal: &Path,
        at: Timestamp,
        change: &AuditedChange,
    ) -> Result<(), Error> {
        if !journal.is_file() {
            return Ok(());
        }
        let opened = open::open(journal, at)?;
        let inserted = events::insert(&opened.connection, at, AUDIT, &change.text());
        inserted.map_err(|error| Failure::from(error).into())
    }
}

/// One line, short.
fn plain(text: &str) -> String {
    let text = text.chars().take(CHARACTERS_MAX);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_short_line_with_all_four_facts() {
        let change = AuditedChange {
            peer: "192.168.1.7".into(),
            caller: Caller::Instance(3),
            call: format!("company\nforget {}", "9".repeat(500)),
            outcome: "done".into(),
        };
        let text = change.text();
        assert!(text.starts_with("company forget 999"), "{text}");
        assert!(text.ends_with("done; by the token of instance 3 from 192.168.1.7"));
        assert!(!text.contains('\n') && text.len() < 300);
    }
}

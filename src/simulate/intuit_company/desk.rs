//! The desk: everything the simulated Intuit knows, and a question as it arrives there.
//!
//! Called by the server for each request, and by [`super::FakeIntuit`]. Promises: no lock is held
//! while anything is waited for.

use super::calls::Calls;
use super::faults::Faults;
use super::grants::Grants;
use super::options::{AppKeys, Consent};
use super::pace::Pacing;
use crate::model::Environment;
use crate::simulate::books::{Books, BooksClock};
use bytes::Bytes;
use http::request::Parts;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Desk {
    /// `http://127.0.0.1:8090`.
    pub(super) base: String,
    pub(super) clock: BooksClock,
    pub(super) companies: BTreeMap<String, Company>,
    pub(super) apps: Vec<AppKeys>,
    pub(super) consent: Consent,
    pub(super) since_is_inclusive: bool,
    pub(super) faults: Faults,
    pub(super) grants: Mutex<Grants>,
    pub(super) pacing: Mutex<Pacing>,
    pub(super) calls: Mutex<Calls>,
    /// Answers so far, for their trace.
    pub(super) answered: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Company {
    pub(super) environment: Environment,
    pub(super) books: Books,
}

/// A request that has arrived in full.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: http::Method,
    pub(super) path: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) body: Bytes,
    headers: http::HeaderMap,
    /// The query as it came.
    raw_query: String,
}

impl Desk {
    pub(super) fn app(&self, client_id: &str) -> Option<&AppKeys> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    /// The trace of the next answer, in the form of a recorded one.
    pub(super) fn trace(&self) -> String {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        format!("1-{:08x}-{number:024x}", self.clock.now().as_seconds())
    }

    pub(super) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pacing(&self) -> MutexGuard<'_, Pacing> {
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        let raw_query = head.uri.query().unwrap_or_default().to_owned();
        Self {
            method: head.method,
            path: head.uri.path().trim_end_matches('/').to_owned(),
            parameters: read_form(raw_query.as_bytes()),
            body,
            headers: head.headers,
            raw_query,
        }
    }

    /// The first parameter of this name in the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a form.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        read_form(&self.body)
    }

    pub(super) fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// Path and query for the log of the accounting API, where no secret stands in either; with the
    /// body of a query that was posted.
    pub(super) fn target(&self) -> String {
        let posted = self.method == http::Method::POST;
        match (self.raw_query.as_str(), posted) {
            ("", false) => self.path.clone(),
            (query, false) => format!("{}?{query}", self.path),
            (query, true) => format!("{}?{query} {}", self.path, self.body_text()),
        }
    }
}

fn read_form(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

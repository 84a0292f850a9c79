//! The accounting API: who asks, for which company, and what.

use super::answer::{Answer, Complaint};
use super::calls::Call;
use super::capture::{self, Asking};
use super::desk::{Desk, Question};
use super::query;
use super::select::select;
use crate::model::{Environment, Timestamp};
use crate::simulate::books::{Books, State, find_loosely, pacific};
use tokio::time::Instant;

/// The part of a path behind `/v3/company/{realm}/`.
pub(super) fn call(rest: &[&str]) -> Call {
    match rest {
        ["cdc"] => Call::Capture,
        ["query"] => Call::Query,
        ["batch"] => Call::Batch,
        ["companyinfo", _] => Call::CompanyInfo,
        _ => Call::Read,
    }
}

impl Desk {
    /// Answers a question about a company.
    pub(super) fn api(
        &self,
        environment: Environment,
        realm: &str,
        rest: &[&str],
        question: &Question,
        fault_inside: Option<&str>,
    ) -> Answer {
        let now = self.clock.now();
        let books = match self.admit(environment, realm, question) {
            Ok(books) => books,
            Err(answer) => return answer,
        };
        let asked = self.ask(&books, rest, question, fault_inside, now);
        match asked {
            Ok(inside) => Answer::service(format!(
                r#"{{{inside},"time":"{}"}}"#,
                pacific::millisecond(now)
            )),
            Err(complaint) => Answer::complaint(&complaint, now),
        }
    }

    /// Whether this token may ask about this company now; its books, if so.
    fn admit(
        &self,
        environment: Environment,
        realm: &str,
        question: &Question,
    ) -> Result<Books, Answer> {
        let now = self.clock.now();
        let token = question.bearer().unwrap_or_default();
        let client = {
            let grants = self.grants();
            match grants.bearer(token, self.clock.even()) {
                None => return Err(Answer::bad_token(token, now)),
                Some((client_id, of)) if of == realm => client_id.to_owned(),
                Some(_) => return Err(Answer::forbidden(now)),
            }
        };
        let company = self
            .companies
            .get(realm)
            .filter(|company| company.environment == environment)
            .filter(|_| {
                self.app(&client)
                    .is_some_and(|app| app.environment == environment)
            })
            .ok_or_else(|| Answer::forbidden(now))?;
        if !self.pacing().admits(realm, &client, Instant::now()) {
            return Err(Answer::complaint(&throttled(), now));
        }
        Ok(company.books.clone())
    }

    fn ask(
        &self,
        books: &Books,
        rest: &[&str],
        question: &Question,
        fault_inside: Option<&str>,
        now: Timestamp,
    ) -> Result<String, Complaint> {
        let until_s = now.minus(self.faults.lag()).as_seconds();
        match (question.method.as_str(), rest) {
            ("GET", ["cdc"]) => capture::capture(
                &books.ledger(),
                &Asking {
                    entities: question.parameter("entities"),
                    changed_since: question.parameter("changedSince"),
                    now,
                    is_inclusive: self.since_is_inclusive,
                    until_s,
                    fault_inside,
                },
            ),
            ("GET", ["query"]) => asked_by_query(
                books,
                question.parameter("query").unwrap_or_default(),
                until_s,
            ),
            ("POST", ["query"]) => asked_by_query(books, &question.body_text(), until_s),
            ("POST", ["batch"]) => batch(books, &question.body, until_s),
            ("GET", ["companyinfo", _]) => read(books, "CompanyInfo", "1", until_s),
            ("GET", ["preferences"]) => read(books, "Preferences", "1", until_s),
            ("GET", [kind, id]) => read(books, kind, id, until_s),
            _ => Err(Complaint::invalid(
                "500",
                "Unsupported Operation",
                format!(
                    "Operation Could not find resource for relative : {} is not supported.",
                    rest.join("/")
                ),
            )),
        }
    }
}

/// What the API says to too many calls.
pub(super) fn throttled() -> Complaint {
    Complaint {
        status: 429,
        family: "SERVICE",
        code: "3001",
        message: "message=ThrottleExceeded; errorCode=003001; statusCode=429",
        detail: "The request limit was reached.  Try again later".into(),
    }
}

/// What the API says of a record that is gone.
pub(super) fn not_found() -> Complaint {
    Complaint::invalid(
        "610",
        "Object Not Found",
        "Object Not Found : Something you're trying to use has been made inactive. Check the fields with accounts, customers, items, vendors or employees.".into(),
    )
}

fn asked_by_query(books: &Books, text: &str, until_s: i64) -> Result<String, Complaint> {
    let query = query::parse(text)?;
    let inside = select(&books.ledger(), &query, until_s)?;
    Ok(format!(r#""QueryResponse":{inside}"#))
}

fn read(books: &Books, kind: &str, id: &str, until_s: i64) -> Result<String, Complaint> {
    let facts = find_loosely(kind)
        .filter(|facts| facts.readable)
        .ok_or_else(|| {
            let detail = format!("Operation read for {kind} is not supported.");
            Complaint::invalid("500", "Unsupported Operation", detail)
        })?;
    let number: u64 = id.parse().map_err(|_| {
        let detail = format!("Id should be a valid number. Supplied value:{id}");
        Complaint::invalid("2030", "Invalid ID", detail)
    })?;
    let ledger = books.ledger();
    let row = ledger
        .row(facts.kind, number)
        .filter(|row| row.state != State::Deleted && row.updated_s <= until_s)
        .ok_or_else(not_found)?;
    Ok(format!(
        r#""{}":{}"#,
        facts.kind,
        row.written(facts, number)
    ))
}

#[derive(serde::Deserialize)]
struct BatchRequest {
    #[serde(rename = "BatchItemRequest")]
    items: Vec<BatchItem>,
}

#[derive(serde::Deserialize)]
struct BatchItem {
    #[serde(rename = "bId")]
    id: String,
    #[serde(rename = "Query")]
    query: Option<String>,
}

/// Payloads that one batch may hold.
const BATCH_MAX: usize = 30;

/// Several queries in one; nothing else is done in batches here.
fn batch(books: &Books, body: &[u8], until_s: i64) -> Result<String, Complaint> {
    let unreadable = |detail: String| {
        Complaint::invalid(
            "2010",
            "Request has invalid or unsupported property",
            detail,
        )
    };
    let request: BatchRequest =
        serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    if request.items.len() > BATCH_MAX {
        return Err(unreadable(format!("more than {BATCH_MAX} items")));
    }
    let answers: Vec<String> = request
        .items
        .iter()
        .map(|item| {
            let asked = match &item.query {
                Some(text) => asked_by_query(books, text, until_s),
                None => Err(unreadable("only queries".into())),
            };
            let inside = asked.unwrap_or_else(|complaint| complaint.written());
            format!(r#"{{{inside},"bId":{}}}"#, serde_json::json!(item.id))
        })
        .collect();
    Ok(format!(r#""BatchItemResponse":[{}]"#, answers.join(",")))
}

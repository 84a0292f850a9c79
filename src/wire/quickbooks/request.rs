//! What is asked of QuickBooks and of the authorization server, as text.
//!
//! Everything that is put into an address or a form is percent-encoded but for the unreserved
//! characters of RFC 3986, so also `+`, which a server would read as a space; times say their zone,
//! because a time without a zone means the server's.

use super::kinds::{self, Means};
use crate::model::{RealmId, Record, Secret, Timestamp, Zone};
use std::fmt::Write as _;

/// The one scope that the relay asks consent for.
pub const SCOPE: &str = "com.intuit.quickbooks.accounting";

/// A query for records of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// The kind as the API spells it.
    pub kind: String,
    /// Only what was changed in this second or later.
    pub since: Option<Timestamp>,
    /// Only these ids, at most [`Question::IDS_MAX`]; all when empty.
    pub ids: Vec<String>,
    /// Whether the ids alone are wanted. The records then have no token and no time.
    pub ids_only: bool,
    /// Place of the first record wanted, from 1.
    pub start: u32,
    /// Records of a page, 1 to [`Question::PAGE_MAX`].
    pub max: u32,
    /// The zone in which `since` is written; `None`: UTC.
    pub zone: Option<Zone>,
}

/// Since when something is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Since {
    /// The instant.
    pub at: Timestamp,
    /// The zone in which it is written; `None`: UTC.
    pub zone: Option<Zone>,
}

impl From<Timestamp> for Since {
    fn from(at: Timestamp) -> Self {
        Self { at, zone: None }
    }
}

impl Question {
    /// Ids that one question may name: more would not fit into an address.
    pub const IDS_MAX: usize = 200;
    /// Records that QuickBooks puts on a page at most.
    pub const PAGE_MAX: u32 = 1000;

    /// The question in QuickBooks's query language.
    ///
    /// # Errors
    /// What cannot be asked.
    pub fn text(&self) -> Result<String, String> {
        check_kind(&self.kind)?;
        if self.ids.len() > Self::IDS_MAX {
            return Err(format!("more than {} ids in one question", Self::IDS_MAX));
        }
        let facts = kinds::facts(&self.kind);
        let mut conditions = Vec::new();
        if facts.is_some_and(|facts| facts.is_name_list) {
            conditions.push("Active IN (true, false)".to_owned());
        }
        if let Some(since) = self.since {
            let since = whole_seconds(since, self.zone.as_ref());
            conditions.push(format!("MetaData.LastUpdatedTime >= '{since}'"));
        }
        if !self.ids.is_empty() {
            let ids: Vec<String> = self.ids.iter().map(|id| quote(id)).collect();
            conditions.push(format!("Id IN ({})", ids.join(", ")));
        }
        let what = if self.ids_only { "Id" } else { "*" };
        let mut text = format!("SELECT {what} FROM {}", self.kind);
        if !conditions.is_empty() {
            text = format!("{text} WHERE {}", conditions.join(" AND "));
        }
        if facts.is_none_or(|facts| facts.means == Means::Singleton) {
            return Ok(text);
        }
        let order = match self.since {
            Some(_) => "MetaData.LastUpdatedTime",
            None => "Id",
        };
        Ok(format!(
            "{text} ORDERBY {order} STARTPOSITION {} MAXRESULTS {}",
            self.start.max(1),
            self.max.clamp(1, Self::PAGE_MAX)
        ))
    }

    /// The question for what comes after these records, which filled a page.
    ///
    /// In order of change, the next page begins with the second in which this one ends, not at a
    /// place: a record that changes in between leaves its place to the one behind it, which would
    /// then be passed over. A few records come twice instead. `count` is how many were on the page,
    /// those included that could not be read.
    #[must_use]
    pub fn after(&self, page: &[Record], count: u32) -> Self {
        let end = page.last().and_then(|record| record.updated.at);
        match (self.since, end) {
            (Some(since), Some(end)) if end.as_seconds() > since.as_seconds() => Self {
                since: Some(end),
                start: 1,
                ..self.clone()
            },
            _ => Self {
                start: self.start.max(1).saturating_add(count),
                ..self.clone()
            },
        }
    }
}

/// Path and query of a call of Capture.
///
/// # Errors
/// What cannot be asked.
pub fn capture_path(
    realm: &RealmId,
    kinds: &[&str],
    since: &Since,
    minor_version: u32,
) -> Result<String, String> {
    if kinds.is_empty() {
        return Err("no kind was asked for".into());
    }
    kinds.iter().try_for_each(|kind| check_kind(kind))?;
    Ok(format!(
        "/v3/company/{}/cdc?entities={}&changedSince={}&minorversion={minor_version}",
        encode(realm.as_str()),
        encode(kinds.join(",")),
        encode(whole_seconds(since.at, since.zone.as_ref())),
    ))
}

/// Path and query of a query.
///
/// # Errors
/// What cannot be asked.
pub fn query_path(
    realm: &RealmId,
    question: &Question,
    minor_version: u32,
) -> Result<String, String> {
    Ok(format!(
        "/v3/company/{}/query?query={}&minorversion={minor_version}",
        encode(realm.as_str()),
        encode(question.text()?),
    ))
}

/// Path and query of the question for a company's own information.
pub fn company_info_path(realm: &RealmId, minor_version: u32) -> String {
    let realm = encode(realm.as_str());
    format!("/v3/company/{realm}/companyinfo/{realm}?minorversion={minor_version}")
}

/// The query of the address at which a person consents.
pub fn authorize_query(client_id: &str, redirect_uri: &str, scope: &str, state: &str) -> String {
    form(&[
        ("client_id", client_id.as_bytes()),
        ("response_type", b"code"),
        ("scope", scope.as_bytes()),
        ("redirect_uri", redirect_uri.as_bytes()),
        ("state", state.as_bytes()),
    ])
}

/// The form that exchanges a code.
pub fn code_form(code: &Secret, redirect_uri: &str) -> String {
    form(&[
        ("grant_type", b"authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect_uri.as_bytes()),
    ])
}

/// The form that exchanges a refresh token.
pub fn refresh_form(refresh: &Secret) -> String {
    form(&[
        ("grant_type", b"refresh_token"),
        ("refresh_token", refresh.expose()),
    ])
}

/// The JSON that revokes a token; Intuit takes no form here.
pub fn revoke_body(token: &Secret) -> String {
    let token = String::from_utf8_lossy(token.expose());
    serde_json::json!({ "token": token }).to_string()
}

fn form(fields: &[(&str, &[u8])]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    fields.join("&")
}

/// Kinds come from notifications too, so from outside.
fn check_kind(kind: &str) -> Result<(), String> {
    let is_word = kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_word && (1..=64).contains(&kind.len()) {
        true => Ok(()),
        false => Err("this is no kind of record".into()),
    }
}

/// A string of the query language; quotes and backslashes in it are escaped by a backslash.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// The instant without its fraction, as records have it; nothing before 1970.
fn whole_seconds(at: Timestamp, zone: Option<&Zone>) -> String {
    let second = Timestamp::from_ms(at.as_seconds().max(0).saturating_mul(1000));
    zone.unwrap_or(&Zone::UTC).write(second)
}

fn encode(text: impl AsRef<[u8]>) -> String {
    let mut encoded = String::new();
    for &byte in text.as_ref() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntityRef, EventTime, RecordState};

    const NEW_YEAR: Timestamp = Timestamp::from_ms(1_767_225_600_999);

    fn question(kind: &str) -> Question {
        Question {
            kind: kind.into(),
            since: None,
            ids: Vec::new(),
            ids_only: false,
            start: 1,
            max: 1000,
            zone: None,
        }
    }

    fn record(second: i64) -> Record {
        Record {
            entity: EntityRef {
                kind: "TimeActivity".into(),
                id: "5".into(),
            },
            sync_token: None,
            created_at: None,
            updated: EventTime {
                text: String::new(),
                at: Some(Timestamp::from_ms(second * 1000)),
            },
            state: RecordState::Live,
            body: String::new(),
        }
    }

    #[test]
    fn capture_is_asked_in_utc_with_everything_encoded() {
        let realm = RealmId::new("1185883450").unwrap();
        let path = capture_path(&realm, &["Customer", "Invoice"], &NEW_YEAR.into(), 75);
        assert_eq!(
            path.unwrap(),
            "/v3/company/1185883450/cdc?entities=Customer%2CInvoice\
             &changedSince=2026-01-01T00%3A00%3A00Z&minorversion=75"
        );
        let odd = RealmId::new("../1?a=b&c+d").unwrap();
        let path = capture_path(&odd, &["Bill"], &Timestamp::from_ms(-1).into(), 75).unwrap();
        assert!(
            path.starts_with("/v3/company/..%2F1%3Fa%3Db%26c%2Bd/cdc?"),
            "{path}"
        );
        assert!(
            path.contains("changedSince=1970-01-01T00%3A00%3A00Z"),
            "{path}"
        );
        for kinds in [&[][..], &["Bill, Invoice"], &[""]] {
            assert!(
                capture_path(&realm, kinds, &NEW_YEAR.into(), 75).is_err(),
                "{kinds:?}"
            );
        }
    }

    #[test]
    fn a_question_is_written_in_the_language_of_queries() {
        let page = "STARTPOSITION 1 MAXRESULTS 1000";
        let table = [
            (
                question("TimeActivity"),
                format!("SELECT * FROM TimeActivity ORDERBY Id {page}"),
            ),
            (
                Question {
                    since: Some(NEW_YEAR),
                    start: 0,
                    max: 5000,
                    ..question("TimeActivity")
                },
                format!(
                    "SELECT * FROM TimeActivity WHERE MetaData.LastUpdatedTime >= \
                     '2026-01-01T00:00:00Z' ORDERBY MetaData.LastUpdatedTime {page}"
                ),
            ),
            (
                Question {
                    ids: vec!["7".into(), r"O'Hara\".into()],
                    ids_only: true,
                    start: 3,
                    max: 2,
                    ..question("TaxRate")
                },
                r"SELECT Id FROM TaxRate WHERE Active IN (true, false) AND Id IN ('7', 'O\'Hara\\') ORDERBY Id STARTPOSITION 3 MAXRESULTS 2".into(),
            ),
            (question("Preferences"), "SELECT * FROM Preferences".into()),
            (question("CompanyInfo"), "SELECT * FROM CompanyInfo".into()),
        ];
        for (question, expected) in table {
            assert_eq!(question.text(), Ok(expected));
        }
        let many = Question {
            ids: vec!["1".into(); Question::IDS_MAX + 1],
            ..question("Bill")
        };
        for question in [many, question("Bill; DROP"), question("")] {
            assert!(question.text().is_err(), "{question:?}");
        }
    }

    #[test]
    fn the_next_page_begins_where_nothing_can_have_been_passed_over() {
        let first = Question {
            since: Some(Timestamp::from_ms(10_400)),
            ..question("TimeActivity")
        };
        let next = first.after(&[record(10), record(12)], 2);
        assert_eq!(
            (next.since, next.start),
            (Some(Timestamp::from_ms(12_000)), 1)
        );
        // A page of one second cannot be left by its time.
        let next = next.after(&[record(12), record(12)], 2);
        assert_eq!(
            (next.since, next.start),
            (Some(Timestamp::from_ms(12_000)), 3)
        );
        let next = question("TimeActivity").after(&[record(10), record(12)], 2);
        assert_eq!((next.since, next.start), (None, 3));
    }

    #[test]
    fn forms_and_consent_are_encoded_so_that_they_come_through() {
        let uri = "https://relay.example/oauth/callback?a=1";
        assert_eq!(
            authorize_query("AB c", uri, SCOPE, "s+t/="),
            "client_id=AB%20c&response_type=code&scope=com.intuit.quickbooks.accounting\
             &redirect_uri=https%3A%2F%2Frelay.example%2Foauth%2Fcallback%3Fa%3D1&state=s%2Bt%2F%3D"
        );
        assert_eq!(
            code_form(&Secret::new("Q0+&"), uri),
            "grant_type=authorization_code&code=Q0%2B%26\
             &redirect_uri=https%3A%2F%2Frelay.example%2Foauth%2Fcallback%3Fa%3D1"
        );
        assert_eq!(
            refresh_form(&Secret::new("RT1-39")),
            "grant_type=refresh_token&refresh_token=RT1-39"
        );
        assert_eq!(revoke_body(&Secret::new("a\"b")), r#"{"token":"a\"b"}"#);
    }
}

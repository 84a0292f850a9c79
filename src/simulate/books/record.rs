//! One record, and how the API writes it.
//!
//! The content is computed from kind, id and state, so that a company of a hundred thousand records
//! costs little memory; what a test sets by name stands in place of it. Money is written as
//! QuickBooks does: `0`, or two digits (`1005.00`).

use super::pacific;
use super::{Family, KindFacts, Seen};
use crate::model::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum State {
    /// In use.
    Live,
    /// A name that is no longer used (`Active: false`).
    Inactive,
    /// A transaction with amounts of 0.
    Voided,
    /// Gone; Capture shows a tombstone.
    Deleted,
}

/// What is kept of a record.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Number of its changes.
    pub sync_token: u32,
    /// `CreateTime` in seconds since 1970.
    pub created_s: i64,
    /// `LastUpdatedTime` in seconds since 1970.
    pub updated_s: i64,
    /// What it is.
    pub state: State,
    /// Content that was set by name, as JSON text.
    pub(super) fields: Option<BTreeMap<String, String>>,
}

impl Row {
    /// A record that was created then.
    pub(super) const fn new(at_s: i64) -> Self {
        Self {
            sync_token: 0,
            created_s: at_s,
            updated_s: at_s,
            state: State::Live,
            fields: None,
        }
    }

    /// What a receiver should have made of it.
    pub(super) fn seen(&self) -> Seen {
        Seen {
            sync_token: (self.state != State::Deleted).then(|| self.sync_token.to_string()),
            updated: Timestamp::from_ms(self.updated_s.saturating_mul(1000)),
            state: self.state,
        }
    }

    /// The record's JSON text; a tombstone for one that is gone.
    pub fn written(&self, facts: &KindFacts, id: u64) -> String {
        if self.state == State::Deleted {
            return format!(
                r#"{{"domain":"QBO","status":"Deleted","Id":"{id}","MetaData":{{"LastUpdatedTime":"{}"}}}}"#,
                pacific::second(self.updated_s)
            );
        }
        let mut text = format!(
            r#"{{"domain":"QBO","sparse":false,"Id":"{id}","SyncToken":"{}","MetaData":{{"CreateTime":"{}","LastUpdatedTime":"{}"}}"#,
            self.sync_token,
            pacific::second(self.created_s),
            pacific::second(self.updated_s)
        );
        for (name, value) in self.content(facts, id) {
            _ = write!(text, r#","{name}":{value}"#);
        }
        text.push('}');
        text
    }

    /// Names and JSON texts of what the record holds beside its head.
    pub(crate) fn content(&self, facts: &KindFacts, id: u64) -> BTreeMap<String, String> {
        let mut content = match facts.family {
            Family::Party | Family::Named => self.name(facts, id),
            Family::Fixed => {
                BTreeMap::from([("Name".to_owned(), format!(r#""{} {id}""#, facts.kind))])
            }
            Family::Transaction => self.transaction(facts, id),
            Family::Hours => self.hours(id),
            Family::File => BTreeMap::from([
                ("FileName".to_owned(), format!(r#""receipt-{id}.pdf""#)),
                ("Note".into(), format!(r#""Attachable {id}""#)),
            ]),
            Family::Single => single(facts),
        };
        for (name, value) in self.fields.iter().flat_map(|fields| fields.iter()) {
            content.insert(name.clone(), value.clone());
        }
        content
    }

    fn name(&self, facts: &KindFacts, id: u64) -> BTreeMap<String, String> {
        let is_active = self.state == State::Live;
        let remark = if is_active { "" } else { " (deleted)" };
        let name = format!(r#""{} {id}{remark}""#, facts.kind);
        let mut content = BTreeMap::from([("Active".to_owned(), is_active.to_string())]);
        if facts.family == Family::Party {
            content.insert("DisplayName".into(), name);
            content.insert("Balance".into(), self.balance(facts, id));
        } else {
            content.insert("FullyQualifiedName".into(), name.clone());
            content.insert("Name".into(), name);
        }
        content
    }

    fn transaction(&self, facts: &KindFacts, id: u64) -> BTreeMap<String, String> {
        let is_void = self.state == State::Voided;
        let total = if is_void {
            "0".into()
        } else {
            money(mixed(facts.kind, id, u64::from(self.sync_token)))
        };
        let balance = if is_void {
            "0".into()
        } else {
            self.balance(facts, id)
        };
        let mut content = BTreeMap::from([
            ("DocNumber".to_owned(), format!(r#""{}""#, 1000 + id)),
            (
                "TxnDate".into(),
                format!(r#""{}""#, pacific::day(self.created_s)),
            ),
            (
                "CurrencyRef".into(),
                r#"{"value":"USD","name":"United States Dollar"}"#.into(),
            ),
            (
                "Line".into(),
                format!(
                    r#"[{{"Id":"1","LineNum":1,"Amount":{total},"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{{"ItemRef":{{"value":"1","name":"Services"}},"TaxCodeRef":{{"value":"NON"}}}}}},{{"Amount":{total},"DetailType":"SubTotalLineDetail","SubTotalLineDetail":{{}}}}]"#
                ),
            ),
            ("Balance".into(), balance),
            ("TotalAmt".into(), total),
        ]);
        if is_void {
            content.insert("PrivateNote".into(), r#""Voided""#.into());
        }
        content
    }

    fn hours(&self, id: u64) -> BTreeMap<String, String> {
        let minutes = mixed("TimeActivity", id, u64::from(self.sync_token)) % 60;
        BTreeMap::from([
            (
                "TxnDate".to_owned(),
                format!(r#""{}""#, pacific::day(self.created_s)),
            ),
            ("NameOf".into(), r#""Employee""#.into()),
            (
                "EmployeeRef".into(),
                r#"{"value":"1","name":"Employee 1"}"#.into(),
            ),
            ("Hours".into(), (1 + id % 8).to_string()),
            ("Minutes".into(), minutes.to_string()),
        ])
    }

    /// Changes whenever something happens, also when `SyncToken` does not.
    fn balance(&self, facts: &KindFacts, id: u64) -> String {
        money(mixed(facts.kind, id, self.updated_s.unsigned_abs()))
    }
}

fn single(facts: &KindFacts) -> BTreeMap<String, String> {
    if facts.kind == "CompanyInfo" {
        BTreeMap::from([
            (
                "CompanyName".to_owned(),
                r#""A simulated company""#.to_owned(),
            ),
            ("Country".into(), r#""US""#.into()),
        ])
    } else {
        BTreeMap::from([(
            "AccountingInfoPrefs".to_owned(),
            r#"{"FirstMonthOfFiscalYear":"January","UseAccountNumbers":false}"#.to_owned(),
        )])
    }
}

/// A number that looks like chance and is always the same (the finishing steps of SplitMix64).
fn mixed(kind: &str, id: u64, turn: u64) -> u64 {
    let letters = kind.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let mut mixed = letters ^ id.rotate_left(20) ^ turn.rotate_left(40);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn money(chance: u64) -> String {
    match chance % 200_000 {
        0..5_000 => "0".into(),
        cents => format!("{}.{:02}", cents / 100, cents % 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::books::find;

    fn row(state: State) -> Row {
        Row {
            sync_token: 1,
            updated_s: 1_444_243_400,
            state,
            ..Row::new(1_444_243_358)
        }
    }

    fn json(kind: &str, row: &Row) -> serde_json::Value {
        serde_json::from_str(&row.written(find(kind).unwrap(), 7)).unwrap()
    }

    #[test]
    fn a_record_has_a_head_and_content_by_its_kind() {
        let customer = json("Customer", &row(State::Live));
        assert_eq!(customer["Id"], "7");
        assert_eq!(customer["SyncToken"], "1");
        assert_eq!(customer["DisplayName"], "Customer 7");
        assert_eq!(
            customer["MetaData"]["LastUpdatedTime"],
            "2015-10-07T11:43:20-07:00"
        );
        assert_eq!(
            json("Item", &row(State::Inactive))["Name"],
            "Item 7 (deleted)"
        );
        for facts in super::super::kinds() {
            assert_eq!(json(facts.kind, &row(State::Live))["sparse"], false);
        }
    }

    #[test]
    fn a_void_is_known_by_its_note_and_its_amounts() {
        let text = row(State::Voided).written(find("Invoice").unwrap(), 7);
        assert!(text.contains(r#""PrivateNote":"Voided""#), "{text}");
        assert!(text.contains(r#""TotalAmt":0,"#), "{text}");
    }

    #[test]
    fn a_tombstone_has_no_sync_token() {
        assert_eq!(
            row(State::Deleted).written(find("Invoice").unwrap(), 65),
            r#"{"domain":"QBO","status":"Deleted","Id":"65","MetaData":{"LastUpdatedTime":"2015-10-07T11:43:20-07:00"}}"#
        );
    }

    #[test]
    fn money_has_two_digits_or_is_a_bare_0() {
        assert_eq!(money(100_500), "1005.00");
        assert_eq!(money(5_007), "50.07");
        assert_eq!(money(4_999), "0");
    }
}

//! Change Data Capture, out of the books.
//!
//! Thirty days back, a thousand objects in all, one block for each kind in the order of asking,
//! tombstones for what was deleted; no pages, no upper bound. Source: Intuit's page on change data
//! capture, and recorded answers.

use super::answer::Complaint;
use crate::model::Timestamp;
use crate::simulate::books::{KindFacts, Ledger, Row, State, find_loosely, pacific};
use std::time::Duration;

/// Objects in one answer, over all kinds.
pub(super) const OBJECTS_MAX: usize = 1_000;

const LOOK_BACK: Duration = Duration::from_secs(30 * 86_400);

/// What is asked for, and under what conditions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    /// Names of kinds, with commas.
    pub(super) entities: Option<&'a str>,
    pub(super) changed_since: Option<&'a str>,
    pub(super) now: Timestamp,
    /// Whether what changed in the very second of `changed_since` is found.
    pub(super) is_inclusive: bool,
    /// Later changes do not show yet.
    pub(super) until_s: i64,
    /// A fault in place of this kind's block, or, when empty, of everything.
    pub(super) fault_inside: Option<&'a str>,
}

/// The answer's `CDCResponse` with its value.
pub(super) fn capture(ledger: &Ledger, asking: &Asking<'_>) -> Result<String, Complaint> {
    let kinds = kinds(asking.entities.unwrap_or_default())?;
    let since = since(asking)?;
    if asking.fault_inside == Some("") {
        return Ok(format!(r#""CDCResponse":[{{{}}}]"#, internal().written()));
    }
    let after_s = if asking.is_inclusive {
        since.as_ms().saturating_sub(1).div_euclid(1_000)
    } else {
        since.as_seconds()
    };
    let mut room = OBJECTS_MAX;
    let blocks: Vec<String> = kinds
        .into_iter()
        .map(|facts| {
            if asking
                .fault_inside
                .is_some_and(|kind| kind.eq_ignore_ascii_case(facts.kind))
            {
                return format!("{{{}}}", internal().written());
            }
            let rows: Vec<(u64, &Row)> = ledger
                .changed_after(facts.kind, after_s)
                .filter(|(_, row)| row.updated_s <= asking.until_s)
                .take(room)
                .collect();
            room -= rows.len();
            block(facts, &rows)
        })
        .collect();
    Ok(format!(
        r#""CDCResponse":[{{"QueryResponse":[{}]}}]"#,
        blocks.join(",")
    ))
}

fn block(facts: &KindFacts, rows: &[(u64, &Row)]) -> String {
    if rows.is_empty() {
        return "{}".into();
    }
    let texts: Vec<String> = rows
        .iter()
        .map(|(id, row)| row.written(facts, *id))
        .collect();
    let count = rows.len();
    let rest = if rows.iter().all(|(_, row)| row.state == State::Deleted) {
        format!(r#""maxResults":{count},"totalCount":{count}"#)
    } else {
        format!(r#""startPosition":1,"maxResults":{count}"#)
    };
    format!(r#"{{"{}":[{}],{rest}}}"#, facts.kind, texts.join(","))
}

fn kinds(entities: &str) -> Result<Vec<&'static KindFacts>, Complaint> {
    if entities.is_empty() {
        return Err(missing("entities"));
    }
    let kind = |name: &str| {
        find_loosely(name.trim())
            .filter(|facts| facts.captured)
            .ok_or_else(|| {
                unsupported(format!("Operation cdc for entity {name} is not supported."))
            })
    };
    entities.split(',').map(kind).collect()
}

fn since(asking: &Asking<'_>) -> Result<Timestamp, Complaint> {
    let text = asking
        .changed_since
        .ok_or_else(|| missing("changedSince"))?;
    let since = pacific::read(text).ok_or_else(|| {
        let detail = format!("Invalid Date/Time format : {text}");
        Complaint::invalid("2060", "Invalid Date/Time format", detail)
    })?;
    if since < asking.now.minus(LOOK_BACK) {
        return Err(too_old(text));
    }
    Ok(since)
}

/// What QuickBooks says about a capture that goes back more than thirty days.
pub(super) fn too_old(changed_since: &str) -> Complaint {
    unsupported(format!(
        "Operation cdc with changedSince date {changed_since} which is older than fixed days is not supported."
    ))
}

fn unsupported(detail: String) -> Complaint {
    Complaint::invalid("500", "Unsupported Operation", detail)
}

fn missing(parameter: &str) -> Complaint {
    Complaint::invalid(
        "2020",
        "Required param missing, need to supply the required value for the API",
        format!("Required parameter {parameter} is missing in the request"),
    )
}

/// A fault on the service's own side.
pub(super) fn internal() -> Complaint {
    Complaint {
        status: 500,
        family: "SystemFault",
        code: "10000",
        message: "An application error has occurred while processing your request",
        detail: "System Failure Error: something went wrong inside".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::books::{Change, Deed};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_ms((1_790_000_000 + s) * 1_000)
    }

    fn asking<'a>(entities: &'a str, since: &'a str) -> Asking<'a> {
        Asking {
            entities: Some(entities),
            changed_since: Some(since),
            now: at(100),
            is_inclusive: false,
            until_s: i64::MAX,
            fault_inside: None,
        }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new("1", 1, at(0));
        for s in 1..=3 {
            ledger.fill("Estimate", 1, at(s));
            ledger.fill("Invoice", 1, at(s));
        }
        let delete = Change::new("Invoice", Deed::Delete, Some("2"));
        ledger.apply(at(50), &delete).unwrap();
        ledger
    }

    fn captured(ledger: &Ledger, asking: &Asking<'_>) -> serde_json::Value {
        let text = format!("{{{}}}", capture(ledger, asking).unwrap());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["CDCResponse"][0].clone()
    }

    #[test]
    fn each_kind_has_a_block_and_an_unchanged_one_an_empty_block() {
        let since = at(2).to_string();
        let answer = captured(&ledger(), &asking("estimate,Customer,Invoice", &since));
        let blocks = answer["QueryResponse"].as_array().unwrap();
        assert_eq!(blocks.len(), 3);
        assert_eq!(blocks[0]["Estimate"][0]["Id"], "3");
        assert_eq!(blocks[0]["startPosition"], 1);
        assert_eq!(blocks[1], serde_json::json!({}));
        let ids: Vec<_> = blocks[2]["Invoice"].as_array().unwrap().iter().collect();
        assert_eq!((&ids[0]["Id"], &ids[1]["Id"]), (&"3".into(), &"2".into()));
        assert_eq!(ids[1]["status"], "Deleted");
        assert_eq!(ids[1]["SyncToken"], serde_json::Value::Null);
    }

    #[test]
    fn a_block_of_tombstones_has_a_total_and_no_start() {
        let since = at(49).to_string();
        let answer = captured(&ledger(), &asking("Invoice", &since));
        let block = &answer["QueryResponse"][0];
        assert_eq!(block["totalCount"], 1);
        assert_eq!(block.get("startPosition"), None);
    }

    #[test]
    fn the_bound_is_inclusive_only_where_asked_and_late_changes_stay_hidden() {
        let since = at(3).to_string();
        let count = |asking: &Asking<'_>| {
            let answer = captured(&ledger(), asking);
            answer["QueryResponse"][0]["Estimate"]
                .as_array()
                .map_or(0, Vec::len)
        };
        let mut asking = asking("Estimate", &since);
        assert_eq!(count(&asking), 0);
        asking.is_inclusive = true;
        assert_eq!(count(&asking), 1);
        asking.until_s = at(2).as_seconds();
        assert_eq!(count(&asking), 0);
    }

    #[test]
    fn a_thousand_objects_are_shared_by_all_kinds() {
        let mut ledger = ledger();
        ledger.fill("Bill", 700, at(10));
        ledger.fill("Vendor", 700, at(10));
        let since = at(9).to_string();
        let answer = captured(&ledger, &asking("Bill,Vendor,Item", &since));
        let count = |at: usize, kind| {
            let block = &answer["QueryResponse"][at];
            block[kind].as_array().map_or(0, Vec::len)
        };
        assert_eq!(
            (count(0, "Bill"), count(1, "Vendor"), count(2, "Item")),
            (700, 300, 0)
        );
    }

    #[test]
    fn what_capture_does_not_take_is_refused() {
        let ledger = ledger();
        let recent = at(0).to_string();
        let table = [
            ("", recent.as_str(), "2020"),
            ("Invoice,TimeActivity", &recent, "500"),
            ("TaxCode", &recent, "500"),
            ("Nonsense", &recent, "500"),
            ("Invoice", "2026-01-01T00:00:00 05:30", "2060"),
            ("Invoice", "2015-11-28", "500"),
        ];
        for (entities, since, code) in table {
            let complaint = capture(&ledger, &asking(entities, since)).unwrap_err();
            assert_eq!(
                (complaint.status, complaint.code),
                (400, code),
                "{entities} {since}"
            );
        }
        let days_30 = at(100).minus(LOOK_BACK).to_string();
        assert!(capture(&ledger, &asking("Invoice", &days_30)).is_ok());
    }

    #[test]
    fn a_fault_can_stand_for_one_block_or_for_everything() {
        let since = at(0).to_string();
        let mut asking = asking("Estimate,Invoice", &since);
        asking.fault_inside = Some("Estimate");
        let answer = captured(&ledger(), &asking);
        assert_eq!(
            answer["QueryResponse"][0]["Fault"]["Error"][0]["code"],
            "10000"
        );
        assert!(answer["QueryResponse"][1]["Invoice"].is_array());
        asking.fault_inside = Some("");
        let answer = captured(&ledger(), &asking);
        assert_eq!(answer["Fault"]["type"], "SystemFault");
    }
}

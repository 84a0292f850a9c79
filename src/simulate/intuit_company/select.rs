//! Answers to queries, out of the books.

use super::answer::Complaint;
use super::query::{Condition, Query, Test, Wanted, invalid};
use crate::simulate::books::{Family, KindFacts, Ledger, Row, State, find, pacific};
use std::cmp::Ordering;

/// What a query finds, as the inside of `QueryResponse`. `until_s`: later changes do not show yet.
pub(super) fn select(ledger: &Ledger, query: &Query, until_s: i64) -> Result<String, Complaint> {
    // Case counts (Intuit, "Data queries").
    let facts = find(&query.kind)
        .filter(|facts| facts.readable)
        .ok_or_else(|| invalid(&format!("Metadata not found for Entity : {}", query.kind)))?;
    check_fields(facts, query)?;
    let asks_for_activity = query.conditions.iter().any(|one| one.field == "Active");
    let tests = query
        .conditions
        .iter()
        .map(|condition| Ok((condition, instant(condition)?)))
        .collect::<Result<Vec<_>, Complaint>>()?;
    let mut found: Vec<(u64, &Row)> = ledger
        .rows(facts.kind)
        .filter(|(_, row)| row.state != State::Deleted && row.updated_s <= until_s)
        .filter(|(_, row)| row.state != State::Inactive || asks_for_activity)
        .filter(|(id, row)| {
            let passes =
                |(one, instant): &(&Condition, Option<i64>)| passes(facts, *id, row, one, *instant);
            tests.iter().all(passes)
        })
        .collect();
    for (field, descends) in query.order.iter().rev() {
        found.sort_by(|one, other| {
            let order = compare(facts, *one, *other, field);
            if *descends { order.reverse() } else { order }
        });
    }
    Ok(page(facts, query, &found))
}

fn page(facts: &KindFacts, query: &Query, found: &[(u64, &Row)]) -> String {
    if query.wanted == Wanted::Count {
        return format!(r#"{{"totalCount":{}}}"#, found.len());
    }
    let page: Vec<String> = found
        .iter()
        .skip(query.start - 1)
        .take(query.max)
        .map(|(id, row)| match &query.wanted {
            Wanted::Fields(fields) => some_fields(facts, *id, row, fields),
            Wanted::All | Wanted::Count => row.written(facts, *id),
        })
        .collect();
    if page.is_empty() {
        return "{}".into();
    }
    format!(
        r#"{{"{}":[{}],"startPosition":{},"maxResults":{}}}"#,
        facts.kind,
        page.join(","),
        query.start,
        page.len()
    )
}

fn some_fields(facts: &KindFacts, id: u64, row: &Row, fields: &[String]) -> String {
    let written = fields.iter().filter_map(|field| match field.as_str() {
        "Id" => Some(format!(r#","Id":"{id}""#)),
        "SyncToken" => Some(format!(r#","SyncToken":"{}""#, row.sync_token)),
        "MetaData.LastUpdatedTime" => Some(format!(
            r#","MetaData":{{"LastUpdatedTime":"{}"}}"#,
            pacific::second(row.updated_s)
        )),
        name => {
            let value = row.content(facts, id).remove(name)?;
            Some(format!(r#","{name}":{value}"#))
        }
    });
    let written: String = written.collect();
    format!(r#"{{"domain":"QBO","sparse":true{written}}}"#)
}

/// Fields that can be asked for, by kind; all else is refused, as QuickBooks refuses it.
fn check_fields(facts: &KindFacts, query: &Query) -> Result<(), Complaint> {
    const HEAD: [&str; 4] = [
        "Id",
        "SyncToken",
        "MetaData.CreateTime",
        "MetaData.LastUpdatedTime",
    ];
    let own: &[&str] = match facts.family {
        Family::Party => &["Active", "DisplayName", "Balance"],
        Family::Named => &["Active", "Name", "FullyQualifiedName"],
        Family::Fixed => &["Name"],
        Family::Transaction => &["DocNumber", "TxnDate", "TotalAmt", "Balance", "PrivateNote"],
        Family::Hours => &["TxnDate"],
        Family::File => &["FileName", "Note"],
        Family::Single => &["CompanyName"],
    };
    let wanted = match &query.wanted {
        Wanted::Fields(fields) => fields.as_slice(),
        Wanted::All | Wanted::Count => &[],
    };
    let conditions = query.conditions.iter().map(|one| &one.field);
    let mut fields = conditions
        .chain(query.order.iter().map(|(field, _)| field))
        .chain(wanted);
    let unknown = fields.find(|field| {
        let field = field.as_str();
        !HEAD.contains(&field) && !own.contains(&field)
    });
    match unknown {
        Some(field) => Err(invalid(&format!(
            "Property {field} not found for Entity {}",
            facts.kind
        ))),
        None => Ok(()),
    }
}

/// The second that a condition on a time compares with.
fn instant(condition: &Condition) -> Result<Option<i64>, Complaint> {
    if !condition.field.starts_with("MetaData.") {
        return Ok(None);
    }
    let text = match &condition.test {
        Test::Equal(text)
        | Test::Less(text)
        | Test::LessOrEqual(text)
        | Test::Greater(text)
        | Test::GreaterOrEqual(text) => text,
        Test::Like(_) | Test::In(_) => {
            return Err(invalid("a time is compared with one other time"));
        }
    };
    match pacific::read(text) {
        Some(at) => Ok(Some(at.as_seconds())),
        None => Err(invalid(&format!("Invalid date value: {text}"))),
    }
}

fn passes(
    facts: &KindFacts,
    id: u64,
    row: &Row,
    condition: &Condition,
    instant: Option<i64>,
) -> bool {
    let order = |text: &str| match instant {
        Some(instant) if condition.field == "MetaData.CreateTime" => row.created_s.cmp(&instant),
        Some(instant) => row.updated_s.cmp(&instant),
        // `True` and `true` are the same there.
        None if condition.field == "Active" => {
            let is_active = value(facts, id, row, "Active");
            is_active.cmp(&text.to_ascii_lowercase())
        }
        None => compare_text(&value(facts, id, row, &condition.field), text),
    };
    match &condition.test {
        Test::Equal(text) => order(text).is_eq(),
        Test::Less(text) => order(text).is_lt(),
        Test::LessOrEqual(text) => order(text).is_le(),
        Test::Greater(text) => order(text).is_gt(),
        Test::GreaterOrEqual(text) => order(text).is_ge(),
        Test::In(texts) => texts.iter().any(|text| order(text).is_eq()),
        Test::Like(pattern) => like(&value(facts, id, row, &condition.field), pattern),
    }
}

fn compare(
    facts: &KindFacts,
    (one_id, one): (u64, &Row),
    (other_id, other): (u64, &Row),
    field: &str,
) -> Ordering {
    match field {
        "Id" => one_id.cmp(&other_id),
        "MetaData.LastUpdatedTime" => one.updated_s.cmp(&other.updated_s),
        "MetaData.CreateTime" => one.created_s.cmp(&other.created_s),
        _ => compare_text(
            &value(facts, one_id, one, field),
            &value(facts, other_id, other, field),
        ),
    }
}

/// A field as text, without the quotes of JSON.
fn value(facts: &KindFacts, id: u64, row: &Row, field: &str) -> String {
    match field {
        "Id" => id.to_string(),
        "SyncToken" => row.sync_token.to_string(),
        "Active" => (row.state == State::Live).to_string(),
        _ => {
            let text = row.content(facts, id).remove(field).unwrap_or_default();
            serde_json::from_str::<String>(&text).unwrap_or(text)
        }
    }
}

/// Numbers by size, all else by letters.
fn compare_text(one: &str, other: &str) -> Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    }
}

/// `%` stands for any letters.
fn like(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    let mut parts = pattern.split('%').peekable();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let found = match (is_first, is_last) {
            (true, true) => return rest == part,
            (true, false) => rest.strip_prefix(part),
            (false, true) => return rest.ends_with(part),
            (false, false) => rest.split_once(part).map(|(_, after)| after),
        };
        match found {
            Some(after) => rest = after,
            None => return false,
        }
        is_first = false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::query::parse;
    use super::*;
    use crate::model::Timestamp;
    use crate::simulate::books::{Change, Deed};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_ms((1_790_000_000 + s) * 1000)
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new("1", 1, at(0));
        for s in 1..=5 {
            ledger.fill("Customer", 1, at(s));
            ledger.fill("Invoice", 1, at(s));
        }
        let mut apply = |s, kind, deed, id| {
            ledger
                .apply(at(s), &Change::new(kind, deed, Some(id)))
                .unwrap()
        };
        apply(10, "Customer", Deed::Deactivate, "2");
        apply(11, "Invoice", Deed::Delete, "3");
        apply(12, "Invoice", Deed::Update, "1");
        ledger
    }

    fn ids(ledger: &Ledger, kind: &str, rest: &str) -> Vec<String> {
        let query = parse(&format!("select * from {kind} {rest}")).unwrap();
        let text = select(ledger, &query, i64::MAX).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let records = json[kind].as_array().cloned().unwrap_or_default();
        let id = |record: &serde_json::Value| record["Id"].as_str().unwrap().to_owned();
        records.iter().map(id).collect()
    }

    #[test]
    fn rows_are_chosen_ordered_and_paged() {
        let ledger = ledger();
        let second = |s: i64| at(s).to_string();
        let table = [
            ("Customer", String::new(), "1 3 4 5"),
            (
                "Customer",
                "where Active in (true, false)".into(),
                "1 2 3 4 5",
            ),
            ("Customer", "where Active = false".into(), "2"),
            ("Customer", "where Active = False".into(), "2"),
            ("Customer", "where Active IN (False)".into(), "2"),
            ("Customer", "where DisplayName like '%er 4'".into(), "4"),
            ("Customer", "where Id in ('5', '1', '9')".into(), "1 5"),
            ("Customer", "where Id > '3' orderby Id desc".into(), "5 4"),
            ("Invoice", String::new(), "1 2 4 5"),
            (
                "Invoice",
                "orderby MetaData.LastUpdatedTime".into(),
                "2 4 5 1",
            ),
            ("Invoice", "startposition 2 maxresults 2".into(), "2 4"),
            ("Invoice", "startposition 5".into(), ""),
            (
                "Invoice",
                format!("where MetaData.LastUpdatedTime >= '{}'", second(5)),
                "1 5",
            ),
            (
                "Invoice",
                format!("where MetaData.LastUpdatedTime > '{}'", second(5)),
                "1",
            ),
            (
                "Invoice",
                format!("where MetaData.CreateTime <= '{}'", second(2)),
                "1 2",
            ),
        ];
        for (kind, rest, expected) in table {
            assert_eq!(
                ids(&ledger, kind, &rest).join(" "),
                expected,
                "{kind} {rest}"
            );
        }
    }

    #[test]
    fn counts_fields_and_nothing_are_written_as_recorded() {
        let ledger = ledger();
        let select = |text: &str| select(&ledger, &parse(text).unwrap(), i64::MAX).unwrap();
        assert_eq!(
            select("select count(*) from Invoice"),
            r#"{"totalCount":4}"#
        );
        assert_eq!(select("select * from Bill"), "{}");
        assert_eq!(
            select("select Id from Invoice maxresults 1"),
            r#"{"Invoice":[{"domain":"QBO","sparse":true,"Id":"1"}],"startPosition":1,"maxResults":1}"#
        );
    }

    #[test]
    fn unknown_kinds_and_fields_are_refused_and_the_newest_can_be_hidden() {
        let ledger = ledger();
        let refused = |text: &str| {
            let complaint = select(&ledger, &parse(text).unwrap(), i64::MAX).unwrap_err();
            complaint.detail
        };
        assert_eq!(
            refused("select * from Nonsense"),
            "QueryValidationError: Metadata not found for Entity : Nonsense"
        );
        assert_eq!(
            refused("select * from Invoice where Active in (true, false)"),
            "QueryValidationError: Property Active not found for Entity Invoice"
        );
        assert_eq!(
            refused("select * from Invoice where MetaData.LastUpdatedTime > '2026 05:30'"),
            "QueryValidationError: Invalid date value: 2026 05:30"
        );
        let all = parse("select count(*) from Invoice").unwrap();
        let until = at(11).as_seconds();
        assert_eq!(select(&ledger, &all, until).unwrap(), r#"{"totalCount":3}"#);
    }

    #[test]
    fn a_percent_sign_stands_for_any_letters() {
        let table = [
            ("Amy", "Amy", true),
            ("Amy", "A%", true),
            ("Amy", "%y", true),
            ("Amy", "%m%", true),
            ("Amy", "A%y", true),
            ("Amy", "B%", false),
            ("Amy", "%x%", false),
            ("Amy", "Am", false),
        ];
        for (text, pattern, expected) in table {
            assert_eq!(like(text, pattern), expected, "{text} {pattern}");
        }
    }
}

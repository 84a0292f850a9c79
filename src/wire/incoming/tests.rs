//! Payloads as Intuit publishes them, and every variation that is understood.

use super::*;
use crate::model::{Notification, Operation};

pub(super) const ACCOUNT: &[u8] =
    include_bytes!("../../../tests/data/cloudevents-account-created.json");
pub(super) const CLASS: &[u8] =
    include_bytes!("../../../tests/data/cloudevents-class-created.json");
pub(super) const MERGED: &[u8] =
    include_bytes!("../../../tests/data/cloudevents-customer-merged.json");
pub(super) const THIN: &[u8] =
    include_bytes!("../../../tests/data/cloudevents-salesreceipt-updated.json");
pub(super) const LEGACY: &[u8] = include_bytes!("../../../tests/data/legacy-create-and-merge.json");

fn notifications(body: impl AsRef<[u8]>) -> Vec<Notification> {
    decode(body.as_ref(), 100)
        .items
        .into_iter()
        .map(|item| match item {
            Item::Notification(notification) => notification,
            Item::Unreadable(unreadable) => panic!("{unreadable:?}"),
        })
        .collect()
}

fn only(body: impl AsRef<[u8]>) -> Notification {
    let mut all = notifications(body);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// One line an item: the record, or the place of the fault and the cause.
pub(super) fn outline(body: impl AsRef<[u8]>, items_max: usize) -> Vec<String> {
    decode(body.as_ref(), items_max)
        .items
        .iter()
        .map(|item| match item {
            Item::Notification(n) => format!("{} {} {}", n.realm, n.entity, n.operation.as_str()),
            Item::Unreadable(unreadable) => format!("{}: {}", unreadable.at, unreadable.why),
        })
        .collect()
}

/// A CloudEvent with the fields in `more` instead of the usual ones.
pub(super) fn event(more: &str) -> String {
    let usual = [
        ("id", r#""e-1""#),
        ("source", r#""intuit.x=""#),
        ("type", r#""qbo.invoice.updated.v1""#),
        ("time", r#""2026-01-02T03:04:05Z""#),
        ("intuitentityid", r#""7""#),
        ("intuitaccountid", r#""310687""#),
    ];
    let fields: Vec<String> = usual
        .iter()
        .filter(|(name, _)| !more.contains(&format!("\"{name}\":")))
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .chain((!more.is_empty()).then(|| more.to_owned()))
        .collect();
    format!("{{{}}}", fields.join(","))
}

pub(super) fn legacy(entity: &str) -> String {
    format!(
        r#"{{"eventNotifications":[{{"realmId":"1","dataChangeEvent":{{"entities":[{entity}]}}}}]}}"#
    )
}

#[test]
fn the_announced_cloud_event_is_understood_in_full() {
    let decoded = decode(ACCOUNT, 100);
    assert_eq!(decoded.form, Some(Form::CloudEvents));
    let account = only(ACCOUNT);
    assert_eq!(account.realm.as_str(), "310687");
    assert_eq!(account.entity.to_string(), "Account/1234");
    assert_eq!(account.operation, Operation::Create);
    assert_eq!(account.happened.text, "2025-09-10T21:31:25.179851517Z");
    assert_eq!(
        account.happened.at.unwrap().to_string(),
        "2025-09-10T21:31:25.179Z"
    );
    assert_eq!(account.event_type, "qbo.account.created.v1");
    let id = "88cd52aa-33b6-4351-9aa4-47572edbd068";
    assert_eq!(account.sender_id.as_deref(), Some(id));
    assert_eq!((account.data, account.deleted_id), (None, None));
}

#[test]
fn the_other_published_cloud_events_are_understood() {
    let class = only(CLASS);
    assert_eq!(class.entity.to_string(), "Class/1234");
    let data = class.data.unwrap();
    assert!(
        data.starts_with(r#"{"alternative_ids":[{"id":"djQ"#),
        "{data}"
    );
    let merged = only(MERGED);
    assert_eq!(merged.operation, Operation::Merge);
    assert_eq!(merged.deleted_id.as_deref(), Some("27"));
    assert_eq!(merged.data.as_deref(), Some(r#"{"deletedid":"27"}"#));
    let thin = only(THIN);
    assert_eq!(thin.entity.to_string(), "SalesReceipt/150");
    assert_eq!((thin.operation, thin.data), (Operation::Update, None));
}

#[test]
fn the_published_legacy_form_is_understood() {
    assert_eq!(decode(LEGACY, 100).form, Some(Form::Legacy));
    let [create, merge] = notifications(LEGACY).try_into().unwrap();
    assert_eq!(create.realm.as_str(), "1185883450");
    assert_eq!(create.entity.to_string(), "Customer/1");
    assert_eq!(create.event_type, "qbo.customer.created.v1");
    assert_eq!(create.happened.text, "2015-10-05T14:42:19-0700");
    assert!(create.happened.at.is_some());
    assert_eq!((create.sender_id, create.data), (None, None));
    assert_eq!(merge.operation, Operation::Merge);
    assert_eq!(merge.deleted_id.as_deref(), Some("27"));
}

#[test]
fn intuits_verbs_are_known_and_others_are_kept_verbatim() {
    for (verb, operation) in [
        ("void", Operation::Void),
        ("voided", Operation::Void),
        ("emailed", Operation::Emailed),
        ("frobbed", Operation::Other("frobbed".into())),
    ] {
        let event_type = format!("qbo.invoice.{verb}.v1");
        let invoice = only(event(&format!(r#""type":"{event_type}""#)));
        assert_eq!(invoice.operation, operation);
        assert_eq!(invoice.event_type, event_type);
    }
    let void = only(legacy(r#"{"name":"Invoice","id":"1","operation":"Void"}"#));
    assert_eq!(void.event_type, "qbo.invoice.void.v1");
    let odd = only(legacy(r#"{"name":"Gadget","id":"1","operation":"Frob"}"#));
    assert_eq!(odd.event_type, "qbo.gadget.frob.v1");
    assert_eq!(odd.operation, Operation::Other("Frob".into()));
}

#[test]
fn unknown_kinds_are_relayed_and_foreign_namespaces_are_not_mixed_up() {
    let of_type = |text: &str| only(event(&format!(r#""type":"{text}""#))).entity.kind;
    assert_eq!(of_type("qbo.salesreceipt.created.v1"), "SalesReceipt");
    assert_eq!(of_type("qbo.gadget.created.v1"), "gadget");
    assert_eq!(of_type("payroll.employee.created.v12"), "employee");
    assert_eq!(of_type("com.intuit.qbo.employee.created.v1"), "employee");
}

#[test]
fn ids_stay_the_text_that_they_were() {
    let employee = only(event(
        r#""id":"0-PayrollEmployee-000000011","intuitentityid":"000000011""#,
    ));
    assert_eq!(employee.entity.id, "000000011");
    let numbers = only(event(
        r#""id":12,"intuitentityid":9341455000000000000001,"intuitaccountid":1e3"#,
    ));
    assert_eq!(numbers.entity.id, "9341455000000000000001");
    assert_eq!(numbers.realm.as_str(), "1e3");
    assert_eq!(numbers.sender_id.as_deref(), Some("12"));
    let long = "x".repeat(300);
    let entity = only(event(&format!(r#""intuitentityid":"{long}""#))).entity;
    assert_eq!(entity.id, long);
}

#[test]
fn data_is_kept_verbatim_unless_it_says_nothing() {
    let data = |text: &str| only(event(&format!(r#""data":{text}"#))).data;
    for nothing in ["null", "{}", "{ \n }"] {
        assert_eq!(data(nothing), None, "{nothing}");
    }
    for text in [
        r#"{ "b" : 1.50, "a" : "\u0041" }"#,
        "[1, 2]",
        r#""text""#,
        "0",
        "false",
    ] {
        assert_eq!(data(text).as_deref(), Some(text));
    }
}

#[test]
fn the_merged_away_id_is_found_in_any_spelling() {
    for key in ["deletedId", "deletedID", "deletedid"] {
        let entity = format!(r#"{{"name":"Vendor","id":"46","operation":"Merge","{key}":"027"}}"#);
        assert_eq!(only(legacy(&entity)).deleted_id.as_deref(), Some("027"));
        let merged = only(event(&format!(r#""data":{{"{key}":27}}"#)));
        assert_eq!(merged.deleted_id.as_deref(), Some("27"));
    }
}

#[test]
fn a_missing_time_does_not_cost_the_change() {
    let entity = only(legacy(r#"{"name":"Term","id":"3","operation":"Update"}"#));
    assert_eq!(
        (entity.happened.text.as_str(), entity.happened.at),
        ("", None)
    );
    let odd = only(event(r#""time":"soon""#));
    assert_eq!(
        (odd.happened.text.as_str(), odd.happened.at),
        ("soon", None)
    );
    let epoch = only(event(r#""time":1444081339000"#));
    assert!(epoch.happened.at.is_some());
}

#[test]
fn several_companies_in_one_body_keep_their_order() {
    let events: Vec<String> = ["3", "1", "3", "2"]
        .iter()
        .map(|realm| event(&format!(r#""intuitaccountid":"{realm}""#)))
        .collect();
    let realms: Vec<String> = notifications(format!("[{}]", events.join(",")))
        .into_iter()
        .map(|notification| notification.realm.to_string())
        .collect();
    assert_eq!(realms, ["3", "1", "3", "2"]);
}

#[test]
fn a_byte_order_mark_and_a_missing_array_are_tolerated() {
    let marked = [b"\xef\xbb\xbf".as_slice(), ACCOUNT].concat();
    assert_eq!(notifications(&marked), notifications(ACCOUNT));
    let decoded = decode(event("").as_bytes(), 9);
    assert_eq!(decoded.form, Some(Form::CloudEvents));
    assert_eq!(outline(event(""), 9), ["310687 Invoice/7 Update"]);
    let without_id = event(r#""id":null"#);
    assert_eq!(outline(without_id, 9), ["id: missing"]);
}

#[test]
fn of_two_equal_keys_the_last_counts() {
    let twice = only(event(
        r#""id":"e-1","id":"e-2","intuitentityid":"1","intuitentityid":"2""#,
    ));
    assert_eq!(twice.entity.id, "2");
    assert_eq!(twice.sender_id.as_deref(), Some("e-2"));
}

#[test]
fn a_hundred_entries_and_more_are_all_there() {
    let many = vec![event(""); 250].join(",");
    assert_eq!(outline(format!("[{many}]"), 10_000).len(), 250);
}

#[test]
fn repeats_have_the_same_identity_and_other_content_is_noticed() {
    let judge = |body: String| {
        let notification = only(body);
        (notification.identity, notification.content)
    };
    let first = judge(event(""));
    assert_eq!(judge(event("")), first);
    let other_data = judge(event(r#""data":{"x":1}"#));
    assert_eq!(other_data.0, first.0);
    assert_ne!(other_data.1, first.1);
    assert_ne!(judge(event(r#""id":"e-2""#)).0, first.0);
    assert_ne!(judge(event(r#""source":"intuit.y=""#)).0, first.0);
    let at = |time: &str| {
        let entity = r#"{"name":"Bill","id":"9","operation":"Update","lastUpdated":"AT"}"#;
        judge(legacy(&entity.replace("AT", time))).0
    };
    assert_eq!(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    assert_ne!(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:01Z"));
}

/// What Intuit's subscription page lists: 31 kinds, 108 types (transcribed in the Ballerina QuickBooks
/// trigger, ballerina-platform/asyncapi-triggers, pull request 193).
const PORTAL: [(&str, &str); 31] = [
    ("Account", "created updated deleted merged"),
    ("Bill", "created updated deleted"),
    ("BillPayment", "created updated deleted void"),
    ("Budget", "created updated"),
    ("ChangeOrder", "created updated deleted"),
    ("Class", "created updated deleted merged"),
    ("CompanyCurrency", "created updated deleted"),
    ("CreditMemo", "created updated deleted void emailed"),
    ("Currency", "created updated deleted"),
    ("Customer", "created updated deleted merged"),
    ("Department", "created updated merged"),
    ("Deposit", "created updated deleted"),
    ("Employee", "created updated deleted merged"),
    ("Estimate", "created updated deleted emailed"),
    ("Invoice", "created updated deleted void emailed"),
    ("Item", "created updated deleted merged"),
    ("JournalCode", "created updated"),
    ("JournalEntry", "created updated deleted"),
    ("Payment", "created updated deleted void emailed"),
    ("PaymentMethod", "created updated merged"),
    ("Preferences", "updated"),
    ("Purchase", "created updated deleted void"),
    ("PurchaseOrder", "created updated deleted emailed"),
    ("RefundReceipt", "created updated deleted void emailed"),
    ("SalesReceipt", "created updated deleted void emailed"),
    ("TaxAgency", "created updated"),
    ("Term", "created updated"),
    ("TimeActivity", "created updated deleted"),
    ("Transfer", "created updated deleted void"),
    ("Vendor", "created updated deleted merged"),
    ("VendorCredit", "created updated deleted"),
];

fn one_event(event_type: &str) -> Notification {
    let event = format!(
        r#"[{{"id":"a","type":"{event_type}","intuitentityid":"1","intuitaccountid":"7"}}]"#
    );
    match decode(event.as_bytes(), 9).items.remove(0) {
        Item::Notification(found) => found,
        Item::Unreadable(fault) => panic!("{event_type}: {fault:?}"),
    }
}

#[test]
fn every_type_of_the_portal_is_understood_in_both_forms_and_keeps_its_spelling() {
    let mut count = 0;
    for (kind, verbs) in PORTAL {
        for verb in verbs.split(' ') {
            count += 1;
            let event_type = format!("qbo.{}.{verb}.v1", kind.to_ascii_lowercase());
            let found = one_event(&event_type);
            assert_eq!(
                (&*found.entity.kind, &*found.event_type),
                (kind, &*event_type)
            );
            assert!(
                !matches!(found.operation, Operation::Other(_)),
                "{event_type}"
            );
            // The same, as the legacy form says it.
            let operation = found.operation.as_str();
            let legacy = format!(
                r#"{{"eventNotifications":[{{"realmId":"7","dataChangeEvent":{{"entities":[
                    {{"name":"{kind}","id":"1","operation":"{operation}"}}]}}}}]}}"#
            );
            let Item::Notification(other) = decode(legacy.as_bytes(), 9).items.remove(0) else {
                panic!("{legacy}")
            };
            assert_eq!(other.event_type, event_type);
            assert_eq!(
                (&other.entity, &other.operation),
                (&found.entity, &found.operation)
            );
        }
    }
    assert_eq!(count, 108);
}

#[test]
fn what_the_portal_does_not_list_is_taken_all_the_same() {
    let voided = one_event("qbo.invoice.voided.v1");
    assert_eq!(voided.operation, Operation::Void);
    assert_eq!(voided.event_type, "qbo.invoice.voided.v1");
    for (event_type, kind) in [
        ("qbo.attachable.created.v1", "attachable"),
        ("qbo.invoice.approved.v1", "Invoice"),
        ("payroll.employee.updated.v2", "employee"),
    ] {
        let found = one_event(event_type);
        assert_eq!(
            (&*found.entity.kind, &*found.event_type),
            (kind, event_type)
        );
    }
}

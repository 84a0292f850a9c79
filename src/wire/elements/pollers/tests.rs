//! Lists of resources in every form, and the time zones that stand beside them.

use super::*;
use crate::wire::quickbooks::kinds as readable;
use proptest::prelude::*;

const GLUED: &str = "bill-paymentsbillsclassescredit-memoscredit-termscurrenciescustomersemployeesinvoicesjournal-entriesledger-accountspayment-methodspaymentsproductspurchase-ordersrefund-receiptssales-receiptstax-codestax-ratestime-activitiesvendor-creditsvendors";

fn found(text: &str) -> (Vec<String>, Vec<String>) {
    let named = kinds("urls", text).unwrap();
    (named.kinds.into_iter().collect(), named.warnings)
}

fn all() -> Vec<String> {
    let of = |name| entity::kind_of_resource(name).unwrap().to_owned();
    let kinds: BTreeSet<String> = LISTED.map(of).into();
    kinds.into_iter().collect()
}

#[test]
fn every_kind_that_can_be_read_can_be_polled_by_its_name() {
    let named = LISTED.into_iter().chain(OTHERS);
    let named: BTreeSet<_> = named.filter_map(entity::kind_of_resource).collect();
    let readable: BTreeSet<_> = readable().iter().map(|facts| facts.kind).collect();
    assert_eq!(named, readable);
}

#[test]
fn no_name_begins_with_another_one() {
    for name in names() {
        for other in names().filter(|other| *other != name) {
            assert!(!name.starts_with(other), "{name} {other}");
        }
    }
}

#[test]
fn names_that_were_glued_together_are_the_22_resources() {
    assert_eq!(found(GLUED), (all(), vec![]));
    let slip = GLUED.replace("customers", CUSTOMERS_SLIP);
    let warning = "urls: tax-customers was read as customers".to_owned();
    assert_eq!(found(&slip), (all(), vec![warning]));
    assert_eq!(found(" EVENTS "), (all(), vec![]));
}

#[test]
fn every_separator_separates() {
    let two = vec!["Bill".to_owned(), "Invoice".to_owned()];
    for text in [
        "bills|invoices",
        "bills,invoices",
        "bills, invoices",
        "bills;invoices",
        "bills invoices",
        "bills\ninvoices",
        "\r\n bills \r\n\tinvoices\r\n",
        "|bills||invoices|",
        "billsinvoices",
        "Invoices,BILLS,bills",
        r#"["bills","invoices"]"#,
        r#" ["billsinvoices", ""]"#,
    ] {
        assert_eq!(found(text), (two.clone(), vec![]), "{text}");
    }
    assert_eq!(found(&LISTED.join("|")), (all(), vec![]));
    for nothing in ["", " \n ", "|,;", "[]"] {
        assert_eq!(found(nothing), (vec![], vec![]));
    }
}

#[test]
fn a_line_of_fields_is_the_resource_it_begins_with() {
    let lines = "bills|/hubs/finance/bills?where=LastModifiedDate>=${date}||LastModifiedDate|yyyy-MM-dd'T'HH:mm:ssZ||CreatedDate|yyyy-MM-dd'T'HH:mm:ssZ\n\
                 invoices|https://api.example/invoices|x";
    let warning = "urls: of a line with several fields only the name of the resource and the time zones count";
    let two = vec!["Bill".to_owned(), "Invoice".to_owned()];
    assert_eq!(found(lines), (two, vec![warning.to_owned()]));
}

#[test]
fn what_is_no_resource_is_named() {
    for (text, named) in [
        ("invoices|accounts", r#"urls: "accounts" is no resource"#),
        ("change-orders", r#""change-orders" is no resource"#),
        (
            "billsinvoice",
            r#""billsinvoice" (at "invoice") is no resource"#,
        ),
        (
            "accounts|/hubs/crm/accounts",
            r#""accounts" is no resource"#,
        ),
        (r#"["bills""#, "urls: line 1 column"),
        (r#"["bills" "invoices"]"#, "a comma is missing"),
        (r#"[{"bills":1}]"#, "urls: expected an array of strings"),
        ("Rechnungen €", r#""rechnungen" is no resource"#),
    ] {
        let wrong = kinds("urls", text).unwrap_err();
        assert!(wrong.message.contains(named), "{text}: {}", wrong.message);
    }
    let long = kinds("urls", &"x".repeat(5000)).unwrap_err();
    assert!(long.message.len() < 700);
}

#[test]
fn a_poller_configuration_names_its_resources() {
    let text = r#"{"bills":{"url":"/hubs/finance/bills","pollDelay":30},"invoices":{}}"#;
    let named = configured("c", text).unwrap();
    assert_eq!(Vec::from_iter(named.kinds), ["Bill", "Invoice"]);
    assert!(named.warnings.is_empty() && named.zones.is_empty());
    for nothing in ["", " ", "{}"] {
        assert!(configured("c", nothing).unwrap().kinds.is_empty());
    }
    for (text, named) in [
        (r#"{"contacts":{}}"#, r#"c: "contacts" is no resource"#),
        ("[]", "c: invalid type"),
        ("{", "c: line 1 column 1: not JSON"),
    ] {
        let wrong = configured("c", text).unwrap_err();
        assert!(wrong.message.starts_with(named), "{}", wrong.message);
    }
}

/// Each kind with half past eleven in June of its zone.
fn zones(named: &Named) -> Vec<(&str, String)> {
    let june = crate::wire::instant::parse("2026-06-01T11:30:00Z").unwrap();
    let each = named.zones.iter();
    each.map(|(kind, zone)| (&**kind, zone.write(june)))
        .collect()
}

#[test]
fn time_zones_are_found_wherever_the_originals_have_them() {
    for (text, expected) in [
        (
            r#"{"bills":{"updatedDateTimezone":"MST"}}"#,
            "2026-06-01T04:30:00-07:00",
        ),
        (
            r#"{"bills":{"datesConfiguration":{"createdDateTimezone":"UTC","updatedDateTimezone":"PST"}}}"#,
            "2026-06-01T04:30:00-07:00",
        ),
        (
            r#"{"bills":{"datesConfiguration":{"createdDateTimezone":"Europe/Berlin"}}}"#,
            "2026-06-01T13:30:00+02:00",
        ),
        (
            r#"{"bills":{"url":"/bills?where=updated >= '${dateTimeZone:PST:yyyy-MM-dd}'"}}"#,
            "2026-06-01T04:30:00-07:00",
        ),
        (
            r#"{"bills":{"url":"/bills?where=updated >= '${dateTimeZone:GMT+05:30:yyyy-MM-dd}'"}}"#,
            "2026-06-01T17:00:00+05:30",
        ),
        (
            r#"{"timeZone":"Asia/Tokyo","bills":{}}"#,
            "2026-06-01T20:30:00+09:00",
        ),
        (
            r#"{"timeZone":"Asia/Tokyo","bills":{"timezone":"GMT"}}"#,
            "2026-06-01T11:30:00Z",
        ),
    ] {
        let named = configured("c", text).unwrap();
        assert_eq!(zones(&named), [("Bill", expected.to_owned())], "{text}");
        assert_eq!(named.bad_zone, None, "{text}");
    }
    let line = "bills|/bills?x=${date}||Updated|yyyy-MM-dd|PST|Created|yyyy-MM-dd|GMT\ninvoices";
    let named = kinds("urls", line).unwrap();
    assert_eq!(
        zones(&named),
        [("Bill", "2026-06-01T04:30:00-07:00".to_owned())]
    );
    assert_eq!(named.kinds.len(), 2);
    let none =
        r#"{"bills":{"updatedDateTimezone":"","url":"${date:yyyy} ${epoch}","timeZone":null}}"#;
    assert_eq!(zones(&configured("c", none).unwrap()), []);
}

#[test]
fn what_is_no_time_zone_is_told_with_its_place() {
    for (text, named) in [
        (
            r#"{"bills":{"updatedDateTimezone":"Mars/Olympus"}}"#,
            r#"c: bills.updatedDateTimezone: "Mars/Olympus" is no time zone"#,
        ),
        (
            r#"{"bills":{"datesConfiguration":{"createdDateTimezone":"GMT+99"}}}"#,
            r#"c: bills.datesConfiguration.createdDateTimezone: "GMT+99" is no"#,
        ),
        (
            r#"{"bills":{"url":"${dateTimeZone:XYZ:yyyy}"}}"#,
            r#"c: bills.url: "XYZ" is no"#,
        ),
        (
            r#"{"bills":{"timeZone":-8}}"#,
            "c: bills.timeZone: expected the name",
        ),
        (
            r#"{"timezone":"PSST","bills":{}}"#,
            r#"c: timezone: "PSST" is no"#,
        ),
    ] {
        let found = configured("c", text).unwrap();
        let wrong = found.bad_zone.unwrap();
        assert!(wrong.message.starts_with(named), "{}", wrong.message);
        assert_eq!(Vec::from_iter(found.kinds), ["Bill"]);
    }
    let line = kinds("urls", "bills|/bills|||x|Nowhere").unwrap();
    assert!(
        line.bad_zone
            .unwrap()
            .message
            .starts_with(r#"urls: bills: "Nowhere""#)
    );
}

proptest! {
    #[test]
    fn every_list_is_read_or_explained(text in "[a-z|,;\\[\\]\"/ \n€-]{0,60}") {
        if let Err(wrong) = kinds("urls", &text) {
            prop_assert!(wrong.message.starts_with("urls: "));
        }
    }

    #[test]
    fn resources_in_any_order_and_number_are_found_however_they_are_joined(
        picked in proptest::collection::vec(proptest::sample::select(&LISTED[..]), 1..30),
        separator in proptest::sample::select(&["|", "", "\n", ", "][..]),
    ) {
        let expected: BTreeSet<_> = picked.iter().filter_map(|name| entity::kind_of_resource(name)).collect();
        let named = kinds("urls", &picked.join(separator)).unwrap();
        prop_assert_eq!(named.kinds.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    }
}

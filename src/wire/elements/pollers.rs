//! `event.poller.urls`: which resources are polled, in all the forms in which lists of them were
//! written.
//!
//! The original had `|` between the names, its console line breaks; the published pages lost the
//! separators, so that the names stand there as one word; an older form has a line of fields with `|`
//! between them for each resource. No name begins with another one, so that a word of several can be
//! taken apart in one way only.

use super::{Wrong, syntax};
use crate::wire::entity;
use crate::wire::json;
use std::collections::BTreeSet;

/// The resource that one page says for customers.
const CUSTOMERS_SLIP: &str = "tax-customers";

/// What the pages call all the resources together.
const ALL: &str = "events";

/// The resources that the pages list: what [`ALL`] stands for.
pub(super) const LISTED: [&str; 22] = [
    "bill-payments",
    "bills",
    "classes",
    "credit-memos",
    "credit-terms",
    "currencies",
    "customers",
    "employees",
    "invoices",
    "journal-entries",
    "ledger-accounts",
    "payment-methods",
    "payments",
    "products",
    "purchase-orders",
    "refund-receipts",
    "sales-receipts",
    "tax-codes",
    "tax-rates",
    "time-activities",
    "vendor-credits",
    "vendors",
];

/// The other kinds of records that can be read.
const OTHERS: [&str; 9] = [
    "budgets",
    "departments",
    "deposits",
    "estimates",
    "journal-codes",
    "preferences",
    "purchases",
    "tax-agencies",
    "transfers",
];

/// What was found in a list so far.
#[derive(Default)]
struct Found {
    kinds: BTreeSet<String>,
    warnings: BTreeSet<&'static str>,
}

/// The kinds of the resources that the text names, as the API spells them (`Invoice`), and warnings
/// about what was not read as it stands.
///
/// # Errors
/// 400 that names `key` and the word that is no resource.
pub fn kinds(key: &str, text: &str) -> Result<(BTreeSet<String>, Vec<String>), Wrong> {
    let mut found = Found::default();
    if text.trim_ascii_start().starts_with('[') {
        syntax::check(text).map_err(|wrong| Wrong::at(key, wrong.message))?;
        let read = serde_json::from_str::<Vec<String>>(text);
        for word in read.map_err(|_| Wrong::at(key, "expected an array of strings"))? {
            found.add(key, &word)?;
        }
    } else {
        for line in text.lines() {
            found.add_line(key, line.trim())?;
        }
    }
    let warnings = found.warnings.into_iter();
    Ok((
        found.kinds,
        warnings.map(|why| format!("{key}: {why}")).collect(),
    ))
}

/// The kinds of the resources that an `event.poller.configuration` has, the same way.
///
/// # Errors
/// 400 that names `key` and the resource that there is not, or where the text is no JSON.
pub(super) fn configured(key: &str, text: &str) -> Result<(BTreeSet<String>, Vec<String>), Wrong> {
    let mut found = Found::default();
    if !text.trim_ascii().is_empty() {
        let wrong = |why: String| Wrong::at(key, why);
        syntax::check(text).map_err(|error| wrong(error.message))?;
        let entries = json::entries(text, LISTED.len() * 4);
        let entries = entries.map_err(|error| wrong(json::complaint(&error)))?;
        for (name, _) in entries.ok_or_else(|| wrong("too many resources".into()))? {
            found.add(key, &name)?;
        }
    }
    let warnings = found.warnings.into_iter();
    Ok((
        found.kinds,
        warnings.map(|why| format!("{key}: {why}")).collect(),
    ))
}

impl Found {
    fn add_line(&mut self, key: &str, line: &str) -> Result<(), Wrong> {
        let mut fields = line.split('|');
        let name = fields.next().unwrap_or_default();
        let url = fields.next().unwrap_or_default().trim();
        if url.starts_with('/') || url.starts_with("http") {
            self.warnings
                .insert("of a line with several fields only the name of the resource counts");
            return self.add(key, name);
        }
        let separates = |c: char| "|,;".contains(c) || c.is_whitespace();
        line.split(separates)
            .filter(|word| !word.is_empty())
            .try_for_each(|word| self.add(key, word))
    }

    /// One name, or several without anything between them.
    fn add(&mut self, key: &str, word: &str) -> Result<(), Wrong> {
        let word = word.trim().to_ascii_lowercase();
        if word == ALL {
            LISTED.into_iter().for_each(|name| self.insert(name));
            return Ok(());
        }
        let mut rest = &*word;
        while !rest.is_empty() {
            let Some(name) = names().find(|name| rest.starts_with(name)) else {
                return Err(Wrong::at(key, unknown(&word, rest)));
            };
            self.insert(name);
            rest = rest.get(name.len()..).unwrap_or_default();
        }
        Ok(())
    }

    fn insert(&mut self, name: &str) {
        let name = if name == CUSTOMERS_SLIP {
            self.warnings.insert("tax-customers was read as customers");
            "customers"
        } else {
            name
        };
        let kind = entity::kind_of_resource(name);
        self.kinds.extend(kind.map(str::to_owned));
    }
}

/// The name of every resource that can be polled, and the slip.
fn names() -> impl Iterator<Item = &'static str> {
    LISTED.into_iter().chain(OTHERS).chain([CUSTOMERS_SLIP])
}

fn unknown(word: &str, rest: &str) -> String {
    let short: String = word.chars().take(60).collect();
    let within = if word.len() == rest.len() {
        String::new()
    } else {
        let rest: String = rest.chars().take(60).collect();
        format!(" (at {rest:?})")
    };
    format!(
        "{short:?}{within} is no resource that can be polled; those are {}",
        [&LISTED[..], &OTHERS].concat().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::quickbooks::kinds as readable;
    use proptest::prelude::*;

    const GLUED: &str = "bill-paymentsbillsclassescredit-memoscredit-termscurrenciescustomersemployeesinvoicesjournal-entriesledger-accountspayment-methodspaymentsproductspurchase-ordersrefund-receiptssales-receiptstax-codestax-ratestime-activitiesvendor-creditsvendors";

    fn found(text: &str) -> (Vec<String>, Vec<String>) {
        let (kinds, warnings) = kinds("urls", text).unwrap();
        (kinds.into_iter().collect(), warnings)
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
        let warning = "urls: of a line with several fields only the name of the resource counts";
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
        let (kinds, warnings) = configured("c", text).unwrap();
        assert_eq!(Vec::from_iter(kinds), ["Bill", "Invoice"]);
        assert!(warnings.is_empty());
        for nothing in ["", " ", "{}"] {
            assert!(configured("c", nothing).unwrap().0.is_empty());
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
            let (kinds, _) = kinds("urls", &picked.join(separator)).unwrap();
            prop_assert_eq!(kinds.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        }
    }
}

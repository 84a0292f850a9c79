//! Single values as .NET clients write them: dates, and the two enumerations by name or by number.
//!
//! Sources: ServiceStack's documentation, the original's generated types in Python and JavaScript.

use super::date;
use crate::model::{EventTime, Operation};
use crate::wire::entity;

/// The integers of `QBOEntityName`, which the generated clients send in place of its names. They
/// changed between versions of the original, and some stand for several names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntityNumbers(Vec<(String, i32)>);

/// What a `name` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One kind of record.
    Named(String),
    /// A number that stands for several kinds, or for none that is known.
    Numbered {
        /// The number.
        number: i32,
        /// The names that have it, in the order of the table.
        candidates: Vec<String>,
    },
}

/// A value that is not in its enumeration, or no date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit(pub String);

/// Names that later versions of the original had.
const LATER: [&str; 3] = ["Dimension", "EmployeeCompensation", "Project"];

/// The operations in the order of their numbers. Source: the original's C# page.
const OPERATIONS: [Operation; 6] = [
    Operation::Update,
    Operation::Create,
    Operation::Merge,
    Operation::Delete,
    Operation::Emailed,
    Operation::Void,
];

/// Bytes of a value that an error repeats.
const SHOWN_MAX: usize = 64;

/// The end of .NET's first day: what lies before it is `DateTime.MinValue` in some zone, which is how
/// "no date" is written.
const UNSET_BEFORE_MS: i64 = -62_135_596_800_000 + 2 * 86_400_000;

impl Default for EntityNumbers {
    /// The table of the original's generated types.
    fn default() -> Self {
        let table = [
            ("Customer", 20),
            ("Department", 21),
            ("Vendor", 21),
            ("Deposit", 22),
            ("Invoice", 23),
            ("Bill", 24),
            ("Item", 24),
            ("JournalCode", 25),
            ("PurchaseOrder", 25),
            ("JournalEntry", 26),
            ("Estimate", 26),
            ("RefundReceipt", 26),
            ("Employee", 27),
            ("SalesReceipt", 27),
            ("TaxAgency", 28),
            ("Term", 29),
            ("TimeActivity", 30),
            ("Account", 30),
            ("Transfer", 31),
            ("VendorCredit", 31),
            ("CreditMemo", 32),
            ("Purchase", 33),
            ("Currency", 33),
            ("Payment", 35),
            ("PaymentMethod", 36),
            ("BillPayment", 36),
            ("Preferences", 37),
            ("Budget", 37),
            ("Class", 38),
        ];
        Self::new(table.map(|(name, number)| (name.to_owned(), number)))
    }
}

impl EntityNumbers {
    /// A table of names and their numbers.
    pub fn new(entries: impl IntoIterator<Item = (String, i32)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// Every name and its number, in the order of the table.
    pub fn entries(&self) -> impl Iterator<Item = (&str, i32)> {
        self.0.iter().map(|(name, number)| (&**name, *number))
    }

    /// What a `name` says: a name in any case, or a number, quoted or not.
    ///
    /// # Errors
    /// Neither a number nor a name that any version of the original, Intuit or the table has.
    pub fn kind(&self, text: &str) -> Result<Kind, Unfit> {
        let text = text.trim_ascii();
        if let Some(number) = number(text) {
            let same = self.entries().filter(|(_, other)| *other == number);
            let mut names: Vec<String> = same.map(|(name, _)| name.to_owned()).collect();
            return Ok(match names.len() {
                1 => Kind::Named(names.remove(0)),
                _ => Kind::Numbered {
                    number,
                    candidates: names,
                },
            });
        }
        let own = self.entries().map(|(name, _)| name);
        let found = own
            .chain(LATER)
            .find(|name| name.eq_ignore_ascii_case(text))
            .or_else(|| entity::known(text));
        found
            .map(|name| Kind::Named(name.to_owned()))
            .ok_or_else(|| not_found(text))
    }
}

/// What an `operation` says: a name in any case, or a number, quoted or not. A number beyond the
/// enumeration stays a number, as .NET lets it pass.
///
/// # Errors
/// Neither a number nor a name of the enumeration.
pub fn operation(text: &str) -> Result<Operation, Unfit> {
    let text = text.trim_ascii();
    if let Some(number) = number(text) {
        let known = usize::try_from(number)
            .ok()
            .and_then(|number| OPERATIONS.get(number).cloned());
        return Ok(known.unwrap_or_else(|| Operation::Other(number.to_string())));
    }
    OPERATIONS
        .into_iter()
        .find(|operation| operation.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| not_found(text))
}

/// When something happened, by any of .NET's spellings; without a zone it is taken as UTC. Nothing,
/// and the minimum value that stands for nothing, is no instant.
///
/// # Errors
/// Something that is no date.
pub fn date(text: &str) -> Result<EventTime, Unfit> {
    let plain = text.trim_ascii().replace('\\', "");
    let at = if plain.is_empty() {
        None
    } else {
        Some(date::parse(plain.trim_ascii()).ok_or_else(|| {
            Unfit(format!(
                "String '{}' was not recognized as a valid DateTime.",
                shown(text)
            ))
        })?)
    };
    Ok(EventTime {
        text: text.to_owned(),
        at: at.filter(|at| at.as_ms() >= UNSET_BEFORE_MS),
    })
}

/// A number as .NET's enumerations take it: 32 bits, perhaps with a sign.
fn number(text: &str) -> Option<i32> {
    text.parse().ok()
}

fn not_found(text: &str) -> Unfit {
    Unfit(format!("Requested value '{}' was not found.", shown(text)))
}

fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() >= SHOWN_MAX {
            shown.push('…');
            break;
        }
        shown.push(if character.is_control() {
            '?'
        } else {
            character
        });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_of_the_framework_is_read() {
        reads(&[
            ("/Date(1444081339000)/", Some("2015-10-05T21:42:19.000Z")),
            (r"\/Date(1444081339000)\/", Some("2015-10-05T21:42:19.000Z")),
            (
                "/Date(1444081339000-0000)/",
                Some("2015-10-05T21:42:19.000Z"),
            ),
            (
                "/Date(1444081339000-0700)/",
                Some("2015-10-05T21:42:19.000Z"),
            ),
            (
                "/Date(1444081339000+0530)/",
                Some("2015-10-05T21:42:19.000Z"),
            ),
            (r"\/Date(-62135596800000-0000)\/", None),
            (
                "2015-10-05T14:42:19-07:00",
                Some("2015-10-05T21:42:19.000Z"),
            ),
            ("2015-10-05T14:42:19-0700", Some("2015-10-05T21:42:19.000Z")),
            ("2015-10-05T21:42:19Z", Some("2015-10-05T21:42:19.000Z")),
            (
                "2015-10-05T21:42:19.123456+00:00",
                Some("2015-10-05T21:42:19.123Z"),
            ),
            (
                "2015-10-05T21:42:19.1234567Z",
                Some("2015-10-05T21:42:19.123Z"),
            ),
            ("2015-10-05T14:42:19", Some("2015-10-05T14:42:19.000Z")),
            (
                "2015-10-05T14:42:19.1234567",
                Some("2015-10-05T14:42:19.123Z"),
            ),
            ("2015-10-05 14:42:19", Some("2015-10-05T14:42:19.000Z")),
            ("2015-10-05", Some("2015-10-05T00:00:00.000Z")),
            ("20151005", Some("2015-10-05T00:00:00.000Z")),
            (" 2015-10-05 ", Some("2015-10-05T00:00:00.000Z")),
            ("1444081339000", Some("2015-10-05T21:42:19.000Z")),
            ("", None),
            ("0001-01-01", None),
            ("0001-01-01T00:00:00", None),
            ("0001-01-01T00:00:00.0000000", None),
            ("0001-01-01T00:00:00-08:00", None),
        ]);
    }

    #[track_caller]
    fn reads(table: &[(&str, Option<&str>)]) {
        for (text, expected) in table {
            let read = date(text).unwrap_or_else(|Unfit(why)| panic!("{text}: {why}"));
            assert_eq!(read.text, *text);
            let at = read.at.map(|at| at.to_string());
            assert_eq!(at.as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn a_date_that_is_no_form_of_the_frameworks_own_is_read_month_first() {
        reads(&[
            // By the lengths of ServiceStack.Text's own forms: 19 and 23 characters go to
            // `DateTime.Parse` in the invariant culture, 10 are taken apart day first.
            ("10/05/2026 14:42:19", Some("2026-10-05T14:42:19.000Z")),
            ("05/10/2015 14:42:19", Some("2015-05-10T14:42:19.000Z")),
            ("10/05/2026 14:42:19.120", Some("2026-10-05T14:42:19.120Z")),
            ("05/31/2015", Some("2015-05-31T00:00:00.000Z")),
            ("05-10-2015", Some("2015-10-05T00:00:00.000Z")),
            ("2015/10/05", Some("2015-10-05T00:00:00.000Z")),
            // What the samples on Microsoft's page on `DateTime.Parse` have, and their like.
            ("10/5/2026 2:42:19 PM", Some("2026-10-05T14:42:19.000Z")),
            ("10/5/2026 12:42:19 AM", Some("2026-10-05T00:42:19.000Z")),
            ("10/5/2026 12:42 pm", Some("2026-10-05T12:42:00.000Z")),
            ("10/5/2026 2 PM", Some("2026-10-05T14:00:00.000Z")),
            ("10/5/2026", Some("2026-10-05T00:00:00.000Z")),
            ("10/5/26 2:42:19PM", Some("2026-10-05T14:42:19.000Z")),
            ("05/10/15 14:42:19", Some("2015-05-10T14:42:19.000Z")),
            ("10.5.2026 2:42:19", Some("2026-10-05T02:42:19.000Z")),
            (
                "8/18/2010 7:22:16 AM -07:00",
                Some("2010-08-18T14:22:16.000Z"),
            ),
            (
                "2008-11-01T19:35:00.0000000-07:00",
                Some("2008-11-02T02:35:00.000Z"),
            ),
            (
                "Sat, 01 Nov 2008 19:35:00 GMT",
                Some("2008-11-01T19:35:00.000Z"),
            ),
            (
                "Mon, 05 Oct 2026 14:42:19 GMT",
                Some("2026-10-05T14:42:19.000Z"),
            ),
            (
                "Monday, 05 October 2026 14:42:19",
                Some("2026-10-05T14:42:19.000Z"),
            ),
            ("Oct 5, 2026 2:42:19 PM", Some("2026-10-05T14:42:19.000Z")),
            ("5 October 2026", Some("2026-10-05T00:00:00.000Z")),
            ("2026 Oct 5", Some("2026-10-05T00:00:00.000Z")),
            ("2026/10/05 14:42:19", Some("2026-10-05T14:42:19.000Z")),
            ("2026-10-05 14:42", Some("2026-10-05T14:42:00.000Z")),
            (
                "2026-10-05 14:42:19 +02:00",
                Some("2026-10-05T12:42:19.000Z"),
            ),
            ("2026-10-05 14:42:19Z", Some("2026-10-05T14:42:19.000Z")),
            ("2026-10-5T4:2:9", Some("2026-10-05T04:02:09.000Z")),
            ("05/10/2015", Some("2015-10-05T00:00:00.000Z")),
        ]);
    }

    #[test]
    fn what_is_no_date_is_not_guessed() {
        let table = [
            "yesterday",
            "2015-13-05",
            "31/31/2015",
            "13/05/2026 14:42:19",
            "10/05/2026 14:42:19 PM",
            "10/05/2026 25:00:00",
            "10/05 14:42:19",
            "14:42:19",
            "October 2026",
            "Tue, 05 Oct 2026 14:42:19 GMT",
            "02/29/2026 00:00:00",
            "10/05/2026 14:42:19 +15:00",
            "10/05/2026 14:42:19 GMT GMT",
            "10/05/2026 14:42:19 14:42:19",
            "1 2 3 4",
            "10/05/2026 14:42:19.",
            "10/05/2026 14:4x:19",
            "2015-10-05T14:42:19[Europe/Paris]",
            "/Date(x)/",
            "0000-01-01",
            "10000-01-01",
            "5",
            "２０１５１００５",
        ];
        for text in table {
            let Unfit(why) = date(text).expect_err(text);
            let expected = format!("String '{text}' was not recognized as a valid DateTime.");
            assert_eq!(why, expected);
        }
    }

    #[test]
    fn a_kind_is_a_name_in_any_case_or_a_number() {
        let numbers = EntityNumbers::default();
        let table = [
            ("Customer", "Customer"),
            ("customer", "Customer"),
            ("20", "Customer"),
            (" 38 ", "Class"),
            ("+23", "Invoice"),
            ("changeorder", "ChangeOrder"),
            ("PROJECT", "Project"),
        ];
        for (text, expected) in table {
            assert_eq!(
                numbers.kind(text),
                Ok(Kind::Named(expected.into())),
                "{text}"
            );
        }
        for text in ["Mystery", "", "20.0", "99999999999", "Vendor,Item", "0x14"] {
            let expected = format!("Requested value '{text}' was not found.");
            assert_eq!(numbers.kind(text), Err(Unfit(expected)));
        }
    }

    #[test]
    fn a_number_of_several_kinds_is_not_decided() {
        let numbers = EntityNumbers::default();
        let table: [(&str, &[&str]); 12] = [
            ("21", &["Department", "Vendor"]),
            ("24", &["Bill", "Item"]),
            ("25", &["JournalCode", "PurchaseOrder"]),
            ("26", &["JournalEntry", "Estimate", "RefundReceipt"]),
            ("27", &["Employee", "SalesReceipt"]),
            ("30", &["TimeActivity", "Account"]),
            ("31", &["Transfer", "VendorCredit"]),
            ("33", &["Purchase", "Currency"]),
            ("36", &["PaymentMethod", "BillPayment"]),
            ("37", &["Preferences", "Budget"]),
            ("34", &[]),
            ("-1", &[]),
        ];
        for (text, names) in table {
            let expected = Kind::Numbered {
                number: text.parse().unwrap(),
                candidates: names.iter().map(|name| (*name).to_owned()).collect(),
            };
            assert_eq!(numbers.kind(text), Ok(expected));
        }
        let other = EntityNumbers::new([("Vendor".to_owned(), 21)]);
        assert_eq!(other.kind("21"), Ok(Kind::Named("Vendor".into())));
    }

    #[test]
    fn an_operation_is_a_name_in_any_case_or_a_number() {
        let table = [
            ("Update", Operation::Update),
            ("VOID", Operation::Void),
            ("emailed", Operation::Emailed),
            ("0", Operation::Update),
            ("1", Operation::Create),
            ("2", Operation::Merge),
            ("3", Operation::Delete),
            ("4", Operation::Emailed),
            ("5", Operation::Void),
            ("6", Operation::Other("6".into())),
        ];
        for (text, expected) in table {
            assert_eq!(operation(text), Ok(expected), "{text}");
        }
        assert!(operation("created").is_err());
    }

    #[test]
    fn an_error_repeats_little_of_what_was_sent() {
        let Unfit(why) = operation(&"é\n".repeat(500)).unwrap_err();
        assert!(why.len() < 150 && !why.contains('\n'), "{why}");
    }
}

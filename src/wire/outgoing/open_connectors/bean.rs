//! A record of QuickBooks as the hub's polls show it: as Intuit's Java SDK holds it.
//!
//! Keys are bean names, fields that are enumerations there have the names of its constants, and `id`
//! carries the sync token; `objectId`, `systemId` and `eventType` are added. All other values stay
//! byte for byte, so that no amount ever passes through a double. The text is walked once, without
//! recursion. Sources: a captured callback, the records in the platform's own test suite
//! (`apaccountRef`, `"accountType":"ACCOUNTS_PAYABLE"`), the schema behind the SDK.

use crate::wire::json::{self, Key};

/// Fields that are enumerations wherever they are. What is a plain string in the SDK though it looks
/// like one (`AccountSubType`, `TxnStatus`, the `TxnType` of a linked transaction) is not here.
const ENUMERATIONS: [&str; 37] = [
    "AccountType",
    "AvsStreet",
    "AvsZip",
    "BillableStatus",
    "BudgetEntryType",
    "BudgetType",
    "CCTxnMode",
    "CCTxnType",
    "CardSecurityCodeMatch",
    "Classification",
    "ConvenienceFeeType",
    "DeliveryType",
    "DetailType",
    "DisplayType",
    "EInvoiceStatus",
    "ETransactionEnabledStatus",
    "EmailStatus",
    "FirstMonthOfFiscalYear",
    "Gender",
    "GlobalTaxCalculation",
    "NameOf",
    "POStatus",
    "PayType",
    "PaySalesTax",
    "PaymentType",
    "PostingType",
    "PrintStatus",
    "ReportBasis",
    "SpecialItemType",
    "SpecialTaxType",
    "TaxApplicableOn",
    "TaxReviewStatus",
    "TaxTypeApplicable",
    "TaxYearMonth",
    "UOM",
    "UseTimeEntry",
    "WorkWeekStartDate",
];

/// Fields that are enumerations in one sort of object only: the key of that object, or the kind of
/// the record where the field is the record's own.
const ENUMERATIONS_IN: [(&str, &str); 4] = [
    ("CustomField", "Type"),
    ("DepositLineDetail", "TxnType"),
    ("Entity", "Type"),
    ("Item", "Type"),
];

/// A record as the hub writes it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Bean {
    /// The JSON text.
    pub(super) json: String,
    /// `Id|SyncToken`, or the plain id where there is no token.
    pub(super) object_id: String,
}

/// Makes it of a record as QuickBooks gave it; `kind` and `id` are what it is a record of. `None`
/// where it is none, or one that an ordinary parser could not read.
pub(super) fn bean(record: &str, kind: &str, id: &str, event_type: &str) -> Option<Bean> {
    json::check_readable(record).ok()?;
    let record = record.trim_ascii();
    let [token] = json::fields(record, [Key::Exact("SyncToken")]).ok()?;
    let token = token.and_then(|token| json::text(token).ok()?);
    let object_id = token.map_or_else(|| id.to_owned(), |token| format!("{id}|{token}"));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let walk = Walk {
        json: String::with_capacity(record.len() + record.len() / 8 + 128),
        open: Vec::new(),
        key: kind,
        id: quoted(&object_id),
        added: format!(
            r#""objectId":{},"systemId":{},"eventType":{}"#,
            quoted(&object_id),
            quoted(id),
            quoted(event_type)
        ),
    };
    let json = walk.through(record);
    Some(Bean { json, object_id })
}

/// The way through a record.
struct Walk<'a> {
    /// What has been written.
    json: String,
    /// The arrays and objects that are not closed yet.
    open: Vec<Level<'a>>,
    /// The key whose value comes next; in the beginning the kind of the record.
    key: &'a str,
    /// The record's id, quoted.
    id: String,
    /// The members that are added to it.
    added: String,
}

/// An array or object that is not closed yet.
struct Level<'a> {
    is_object: bool,
    /// The key that it stands under, or the array that it is in; of the record itself its kind.
    name: &'a str,
}

impl<'a> Walk<'a> {
    /// What is written of a record that is JSON.
    fn through(mut self, record: &'a str) -> String {
        let (mut rest, mut is_key) = (record, false);
        while let Some(first) = rest.chars().next() {
            let taken = match first {
                '"' | '-' | '0'..='9' | 'a'..='z' => scalar_bytes(rest),
                other => other.len_utf8(),
            };
            let (token, after) = rest.split_at(taken);
            rest = after;
            match first {
                '{' | '[' => {
                    self.open.push(Level {
                        is_object: first == '{',
                        name: self.key,
                    });
                    self.json.push(first);
                    is_key = first == '{';
                }
                '}' | ']' => self.close(first),
                ',' => {
                    self.json.push(first);
                    let level = self.open.last();
                    is_key = level.is_some_and(|level| level.is_object);
                    self.key = level.map_or("", |level| level.name);
                }
                ':' => self.json.push(first),
                ' ' | '\t' | '\r' | '\n' => {}
                _ if is_key => {
                    self.key = token.trim_matches('"');
                    self.json.push('"');
                    self.json.push_str(&bean_name(self.key));
                    self.json.push('"');
                    is_key = false;
                }
                _ => self.scalar(token),
            }
        }
        self.json
    }

    fn close(&mut self, bracket: char) {
        self.open.pop();
        if self.open.is_empty() && bracket == '}' {
            if !self.json.ends_with('{') {
                self.json.push(',');
            }
            self.json.push_str(&self.added);
        }
        self.json.push(bracket);
    }

    /// A value that is neither array nor object.
    fn scalar(&mut self, token: &str) {
        let object = self.open.last().filter(|level| level.is_object);
        let name = object.map_or("", |level| level.name);
        let is_enumeration = object.is_some()
            && (ENUMERATIONS.contains(&self.key) || ENUMERATIONS_IN.contains(&(name, self.key)));
        if self.open.len() == 1 && bean_name(self.key) == "id" {
            self.json.push_str(&self.id);
        } else if let Some(constant) = is_enumeration.then(|| constant(token)).flatten() {
            self.json.push('"');
            self.json.push_str(&constant);
            self.json.push('"');
        } else {
            self.json.push_str(token);
        }
    }
}

/// Bytes of the string, number or word that the text begins with.
fn scalar_bytes(text: &str) -> usize {
    let mut is_escaped = false;
    let ends = |(at, byte): (usize, u8)| match byte {
        _ if !text.starts_with('"') => {
            (!byte.is_ascii_alphanumeric() && !b"+-.".contains(&byte)).then_some(at)
        }
        _ if is_escaped || at == 0 => {
            is_escaped = false;
            None
        }
        b'\\' => {
            is_escaped = true;
            None
        }
        b'"' => Some(at + 1),
        _ => None,
    };
    text.bytes()
        .enumerate()
        .find_map(ends)
        .unwrap_or(text.len())
}

/// The name of a bean's property: all capitals that a key begins with become small, as Jackson makes
/// them (`AllowIPNPayment` is `allowIPNPayment`, `APAccountRef` is `apaccountRef`).
fn bean_name(key: &str) -> String {
    let tail = key.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let (capitals, tail) = key.split_at(key.len() - tail.len());
    capitals.to_ascii_lowercase() + tail
}

/// The constant that JAXB makes of an enumeration's value, given as a JSON string: `NotSet` is
/// `NOT_SET`, `Cost of Goods Sold` is `COST_OF_GOODS_SOLD`. `None` for what is no such value.
fn constant(token: &str) -> Option<String> {
    let value = token.strip_prefix('"')?.strip_suffix('"')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_".contains(&byte);
    if value.is_empty() || !value.bytes().all(is_plain) {
        return None;
    }
    let mut constant = String::with_capacity(value.len() + 8);
    let mut before = ' ';
    let mut letters = value.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_small = |next: &char| next.is_ascii_lowercase();
        let begins_word = match (before, letter) {
            ('a'..='z', 'A'..='Z') | ('a'..='z' | 'A'..='Z', '0'..='9') => true,
            ('0'..='9', 'a'..='z' | 'A'..='Z') => true,
            ('A'..='Z', 'A'..='Z') => letters.peek().is_some_and(is_small),
            _ => !before.is_ascii_alphanumeric(),
        };
        if letter.is_ascii_alphanumeric() {
            if begins_word && !constant.is_empty() {
                constant.push('_');
            }
            constant.push(letter.to_ascii_uppercase());
        }
        before = letter;
    }
    (!constant.is_empty()).then_some(constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn is_made(record: &str, kind: &str, expected: &Value) {
        let made = bean(record, kind, "147", "UPDATED").unwrap().json;
        assert_eq!(&serde_json::from_str::<Value>(&made).unwrap(), expected);
    }

    #[test]
    fn a_recorded_invoice_becomes_a_bean() {
        let record = include_str!("../../../../tests/data/quickbooks/invoice-voided.json");
        let expected = json!({
            "domain": "QBO", "sparse": false, "id": "147|1", "syncToken": "1",
            "metaData": {
                "createTime": "2020-09-29T06:21:07-07:00",
                "lastUpdatedTime": "2020-09-29T06:21:09-07:00"
            },
            "docNumber": "1039", "privateNote": "Voided",
            "line": [{
                "id": "1", "lineNum": 1, "amount": 0, "detailType": "SALES_ITEM_LINE_DETAIL"
            }],
            "totalAmt": 0, "balance": 0,
            "objectId": "147|1", "systemId": "147", "eventType": "UPDATED"
        });
        is_made(record, "Invoice", &expected);
    }

    #[test]
    fn keys_are_named_as_the_platform_names_them() {
        for (key, expected) in [
            ("AllowIPNPayment", "allowIPNPayment"),
            ("APAccountRef", "apaccountRef"),
            ("POStatus", "postatus"),
            ("EInvoiceStatus", "einvoiceStatus"),
            ("MetaData", "metaData"),
            ("Sku", "sku"),
            ("domain", "domain"),
            ("V4IDPseudonym", "v4IDPseudonym"),
            ("\u{c4}rger", "\u{c4}rger"),
            ("", ""),
        ] {
            assert_eq!(bean_name(key), expected);
        }
    }

    #[test]
    fn enumerations_have_the_names_of_the_sdks_constants() {
        for (value, expected) in [
            ("NotSet", Some("NOT_SET")),
            ("Cost of Goods Sold", Some("COST_OF_GOODS_SOLD")),
            ("Non-Posting", Some("NON_POSTING")),
            ("TDSLineDetail", Some("TDS_LINE_DETAIL")),
            ("SubTotalLineDetail", Some("SUB_TOTAL_LINE_DETAIL")),
            ("EFPLiabilityCheck", Some("EFP_LIABILITY_CHECK")),
            ("Sent With ICN Error", Some("SENT_WITH_ICN_ERROR")),
            ("ZERO_RATE", Some("ZERO_RATE")),
            ("Form E1", Some("FORM_E_1")),
            ("Debit", Some("DEBIT")),
            ("", None),
            ("--", None),
            ("N\\u006ftSet", None),
            ("caf\u{e9}", None),
        ] {
            let found = constant(&format!("\"{value}\""));
            assert_eq!(found.as_deref(), expected, "{value}");
        }
        assert_eq!(constant("1"), None);
    }

    #[test]
    fn a_field_is_an_enumeration_where_the_sdk_has_one_there() {
        let type_of = |kind: &str| {
            let made = bean(r#"{"Type":"NonInventory"}"#, kind, "1", "CREATED").unwrap();
            serde_json::from_str::<Value>(&made.json).unwrap()["type"].clone()
        };
        assert_eq!(type_of("Item"), "NON_INVENTORY");
        assert_eq!(type_of("Term"), "NonInventory");
        let record = r#"{
            "AccountSubType": "AccountsPayable", "AccountType": "Accounts Payable",
            "CustomField": [{"Name": "Type", "Type": "StringType"}, {"Type": "DateType"}],
            "Line": [
                {"LinkedTxn": [{"TxnId": "4", "TxnType": "BillPaymentCheck"}]},
                {"DepositLineDetail": {"TxnType": "CreditMemo", "Entity": {"type": "Customer"}}},
                {"JournalEntryLineDetail": {"PostingType": "Debit", "Entity": {"Type": "Job"}}}
            ],
            "PrintStatus": ["NotSet"], "BillableStatus": null
        }"#;
        let expected = json!({
            "accountSubType": "AccountsPayable", "accountType": "ACCOUNTS_PAYABLE",
            "customField": [{"name": "Type", "type": "STRING_TYPE"}, {"type": "DATE_TYPE"}],
            "line": [
                {"linkedTxn": [{"txnId": "4", "txnType": "BillPaymentCheck"}]},
                {"depositLineDetail": {"txnType": "CREDIT_MEMO", "entity": {"type": "Customer"}}},
                {"journalEntryLineDetail": {"postingType": "DEBIT", "entity": {"type": "JOB"}}}
            ],
            "printStatus": ["NotSet"], "billableStatus": null,
            "objectId": "147", "systemId": "147", "eventType": "UPDATED"
        });
        is_made(record, "Deposit", &expected);
    }

    #[test]
    fn values_stay_byte_for_byte() {
        let record = r#" {"Id" : 9, "TotalAmt": 1005.00 ,"Rate":1E-2,"Name":"a \"{[\\", "x":[ -0.10,true]} "#;
        let made = bean(record, "Item", "9", "CREATED").unwrap();
        assert_eq!(
            made.json,
            concat!(
                r#"{"id":"9","totalAmt":1005.00,"rate":1E-2,"name":"a \"{[\\","x":[-0.10,true],"#,
                r#""objectId":"9","systemId":"9","eventType":"CREATED"}"#
            )
        );
        let empty = bean("{}", "Item", "a\"b", "CREATED").unwrap();
        let expected = r#"{"objectId":"a\"b","systemId":"a\"b","eventType":"CREATED"}"#;
        assert_eq!(empty.json, expected);
    }

    #[test]
    fn what_a_receiver_could_not_read_is_no_record() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(300), "}".repeat(300));
        for record in [
            "",
            "7",
            "[]",
            "\"x\"",
            "{",
            "{} {}",
            r#"{"a":"\ud800"}"#,
            &deep,
        ] {
            assert_eq!(bean(record, "Item", "1", "CREATED"), None, "{record}");
        }
    }
}

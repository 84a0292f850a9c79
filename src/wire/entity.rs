//! Intuit's kinds of records, as the payload forms and Open Connectors spell them.
//!
//! A kind that is not in the table is no error: it is taken verbatim. Sources: Intuit's
//! table of entities and operations, the resource names of Cloud Elements' finance hub.

/// Every kind that QuickBooks Online notifies, as the legacy form and the API spell it.
const KINDS: [&str; 31] = [
    "Account",
    "Bill",
    "BillPayment",
    "Budget",
    "ChangeOrder",
    "Class",
    "CompanyCurrency",
    "CreditMemo",
    "Currency",
    "Customer",
    "Department",
    "Deposit",
    "Employee",
    "Estimate",
    "Invoice",
    "Item",
    "JournalCode",
    "JournalEntry",
    "Payment",
    "PaymentMethod",
    "Preferences",
    "Purchase",
    "PurchaseOrder",
    "RefundReceipt",
    "SalesReceipt",
    "TaxAgency",
    "Term",
    "TimeActivity",
    "Transfer",
    "Vendor",
    "VendorCredit",
];

/// The kind that an entity segment of a CloudEvents `type` stands for: `salesreceipt` is
/// `SalesReceipt`; an unknown segment stands for itself.
pub fn kind(segment: &str) -> &str {
    known(segment).unwrap_or(segment)
}

/// The kind of this name in any case, where QuickBooks has it.
pub fn known(name: &str) -> Option<&'static str> {
    KINDS
        .into_iter()
        .find(|kind| kind.eq_ignore_ascii_case(name))
}

/// The Open Connectors resource of a kind: a hyphenated plural such as `sales-receipts`, or the
/// hub's own word where it has one.
pub fn resource(kind: &str) -> String {
    match kind {
        "Account" => "ledger-accounts".into(),
        "CompanyCurrency" => "currencies".into(),
        "Item" => "products".into(),
        "Preferences" => "preferences".into(),
        "Term" => "credit-terms".into(),
        // A number that stands for several kinds.
        number if number.parse::<i32>().is_ok() => number.to_owned(),
        _ => plural(kebab(kind)),
    }
}

fn kebab(kind: &str) -> String {
    let mut words = String::with_capacity(kind.len() + 2);
    for letter in kind.chars() {
        if letter.is_uppercase() && !words.is_empty() && !words.ends_with('-') {
            words.push('-');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn plural(mut noun: String) -> String {
    let vowel_before_y = ["ay", "ey", "oy", "uy"];
    let hissing = ["s", "x", "z", "ch", "sh"];
    if noun.ends_with('y') && !vowel_before_y.iter().any(|end| noun.ends_with(end)) {
        noun.pop();
        noun.push_str("ies");
    } else if hissing.iter().any(|end| noun.ends_with(end)) {
        noun.push_str("es");
    } else {
        noun.push('s');
    }
    noun
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_squashed_name() {
        for name in KINDS {
            assert_eq!(kind(&name.to_ascii_lowercase()), name);
        }
        assert_eq!(kind("salesreceipt"), "SalesReceipt");
        assert_eq!(kind("taxcode"), "taxcode");
    }

    #[test]
    fn resources_have_the_names_that_the_hub_used() {
        let table = [
            ("BillPayment", "bill-payments"),
            ("Bill", "bills"),
            ("Class", "classes"),
            ("CreditMemo", "credit-memos"),
            ("Term", "credit-terms"),
            ("Currency", "currencies"),
            ("CompanyCurrency", "currencies"),
            ("Customer", "customers"),
            ("Employee", "employees"),
            ("Invoice", "invoices"),
            ("JournalEntry", "journal-entries"),
            ("Account", "ledger-accounts"),
            ("PaymentMethod", "payment-methods"),
            ("Payment", "payments"),
            ("Item", "products"),
            ("PurchaseOrder", "purchase-orders"),
            ("RefundReceipt", "refund-receipts"),
            ("SalesReceipt", "sales-receipts"),
            ("TaxCode", "tax-codes"),
            ("TaxRate", "tax-rates"),
            ("TimeActivity", "time-activities"),
            ("VendorCredit", "vendor-credits"),
            ("Vendor", "vendors"),
            ("Department", "departments"),
            ("Estimate", "estimates"),
            ("Purchase", "purchases"),
            ("TaxAgency", "tax-agencies"),
            ("Preferences", "preferences"),
            ("Budget", "budgets"),
            ("JournalCode", "journal-codes"),
            ("ChangeOrder", "change-orders"),
            ("mystery", "mysteries"),
            ("25", "25"),
        ];
        for (kind, expected) in table {
            assert_eq!(resource(kind), expected, "{kind}");
        }
    }
}

//! How each kind of record can be read.
//!
//! Sources: Intuit's pages on Change Data Capture (which excludes JournalCode, TaxAgency,
//! TimeActivity, TaxCode and TaxRate) and on data queries; the field lists of several public
//! clients for the rest.

/// By what call the changes of a kind are found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Means {
    /// Change Data Capture; deletions too.
    Capture,
    /// Queries by `MetaData.LastUpdatedTime`. Nothing of the kind is ever deleted, or deletions are
    /// notified only.
    Query,
    /// Queries as above; a deletion shows only as an id that is missing from a complete list.
    QueryWithIds,
    /// One record for each company, by a query for all there is.
    Singleton,
}

/// What there is to know about reading a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindFacts {
    /// The kind as the API spells it.
    pub kind: &'static str,
    /// By what call its changes are found.
    pub means: Means,
    /// Whether its entries are made inactive instead of deleted. A query hides the inactive ones
    /// unless it asks for them.
    pub is_name_list: bool,
}

/// Every kind that can be read: those that are notified, with tax codes and tax rates, without
/// `ChangeOrder` and `Currency`, for which the API has no documented call.
pub const fn kinds() -> &'static [KindFacts] {
    &KINDS
}

/// What there is to know about a kind; `None` when it cannot be read.
pub fn facts(kind: &str) -> Option<&'static KindFacts> {
    KINDS.iter().find(|facts| facts.kind == kind)
}

const KINDS: [KindFacts; 31] = {
    use Means::{Capture, Query, QueryWithIds, Singleton};
    [
        name_list("Account", Capture),
        other("Bill", Capture),
        other("BillPayment", Capture),
        name_list("Budget", Capture),
        name_list("Class", Capture),
        name_list("CompanyCurrency", Query),
        other("CreditMemo", Capture),
        name_list("Customer", Capture),
        name_list("Department", Capture),
        other("Deposit", Capture),
        name_list("Employee", Capture),
        other("Estimate", Capture),
        other("Invoice", Capture),
        name_list("Item", Capture),
        other("JournalCode", Query),
        other("JournalEntry", Capture),
        other("Payment", Capture),
        name_list("PaymentMethod", Capture),
        other("Preferences", Singleton),
        other("Purchase", Capture),
        other("PurchaseOrder", Capture),
        other("RefundReceipt", Capture),
        other("SalesReceipt", Capture),
        other("TaxAgency", Query),
        name_list("TaxCode", Query),
        name_list("TaxRate", Query),
        name_list("Term", Capture),
        other("TimeActivity", QueryWithIds),
        other("Transfer", Capture),
        name_list("Vendor", Capture),
        other("VendorCredit", Capture),
    ]
};

const fn name_list(kind: &'static str, means: Means) -> KindFacts {
    KindFacts {
        kind,
        means,
        is_name_list: true,
    }
}

const fn other(kind: &'static str, means: Means) -> KindFacts {
    KindFacts {
        kind,
        means,
        is_name_list: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_that_capture_lacks_are_asked_for_otherwise() {
        let others: Vec<&str> = kinds()
            .iter()
            .filter(|facts| facts.means != Means::Capture)
            .map(|facts| facts.kind)
            .collect();
        assert_eq!(
            others,
            [
                "CompanyCurrency",
                "JournalCode",
                "Preferences",
                "TaxAgency",
                "TaxCode",
                "TaxRate",
                "TimeActivity"
            ]
        );
        assert_eq!(kinds().len(), 31);
        assert_eq!(facts("Currency"), None);
    }
}

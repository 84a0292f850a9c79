//! The kinds of records of a simulated company.
//!
//! A table of its own, apart from the one that the relay reads by, so that a mistake in one is not
//! repeated in the other. Sources: Intuit's table of webhook entities and operations; its page on
//! Change Data Capture (what is left out there); lists of captured kinds in public clients.

use super::Deed;
use Family::{File, Fixed, Hours, Named, Party, Single, Transaction};

/// How records of a kind behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// A person or firm with `DisplayName`; never deleted, made inactive.
    Party,
    /// An entry of a list with `Name`; never deleted, made inactive.
    Named,
    /// An entry of a list that is never even inactive.
    Fixed,
    /// Amounts and lines; can be deleted for good.
    Transaction,
    /// Hours worked; can be deleted for good.
    Hours,
    /// A note or a file that hangs on other records; can be deleted for good.
    File,
    /// One record a company.
    Single,
}

/// What is known about a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindFacts {
    /// As the API spells it.
    pub kind: &'static str,
    /// How its records behave.
    pub family: Family,
    /// Whether Change Data Capture takes it.
    pub captured: bool,
    /// Whether its changes are notified at all.
    pub notified: bool,
    /// Whether the API has a call that reads it; else its notifications are all there is.
    pub readable: bool,
    /// The operations: initials of create, update, delete, merge, void, emailed.
    operations: &'static str,
}

impl KindFacts {
    /// Whether QuickBooks has this operation for the kind.
    pub fn allows(&self, deed: Deed) -> bool {
        let initial = match deed {
            Deed::Create => 'c',
            Deed::Update | Deed::Touch => 'u',
            Deed::Deactivate => return self.is_name(),
            Deed::Delete => 'd',
            Deed::Merge => 'm',
            Deed::Void => 'v',
            Deed::Email => 'e',
        };
        self.operations.contains(initial)
    }

    /// Whether its records are made inactive and not deleted.
    pub fn is_name(&self) -> bool {
        matches!(self.family, Party | Named)
    }
}

const fn captured(kind: &'static str, family: Family, operations: &'static str) -> KindFacts {
    KindFacts {
        kind,
        family,
        captured: true,
        notified: true,
        readable: true,
        operations,
    }
}

const fn left_out(kind: &'static str, family: Family, operations: &'static str) -> KindFacts {
    KindFacts {
        captured: false,
        ..captured(kind, family, operations)
    }
}

const fn silent(kind: &'static str, family: Family, operations: &'static str) -> KindFacts {
    KindFacts {
        notified: false,
        ..left_out(kind, family, operations)
    }
}

const fn captured_only(kind: &'static str, family: Family, operations: &'static str) -> KindFacts {
    KindFacts {
        notified: false,
        ..captured(kind, family, operations)
    }
}

const fn told_only(kind: &'static str, family: Family, operations: &'static str) -> KindFacts {
    KindFacts {
        readable: false,
        ..left_out(kind, family, operations)
    }
}

const KINDS: [KindFacts; 35] = [
    captured("Account", Named, "cudm"),
    captured_only("Attachable", File, "cud"),
    captured("Bill", Transaction, "cud"),
    captured("BillPayment", Transaction, "cudv"),
    captured("Budget", Named, "cu"),
    told_only("ChangeOrder", Transaction, "cud"),
    captured("Class", Named, "cudm"),
    left_out("CompanyCurrency", Named, "cud"),
    silent("CompanyInfo", Single, "u"),
    captured("CreditMemo", Transaction, "cudve"),
    told_only("Currency", Named, "cud"),
    captured("Customer", Party, "cudm"),
    captured("Department", Named, "cum"),
    captured("Deposit", Transaction, "cud"),
    captured("Employee", Party, "cudm"),
    captured("Estimate", Transaction, "cude"),
    captured("Invoice", Transaction, "cudve"),
    captured("Item", Named, "cudm"),
    left_out("JournalCode", Fixed, "cu"),
    captured("JournalEntry", Transaction, "cud"),
    captured("Payment", Transaction, "cudve"),
    captured("PaymentMethod", Named, "cum"),
    left_out("Preferences", Single, "u"),
    captured("Purchase", Transaction, "cudv"),
    captured("PurchaseOrder", Transaction, "cude"),
    captured("RefundReceipt", Transaction, "cudve"),
    captured("SalesReceipt", Transaction, "cudve"),
    left_out("TaxAgency", Fixed, "cu"),
    silent("TaxCode", Named, "cu"),
    silent("TaxRate", Named, "cu"),
    captured("Term", Named, "cu"),
    left_out("TimeActivity", Hours, "cud"),
    captured("Transfer", Transaction, "cudv"),
    captured("Vendor", Party, "cudm"),
    captured("VendorCredit", Transaction, "cud"),
];

/// All of them, in alphabetical order.
pub fn kinds() -> &'static [KindFacts] {
    &KINDS
}

/// The kind of exactly this name.
pub fn find(kind: &str) -> Option<&'static KindFacts> {
    KINDS.iter().find(|facts| facts.kind == kind)
}

/// The kind of this name in any case, as Capture and paths take it.
pub fn find_loosely(kind: &str) -> Option<&'static KindFacts> {
    KINDS
        .iter()
        .find(|facts| facts.kind.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_31_notified_kinds_and_their_108_operations() {
        let notified = || KINDS.iter().filter(|facts| facts.notified);
        assert_eq!(notified().count(), 31);
        let pairs: usize = notified().map(|facts| facts.operations.len()).sum();
        assert_eq!(pairs, 108);
    }

    #[test]
    fn what_is_documented_as_left_out_of_capture_is_left_out() {
        for kind in [
            "JournalCode",
            "TaxAgency",
            "TimeActivity",
            "TaxCode",
            "TaxRate",
        ] {
            assert_eq!(find(kind).map(|facts| facts.captured), Some(false));
        }
        assert_eq!(KINDS.iter().filter(|facts| facts.captured).count(), 25);
        let attachable = find("Attachable").unwrap();
        assert!(attachable.captured && !attachable.notified);
    }

    #[test]
    fn only_names_are_deactivated_and_only_some_transactions_voided() {
        let allows = |kind, deed| find(kind).is_some_and(|facts| facts.allows(deed));
        assert!(allows("Customer", Deed::Deactivate));
        assert!(!allows("Invoice", Deed::Deactivate));
        assert!(allows("Invoice", Deed::Void));
        assert!(!allows("Bill", Deed::Void));
        assert!(!allows("Term", Deed::Delete));
    }
}

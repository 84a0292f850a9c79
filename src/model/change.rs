//! What the relay tells others, once per distinct notified change.

use super::{Authenticity, ChangeId, ChangeSeq, Notification, Origin, Seq, Timestamp};

/// A change as it stands in the journal: a notification that was new, with its place in the order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its number in the journal.
    pub seq: ChangeSeq,
    /// The id under which it leaves.
    pub id: ChangeId,
    /// The receipt that brought it.
    pub receipt: Seq,
    /// Its place in the company's order: 1, 2, 3, without gaps.
    pub sequence: u64,
    /// How the relay came to know of it.
    pub origin: Origin,
    /// What speaks for it.
    pub authenticity: Authenticity,
    /// When the receipt arrived.
    pub received_at: Timestamp,
    /// An event of the same record that happened later had come before it.
    pub late: bool,
    /// The sender used this identity before for other content.
    pub conflicting: bool,
    /// The id of the event that said the same without a signature, where this one is signed.
    pub confirms: Option<ChangeId>,
    /// What was notified.
    pub notification: Notification,
    /// How often the journal had gone back in time before it came: an older copy was put back, or it was
    /// gone. 0 as a rule.
    pub epoch: u64,
    /// The whole record as QuickBooks gave it, JSON text, once the change is reconciled.
    pub record: Option<String>,
}

impl Change {
    /// Whether it says that it has yet to happen, by more than clocks differ.
    pub fn is_ahead(&self) -> bool {
        self.notification.happened.is_ahead(self.received_at)
    }
}

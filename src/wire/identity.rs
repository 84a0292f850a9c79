//! What makes a repeat a repeat, and the id under which a change leaves.
//!
//! Everything here is SHA-256 over length-prefixed fields with a domain in front. The journal stores
//! these values, so a change to any of them would make old and new receipts strangers to each other:
//! the values in the tests are part of the format.

use super::digest::{first, sha256};
use crate::model::{ChangeId, EntityRef, Identity, Notification, Operation, RealmId};

/// Identity of a CloudEvent: its `source` and `id` (CloudEvents 1.0, and Intuit's own advice).
pub fn of_cloud_event(source: &str, id: &str) -> Identity {
    identity("qbo-relay cloudevent", &[source, id])
}

/// Identity of a legacy entity, which has no event id.
pub fn of_legacy(realm: &str, name: &str, id: &str, operation: &str, updated: &str) -> Identity {
    identity("qbo-relay legacy", &[realm, name, id, operation, updated])
}

/// Identity of text that was not understood: all of it.
pub fn of_unreadable(raw: &[u8]) -> Identity {
    Identity(first(&sha256("qbo-relay unreadable", &[raw])))
}

/// Identity of what was said of a company that is refused.
pub fn of_refused(said: Identity) -> Identity {
    Identity(first(&sha256("qbo-relay refused", &[&said.0])))
}

/// Identity of a signed notification of what an unsigned one had said.
pub fn of_confirmation(said: Identity) -> Identity {
    Identity(first(&sha256("qbo-relay confirmation", &[&said.0])))
}

/// Identity of what has neither an event id nor a time of its own: it is told apart by the delivery
/// that it is in, which is who delivered it, the digest of its body, and about when.
pub fn of_timeless(said: Identity, source: &str, body: &[u8], span: i64) -> Identity {
    let fields: [&[u8]; 4] = [&said.0, source.as_bytes(), body, &span.to_be_bytes()];
    Identity(first(&sha256("qbo-relay timeless", &fields)))
}

/// Identity of a change that the relay read for itself: the record, what became of it, and the
/// second in which it did. `nth` tells changes apart that agree in all of that, from 0.
///
/// A deletion has no second: tombstone and notification may date it differently.
pub fn of_captured(
    realm: &RealmId,
    entity: &EntityRef,
    operation: &Operation,
    second: Option<i64>,
    nth: u32,
) -> Identity {
    let (class, second) = match operation {
        Operation::Delete => ("delete", None),
        Operation::Void => ("void", second),
        _ => ("state", second),
    };
    let kind = entity.kind.to_ascii_lowercase();
    let second = second.map_or_else(String::new, |second| second.to_string());
    let fields = [realm.as_str(), &kind, &entity.id, class, &second];
    identity(
        "qbo-relay captured",
        &[&fields[..], &[&nth.to_string()]].concat(),
    )
}

/// The identities under which a reading would have told what this notification says; the first
/// reading of that second. Empty where only a notification can say it (merged, e-mailed), and for a
/// deletion, which is known by the record.
pub fn captured_twins(notification: &Notification) -> Vec<Identity> {
    let Some(at) = notification.happened.own() else {
        return Vec::new();
    };
    // A record that was read as voided has whatever else happened to it in that second.
    let classes: &[Operation] = match notification.operation {
        Operation::Create | Operation::Update => &[Operation::Update, Operation::Void],
        Operation::Void => &[Operation::Void],
        _ => &[],
    };
    let (realm, entity) = (&notification.realm, &notification.entity);
    let second = Some(at.as_seconds());
    classes
        .iter()
        .map(|class| of_captured(realm, entity, class, second, 0))
        .collect()
}

/// 64 bits over everything that was understood of a notification, and its `data` text.
pub fn content(notification: &Notification) -> u64 {
    let said = [
        notification.realm.as_str(),
        &notification.entity.kind,
        &notification.entity.id,
        notification.operation.as_str(),
        &notification.happened.text,
        // The decoders never make an empty one, so empty stands for none.
        notification.deleted_id.as_deref().unwrap_or_default(),
        &notification.event_type,
        notification.sender_id.as_deref().unwrap_or_default(),
        notification.data.as_deref().unwrap_or_default(),
    ];
    u64::from_be_bytes(first(&sha256(
        "qbo-relay content",
        &said.map(str::as_bytes),
    )))
}

/// The id under which a change leaves: its identity, or, when the identity was used before for other
/// content, a digest of identity and content.
pub fn change_id(identity: Identity, content: u64, conflicting: bool) -> ChangeId {
    let id = if conflicting {
        let fields: [&[u8]; 2] = [&identity.0, &content.to_be_bytes()];
        Identity(first(&sha256("qbo-relay conflict", &fields)))
    } else {
        identity
    };
    ChangeId(id.to_hex())
}

fn identity(domain: &str, fields: &[&str]) -> Identity {
    let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
    Identity(first(&sha256(domain, &fields)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntityRef, EventTime, Operation, RealmId};

    fn said() -> Notification {
        Notification {
            realm: RealmId::new("310687").unwrap(),
            entity: EntityRef {
                kind: "Bill".into(),
                id: "9".into(),
            },
            operation: Operation::Merge,
            happened: EventTime {
                text: "then".into(),
                at: None,
            },
            deleted_id: None,
            event_type: "qbo.bill.merged.v1".into(),
            sender_id: None,
            data: None,
            identity: of_unreadable(b"x"),
            content: 0,
        }
    }

    #[test]
    fn the_values_that_journals_hold_do_not_change() {
        let legacy = [
            "1185883450",
            "Customer",
            "1",
            "Create",
            "2015-10-05T14:42:19-0700",
        ];
        let [realm, name, id, operation, updated] = legacy;
        let values = [
            of_cloud_event("intuit.x=", "88cd52aa"),
            of_legacy(realm, name, id, operation, updated),
            of_unreadable(b"{"),
        ]
        .map(Identity::to_hex);
        // Computed independently with Python's hashlib.
        let expected = [
            "e827346ed7089dd92886e32f7fa19dc2",
            "93231552d5d18985993edbb12b0e81b7",
            "fb3b77f8165595cf940d3b0e3513e226",
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn an_identity_that_is_made_from_another_is_neither_that_one_nor_another_of_its_make() {
        let said = of_unreadable(b"{");
        let mut values = vec![
            said,
            of_refused(said),
            of_confirmation(said),
            of_timeless(said, "till", b"body", 7),
            of_timeless(said, "till", b"body", 8),
            of_timeless(said, "till", b"other", 7),
            of_timeless(said, "tills", b"body", 7),
        ];
        assert_eq!(values, values.clone());
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 7);
    }

    #[test]
    fn a_change_that_was_read_is_known_by_record_class_and_second() {
        let realm = RealmId::new("310687").unwrap();
        let entity = |kind: &str| EntityRef {
            kind: kind.into(),
            id: "130".into(),
        };
        let of = |operation, second, nth| {
            of_captured(&realm, &entity("Invoice"), &operation, second, nth).to_hex()
        };
        let second = Some(1_795_237_475);
        let values = [
            of(Operation::Update, second, 0),
            of(Operation::Void, second, 0),
            of(Operation::Delete, second, 0),
            of(Operation::Create, second, 1),
            of(Operation::Update, None, 0),
        ];
        // Computed independently with Python's hashlib.
        let expected = [
            "6bb312df57031d38d25913e85c14f0f3",
            "bb42f70ad9123a971c61a715dde5282e",
            "51f44fa0259603c9c477e246af5f7905",
            "bcb58d1131d2ec76fe008be8e7379e37",
            "4b659f948afa31c5e4e3e8d2ce801677",
        ];
        assert_eq!(values, expected);
        let squashed = of_captured(&realm, &entity("invoice"), &Operation::Update, second, 0);
        assert_eq!(squashed.to_hex(), expected[0]);
    }

    #[test]
    fn a_notification_has_twins_where_a_reading_can_say_the_same() {
        let at = Some(crate::model::Timestamp::from_ms(1_795_237_475_999));
        for (operation, at, expected) in [
            (
                Operation::Create,
                at,
                vec![Operation::Update, Operation::Void],
            ),
            (
                Operation::Update,
                at,
                vec![Operation::Update, Operation::Void],
            ),
            (Operation::Void, at, vec![Operation::Void]),
            (Operation::Update, None, vec![]),
            (Operation::Delete, at, vec![]),
            (Operation::Merge, at, vec![]),
            (Operation::Emailed, at, vec![]),
            (Operation::Other("approved".into()), at, vec![]),
        ] {
            let mut said = said();
            said.operation = operation;
            said.happened.at = at;
            let (realm, entity) = (&said.realm, &said.entity);
            let expected: Vec<Identity> = expected
                .iter()
                .map(|class| of_captured(realm, entity, class, Some(1_795_237_475), 0))
                .collect();
            assert_eq!(captured_twins(&said), expected, "{said:?}");
        }
    }

    #[test]
    fn everything_that_was_said_is_in_the_content() {
        let said = said();
        let edits: [fn(&mut Notification); 9] = [
            |n| n.realm = RealmId::new("310688").unwrap(),
            |n| n.entity.kind = "Vendor".into(),
            |n| n.entity.id = "09".into(),
            |n| n.operation = Operation::Update,
            |n| n.happened.text = "now".into(),
            |n| n.deleted_id = Some("27".into()),
            |n| n.event_type = "qbo.bill.merged.v2".into(),
            |n| n.sender_id = Some("27".into()),
            |n| n.data = Some("27".into()),
        ];
        let mut contents = vec![content(&said)];
        for edit in edits {
            let mut other = said.clone();
            edit(&mut other);
            contents.push(content(&other));
        }
        contents.sort_unstable();
        contents.dedup();
        assert_eq!(contents.len(), 10);
    }

    #[test]
    fn a_conflicting_change_leaves_under_an_id_of_its_own() {
        let identity = of_unreadable(b"x");
        assert_eq!(change_id(identity, 7, false).0, identity.to_hex());
        let [one, other] = [7, 8].map(|content| change_id(identity, content, true).0);
        assert_eq!(one.len(), 32);
        assert_ne!(one, identity.to_hex());
        assert_ne!(one, other);
    }
}

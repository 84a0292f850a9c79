//! Changes and deliveries as the journal would hand them over.

use qbo_relay::model::{
    Authenticity, Change, ChangeId, ChangeSeq, Delivery, Encoding, EntityRef, EventTime, Form,
    Identity, Item, Lane, Manner, Notification, Operation, Origin, RealmId, Receipt, Seq, SinkName,
    Timestamp,
};
use qbo_relay::wire::identity::{content, of_cloud_event};
use std::ops::RangeInclusive;

/// Sun, 06 Nov 1994 08:48:30 GMT.
pub(crate) const NOW: Timestamp = Timestamp::from_ms(784_111_710_000);

/// The n-th change of a company: its n-th invoice was created.
pub(crate) fn change(number: u8) -> Change {
    let identity = Identity([number; 16]);
    Change {
        seq: ChangeSeq(i64::from(number)),
        id: ChangeId(identity.to_hex()),
        receipt: Seq(1),
        sequence: u64::from(number),
        origin: Origin::Webhook,
        authenticity: Authenticity::Signed,
        received_at: NOW,
        late: false,
        conflicting: false,
        epoch: 0,
        confirms: None,
        notification: Notification {
            realm: realm(),
            entity: EntityRef {
                kind: "Invoice".into(),
                id: number.to_string(),
            },
            operation: Operation::Create,
            happened: EventTime {
                text: "1994-11-06T08:48:00Z".into(),
                at: Some(Timestamp::from_ms(784_111_680_000)),
            },
            deleted_id: None,
            event_type: "qbo.invoice.created.v1".into(),
            sender_id: None,
            data: None,
            identity,
            content: u64::from(number),
        },
        record: None,
    }
}

/// The first attempt at delivering these.
pub(crate) fn delivery(changes: Vec<Change>) -> Delivery {
    Delivery {
        lane: Lane {
            sink: SinkName::new("erp").unwrap(),
            realm: realm(),
        },
        manner: Manner::Live,
        attempt: 1,
        changes,
        body: None,
    }
}

/// A receipt that tells the n-th change of that company.
pub(crate) fn receipt(company: &str, number: u8) -> Receipt {
    receipt_of(company, number..=number)
}

/// A receipt that tells several changes of that company.
pub(crate) fn receipt_of(company: &str, numbers: RangeInclusive<u8>) -> Receipt {
    let item = |number: u8| {
        let mut notification = change(number).notification;
        notification.realm = RealmId::new(company).unwrap();
        notification.identity = of_cloud_event(company, &number.to_string());
        notification.content = content(&notification);
        Item::Notification(notification)
    };
    let event = |number: u8| {
        let id = number.to_string();
        serde_json::json!({"intuitaccountid": company, "intuitentityid": id})
    };
    let body: Vec<_> = numbers.clone().map(event).collect();
    Receipt {
        received_at: NOW,
        source: "production".into(),
        authenticity: Authenticity::Signed,
        origin: Origin::Webhook,
        encoding: Encoding::Json,
        form: Some(Form::CloudEvents),
        headers: Vec::new(),
        body: serde_json::to_vec(&body).unwrap().into(),
        items: numbers.map(item).collect(),
    }
}

fn realm() -> RealmId {
    RealmId::new("310687").unwrap()
}

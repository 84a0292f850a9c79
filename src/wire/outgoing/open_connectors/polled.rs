//! What was polled: `raw` has the records, and every event the time of the poll.

use super::super::embed;
use super::bean::bean;
use super::{Event, date, event_type, events_of, merged_away};
use crate::model::{Change, Operation};
use crate::wire::entity;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// `raw` and events of changes of one resource, the first of which is `head`: an entry for each event, in
/// their order. Of a deletion it says what Change Data Capture would, and of a change whose record was
/// not read its id.
pub(super) fn told<'a>(
    head: &Change,
    changes: &'a [Change],
) -> (Option<Box<RawValue>>, Vec<Event<'a>>) {
    let (mut records, mut events) = (Vec::new(), Vec::new());
    for change in changes {
        let entity = &change.notification.entity;
        let event_type = event_type(change);
        let is_deletion = change.notification.operation == Operation::Delete;
        let record = change.record.as_deref().filter(|_| !is_deletion);
        let made = record.and_then(|record| bean(record, &entity.kind, &entity.id, event_type));
        let bare = || {
            bean(
                &bare(change, &entity.id),
                &entity.kind,
                &entity.id,
                event_type,
            )
        };
        let (record, object_id) = made
            .or_else(bare)
            .map(|made| (made.json, made.object_id))
            .unzip();
        records.extend(record);
        if let Some(id) = merged_away(change) {
            let gone = bean(&tombstone(change, id), &entity.kind, id, "DELETED");
            records.extend(gone.map(|gone| gone.json));
        }
        events.extend(events_of(change, object_id).map(|event| Event {
            poll_date: date(change.received_at),
            ..event
        }));
    }
    let resource = Value::from(entity::resource(&head.notification.entity.kind));
    let (records, polled_at) = (records.join(","), head.received_at.as_ms());
    let raw =
        format!(r#"{{{resource}:[{records}],"pollDate":{polled_at},"objectType":{resource}}}"#);
    (embed(&raw), events)
}

/// What is known of a record that was not read.
fn bare(change: &Change, id: &str) -> String {
    match change.notification.operation {
        Operation::Delete => tombstone(change, id),
        _ => json!({ "Id": id }).to_string(),
    }
}

/// A record that is gone, as Change Data Capture tells of it.
fn tombstone(change: &Change, id: &str) -> String {
    match &*change.notification.happened.text {
        "" => json!({ "domain": "QBO", "status": "Deleted", "Id": id }),
        at => {
            let times = json!({ "LastUpdatedTime": at });
            json!({ "domain": "QBO", "status": "Deleted", "Id": id, "MetaData": times })
        }
    }
    .to_string()
}

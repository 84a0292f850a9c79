//! What was polled: `raw` has the records, and every event the time of the poll.

use super::super::embed;
use super::bean::bean;
use super::{Event, date, event_type, events_of};
use crate::model::{Change, Operation};
use crate::wire::entity;
use serde_json::Value;
use serde_json::value::RawValue;

/// `raw` and events of changes of one resource, the first of which is `head`. A deletion has no
/// record, nor has a change of which none was read.
pub(super) fn told<'a>(
    head: &Change,
    changes: &'a [Change],
) -> (Option<Box<RawValue>>, Vec<Event<'a>>) {
    let (mut records, mut events) = (Vec::new(), Vec::new());
    for change in changes {
        let entity = &change.notification.entity;
        let record = change.record.as_deref();
        let record = record.filter(|_| change.notification.operation != Operation::Delete);
        let bean =
            record.and_then(|record| bean(record, &entity.kind, &entity.id, event_type(change)));
        let (record, object_id) = bean.map(|bean| (bean.json, bean.object_id)).unzip();
        records.extend(record);
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

//! Sample requests and answers, as the original's pages show them.

use super::super::OPERATION;
use super::super::format::Format;
use super::super::xml::NAMESPACE;
use super::Metadata;

/// A whole request to this host.
pub(super) fn request(metadata: &Metadata, format: Format, path: &str, host: &str) -> String {
    let media_type = format.media_type();
    let body = body(metadata, format);
    format!(
        "POST {path} HTTP/1.1\nHost: {host}\nAccept: {media_type}\nContent-Type: {media_type}\nContent-Length: length\n\n{body}"
    )
}

/// A whole answer.
pub(super) fn response(format: Format) -> String {
    let media_type = format.media_type();
    format!("HTTP/1.1 200 OK\nContent-Type: {media_type}\nContent-Length: length\n\n(string)")
}

/// The body of the request. Under CSV it is JSON, as the original has it, and so it is under JSONL.
pub(super) fn body(metadata: &Metadata, format: Format) -> String {
    let name = metadata
        .numbers
        .entries()
        .next()
        .map_or("", |(name, _)| name);
    match format {
        Format::Json | Format::Jsonl | Format::Csv | Format::Html => format!(
            r#"{{"eventNotifications":[{{"realmId":"String","dataChangeEvent":{{"entities":[{{"name":"{name}","id":"String","operation":"Update","lastUpdated":"\/Date(-62135596800000-0000)\/","deletedId":"String"}}]}}}}]}}"#
        ),
        Format::Jsv => format!(
            "{{eventNotifications:[{{realmId:String,dataChangeEvent:{{entities:[{{name:{name},id:String,operation:Update,lastUpdated:0001-01-01,deletedId:String}}]}}}}]}}"
        ),
        Format::Xml => format!(
            r#"<{OPERATION} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="{NAMESPACE}">
  <eventNotifications>
    <QBOEventNotification>
      <DataChangeEvent>
        <Entities>
          <QBOEntity>
            <DeletedId>String</DeletedId>
            <Id>String</Id>
            <LastUpdated>0001-01-01T00:00:00</LastUpdated>
            <Name>{name}</Name>
            <Operation>Update</Operation>
          </QBOEntity>
        </Entities>
      </DataChangeEvent>
      <RealmId>String</RealmId>
    </QBOEventNotification>
  </eventNotifications>
</{OPERATION}>"#
        ),
    }
}

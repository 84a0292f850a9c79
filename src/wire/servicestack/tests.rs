//! Every encoding of the same request, and what nobody should send.

use super::*;
use crate::model::{Form, Notification, Operation};
use crate::wire;
use proptest::prelude::*;

const PYTHON: &str = r#"{"eventNotifications": [{"realmId": "1185883450", "dataChangeEvent": {"entities": [{"name": 20, "id": "1", "operation": "Create", "lastUpdated": "2015-10-05T14:42:19-07:00"}, {"name": 21, "id": "2", "operation": "Merge", "lastUpdated": "2015-10-05T21:42:19.123456+00:00", "deletedId": "99"}, {"name": 38, "id": "3", "operation": "Void", "lastUpdated": "0001-01-01T00:00:00"}]}}]}"#;

const ENCODINGS: [Encoding; 5] = [
    Encoding::Json,
    Encoding::Xml,
    Encoding::Jsv,
    Encoding::Csv,
    Encoding::Form,
];

fn understand(body: &str, encoding: Encoding, arity: Arity) -> Result<Understood, Malformed> {
    decode(
        body.as_bytes(),
        encoding,
        arity,
        &EntityNumbers::default(),
        100,
    )
}

/// What was understood, one line an entry; or what was wrong.
fn outline(body: &str, encoding: Encoding) -> Vec<String> {
    lines(understand(body, encoding, Arity::One))
}

fn lines(understood: Result<Understood, Malformed>) -> Vec<String> {
    match understood {
        Ok(understood) => understood.items.iter().map(line).collect(),
        Err(Malformed { at, why }) => vec![format!("malformed {at}: {why}")],
    }
}

fn line(item: &Item) -> String {
    match item {
        Item::Notification(found) => {
            let at = found
                .happened
                .at
                .map_or("-".to_owned(), |at| at.to_string());
            let gone = found.deleted_id.as_deref().unwrap_or("-");
            let data = found.data.as_deref().unwrap_or("");
            format!(
                "{} {} {} {at} {gone}{data}",
                found.realm, found.entity, found.event_type
            )
        }
        Item::Unreadable(found) => format!("unreadable {}: {}", found.at, found.why),
    }
}

fn only(body: &str, encoding: Encoding) -> Notification {
    let understood = understand(body, encoding, Arity::One).unwrap();
    match &understood.items[..] {
        [Item::Notification(found)] => found.clone(),
        other => panic!("{other:?}"),
    }
}

/// One entity of company 7, its fields as JSON.
fn entity(fields: &str) -> String {
    format!(
        r#"{{"eventNotifications":[{{"realmId":"7","dataChangeEvent":{{"entities":[{{{fields}}}]}}}}]}}"#
    )
}

#[test]
fn what_the_python_client_sends_is_understood() {
    assert_eq!(
        outline(PYTHON, Encoding::Json),
        [
            "1185883450 Customer/1 qbo.customer.created.v1 2015-10-05T21:42:19.000Z -",
            r#"1185883450 21/2 qbo.21.merged.v1 2015-10-05T21:42:19.123Z 99{"candidates":["Department","Vendor"],"entityNumber":21}"#,
            "1185883450 Class/3 qbo.class.void.v1 - -",
        ]
    );
}

#[test]
fn every_encoding_says_the_same() {
    let expected = ["7 Bill/9 qbo.bill.deleted.v1 2015-10-05T21:42:19.000Z -"];
    let at = "2015-10-05T14:42:19-07:00";
    let ns = format!("xmlns=\"{}\"", xml::NAMESPACE);
    let table = [
        (
            Encoding::Json,
            format!(
                r#" {{"unknown":[{{}}],"EVENTNOTIFICATIONS":[{{"dataChangeEvent":{{"entities":[{{"Name":"bill","ID":9,"operation":3,"lastUpdated":"{at}","deletedId":null}}]}},"realmid":7}}]}} "#
            ),
        ),
        (
            Encoding::Xml,
            format!(
                "\u{feff}<?xml version=\"1.0\"?><!-- a --><QboWebhooksRequest {ns} xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><eventNotifications><QBOEventNotification><DataChangeEvent><Entities><QBOEntity><DeletedId i:nil=\"true\"/><Id>9</Id><LastUpdated>{at}</LastUpdated><Name>Bill</Name><Operation>Delete</Operation></QBOEntity></Entities></DataChangeEvent><RealmId>7</RealmId></QBOEventNotification></eventNotifications></QboWebhooksRequest>\n"
            ),
        ),
        (
            // Any prefix, any order, names in any case, foreign elements.
            Encoding::Xml,
            format!(
                "<a:QboWebhooksRequest xmlns:a=\"{}\" xmlns:x=\"urn:x\"><a:eventNotifications><a:QBOEventNotification><a:RealmId>7</a:RealmId><x:RealmId>8</x:RealmId><a:dataChangeEvent><a:entities><a:QBOEntity><a:operation>Delete</a:operation><a:Name>B<![CDATA[il]]>&#108;</a:Name><a:Unknown><a:Id>3</a:Id></a:Unknown><a:Id>9</a:Id><a:LastUpdated>{at}</a:LastUpdated></a:QBOEntity></a:entities></a:dataChangeEvent></a:QBOEventNotification></a:eventNotifications></a:QboWebhooksRequest>",
                xml::NAMESPACE
            ),
        ),
        (
            Encoding::Jsv,
            format!(
                "{{eventNotifications:[{{realmId:7,dataChangeEvent:{{entities:[{{name:Bill,id:9,operation:Delete,lastUpdated:{at}}}]}}}}]}}"
            ),
        ),
        (
            Encoding::Csv,
            format!(
                "eventNotifications\r\n\"[{{realmId:7,dataChangeEvent:{{entities:[{{name:Bill,id:9,operation:Delete,lastUpdated:{at}}}]}}}}]\"\r\n"
            ),
        ),
        (
            Encoding::Csv,
            format!(
                "realmId,dataChangeEvent\n7,\"{{entities:[{{name:Bill,id:9,operation:Delete,lastUpdated:{at}}}]}}\"\n"
            ),
        ),
        (
            Encoding::Csv,
            format!("Id, REALMID ,name,operation,lastUpdated\n9,7,Bill,Delete,{at}\n,,,,\n"),
        ),
        (
            Encoding::Form,
            format!(
                "x=1&eventNotifications=%5B%7BrealmId:7,dataChangeEvent:%7Bentities:[%7Bname:Bill,id:9,operation:Delete,lastUpdated:{at}%7D]%7D%7D%5D"
            ),
        ),
        (
            Encoding::Form,
            format!(
                "EventNotifications=[{{\"realmId\":\"7\",\"dataChangeEvent\":{{\"entities\":[{{\"name\":24,\"name\":\"Bill\",\"id\":\"9\",\"operation\":\"Delete\",\"lastUpdated\":\"{at}\"}}]}}}}]"
            ),
        ),
    ];
    for (encoding, body) in table {
        assert_eq!(outline(&body, encoding), expected, "{body}");
    }
}

#[test]
fn a_client_and_intuit_tell_one_change() {
    let fields = r#""name":"Vendor","id":"46","operation":"Merge","lastUpdated":"2016-10-05T03:09:04.000Z","deletedId":"27""#;
    let intuit = wire::decode(entity(fields).as_bytes(), 9);
    assert_eq!(intuit.form, Some(Form::Legacy));
    let [Item::Notification(intuit)] = &intuit.items[..] else {
        panic!("{intuit:?}");
    };
    assert_eq!(&only(&entity(fields), Encoding::Json), intuit);
    let loose = fields.replace("Vendor", "vendor").replace("Merge", "2");
    assert_eq!(&only(&entity(&loose), Encoding::Json), intuit);
}

#[test]
fn the_samples_of_the_original_are_understood() {
    let expected = ["String Customer/String qbo.customer.updated.v1 - String"];
    let table = [
        (
            Encoding::Json,
            include_str!("../../../tests/data/servicestack/sample.json"),
        ),
        (
            Encoding::Xml,
            include_str!("../../../tests/data/servicestack/sample.xml"),
        ),
        (
            Encoding::Jsv,
            include_str!("../../../tests/data/servicestack/sample.jsv"),
        ),
    ];
    for (expected_encoding, body) in table {
        let found = encoding(Some("text/jsv"), body.as_bytes());
        assert_eq!(found, Some(expected_encoding));
        assert_eq!(outline(body, expected_encoding), expected);
    }
}

#[test]
fn an_empty_request_is_a_success_that_says_nothing() {
    let nothing = ["unreadable body: empty: nothing was notified"];
    for encoding in ENCODINGS {
        assert_eq!(outline(" \n", encoding), nothing);
    }
    let table = [
        ("{}", Encoding::Json),
        (r#"{"eventNotifications":null}"#, Encoding::Json),
        ("null", Encoding::Json),
        ("<QboWebhooksRequest/>", Encoding::Xml),
        (
            "<QboWebhooksRequest><eventNotifications/></QboWebhooksRequest>",
            Encoding::Xml,
        ),
        ("{}", Encoding::Jsv),
        ("{eventNotifications:}", Encoding::Jsv),
        ("eventNotifications\n", Encoding::Csv),
        ("a=b", Encoding::Form),
        ("eventNotifications=", Encoding::Form),
    ];
    for (body, encoding) in table {
        assert_eq!(outline(body, encoding), nothing, "{body}");
    }
}

#[test]
fn a_batch_is_several_requests_in_a_list() {
    let batch = |body: &str, encoding| {
        let understood = understand(body, encoding, Arity::Batch);
        let count = understood.as_ref().map_or(0, |found| found.requests);
        (count, lines(understood))
    };
    let one = entity(r#""name":"Bill","id":"9","operation":"Void""#);
    let bill = "7 Bill/9 qbo.bill.void.v1 - -".to_owned();
    let twice = vec![bill.clone(), bill.clone()];
    assert_eq!(batch(&format!("[{one},{one}]"), Encoding::Json), (2, twice));
    assert_eq!(batch(&one, Encoding::Json), (1, vec![bill.clone()]));
    let nothing = "unreadable body: empty: nothing was notified".to_owned();
    assert_eq!(batch("[]", Encoding::Json), (0, vec![nothing]));
    let ns = xml::NAMESPACE;
    let xml = format!(
        "<ArrayOfQboWebhooksRequest xmlns=\"{ns}\"><QboWebhooksRequest/><QboWebhooksRequest><eventNotifications><QBOEventNotification><DataChangeEvent><Entities><QBOEntity><Id>9</Id><Name>Bill</Name><Operation>Void</Operation></QBOEntity></Entities></DataChangeEvent><RealmId>7</RealmId></QBOEventNotification></eventNotifications></QboWebhooksRequest></ArrayOfQboWebhooksRequest>"
    );
    assert_eq!(batch(&xml, Encoding::Xml), (2, vec![bill]));
    let (_, wrong) = batch(&format!("[{one},7]"), Encoding::Json);
    assert_eq!(wrong, ["malformed [1]: expected an object, found text"]);
    let (_, wrong) = batch(
        &format!("[{one},{}]", entity("\"name\":\"x\"")),
        Encoding::Json,
    );
    assert_eq!(
        wrong,
        [
            "malformed [1].eventNotifications[0].dataChangeEvent.entities[0].name: Requested value 'x' was not found."
        ]
    );
}

#[test]
fn what_does_not_fit_its_type_is_named_by_its_path() {
    let at = "malformed eventNotifications[0].dataChangeEvent.entities[0]";
    let table = [
        (
            r#""name":"Mystery""#,
            format!("{at}.name: Requested value 'Mystery' was not found."),
        ),
        (
            r#""operation":"Exploded""#,
            format!("{at}.operation: Requested value 'Exploded' was not found."),
        ),
        (
            r#""lastUpdated":"soon""#,
            format!("{at}.lastUpdated: String 'soon' was not recognized as a valid DateTime."),
        ),
        (
            r#""id":{}"#,
            format!("{at}.id: expected text, found an object"),
        ),
        (
            r#""deletedId":[]"#,
            format!("{at}.deletedId: expected text, found a list"),
        ),
    ];
    for (fields, expected) in table {
        assert_eq!(outline(&entity(fields), Encoding::Json), [expected]);
    }
    let table = [
        ("[]", "malformed body: expected an object, found a list"),
        ("7", "malformed body: expected an object, found text"),
        (
            r#"{"eventNotifications":{}}"#,
            "malformed eventNotifications: expected a list, found an object",
        ),
        (
            r#"{"eventNotifications":["[object Object]"]}"#,
            "malformed eventNotifications[0]: expected an object, found text",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(outline(body, Encoding::Json), [expected], "{body}");
    }
}

#[test]
fn what_the_framework_takes_and_says_nothing_is_kept_as_unreadable() {
    let at = "unreadable eventNotifications[0].dataChangeEvent.entities[0]";
    let table = [
        ("", format!("{at}.id: missing")),
        (r#""id":"1""#, format!("{at}.name: missing")),
        (r#""id":"""#, format!("{at}.id: empty")),
        (
            r#""id":"a\u0000b","name":"Bill""#,
            format!("{at}.id: has control characters"),
        ),
    ];
    for (fields, expected) in table {
        assert_eq!(outline(&entity(fields), Encoding::Json), [expected]);
    }
    let body = r#"{"eventNotifications":[{},null,{"realmId":"7"},{"dataChangeEvent":{"entities":[{"name":"Bill","id":"1"}]}}]}"#;
    assert_eq!(
        outline(body, Encoding::Json),
        [
            "unreadable eventNotifications[0].dataChangeEvent.entities: empty: nothing was notified",
            "unreadable eventNotifications[1].dataChangeEvent.entities: empty: nothing was notified",
            "unreadable eventNotifications[2].dataChangeEvent.entities: empty: nothing was notified",
            "unreadable eventNotifications[3].dataChangeEvent.entities[0].realmId: missing",
        ]
    );
    let identities: Vec<_> = understand(body, Encoding::Json, Arity::One)
        .unwrap()
        .items
        .iter()
        .map(Item::identity)
        .collect();
    let mut distinct = identities.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), identities.len());
    let updated = only(&entity(r#""name":"Bill","id":"1""#), Encoding::Json);
    assert_eq!(updated.operation, Operation::Update);
}

#[test]
fn hostile_xml_is_refused_with_its_place() {
    let ns = xml::NAMESPACE;
    let table = [
        (
            "<!DOCTYPE a [<!ENTITY x \"y\">]>\n<QboWebhooksRequest>&x;</QboWebhooksRequest>".into(),
            "line 1 column 1: a document type is not allowed",
        ),
        (
            "<QboWebhooksRequest>\n &x;</QboWebhooksRequest>".into(),
            "line 2 column 2: a reference to an entity that is not XML's own",
        ),
        (
            "<QboWebhooksRequest/><QboWebhooksRequest/>".into(),
            "line 1 column 22: an element after the end of the first one",
        ),
        (
            "<QboWebhooksRequest/>x".into(),
            "line 1 column 22: text outside of the first element",
        ),
        (
            "<QboWebhooksRequest>".into(),
            "line 1 column 21: not XML: it breaks off",
        ),
        (
            "<!-- a -->".into(),
            "line 1 column 11: not XML: it breaks off",
        ),
        (
            "<p:QboWebhooksRequest/>".into(),
            "line 1 column 1: a prefix without a namespace",
        ),
        (
            "<QboWebhooksRequest xmlns=\"urn:other\"/>".into(),
            "line 1 column 1: expected the element QboWebhooksRequest of http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener",
        ),
        (
            format!("<Envelope xmlns=\"{ns}\"/>"),
            "line 1 column 1: expected the element QboWebhooksRequest of http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener",
        ),
        (
            format!("<QboWebhooksRequest>{}", "<a>".repeat(100_000)),
            "line 1 column 213: nested too deeply",
        ),
        (
            format!("<QboWebhooksRequest>{}", "<a/>".repeat(100_000)),
            "line 1 column 7440: too many values",
        ),
    ];
    for (body, expected) in table {
        let expected = format!("malformed {expected}");
        assert_eq!(outline(&body, Encoding::Xml), [expected], "{:.60}", body);
    }
    let bindings: String = (0..100_000).map(|n| format!(" xmlns:a{n}=\"u\"")).collect();
    let many = format!("<QboWebhooksRequest{bindings}/>");
    assert!(outline(&many, Encoding::Xml)[0].starts_with("malformed line 1 column 1: not XML: "));
    for body in [
        "<QboWebhooksRequest",
        "<QboWebhooksRequest></a>",
        "<a b=",
        "<",
        "<a>\u{0}",
    ] {
        let told = &outline(body, Encoding::Xml)[0];
        assert!(told.starts_with("malformed line 1 column "), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_named_in_every_encoding() {
    let table = [
        (
            "{\n\"a\" 1}",
            Encoding::Json,
            "line 2 column 5: not JSON: expected `:`",
        ),
        (
            "{} x",
            Encoding::Json,
            "line 1 column 4: not JSON: trailing characters",
        ),
        (
            "{a:",
            Encoding::Jsv,
            "line 1 column 4: not JSV: expected `,` or `}`",
        ),
        (
            "a,b\n1,2\n",
            Encoding::Csv,
            "line 1: expected the column eventNotifications, or realmId and dataChangeEvent, or realmId, name, id, operation and lastUpdated",
        ),
        (
            "eventNotifications\n[{\n",
            Encoding::Csv,
            "line 2 column eventNotifications: line 1 column 3: not JSV: expected a name and `:`",
        ),
        (
            "eventNotifications=[{",
            Encoding::Form,
            "eventNotifications: line 1 column 3: not JSV: expected a name and `:`",
        ),
        (
            "eventNotifications=[{\"a",
            Encoding::Form,
            "eventNotifications: line 1 column 4: not JSON: EOF while parsing a string",
        ),
    ];
    for (body, encoding, expected) in table {
        let expected = format!("malformed {expected}");
        assert_eq!(outline(body, encoding), [expected], "{body}");
    }
    for encoding in ENCODINGS {
        let bad = decode(b"{\xff", encoding, Arity::One, &EntityNumbers::default(), 9);
        assert_eq!(bad.unwrap_err().at, "byte 1");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        outline(&deep, Encoding::Json),
        ["malformed line 1 column 66: not JSON: nested too deeply"]
    );
}

#[test]
fn there_is_an_end_to_entities() {
    let one = r#"{"name":"Bill","id":"9"}"#;
    let many = |count| {
        let all = vec![one; count].join(",");
        let body = format!(
            r#"{{"eventNotifications":[{{"realmId":"7","dataChangeEvent":{{"entities":[{all}]}}}}]}}"#
        );
        outline(&body, Encoding::Json)
    };
    assert_eq!(many(100).len(), 100);
    assert_eq!(
        many(101),
        [
            "malformed eventNotifications[0].dataChangeEvent.entities[100]: more than 100 entities in one request"
        ]
    );
}

#[test]
fn the_content_tells_the_encoding_where_it_can() {
    let table = [
        ("", None, Some(Encoding::Json)),
        ("  {\"a\":1}", Some("text/csv"), Some(Encoding::Json)),
        (
            "\u{feff}[{\"a\":1}]",
            Some("application/xml"),
            Some(Encoding::Json),
        ),
        ("{}", Some("text/jsv"), Some(Encoding::Json)),
        (
            "{a:1}",
            Some("text/jsv; charset=utf-8"),
            Some(Encoding::Jsv),
        ),
        ("[{a:1}]", Some("APPLICATION/JSV"), Some(Encoding::Jsv)),
        ("{a:1}", Some("application/json"), Some(Encoding::Json)),
        ("{a:1}", None, Some(Encoding::Json)),
        ("<a/>", Some("application/json"), Some(Encoding::Xml)),
        (
            "a=b",
            Some("application/x-www-form-urlencoded"),
            Some(Encoding::Form),
        ),
        ("a,b", Some("text/csv"), Some(Encoding::Csv)),
        ("a", Some("application/json"), Some(Encoding::Json)),
        ("a", Some("multipart/form-data"), None),
        ("a", None, None),
    ];
    for (body, content_type, expected) in table {
        let found = encoding(content_type, body.as_bytes());
        assert_eq!(found, expected, "{body} {content_type:?}");
    }
}

/// Text made of the pieces that requests are made of, in any order.
fn scrambled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\n".to_owned()),
        Just("=".to_owned()),
        Just("&".to_owned()),
        Just("%5B%7b".to_owned()),
        Just("null".to_owned()),
        Just("eventNotifications".to_owned()),
        Just("\"dataChangeEvent\":{\"entities\":[".to_owned()),
        Just("realmId".to_owned()),
        Just("name,id".to_owned()),
        Just("<QboWebhooksRequest><eventNotifications>".to_owned()),
        Just("<a:b xmlns:a=\"urn:b\">".to_owned()),
        Just("</a:b>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("&#x41;".to_owned()),
        Just(PYTHON.to_owned()),
        "[ -~]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// What holds of every body whatever.
fn explain(body: &[u8]) -> Result<(), TestCaseError> {
    for encoding in ENCODINGS {
        for arity in [Arity::One, Arity::Batch] {
            let numbers = EntityNumbers::default();
            let found = decode(body, encoding, arity, &numbers, 20);
            prop_assert_eq!(&found, &decode(body, encoding, arity, &numbers, 20));
            match found {
                Ok(Understood { items, .. }) => {
                    prop_assert!(!items.is_empty());
                    for item in items {
                        if let Item::Notification(found) = item {
                            prop_assert!(!found.realm.as_str().is_empty());
                            prop_assert!(!found.entity.kind.is_empty());
                            prop_assert!(!found.entity.id.is_empty());
                            prop_assert_eq!(found.event_type.split('.').count(), 4);
                        }
                    }
                }
                Err(Malformed { at, why }) => {
                    prop_assert!(!at.is_empty() && !why.is_empty());
                    prop_assert!(at.len() + why.len() < 500, "{} {}", at, why);
                    prop_assert!(!why.chars().any(char::is_control), "{}", why);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        explain(&body)?;
    }

    #[test]
    fn scrambled_requests_are_explained(body in scrambled()) {
        explain(body.as_bytes())?;
    }
}

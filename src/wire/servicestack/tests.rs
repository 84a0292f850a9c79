//! Every encoding of the same request, and what nobody should send.

use super::*;
use crate::model::{Form, Notification, Operation};
use crate::wire;

pub(super) const PYTHON: &str = r#"{"eventNotifications": [{"realmId": "1185883450", "dataChangeEvent": {"entities": [{"name": 20, "id": "1", "operation": "Create", "lastUpdated": "2015-10-05T14:42:19-07:00"}, {"name": 21, "id": "2", "operation": "Merge", "lastUpdated": "2015-10-05T21:42:19.123456+00:00", "deletedId": "99"}, {"name": 38, "id": "3", "operation": "Void", "lastUpdated": "0001-01-01T00:00:00"}]}}]}"#;

pub(super) const ENCODINGS: [Encoding; 5] = [
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
pub(super) fn outline(body: &str, encoding: Encoding) -> Vec<String> {
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
                r#" {{"unknown":[{{}},1.5],"EVENTNOTIFICATIONS":[{{"dataChangeEvent":{{"entities":[{{"Name":"bill","ID":9,"operation":3,"lastUpdated":"{at}","deletedId":null}}]}},"realmid":7}}]}} "#
            ),
        ),
        (
            Encoding::Xml,
            format!(
                "\u{feff}<?xml version=\"1.0\"?><!-- a --><QboWebhooksRequest {ns} xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><eventNotifications><QBOEventNotification><DataChangeEvent><Entities><QBOEntity><DeletedId i:nil=\"true\"/><Id>9</Id><LastUpdated>{at}</LastUpdated><Name>Bill</Name><Operation>Delete</Operation></QBOEntity></Entities></DataChangeEvent><RealmId>7</RealmId></QBOEventNotification></eventNotifications></QboWebhooksRequest>\n"
            ),
        ),
        (
            // Any prefix or none, any order, names in any case, foreign elements.
            Encoding::Xml,
            format!(
                "<a:QboWebhooksRequest xmlns:a=\"{}\" xmlns:x=\"urn:x\"><a:eventNotifications><a:QBOEventNotification><a:RealmId>7</a:RealmId><x:RealmId>8</x:RealmId><a:dataChangeEvent><a:entities><a:QBOEntity><a:operation>Delete</a:operation><a:Name>B<![CDATA[il]]>&#108;</a:Name><a:Unknown><a:Id>3</a:Id></a:Unknown><Id>9</Id><a:LastUpdated>{at}</a:LastUpdated></a:QBOEntity></a:entities></a:dataChangeEvent></a:QBOEventNotification></a:eventNotifications></a:QboWebhooksRequest>",
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
        (
            Encoding::Form,
            format!(
                "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b1\r\nContent-Type: text/jsv\r\ncontent-disposition: form-data; name=\"eventNotifications\"\r\n\r\n[{{realmId:7,dataChangeEvent:{{entities:[{{name:Bill,id:9,operation:Delete,lastUpdated:{at}}}]}}}}]\r\n--b1--\r\n"
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
    let root = format!("<QboWebhooksRequest xmlns=\"{}\"", xml::NAMESPACE);
    let (empty, null) = (
        format!("{root}/>"),
        format!("{root}><eventNotifications/></QboWebhooksRequest>"),
    );
    let table = [
        ("{}", Encoding::Json),
        (r#"{"eventNotifications":null}"#, Encoding::Json),
        ("null", Encoding::Json),
        (&*empty, Encoding::Xml),
        (&*null, Encoding::Xml),
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
            r#""id":118588345011858834501185883450"#,
            format!(
                "{at}.id: expected text, found a number that is not whole, or too long without quotes"
            ),
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
        (
            "a",
            Some("multipart/form-data; boundary=x"),
            Some(Encoding::Form),
        ),
        ("a", None, None),
    ];
    for (body, content_type, expected) in table {
        let found = encoding(content_type, body.as_bytes());
        assert_eq!(found, expected, "{body} {content_type:?}");
    }
}

/// Each would take minutes if its time grew with the square of its length.
#[test]
fn large_bodies_of_nothing_take_no_time() {
    let mib = 1 << 20;
    let ns = format!("xmlns=\"{}\"", xml::NAMESPACE);
    let nodes = |node: &str| node.repeat(mib / node.len());
    let table = [
        (Encoding::Json, format!("{{{}\"z\":0}}", nodes("\"a\":0,"))),
        (
            Encoding::Json,
            format!("{{\"a\":\"{}\"}}", nodes("\\u0041")),
        ),
        (Encoding::Jsv, format!("{{{}z:0}}", nodes("a:0,"))),
        (Encoding::Jsv, format!("{{a:\"{}\"}}", nodes("\"\""))),
        (Encoding::Jsv, format!("{{a:{}}}", nodes(" "))),
        (
            Encoding::Csv,
            format!("eventNotifications,{}\n{}", nodes("a,"), nodes("\n,x")),
        ),
        (
            Encoding::Csv,
            format!("eventNotifications\n\"{}\"", nodes("\"\"")),
        ),
        (Encoding::Form, nodes("a=b&")),
        (Encoding::Form, format!("--\r\n{}", nodes("\r\n--"))),
        (Encoding::Form, format!("--\r\n{}", nodes("-\r\n"))),
        (
            Encoding::Form,
            format!("eventNotifications={}", nodes("%20")),
        ),
        (
            Encoding::Xml,
            format!(
                "<QboWebhooksRequest {ns}>{}</QboWebhooksRequest>",
                nodes("&amp;")
            ),
        ),
        (
            Encoding::Xml,
            format!(
                "<QboWebhooksRequest {ns}><a>{}</a></QboWebhooksRequest>",
                nodes("x&lt;")
            ),
        ),
        (
            Encoding::Xml,
            format!("<QboWebhooksRequest {ns} {}/>", nodes("a='b' ")),
        ),
        (
            Encoding::Xml,
            format!(
                "<QboWebhooksRequest {ns}>{}</QboWebhooksRequest>",
                nodes("<!---->")
            ),
        ),
        (
            Encoding::Xml,
            format!(
                "<QboWebhooksRequest {ns}><a>{}</a></QboWebhooksRequest>",
                nodes("<![CDATA[x]]>")
            ),
        ),
    ];
    for (encoding, body) in table {
        let began = std::time::Instant::now();
        let numbers = EntityNumbers::default();
        drop(decode(
            body.as_bytes(),
            encoding,
            Arity::One,
            &numbers,
            10_000,
        ));
        let took = began.elapsed();
        assert!(
            took.as_secs() < 10,
            "{took:?} for {encoding:?} {:.70}",
            body
        );
    }
}

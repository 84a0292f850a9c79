//! What a stranger sends costs time in proportion to its bytes, however it is shaped.
//!
//! Each shape is read in two sizes, one 16 times the other. Compared is the processor time of the
//! thread, which the load of the machine hardly touches: 16 times as much is linear, 256 times is
//! quadratic, and the bound lies between them.

use crate::support::changes::{change, delivery};
use qbo_relay::model::{Encoding, Limits, Secret};
use qbo_relay::wire::credential::{self, Credential};
use qbo_relay::wire::elements::call::{self, Request};
use qbo_relay::wire::elements::{Call, Configuration, authorization};
use qbo_relay::wire::outgoing::open_connectors::{self, OpenConnectors, Shape};
use qbo_relay::wire::servicestack::format::{self, Asked};
use qbo_relay::wire::servicestack::value::EntityNumbers;
use qbo_relay::wire::servicestack::{self, Arity, route};
use qbo_relay::wire::signature::{Verifier, sign, verify};
use qbo_relay::wire::{decode, instant};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;

const SMALL_BYTES: usize = 32 << 10;
const TIMES_LARGER: usize = 16;
const TIMES_SLOWER_MAX: f64 = 64.0;

/// What cannot be told from the noise of the clock.
const NOISE_S: f64 = 0.001;

fn processor_time_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap();
    let seconds = u32::try_from(time.tv_sec).unwrap();
    f64::from(seconds) + f64::from(nanoseconds) / 1e9
}

/// The shortest of some runs: what disturbs makes a run longer, never shorter.
fn cost_s(runs: usize, read: &dyn Fn(&[u8]), body: &[u8]) -> f64 {
    let run = |_| {
        let began = processor_time_s();
        read(black_box(body));
        processor_time_s() - began
    };
    (0..runs).map(run).fold(f64::INFINITY, f64::min)
}

/// A body of about so many bytes: `begin`, then `part` again and again with `,` between, then `end`.
fn body(begin: &str, part: &str, end: &str, bytes: usize) -> Vec<u8> {
    let count = (bytes / (part.len() + 1)).max(1);
    let parts = vec![part; count].join(",");
    [begin, &parts, end].concat().into_bytes()
}

/// Checks that reading a body of this shape is linear.
#[track_caller]
fn is_linear(name: &str, read: &dyn Fn(&[u8]), shape: &dyn Fn(usize) -> Vec<u8>) {
    let small = cost_s(3, read, &shape(SMALL_BYTES)).max(NOISE_S);
    let large = cost_s(2, read, &shape(SMALL_BYTES * TIMES_LARGER));
    let slower = large / small;
    assert!(
        slower < TIMES_SLOWER_MAX,
        "{name}: {TIMES_LARGER} times the bytes take {slower:.0} times as long ({large:.3} s)"
    );
}

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"a","type":"qbo.bill.updated.v1","intuitentityid":"1","intuitaccountid":"2"}"#;
const ENTITY: &str =
    r#"{"name":"Bill","id":"9","operation":"Delete","lastUpdated":"2015-10-05T14:42:19-0700"}"#;

/// Begin, part and end of bodies that are hard to read.
fn json_shapes() -> Vec<(&'static str, String, String, String)> {
    let notifications = r#"{"eventNotifications":["#;
    let entities = r#"{"eventNotifications":[{"realmId":"1","dataChangeEvent":{"entities":["#;
    let company = format!(r#"{{"realmId":"1","dataChangeEvent":{{"entities":[{ENTITY}]}}}}"#);
    [
        ("arrays within each other", "", "[[[[[[[[", ""),
        ("objects within each other", "", r#"{"a":{"a":{"a":1"#, ""),
        ("events", "[", EVENT, "]"),
        ("empty events", "[", "{}", "]"),
        ("numbers", "[", "1", "]"),
        ("breaks off", "[", EVENT, ",{"),
        ("companies", notifications, &company, "]}"),
        ("empty companies", notifications, "{}", "]}"),
        ("entities", entities, ENTITY, "]}}]}"),
        ("empty entities", entities, "{}", "]}}]}"),
        (
            "a key again and again",
            "{",
            r#""eventNotifications":[]"#,
            "}",
        ),
        ("unknown keys", "{", r#""a":"b""#, "}"),
        ("escapes", r#"[{"id":""#, r#"\u00e9\"\\"#, r#""}]"#),
        (
            "data",
            r#"[{"type":"qbo.bill.updated.v1","data":["#,
            r#"{"a":[null]}"#,
            "]}]",
        ),
        (
            "deep data",
            r#"[{"type":"qbo.bill.updated.v1","data":["#,
            "[[[[[[",
            "]}]",
        ),
        ("white space", "[", "  \n\t\r\n ", "]"),
        ("digits", "[{\"intuitaccountid\":", "1111111111", "}]"),
    ]
    .map(|(name, begin, part, end)| (name, begin.into(), part.into(), end.into()))
    .into()
}

#[test]
fn a_signed_body_is_read_in_linear_time() {
    let items_max = Limits::default().items_max;
    let read = |body: &[u8]| drop(black_box(decode(body, items_max)));
    for (name, begin, part, end) in json_shapes() {
        is_linear(name, &read, &|bytes| body(&begin, &part, &end, bytes));
    }
    is_linear("bytes that are not UTF-8", &read, &|bytes| {
        let text = body("[", r#"{"id":"?"}"#, "]", bytes);
        let spoil = |byte| if byte == b'?' { 0xff } else { byte };
        text.into_iter().map(spoil).collect()
    });
    is_linear("zeros", &read, &|bytes| vec![0; bytes]);
}

#[test]
fn a_record_is_rewritten_in_linear_time() {
    let account = OpenConnectors {
        shape: Shape::Polled,
        ..OpenConnectors::default()
    };
    let told = delivery(vec![change(1)]);
    let rewrite = |record: &[u8]| {
        let mut delivery = told.clone();
        delivery.changes[0].record = Some(str::from_utf8(record).unwrap().to_owned());
        black_box(open_connectors::encode(&delivery, &account));
    };
    for (name, begin, part, end) in [
        (
            "lines",
            r#"{"Line":["#,
            r#"{"DetailType":"TaxLineDetail","Amount":1.0}"#,
            "]}",
        ),
        ("keys", "{", r#""APAccountRef":"1""#, "}"),
        ("ids", "{", r#""Id":"1""#, "}"),
        ("tokens", "{", r#""SyncToken":"1""#, "}"),
        ("a long key", r#"{""#, "AAAAAAAA", r#"":1}"#),
        (
            "a long constant",
            r#"{"PrintStatus":""#,
            "AaAaAaAa",
            r#""}"#,
        ),
        ("a long id", r#"{"SyncToken":""#, "1111", r#""}"#),
        ("escapes", r#"{"a":""#, r#"\u00e9\"\\"#, r#""}"#),
        ("arrays within each other", "", "[[[[[[[[", ""),
        ("objects within each other", "", r#"{"a":{"a":{"a":1"#, ""),
        ("a string that is not closed", r#"{"a":""#, r#"\\\\"#, ""),
        ("white space", "{", "  \n\t\r\n ", "}"),
        ("digits", r#"{"a":"#, "1111111111", "}"),
    ] {
        is_linear(name, &rewrite, &|bytes| body(begin, part, end, bytes));
    }
}

#[test]
fn a_signature_is_judged_in_linear_time() {
    let verifiers = [Verifier {
        name: "test".into(),
        token: Secret::new("token"),
    }];
    let own = sign(&verifiers[0].token, b"body");
    let judge = |body: &[u8]| {
        assert!(verify(&verifiers, body, Some(own.as_bytes())).is_err());
    };
    is_linear("a long body", &judge, &|bytes| vec![b'['; bytes]);
    let judge = |header: &[u8]| {
        assert!(verify(&verifiers, b"body", Some(header)).is_err());
    };
    is_linear("a long header", &judge, &|bytes| vec![b'A'; bytes]);
}

#[test]
fn a_date_is_read_in_linear_time() {
    let read = |text: &[u8]| {
        black_box(instant::parse(str::from_utf8(text).unwrap()));
    };
    for part in ["1", "2015-10-05T14:42:19", "/Date(", "-0700", "\u{e9}"] {
        is_linear(part, &read, &|bytes| {
            part.repeat(bytes / part.len()).into_bytes()
        });
        is_linear(part, &read, &|bytes| {
            format!("/Date({})/", part.repeat(bytes / part.len())).into_bytes()
        });
    }
}

const NAMESPACE: &str = "http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener";

/// Checks the reader of an encoding on bodies of these shapes: begin, part and end.
#[track_caller]
fn requests_are_linear(encoding: Encoding, separator: &str, shapes: &[(&str, &str, &str, &str)]) {
    let numbers = EntityNumbers::default();
    let items_max = Limits::default().items_max;
    let read = |body: &[u8]| {
        let read = servicestack::decode(body, encoding, Arity::One, &numbers, items_max);
        drop(black_box(read));
    };
    for (name, begin, part, end) in shapes {
        is_linear(&format!("{encoding:?}: {name}"), &read, &|bytes| {
            let parts = vec![*part; bytes / (part.len() + separator.len())];
            [begin, &*parts.join(separator), end].concat().into_bytes()
        });
    }
}

#[test]
fn a_request_in_json_is_read_in_linear_time() {
    let shapes = json_shapes();
    let shapes: Vec<_> = shapes
        .iter()
        .map(|(name, begin, part, end)| (*name, &**begin, &**part, &**end))
        .collect();
    requests_are_linear(Encoding::Json, ",", &shapes);
}

#[test]
fn a_request_in_jsv_is_read_in_linear_time() {
    let entities = "{eventNotifications:[{realmId:1,dataChangeEvent:{entities:[";
    requests_are_linear(
        Encoding::Jsv,
        ",",
        &[
            (
                "entities",
                entities,
                "{name:Bill,id:9,operation:Delete}",
                "]}}]}",
            ),
            ("lists within each other", "", "[[[[", ""),
            ("names within each other", "", "{a:{b:{c:", ""),
            ("a name again and again", "{", "eventNotifications:[]", "}"),
            ("quotes", "{eventNotifications:\"", "\"\"\"\"\"\"", "\"}"),
            (
                "a quote that is not closed",
                "{eventNotifications:\"",
                "\"\"",
                "",
            ),
            ("white space", "{", "   \n   ", "}"),
        ],
    );
}

#[test]
fn a_request_in_xml_is_read_in_linear_time() {
    let root = format!("<QboWebhooksRequest xmlns=\"{NAMESPACE}\"");
    let open = format!("{root}>");
    let entities = format!(
        "{open}<eventNotifications><QBOEventNotification><RealmId>1</RealmId><DataChangeEvent><Entities>"
    );
    let entity = "<QBOEntity><Id>9</Id><Name>Bill</Name><Operation>Delete</Operation></QBOEntity>";
    let end = "</Entities></DataChangeEvent></QBOEventNotification></eventNotifications></QboWebhooksRequest>";
    requests_are_linear(
        Encoding::Xml,
        "",
        &[
            ("entities", &entities, entity, end),
            ("empty entities", &entities, "<QBOEntity/>", end),
            ("elements within each other", &open, "<a><b>", ""),
            ("attributes", &root, " a='b'", "/>"),
            ("namespaces", &root, " xmlns:a='b'", "/>"),
            ("prefixes", &entities, "<a:b xmlns:a='c'/>", end),
            ("references", &open, "&amp;&#65;", "</QboWebhooksRequest>"),
            ("unknown references", &open, "&a;", "</QboWebhooksRequest>"),
            ("brackets", &open, "<![CDATA[]]>", "</QboWebhooksRequest>"),
            ("comments", &open, "<!---->", "</QboWebhooksRequest>"),
            ("a comment", &open, "<!-- -", "</QboWebhooksRequest>"),
            ("document types", "", "<!DOCTYPE a [", ""),
            ("declarations", "", "<?xml version='1.0'?>", ""),
            ("a long name", "<", "abcdefgh", "/>"),
            ("text", &open, "\r\n ", "</QboWebhooksRequest>"),
        ],
    );
}

#[test]
fn a_request_in_csv_is_read_in_linear_time() {
    let entities = "realmId,name,id,operation\n";
    requests_are_linear(
        Encoding::Csv,
        "",
        &[
            ("entities", entities, "1,Bill,9,Delete\n", ""),
            ("empty rows", entities, ",\n", ""),
            ("wide rows", entities, ",,,,,,,", "\n"),
            (
                "a cell of quotes",
                "realmId,name,id\n\"",
                "\"\"",
                "\",a,b\n",
            ),
            ("notifications", "realmId,dataChangeEvent\n", "1,{}\n", ""),
            (
                "requests",
                "eventNotifications\n",
                "\"[{realmId:1}]\"\n",
                "",
            ),
        ],
    );
    // Half of it a header, half of it rows that are looked up in there.
    let numbers = EntityNumbers::default();
    let items_max = Limits::default().items_max;
    let read = |body: &[u8]| {
        let read = servicestack::decode(body, Encoding::Csv, Arity::One, &numbers, items_max);
        drop(black_box(read));
    };
    is_linear("a wide header", &read, &|bytes| {
        let columns = "a,".repeat(bytes / 4);
        let rows = "1,2,3\n".repeat(bytes / 12);
        format!("{columns}realmId,name,id\n{rows}").into_bytes()
    });
}

#[test]
fn a_form_is_read_in_linear_time() {
    requests_are_linear(
        Encoding::Form,
        "&",
        &[
            ("fields", "", "a=b", ""),
            ("a field again and again", "", "eventNotifications=[]", ""),
            ("percent signs", "eventNotifications=", "%22%5B", ""),
            (
                "parts",
                "--x\r\n",
                "content-disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x\r\n",
                "--x--",
            ),
            ("boundaries", "--x\r\n", "--x\r\n", "--x--"),
            ("lines of a part", "--x\r\n", "a: b\r\n", ""),
            ("plus signs", "eventNotifications=[", "++++", "]"),
            ("lists within each other", "eventNotifications=", "[[[[", ""),
        ],
    );
}

#[test]
fn what_surrounds_a_request_is_read_in_linear_time() {
    let negotiate = |text: &[u8]| {
        let text = str::from_utf8(text).unwrap();
        let asked = Asked {
            query: text,
            accept: Some(text),
            content_type: Some(text),
            ..Asked::default()
        };
        black_box(format::negotiate(&asked));
        black_box(route::find(text, &["/qbowebhook", "/webhooks"].into_iter()));
        black_box(servicestack::encoding(Some(text), text.as_bytes()));
    };
    for part in [
        "a=b&",
        "callback=a&",
        "format=x&",
        "*/*,",
        "text/xml;q=1, ",
        "/a",
        "[[",
        "%5B",
        ".",
    ] {
        is_linear(part, &negotiate, &|bytes| {
            part.repeat(bytes / part.len()).into_bytes()
        });
    }
    let bearer = Credential::Bearer(Secret::new("tok"));
    let basic = Credential::Basic {
        user: "u".into(),
        password: Secret::new("p"),
    };
    for (scheme, credential) in [("Bearer ", bearer), ("Basic ", basic)] {
        let judge = |header: &[u8]| assert!(!credential::check(&credential, header));
        is_linear(scheme, &judge, &|bytes| {
            [scheme, &"dTpw".repeat(bytes / 4)].concat().into_bytes()
        });
    }
}

fn call(path: &str, query: Option<&str>, body: &[u8]) -> Option<Call> {
    let request = Request {
        method: "PUT",
        path,
        query,
        content_type: None,
        body,
    };
    call::parse(&request).ok()
}

#[test]
fn a_call_of_the_open_connectors_interface_is_read_in_linear_time() {
    let read = |body: &[u8]| {
        if let Some(Call::Replace(_, draft)) = black_box(call("/instances", None, body)) {
            drop(black_box(draft.configuration.terms()));
        }
    };
    for (name, begin, part, end) in [
        ("keys", r#"{"configuration":{"#, r#""a":"b""#, "}}"),
        ("tags", r#"{"tags":["#, r#""<a>b""#, "]}"),
        ("markup", r#"{"name":""#, "<a", r#""}"#),
        ("closed markup", r#"{"name":""#, "<a>", r#""}"#),
        ("a comma is missing", "{", r#""a":"\\\"" "b":1"#, "}"),
        ("quotes", r#"{"a":""#, r#"\""#, r#"" "b":1}"#),
        ("arrays within each other", r#"{"a":"#, "[[[[[[", ""),
        ("lines", "{\n", "\n\n\n", "x"),
    ] {
        is_linear(name, &read, &|bytes| body(begin, part, end, bytes));
    }
    for key in [
        "event.poller.urls",
        "event.poller.configuration",
        "event.vendor.type",
        "event.notification.callback.url",
        "event.notification.callback.headers",
    ] {
        let read = |value: &[u8]| {
            let mut configuration = Configuration::default();
            configuration.set(key, str::from_utf8(value).unwrap());
            drop(black_box(configuration.terms()));
        };
        for part in [
            "bills",
            "bills|",
            "a|/b\n",
            "[",
            r#"{"bills":"#,
            "polling,",
            "https://a",
            "a:b\n",
        ] {
            is_linear(&format!("{key}: {part}"), &read, &|bytes| {
                part.repeat(bytes / part.len()).into_bytes()
            });
        }
    }
    let path = "/notifications/subscriptions/deliveries";
    for part in [
        "where=",
        "status='a''",
        "a='b' and ",
        "%27",
        "/a",
        "a=b&",
        "User a, ",
    ] {
        let read = |text: &[u8]| {
            let text = str::from_utf8(text).unwrap();
            drop(black_box(call(path, Some(&format!("where={text}")), b"")));
            drop(black_box(call(text, Some(text), b"")));
            drop(black_box(authorization::parse(text.as_bytes())));
        };
        is_linear(part, &read, &|bytes| {
            part.repeat(bytes / part.len()).into_bytes()
        });
    }
}

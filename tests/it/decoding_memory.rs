//! What a body costs while it is read and what is made of it: a small multiple of its own size, however
//! it is shaped.
//!
//! Measured is the highest resident memory of a process that does nothing else: this test program again,
//! told to run the same test.

use qbo_relay::model::{Encoding, Limits};
use qbo_relay::wire;
use qbo_relay::wire::servicestack::value::EntityNumbers;
use qbo_relay::wire::servicestack::{self, Arity, xml};
use std::hint::black_box;
use std::process::Command;

const SHAPE: &str = "QBO_RELAY_TEST_SHAPE";

/// Memory at most for each byte of the largest body.
const TIMES_MAX: usize = 8;

struct Shape {
    name: &'static str,
    /// None: as Intuit's two forms are read.
    encoding: Option<Encoding>,
    begin: String,
    part: &'static str,
    end: &'static str,
}

fn shape(
    name: &'static str,
    encoding: Option<Encoding>,
    begin: &str,
    part: &'static str,
    end: &'static str,
) -> Shape {
    Shape {
        name,
        encoding,
        begin: begin.to_owned(),
        part,
        end,
    }
}

fn shapes() -> Vec<Shape> {
    let mut shapes = json();
    shapes.extend(xml());
    shapes.extend(csv());
    shapes.extend(form());
    shapes
}

fn json() -> Vec<Shape> {
    let legacy = r#"{"eventNotifications":[{"realmId":"1","dataChangeEvent":{"entities":["#;
    let notifications = r#"{"eventNotifications":["#;
    let jsv = "{eventNotifications:[{realmId:1,dataChangeEvent:{entities:[";
    let (own, json, short) = (None, Some(Encoding::Json), Some(Encoding::Jsv));
    vec![
        shape("events", own, "[", "{},", "{}]"),
        shape("ones", own, "[", "1,", "1]"),
        shape("lists", own, "[", "[[[[]]]],", "1]"),
        shape("entities", own, legacy, "{},", "{}]}}]}"),
        shape("notifications", own, notifications, "{},", "{}]}"),
        shape("keys", own, "{", "\"\":0,", "\"\":0}"),
        shape("bytes that are no text", own, "[\"", "\u{0}", "\"]"),
        shape("objects", json, "[", "{},", "{}]"),
        shape("named objects", json, "{", "\"a\":{},", "\"a\":0}"),
        shape("nothing", json, legacy, "null,", "null]}}]}"),
        shape("escapes", json, "[", r#""\n","#, "0]"),
        shape("realms", json, notifications, r#"{"realmId":"1"},"#, "{}]}"),
        shape("commas", short, "[", ",", "]"),
        shape("quotes", short, "{a:\"", "\"\"", "\"}"),
        shape("fields", short, "{", "a:,", "a:}"),
        shape("maps", short, jsv, "{},", "{}]}}]}"),
    ]
}

fn xml() -> Vec<Shape> {
    let root = format!("<QboWebhooksRequest xmlns=\"{}\">", xml::NAMESPACE);
    let within = "<eventNotifications><QBOEventNotification><DataChangeEvent><Entities>";
    let open = format!("{root}{within}");
    let (xml, end) = (Some(Encoding::Xml), "</QboWebhooksRequest>");
    vec![
        shape("elements", xml, &root, "<a/>", end),
        shape("empty entities", xml, &open, "<QBOEntity/>", ""),
        shape("references", xml, &root, "&#65;", end),
        shape("attributes", xml, "<QboWebhooksRequest", " a='b'", "/>"),
    ]
}

fn csv() -> Vec<Shape> {
    let entities = "realmId,name,id,operation\n";
    let csv = Some(Encoding::Csv);
    vec![
        shape("a wide header", csv, "", ",", "\n1,2"),
        shape("a header of names", csv, "", "realmId,name,id,", "\n"),
        shape("a wide row", csv, entities, ",", "\n"),
        shape("a row of quotes", csv, entities, "\"\",", "\n"),
        shape("rows", csv, entities, "1,Bill,9,Void\n", ""),
        shape("short rows", csv, entities, "1\n", ""),
        shape("blank rows", csv, entities, ",\n", ""),
        shape("lists in cells", csv, "eventNotifications\n", "[]\n", ""),
    ]
}

fn form() -> Vec<Shape> {
    let form = Some(Encoding::Form);
    vec![
        shape("other fields", form, "", "a=b&", "c"),
        shape("a field", form, "eventNotifications=[", "%2C", "]"),
        shape("parts", form, "--a\r\n", "\r\n\r\n--a", "--"),
    ]
}

impl Shape {
    fn body(&self) -> Vec<u8> {
        let bytes = Limits::default().body_bytes_max;
        let room = bytes - self.begin.len() - self.end.len();
        let parts = self.part.repeat(room / self.part.len());
        let mut body = [&self.begin, &*parts, self.end].concat().into_bytes();
        if self.name.contains("no text") {
            body.iter_mut()
                .filter(|byte| **byte == 0)
                .for_each(|byte| *byte = 0xff);
        }
        body
    }

    /// Reads the body, and keeps what came of it until it is measured.
    fn cost(&self, body: &[u8]) -> usize {
        let (items_max, numbers) = (Limits::default().items_max, EntityNumbers::default());
        let before = highest_bytes();
        match self.encoding {
            None => drop(black_box(wire::decode(body, items_max))),
            // A single request counts as a batch of one.
            Some(encoding) => drop(black_box(servicestack::decode(
                body,
                encoding,
                Arity::Batch,
                &numbers,
                items_max,
            ))),
        }
        highest_bytes() - before
    }
}

/// The most memory that this process has had, in bytes.
fn highest_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    number.unwrap().parse::<usize>().unwrap() << 10
}

#[test]
fn a_body_of_any_shape_costs_a_small_multiple_of_its_size() {
    if let Ok(name) = std::env::var(SHAPE) {
        let shapes = shapes();
        let shape = shapes.iter().find(|shape| shape.name == name).unwrap();
        let body = shape.body();
        println!("\ncost {} of {}", shape.cost(&body), body.len());
        return;
    }
    let mut costly = Vec::new();
    for shape in shapes() {
        let program = std::env::current_exe().unwrap();
        let test = "decoding_memory::a_body_of_any_shape_costs_a_small_multiple_of_its_size";
        let child = Command::new(program)
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(SHAPE, shape.name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        let line = said.lines().find_map(|line| line.strip_prefix("cost "));
        let (cost, bytes) = line.and_then(|line| line.split_once(" of ")).expect(&said);
        let (cost, bytes) = (
            cost.parse::<usize>().unwrap(),
            bytes.parse::<usize>().unwrap(),
        );
        if cost > bytes * TIMES_MAX {
            costly.push(format!(
                "{}: {} KiB for {} KiB",
                shape.name,
                cost >> 10,
                bytes >> 10
            ));
        }
    }
    assert!(costly.is_empty(), "{costly:#?}");
}

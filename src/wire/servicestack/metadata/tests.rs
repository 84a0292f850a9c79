//! The pages, against what the original showed.

use super::*;

const PYTHON: &str = include_str!("../../../../tests/data/servicestack/types.py");
const JAVASCRIPT: &str = include_str!("../../../../tests/data/servicestack/types.mjs");
const SAMPLE_JSON: &str = include_str!("../../../../tests/data/servicestack/sample.json");
const SAMPLE_XML: &str = include_str!("../../../../tests/data/servicestack/sample.xml");
const SAMPLE_JSV: &str = include_str!("../../../../tests/data/servicestack/sample.jsv");

fn page(path: &str) -> Option<Page> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Metadata::default().page(path, query, "gw.example")
}

fn text(path: &str) -> String {
    page(path).unwrap_or_else(|| panic!("{path}")).text
}

/// The original's text was saved from a browser, without its indentation.
fn without_indentation(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn the_types_are_those_of_the_original() {
    assert_eq!(text("/types/python"), PYTHON);
    for path in ["/types/mjs", "/types/js"] {
        let types = text(path);
        assert_eq!(without_indentation(&types), without_indentation(JAVASCRIPT));
    }
}

#[test]
fn only_the_types_that_are_asked_for_are_shown() {
    let names = [
        "QBOEntityName",
        "QBOOperation",
        "QBOEntity",
        "QBODataChangeEvent",
        "QBOEventNotification",
        "QboWebhooksRequest",
    ];
    let declared = |text: &str, name: &str| {
        let forms = ["class", "enum", "var"].map(|word| format!("{word} {name}"));
        let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let json = format!("\"name\":\"{name}\",\"namespace\"");
        forms.iter().any(|form| {
            let mut found = text.match_indices(&**form);
            found.any(|(at, form)| is_end(text[at + form.len()..].chars().next()))
        }) || text.contains(&json)
    };
    let table: [(&str, &[usize]); 9] = [
        ("", &[0, 1, 2, 3, 4, 5]),
        ("?IncludeTypes=", &[0, 1, 2, 3, 4, 5]),
        ("?IncludeTypes=QboWebhooksRequest.*", &[0, 1, 2, 3, 4, 5]),
        ("?includetypes=QBOEntity", &[2]),
        ("?IncludeTypes=qboentity.*", &[0, 1, 2]),
        ("?IncludeTypes=QBOOperation,QboWebhooksRequest", &[1, 5]),
        (
            "?IncludeTypes=ESI.Service.QBOWebhooksListener/*",
            &[0, 1, 2, 3, 4, 5],
        ),
        ("?ExcludeTypes=QBOEntity.*", &[3, 4, 5]),
        ("?IncludeTypes=Nonsense", &[]),
    ];
    for language in [
        "python",
        "mjs",
        "typescript",
        "typescript.d",
        "csharp",
        "metadata",
    ] {
        for (query, expected) in table {
            let text = text(&format!("/types/{language}{query}"));
            for (at, name) in names.into_iter().enumerate() {
                let is_asked_for = expected.contains(&at);
                assert_eq!(
                    declared(&text, name),
                    is_asked_for,
                    "{language}{query} {name}: {text}"
                );
            }
        }
        let whole = text(&format!("/types/{language}"));
        let all = text(&format!(
            "/types/{language}?IncludeTypes=QboWebhooksRequest.*"
        ));
        assert_eq!(whole, all);
    }
    assert_eq!(page("/types/fsharp?IncludeTypes=QBOEntity"), None);
}

#[test]
fn the_samples_are_those_of_the_original() {
    let metadata = Metadata::default();
    let body = |format| sample::body(&metadata, format);
    assert_eq!(body(Format::Json), SAMPLE_JSON);
    assert_eq!(body(Format::Csv), SAMPLE_JSON);
    assert_eq!(body(Format::Jsv), SAMPLE_JSV);
    let xml = body(Format::Xml);
    assert_eq!(without_indentation(&xml), without_indentation(SAMPLE_XML));
}

#[test]
fn every_page_is_there_in_its_type() {
    let table = [
        ("/metadata", HTML, "QboWebhooksRequest"),
        ("/METADATA", HTML, "QboWebhooksRequest"),
        ("/metadata?xsd=1", XML, "<xs:schema "),
        ("/json/metadata", HTML, "QBO Webhooks Listener"),
        (
            "/json/metadata?op=QboWebhooksRequest",
            HTML,
            "\\/Date(-62135596800000-0000)\\/",
        ),
        (
            "/xml/metadata?op=qbowebhooksrequest",
            HTML,
            "&lt;QBOEntity&gt;",
        ),
        (
            "/jsv/metadata?op=QboWebhooksRequest",
            HTML,
            "{eventNotifications:[{realmId:String",
        ),
        (
            "/csv/metadata?op=QboWebhooksRequest",
            HTML,
            "Content-Type: text/csv",
        ),
        (
            "/jsonl/metadata?op=QboWebhooksRequest",
            HTML,
            "append the <b>.jsonl</b> suffix",
        ),
        (
            "/json/metadata?op=QboWebhooksRequest&lang=python",
            HTML,
            "CLASS_ = 38",
        ),
        (
            "/json/metadata?op=QboWebhooksRequest&lang=mjs",
            HTML,
            "JavaScript QboWebhooksRequest DTOs",
        ),
        ("/operations/metadata", JSON, "\"QboWebhooksRequest\""),
        (
            "/metadata/app",
            JSON,
            "\"contentTypeFormats\":{\"csv\":\"text/csv\"",
        ),
        ("/types", HTML, "/types/python"),
        (
            "/types/metadata",
            JSON,
            "\"enumValues\":[\"20\",\"21\",\"21\"",
        ),
        ("/types/typescript", TEXT, "    PurchaseOrder = 25,\n"),
        (
            "/types/typescript.d",
            TEXT,
            "// @Route(\"/qbowebhook\", \"POST\")",
        ),
        (
            "/types/csharp",
            TEXT,
            "[DataMember(Name=\"eventNotifications\")]",
        ),
        (
            "/types/python?IncludeTypes=QboWebhooksRequest.*",
            TEXT,
            "class QboWebhooksRequest",
        ),
        ("/types/xsd", XML, "<xs:enumeration value=\"Emailed\"/>"),
    ];
    for (path, content_type, part) in table {
        let page = page(path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(page.content_type, content_type, "{path}");
        let shown = page.text.replace("&quot;", "\"");
        assert!(shown.contains(part), "no {part:?} in {path}: {shown}");
    }
}

#[test]
fn no_other_page_is_there() {
    for path in [
        "/",
        "/metadata/",
        "/metadata/x",
        "/json",
        "/json/metadata?op=Nope",
        "/html/metadata",
        "/types/cobol",
        "/types/metadata/x",
        "/qbowebhook",
    ] {
        assert_eq!(page(path), None, "{path}");
    }
}

#[test]
fn what_is_data_is_well_formed() {
    for path in ["/types/metadata", "/operations/metadata", "/metadata/app"] {
        serde_json::from_str::<serde_json::Value>(&text(path)).unwrap();
    }
    let xsd = text("/types/xsd");
    let mut reader = quick_xml::Reader::from_str(&xsd);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
}

#[test]
fn a_path_cannot_break_out_of_a_page() {
    let metadata = Metadata {
        paths: vec!["/<script>\"&".into()],
        ..Metadata::default()
    };
    let page = metadata
        .page("/json/metadata", "op=QboWebhooksRequest", "<b>")
        .unwrap();
    assert!(!page.text.contains("<script>"), "{}", page.text);
    assert!(page.text.contains("Host: &lt;b&gt;\n"), "{}", page.text);
}

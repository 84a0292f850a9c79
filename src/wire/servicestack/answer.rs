//! What the service answers: a string result, or an error in the framework's `ResponseStatus`.
//!
//! Sources: ServiceStack's ResponseStatus and its exception tests, its CSV and JSV writers, and what
//! its Python and JavaScript clients can read: both need a JSON string in quotes, which the framework
//! itself does not write around a plain string.

use super::format::{Answering, Format};
use super::{Malformed, OPERATION};
use serde_json::{Value, json};

/// The result of every request that was kept.
pub const RESULT: &str = "OK";

/// A body and its content type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// With the charset.
    pub content_type: &'static str,
    /// The body.
    pub text: String,
}

/// An error as the framework tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// The name of the .NET exception or status: one word.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// The field that is at fault, where there is one, and what is wrong with it.
    pub field: Option<(String, String)>,
}

impl Fault {
    /// An error without a field.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
        }
    }

    /// A body that could not be read as the request.
    pub fn of_body(content_type: &str, malformed: &Malformed) -> Self {
        let Malformed { at, why } = malformed;
        let content_type: String = content_type.chars().take(100).collect();
        let is_field = at.contains("eventNotifications");
        Self {
            status: 400,
            code: "SerializationException",
            message: format!(
                "Could not deserialize '{content_type}' request using {OPERATION}'\nError: {at}: {why}"
            ),
            field: is_field.then(|| (at.clone(), why.clone())),
        }
    }

    /// An operation that the service does not have.
    pub fn unknown_operation(name: &str) -> Self {
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        let message = format!("The operation '{name}' does not exist for this service");
        Self::new(405, "NotImplementedException", message)
    }
}

/// The result of one request. `raw`: JSON without quotes, as the framework writes a plain string.
pub fn result(answering: &Answering, raw: bool) -> Body {
    let text = match answering.format {
        Format::Json | Format::Jsonl if !raw || answering.callback.is_some() => {
            json!(RESULT).to_string()
        }
        _ => RESULT.to_owned(),
    };
    body(answering, text)
}

/// The results of several requests.
pub fn results(answering: &Answering, count: usize) -> Body {
    let each = || std::iter::repeat_n(RESULT, count);
    let joined = |separator: &str| each().collect::<Vec<_>>().join(separator);
    let text = match answering.format {
        Format::Json => json!(each().collect::<Vec<_>>()).to_string(),
        Format::Jsv => format!("[{}]", joined(",")),
        Format::Csv => joined("\r\n"),
        Format::Jsonl => vec![json!(RESULT).to_string(); count].join("\n"),
        Format::Html => joined("\n"),
        Format::Xml => {
            let strings: String = each()
                .map(|text| format!("<string>{text}</string>"))
                .collect();
            format!(
                "<ArrayOfstring xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" \
                 xmlns=\"http://schemas.microsoft.com/2003/10/Serialization/Arrays\">{strings}</ArrayOfstring>"
            )
        }
    };
    body(answering, text)
}

/// An error.
pub fn error(answering: &Answering, fault: &Fault) -> Body {
    let Fault {
        code,
        message,
        field,
        ..
    } = fault;
    let text = match answering.format {
        Format::Json | Format::Jsonl => {
            let errors: Vec<Value> = field
                .iter()
                .map(|(field, why)| json!({"errorCode": code, "fieldName": field, "message": why}))
                .collect();
            // Written by hand so far as the order of the names goes.
            format!(
                "{{\"responseStatus\":{{\"errorCode\":{},\"message\":{},\"errors\":{}}}}}",
                json!(code),
                json!(message),
                Value::Array(errors)
            )
        }
        Format::Jsv => {
            let (code, message) = (jsv(code), jsv(message));
            let errors = field.iter().map(|(field, why)| {
                let (field, why) = (jsv(field), jsv(why));
                format!("{{errorCode:{code},fieldName:{field},message:{why}}}")
            });
            let errors: Vec<String> = errors.collect();
            let errors = errors.join(",");
            format!("{{responseStatus:{{errorCode:{code},message:{message},errors:[{errors}]}}}}")
        }
        Format::Xml => xml(fault),
        Format::Csv => format!("ErrorCode,Message\r\n{},{}\r\n", csv(code), csv(message)),
        Format::Html => format!(
            "<!doctype html><title>{code}</title><h1>{code}</h1><p>{}</p>\n",
            escape(message)
        ),
    };
    body(answering, text)
}

fn xml(fault: &Fault) -> String {
    let (code, message) = (escape(fault.code), escape(&fault.message));
    let errors = fault.field.iter().map(|(field, why)| {
        let (field, why) = (escape(field), escape(why));
        format!(
            "<ResponseError><ErrorCode>{code}</ErrorCode><FieldName>{field}</FieldName>\
             <Message>{why}</Message></ResponseError>"
        )
    });
    let errors: String = errors.collect();
    format!(
        "<ErrorResponse xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns=\"http://schemas.servicestack.net/types\"><ResponseStatus>\
         <ErrorCode>{code}</ErrorCode><Message>{message}</Message>\
         <Errors>{errors}</Errors></ResponseStatus></ErrorResponse>"
    )
}

fn body(answering: &Answering, text: String) -> Body {
    if let Some(callback) = &answering.callback {
        // Before ES2019 these two end a line of script, also within a string.
        let text = text
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029");
        return Body {
            content_type: "text/javascript; charset=utf-8",
            text: format!("{callback}({text})"),
        };
    }
    Body {
        content_type: match answering.format {
            Format::Json => "application/json; charset=utf-8",
            Format::Xml => "application/xml; charset=utf-8",
            Format::Jsv => "text/jsv; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Jsonl => "text/jsonl; charset=utf-8",
            Format::Html => "text/html; charset=utf-8",
        },
        text,
    }
}

/// Text that XML and HTML take; what XML 1.0 has no way to write is replaced.
pub(super) fn escape(text: &str) -> String {
    let is_char = |c: char| matches!(c, '\t' | '\n' | '\r') || !c.is_control();
    let text: String = text
        .chars()
        .map(|c| {
            if is_char(c) && !matches!(c, '\u{fffe}' | '\u{ffff}') {
                c
            } else {
                '\u{fffd}'
            }
        })
        .collect();
    quick_xml::escape::escape(text).into_owned()
}

fn jsv(text: &str) -> String {
    if text.contains([',', '{', '}', '[', ']', '"', '\r', '\n']) {
        quoted(text)
    } else {
        text.to_owned()
    }
}

fn csv(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        quoted(text)
    } else {
        text.to_owned()
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::super::json as json_reader;
    use super::super::jsv as jsv_reader;
    use super::super::tree::{Bounds, Value};
    use super::*;

    fn answering(format: Format) -> Answering {
        Answering {
            format,
            callback: None,
        }
    }

    fn jsonp() -> Answering {
        Answering {
            format: Format::Json,
            callback: Some("cb".into()),
        }
    }

    #[test]
    fn a_result_is_a_string_that_the_clients_read() {
        let table = [
            (
                Format::Json,
                "application/json; charset=utf-8",
                "\"OK\"",
                "OK",
            ),
            (Format::Xml, "application/xml; charset=utf-8", "OK", "OK"),
            (Format::Jsv, "text/jsv; charset=utf-8", "OK", "OK"),
            (Format::Csv, "text/csv; charset=utf-8", "OK", "OK"),
            (Format::Jsonl, "text/jsonl; charset=utf-8", "\"OK\"", "OK"),
            (Format::Html, "text/html; charset=utf-8", "OK", "OK"),
        ];
        for (format, content_type, quoted, raw) in table {
            let expected = |text: &str| Body {
                content_type,
                text: text.into(),
            };
            assert_eq!(result(&answering(format), false), expected(quoted));
            assert_eq!(result(&answering(format), true), expected(raw));
        }
        for raw in [true, false] {
            let body = result(&jsonp(), raw);
            assert_eq!(body.content_type, "text/javascript; charset=utf-8");
            assert_eq!(body.text, "cb(\"OK\")");
        }
    }

    #[test]
    fn a_batch_is_answered_with_a_list() {
        let text = |format, count| results(&answering(format), count).text;
        assert_eq!(text(Format::Json, 2), r#"["OK","OK"]"#);
        assert_eq!(text(Format::Json, 0), "[]");
        assert_eq!(text(Format::Jsv, 2), "[OK,OK]");
        assert_eq!(text(Format::Csv, 2), "OK\r\nOK");
        assert_eq!(text(Format::Jsonl, 2), "\"OK\"\n\"OK\"");
        assert!(text(Format::Xml, 1).contains("Arrays\"><string>OK</string></ArrayOfstring>"));
        assert_eq!(results(&jsonp(), 1).text, "cb([\"OK\"])");
    }

    #[test]
    fn an_error_has_the_frameworks_shape_in_every_format() {
        let fault = Fault::new(400, "ArgumentException", "a <b> \"c\", d");
        let text = |format| error(&answering(format), &fault).text;
        assert_eq!(
            text(Format::Json),
            r#"{"responseStatus":{"errorCode":"ArgumentException","message":"a <b> \"c\", d","errors":[]}}"#
        );
        assert_eq!(
            text(Format::Jsv),
            r#"{responseStatus:{errorCode:ArgumentException,message:"a <b> ""c"", d",errors:[]}}"#
        );
        assert_eq!(
            text(Format::Xml),
            "<ErrorResponse xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"http://schemas.servicestack.net/types\"><ResponseStatus><ErrorCode>ArgumentException</ErrorCode><Message>a &lt;b&gt; &quot;c&quot;, d</Message><Errors></Errors></ResponseStatus></ErrorResponse>"
        );
        assert_eq!(
            text(Format::Csv),
            "ErrorCode,Message\r\nArgumentException,\"a <b> \"\"c\"\", d\"\r\n"
        );
        assert!(text(Format::Html).contains("<p>a &lt;b&gt; &quot;c&quot;, d</p>"));
        let fault = Fault::new(400, "ArgumentException", "\u{2028}\u{2029}");
        let jsonp = error(&jsonp(), &fault);
        assert!(jsonp.text.starts_with("cb({\"responseStatus\""));
        assert!(jsonp.text.contains(r#""message":"\u2028\u2029""#));
    }

    #[test]
    fn the_field_at_fault_is_named_and_what_was_sent_breaks_no_format() {
        let malformed = Malformed {
            at: "eventNotifications[0].realmId".into(),
            why: "]]>,\u{1}\u{ffff}'\"{".into(),
        };
        let fault = Fault::of_body("application/json", &malformed);
        assert_eq!(
            fault.field.as_ref().map(|(field, _)| &**field),
            Some("eventNotifications[0].realmId")
        );
        assert!(fault.message.starts_with(
            "Could not deserialize 'application/json' request using QboWebhooksRequest'\nError: "
        ));
        let field = |value: Value<'_>| {
            let value = value.into_owned();
            let status = value.field("responseStatus").cloned().unwrap();
            let Some(Value::List(errors)) = status.field("errors").cloned() else {
                panic!("{status:?}")
            };
            (
                errors[0].field("fieldName").cloned().unwrap(),
                status.field("message").cloned().unwrap(),
            )
        };
        let expected = (
            Value::Text("eventNotifications[0].realmId".into()),
            Value::Text(fault.message.clone().into()),
        );
        let json = error(&answering(Format::Json), &fault).text;
        let bounds = Bounds::of_items(9);
        assert_eq!(field(json_reader::read(&json, bounds).unwrap()), expected);
        let jsv = error(&answering(Format::Jsv), &fault).text;
        assert_eq!(field(jsv_reader::read(&jsv, bounds).unwrap()), expected);
        let xml = error(&answering(Format::Xml), &fault).text;
        let mut reader = quick_xml::Reader::from_str(&xml);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
        assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn an_unknown_operation_is_named_briefly() {
        let fault = Fault::unknown_operation(&"x".repeat(500));
        assert_eq!((fault.status, fault.code), (405, "NotImplementedException"));
        assert!(fault.message.len() < 150);
    }
}

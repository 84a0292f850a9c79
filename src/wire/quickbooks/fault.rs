//! Faults: how QuickBooks says no.
//!
//! The service writes `Fault`, the gateway before it `fault` with other spellings inside, and the
//! throttle XML even where JSON was asked for; and any of them can come with status 200 (Intuit's
//! page on error codes; recorded answers). Each has a list of errors, and a type or a code; whatever
//! else calls itself a fault is the work of something between the relay and Intuit.

use super::plain::plain;
use crate::wire::json::{self, Key};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of an XML answer that may be a fault; the recorded ones have 350.
const XML_BYTES_MAX: usize = 64 << 10;

/// The first error of a fault, in words that hold no token.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Fault {
    /// `type`: `ValidationFault`, `AUTHENTICATION`, `SERVICE` and others.
    pub class: String,
    /// `code` without leading zeros: `3200`.
    pub code: Option<String>,
    /// `Message`, and `Detail` where it says more.
    pub why: String,
}

#[derive(Deserialize)]
struct XmlAnswer {
    #[serde(rename = "Fault")]
    fault: Option<XmlFault>,
}

#[derive(Deserialize)]
struct XmlFault {
    #[serde(rename = "@type", default)]
    class: String,
    #[serde(rename = "Error", default)]
    errors: Vec<XmlError>,
}

#[derive(Deserialize)]
struct XmlError {
    #[serde(rename = "@code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
    #[serde(rename = "Detail", default)]
    detail: String,
}

impl Fault {
    /// The fault of Intuit's that a body is; `None` when it is something else.
    pub fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.trim_ascii();
        let fault = match text.as_bytes().first()? {
            b'{' => {
                let [fault] = json::fields(text, [Key::AnyCase("fault")]).ok()?;
                Self::of_value(fault)
            }
            b'<' if text.len() <= XML_BYTES_MAX => {
                let answer: XmlAnswer = quick_xml::de::from_str(text).ok()?;
                answer.fault.as_ref().map(Self::of_xml)
            }
            _ => None,
        };
        fault.filter(Self::is_intuits)
    }

    /// Whether it has what each of Intuit's faults has.
    pub fn is_intuits(&self) -> bool {
        self.code.is_some() || !self.class.is_empty()
    }

    /// The fault that stands under the key `Fault`; `None` when there is `null` or nothing.
    pub(super) fn of_value(value: Option<&RawValue>) -> Option<Self> {
        let value = value?.get();
        if value == "null" {
            return None;
        }
        let [class, errors] = json::fields(value, ["type", "error"].map(Key::AnyCase))
            // Where there is something under this key, something is wrong, whatever its form.
            .unwrap_or_default();
        let errors = json::elements(errors.map_or("[]", RawValue::get), 1);
        let keys = ["code", "message", "detail"].map(Key::AnyCase);
        let first = errors.kept.first().map(|error| error.get());
        let first = first.filter(|error| error.starts_with('{'));
        let class = class.filter(|_| first.is_some());
        let [code, message, detail] = json::fields(first.unwrap_or("{}"), keys).unwrap_or_default();
        Some(Self::new(
            &word(class),
            &word(code),
            &word(message),
            &word(detail),
        ))
    }

    fn of_xml(fault: &XmlFault) -> Self {
        let error = fault.errors.first();
        let [code, message, detail] = error.map_or([""; 3], |error| {
            [&error.code, &error.message, &error.detail].map(String::as_str)
        });
        let class = error.map_or("", |_| fault.class.as_str());
        Self::new(class, code, message, detail)
    }

    fn new(class: &str, code: &str, message: &str, detail: &str) -> Self {
        let code = match code.trim() {
            // The gateway also writes it into the message: `errorCode=003001`.
            "" => {
                let named = message.split("errorCode=").nth(1).unwrap_or_default();
                named.split(|c: char| !c.is_ascii_digit()).next()
            }
            code => Some(code),
        };
        let code = code.map(|code| code.trim_start_matches('0'));
        let [message, detail] = [message, detail].map(plain);
        Self {
            class: plain(class),
            code: code.filter(|code| !code.is_empty()).map(plain),
            why: match (message.as_str(), detail.as_str()) {
                ("", "") => "no reason given".into(),
                ("", _) => detail,
                (_, "") => message,
                _ if message == detail => message,
                _ => format!("{message} ({detail})"),
            },
        }
    }
}

fn word(value: Option<&RawValue>) -> String {
    let text = value.and_then(|value| json::text(value).ok().flatten());
    text.unwrap_or_default()
}

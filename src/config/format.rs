//! The form in which a sink sends: `format`, `mode` and `content_type` of its table.

use super::closest::did_you_mean;
use super::file as table;
use super::reader::Reader;
use crate::sink::Format;
use crate::wire::outgoing::open_connectors::OpenConnectors;
use http::HeaderValue;
use toml::Spanned;

const FORMATS: [&str; 4] = [
    "cloudevents",
    "cloudevents-batch",
    "json",
    "open-connectors",
];

/// `format` and `mode`.
pub(super) fn format(table: &table::Sink, reader: &mut Reader<'_>) -> Format {
    let word = table.format.as_ref().map(|word| word.get_ref().as_str());
    let format = match (word, &table.format) {
        (None | Some("cloudevents"), _) => Format::CloudEvents,
        (Some("cloudevents-batch"), _) => Format::CloudEventsBatch,
        (Some("json"), _) => Format::Json,
        (Some("open-connectors"), _) => Format::OpenConnectors(OpenConnectors::default()),
        (Some(other), given) => {
            let span = given.as_ref().map_or(table.name.span(), Spanned::span);
            reader.error(
                &span,
                format!(
                    "format = \"{other}\" is not known; use {}{}",
                    FORMATS.join(", "),
                    did_you_mean(other, FORMATS)
                ),
            );
            Format::CloudEvents
        }
    };
    let Some(mode) = &table.mode else {
        return format;
    };
    match (mode.get_ref().as_str(), &format) {
        ("structured", _) => format,
        ("binary", Format::CloudEvents) => Format::CloudEventsBinary,
        ("binary", _) => {
            let why =
                "mode = \"binary\" is for format = \"cloudevents\" only; leave one of the two out";
            reader.error(&mode.span(), why);
            format
        }
        (other, _) => {
            let why = format!("mode = \"{other}\" is not known; use structured or binary");
            reader.error(&mode.span(), why);
            format
        }
    }
}

/// `content_type`: what is sent is JSON in every format, and a receiver may want it under another name.
pub(super) fn content_type(
    table: &table::Sink,
    format: &Format,
    reader: &mut Reader<'_>,
) -> Option<HeaderValue> {
    let given = table.content_type.as_ref()?;
    if matches!(format, Format::CloudEventsBinary) {
        let why =
            "content_type means nothing in binary mode, whose content type is application/json";
        reader.error(&given.span(), why);
        return None;
    }
    let text = given.get_ref();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let is_type = essence
        .split_once('/')
        .is_some_and(|(kind, name)| is_token(kind) && is_token(name));
    let value = HeaderValue::from_str(text)
        .ok()
        .filter(|_| is_type && text.is_ascii());
    if value.is_none() {
        let why = format!(
            "content_type = {text:?} is not a media type; write it like \"application/json\""
        );
        reader.error(&given.span(), why);
    } else if essence != "application/json" && !essence.ends_with("+json") {
        let why = format!("content_type: what is sent is JSON, and {essence} says something else");
        reader.warn(&given.span(), why);
    }
    value
}

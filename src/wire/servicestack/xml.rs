//! XML into a [`Value`]: what .NET's DataContractSerializer writes of the request.
//!
//! More is read than that serializer reads: any prefix, any order of children, names in any case, and
//! children without a namespace. The root has to be in the request's namespace; within it, elements of
//! foreign namespaces are passed over. Promises: no document type, so no entities but XML's own five
//! and numbers; depth, number of elements and number of namespaces are bounded.

use super::Malformed;
use super::tree::{Bounds, Budget, Exceeded, Value, wrong};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, ResolveResult};
use std::borrow::Cow;

/// The namespace of the request. Source: the original's XML metadata page.
pub const NAMESPACE: &str =
    "http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener";

/// Namespaces in force at a time; the request needs two.
const NAMESPACES_MAX: usize = 16;

/// Elements whose children are entries of a list, in lower case.
const LISTS: [&str; 3] = [
    "eventnotifications",
    "entities",
    "arrayofqbowebhooksrequest",
];

/// Elements that hold fields.
const OBJECTS: [&str; 4] = [
    "qbowebhooksrequest",
    "qboeventnotification",
    "datachangeevent",
    "qboentity",
];

/// The value that the document is; a list where the root is `ArrayOfQboWebhooksRequest`.
///
/// # Errors
/// Not XML, with a document type, not the request, or beyond the bounds; by line and column.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'_>, Malformed> {
    let mut document = Document {
        text,
        reader: Reader::from_str(text),
        namespaces: NamespaceResolver::default(),
        budget: bounds.budget(),
        open: Vec::new(),
        root: None,
    };
    document
        .namespaces
        .set_max_namespace_bindings(NAMESPACES_MAX);
    while document.step()? {}
    match document.root.take() {
        Some(root) if document.open.is_empty() => Ok(root),
        Some(_) | None => Err(document.wrong("not XML: it breaks off")),
    }
}

struct Document<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    namespaces: NamespaceResolver,
    budget: Budget,
    open: Vec<Element<'a>>,
    root: Option<Value<'a>>,
}

/// An element that is not closed yet.
struct Element<'a> {
    name: String,
    shape: Shape,
    text: Cow<'a, str>,
    children: Vec<(Cow<'a, str>, Value<'a>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    List,
    Object,
    Leaf,
    Nil,
    /// Of another namespace, or within one that is.
    Foreign,
}

impl<'a> Document<'a> {
    /// One event; `false` at the end.
    fn step(&mut self) -> Result<bool, Malformed> {
        let at = self.position();
        let event = self.reader.read_event().map_err(|error| {
            let at = usize::try_from(self.reader.error_position()).unwrap_or(at);
            wrong(self.text, at, format!("not XML: {error}"))
        })?;
        match event {
            Event::Start(start) => self.begin(&start, at)?,
            Event::Empty(start) => {
                self.begin(&start, at)?;
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.add_text(text.into_inner(), at)?,
            Event::CData(text) => self.add_text(text.into_inner(), at)?,
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(Cow::Owned(character.to_string())),
                    Ok(None) => predefined(&reference).map(Cow::Borrowed),
                    Err(_) => None,
                };
                let unknown = || {
                    wrong(
                        self.text,
                        at,
                        "a reference to an entity that is not XML's own",
                    )
                };
                let text = resolved.ok_or_else(unknown)?;
                self.add_text(text, at)?;
            }
            Event::DocType(_) => {
                return Err(wrong(self.text, at, "a document type is not allowed"));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return Ok(false),
        }
        Ok(true)
    }

    fn begin(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), Malformed> {
        let taken = self.budget.take(self.open.len());
        taken.map_err(|Exceeded(why)| wrong(self.text, at, why))?;
        if self.root.is_some() {
            return Err(wrong(
                self.text,
                at,
                "an element after the end of the first one",
            ));
        }
        let pushed = self.namespaces.push(start);
        pushed.map_err(|error| wrong(self.text, at, format!("not XML: {error}")))?;
        let (namespace, local) = self.namespaces.resolve_element(start.name());
        let parent = self.open.last().map(|parent| parent.shape);
        let is_foreign = match namespace {
            ResolveResult::Bound(Namespace(name)) => name != NAMESPACE,
            ResolveResult::Unbound => parent.is_none(),
            ResolveResult::Unknown(_) => {
                return Err(wrong(self.text, at, "a prefix without a namespace"));
            }
        };
        let name = local.as_ref().to_ascii_lowercase();
        let is_request = LISTS.get(2) == Some(&&*name) || OBJECTS.first() == Some(&&*name);
        if parent.is_none() && (is_foreign || !is_request) {
            let why = format!("expected the element QboWebhooksRequest of {NAMESPACE}");
            return Err(wrong(self.text, at, why));
        }
        let shape = if is_foreign || parent == Some(Shape::Foreign) {
            Shape::Foreign
        } else if start
            .attributes()
            .with_checks(false)
            .has_nil(&self.namespaces)
        {
            Shape::Nil
        } else if LISTS.contains(&&*name) {
            Shape::List
        } else if OBJECTS.contains(&&*name) {
            Shape::Object
        } else {
            Shape::Leaf
        };
        self.open.push(Element {
            name,
            shape,
            text: Cow::Borrowed(""),
            children: Vec::new(),
        });
        Ok(())
    }

    fn end(&mut self) {
        self.namespaces.pop();
        let Some(element) = self.open.pop() else {
            return;
        };
        let value = match element.shape {
            Shape::Foreign if self.open.is_empty() => Value::Null,
            Shape::Foreign => return,
            Shape::Nil => Value::Null,
            Shape::List => Value::List(
                element
                    .children
                    .into_iter()
                    .map(|(_, value)| value)
                    .collect(),
            ),
            Shape::Object => Value::Map(element.children),
            Shape::Leaf if element.children.is_empty() => Value::Text(element.text),
            Shape::Leaf => Value::Map(element.children),
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push((element.name.into(), value)),
            None => self.root = Some(value),
        }
    }

    fn add_text(&mut self, text: Cow<'a, str>, at: usize) -> Result<(), Malformed> {
        let Some(element) = self.open.last_mut() else {
            let is_space = text.trim_ascii().trim_matches('\u{feff}').is_empty();
            let junk = || wrong(self.text, at, "text outside of the first element");
            return if is_space { Ok(()) } else { Err(junk()) };
        };
        if element.shape == Shape::Leaf {
            if element.text.is_empty() {
                element.text = text;
            } else {
                element.text.to_mut().push_str(&text);
            }
        }
        Ok(())
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(self.text.len())
    }

    fn wrong(&self, why: &str) -> Malformed {
        wrong(self.text, self.text.len(), why)
    }
}

/// XML's own five entities.
fn predefined(name: &str) -> Option<&'static str> {
    match name {
        "lt" => Some("<"),
        "gt" => Some(">"),
        "amp" => Some("&"),
        "apos" => Some("'"),
        "quot" => Some("\""),
        _ => None,
    }
}

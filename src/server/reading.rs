//! What was delivered, understood as far as it can be.
//!
//! Called by `webhook` when it is known who a delivery is from. Promises: nothing that is authentic is
//! lost to a decoder, not even to one that panics; and a signed delivery is never refused for what is in
//! it, while a client that does not sign is told what cannot be read, as the original told it.

use super::webhook::Decoder;
use crate::model::{Encoding, Form, Item, Operation, Unreadable};
use crate::wire::servicestack::value::EntityNumbers;
use crate::wire::servicestack::{self, Arity, Malformed, Understood};
use crate::wire::{Decoded, entity, identity};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a body is, and what was in it.
#[derive(Debug)]
pub(super) struct Read {
    /// The body as it is kept: where there was none, the query that stood in for it.
    pub(super) body: Bytes,
    pub(super) encoding: Encoding,
    pub(super) form: Option<Form>,
    pub(super) items: Vec<Item>,
    /// Requests in it.
    pub(super) requests: usize,
    /// A decoder failed.
    pub(super) panicked: bool,
}

impl Read {
    /// An authentic body whose coding cannot be undone.
    pub(super) fn coded(body: Bytes, why: String) -> Self {
        Self {
            items: vec![unreadable(&body, "body".into(), why)],
            body,
            encoding: Encoding::Json,
            form: None,
            requests: 1,
            panicked: false,
        }
    }

    /// Bytes of memory that its entries take.
    pub(super) fn weight(&self) -> usize {
        let texts = self.items.iter().map(|item| match item {
            Item::Notification(found) => {
                let optional = [&found.deleted_id, &found.sender_id, &found.data];
                let optional = optional.into_iter().flatten().map(String::len);
                found.realm.as_str().len()
                    + found.entity.kind.len()
                    + found.entity.id.len()
                    + found.event_type.len()
                    + found.happened.text.len()
                    + optional.sum::<usize>()
            }
            Item::Unreadable(found) => found.at.len() + found.why.len(),
        });
        texts.sum::<usize>() + self.items.len() * size_of::<Item>()
    }
}

/// What reading needs to know.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// What reads Intuit's two forms.
    pub(super) decode: Decoder,
    /// The integers of the entity names; `None` where the original's face is switched off.
    pub(super) numbers: Option<&'a EntityNumbers>,
    pub(super) items_max: usize,
    pub(super) arity: Arity,
    pub(super) content_type: Option<&'a str>,
}

impl Reading<'_> {
    /// A signed delivery. Intuit's forms are read whatever it says that it is; what does not speak like
    /// Intuit is read as the original's, where that explains every entry.
    pub(super) fn signed(&self, body: Bytes) -> Read {
        let encoding = servicestack::encoding(self.content_type, &body).unwrap_or(Encoding::Json);
        let Some(numbers) = self.numbers else {
            return self.intuit(body);
        };
        let original = || self.guarded(&body, || self.original(&body, encoding, numbers));
        if encoding == Encoding::Json && self.arity == Arity::One {
            let intuit = self.intuit(body.clone());
            if intuit.panicked || intuit.items.iter().all(is_as_intuit_says_it) {
                return intuit;
            }
            return match original() {
                Some(Ok(understood)) if is_explained(&understood) => {
                    read(body, encoding, understood)
                }
                _ => intuit,
            };
        }
        match original() {
            Some(Ok(understood)) => read(body, encoding, understood),
            Some(Err(Malformed { at, why })) => Read {
                items: vec![unreadable(&body, at, why)],
                body,
                encoding,
                form: None,
                requests: 1,
                panicked: false,
            },
            None => failed(body, encoding),
        }
    }

    /// A delivery of a client that does not sign; the query stands in for a body that is empty.
    ///
    /// # Errors
    /// What cannot be read, as the framework would say it.
    pub(super) fn unsigned(&self, body: Bytes, query: &str) -> Result<Read, Malformed> {
        let numbers = self.numbers.cloned().unwrap_or_default();
        let (body, encoding) = if body.is_empty() && !query.is_empty() {
            (Bytes::copy_from_slice(query.as_bytes()), Encoding::Form)
        } else {
            let unknown = || Malformed {
                at: "body".into(),
                why: "neither JSON nor XML, and its content type is not known".into(),
            };
            let encoding = servicestack::encoding(self.content_type, &body).ok_or_else(unknown)?;
            (body, encoding)
        };
        let is_array = body.trim_ascii_start().starts_with(b"[");
        if encoding == Encoding::Json && self.arity == Arity::One && is_array {
            return understood(self.intuit(body));
        }
        match self.guarded(&body, || self.original(&body, encoding, &numbers)) {
            Some(understood) => Ok(read(body, encoding, understood?)),
            None => Ok(failed(body, encoding)),
        }
    }

    fn original(
        &self,
        body: &[u8],
        encoding: Encoding,
        numbers: &EntityNumbers,
    ) -> Result<Understood, Malformed> {
        servicestack::decode(body, encoding, self.arity, numbers, self.items_max)
    }

    fn intuit(&self, body: Bytes) -> Read {
        match self.guarded(&body, || (self.decode)(&body, self.items_max)) {
            Some(Decoded { form, items }) => Read {
                body,
                encoding: Encoding::Json,
                form,
                items,
                requests: 1,
                panicked: false,
            },
            None => failed(body, Encoding::Json),
        }
    }

    /// Decodes on the spot, however large: the largest body that is allowed (4 MiB, 10,000 events)
    /// takes one worker 50 ms on x86-64 (measured; several times that is to be expected on a board, and
    /// a signed one that does not speak like Intuit is read twice), only holders of a token can send it,
    /// and another thread would be one more thing that can fail to start.
    fn guarded<T>(&self, body: &[u8], decode: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(decode))
            .inspect_err(|_| {
                tracing::error!(
                    bytes = body.len(),
                    "the decoder failed; the delivery is kept as it is"
                );
            })
            .ok()
    }
}

/// Whether Intuit's spellings explain an entry: its names, its operations, its dates.
fn is_as_intuit_says_it(item: &Item) -> bool {
    let Item::Notification(found) = item else {
        return false;
    };
    let kind = &*found.entity.kind;
    let is_number = kind.bytes().all(|byte| b"+-0123456789".contains(&byte));
    let is_respelled = entity::known(kind).is_some_and(|known| known != kind);
    let is_dated = found.happened.at.is_some() || found.happened.text.is_empty();
    is_dated && !is_number && !is_respelled && !matches!(found.operation, Operation::Other(_))
}

/// Whether the original's reading takes nothing for granted and leaves nothing out.
fn is_explained(understood: &Understood) -> bool {
    let mut items = understood.items.iter();
    !understood.is_assumed && items.all(|item| matches!(item, Item::Notification(_)))
}

fn read(body: Bytes, encoding: Encoding, understood: Understood) -> Read {
    let Understood {
        requests, items, ..
    } = understood;
    Read {
        body,
        encoding,
        form: Some(Form::Legacy),
        items,
        requests,
        panicked: false,
    }
}

/// Refuses an array in which nothing could be understood.
fn understood(read: Read) -> Result<Read, Malformed> {
    let is_fault = |item: &Item| matches!(item, Item::Unreadable(_));
    match read.items.first() {
        Some(Item::Unreadable(first)) if !read.panicked && read.items.iter().all(is_fault) => {
            let Unreadable { at, why, .. } = first.clone();
            Err(Malformed { at, why })
        }
        _ => Ok(read),
    }
}

fn failed(body: Bytes, encoding: Encoding) -> Read {
    Read {
        items: vec![unreadable(
            &body,
            "body".into(),
            "the decoder failed".into(),
        )],
        body,
        encoding,
        form: None,
        requests: 1,
        panicked: true,
    }
}

fn unreadable(body: &[u8], at: String, why: String) -> Item {
    Item::Unreadable(Unreadable {
        at,
        why,
        identity: identity::of_unreadable(body),
    })
}

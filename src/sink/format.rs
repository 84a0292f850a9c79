//! In which form a sink gets its changes, and how many at a time. The bytes themselves are made by
//! `wire::outgoing`; here is only the choice between its encoders.

use crate::model::{Change, Delivery, Manner};
use crate::wire::outgoing::open_connectors::{self, OpenConnectors, Shape};
use crate::wire::outgoing::{cloud_event, message_id};

/// Changes in one CloudEvents batch, and lines in one write of a file.
const BATCH_MAX: usize = 100;

/// The form of what leaves.
#[derive(Clone, Debug)]
pub enum Format {
    /// One CloudEvents 1.0 event in structured mode.
    CloudEvents,
    /// One CloudEvents 1.0 event in binary mode: attributes as header fields, `data` as the body.
    CloudEventsBinary,
    /// An array of them.
    CloudEventsBatch,
    /// One CloudEvents 1.0 event as plain JSON, for receivers that know no other content type.
    Json,
    /// The envelope of Open Connectors, written for this account.
    OpenConnectors(OpenConnectors),
}

/// A request in this form, but for what each attempt gets afresh.
pub(super) struct Encoded {
    /// Its body.
    pub(super) body: Vec<u8>,
    /// The media type of the body.
    pub(super) content_type: &'static str,
    /// Header fields that are a part of what is said.
    pub(super) fields: Vec<(String, String)>,
}

/// How much a sink takes in one delivery, and what it needs for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appetite {
    /// Changes in one delivery at most.
    pub max: usize,
    /// All of them from the same receipt.
    pub one_receipt: bool,
    /// With the body of that receipt.
    pub body: bool,
}

impl Format {
    /// Its word in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents in binary mode",
            Self::Json => "json",
            Self::CloudEventsBatch => "cloudevents-batch",
            Self::OpenConnectors(_) => "open-connectors",
        }
    }

    /// What one HTTP request of this form takes.
    pub(super) fn appetite(&self) -> Appetite {
        match self {
            Self::CloudEvents | Self::CloudEventsBinary | Self::Json => Appetite {
                max: 1,
                one_receipt: false,
                body: false,
            },
            Self::CloudEventsBatch => Appetite {
                max: BATCH_MAX,
                one_receipt: false,
                body: false,
            },
            Self::OpenConnectors(account) => {
                let is_polled = account.shape == Shape::Polled;
                Appetite {
                    max: match is_polled {
                        true => open_connectors::POLLED_EVENTS_MAX,
                        false => open_connectors::EVENTS_MAX,
                    },
                    one_receipt: true,
                    body: !is_polled,
                }
            }
        }
    }

    /// What one write of lines of this form takes: where every change is a line of its own, several
    /// lines share one flush.
    pub(super) fn appetite_for_lines(&self) -> Appetite {
        match self {
            Self::CloudEvents | Self::CloudEventsBinary | Self::Json => {
                Self::CloudEventsBatch.appetite()
            }
            Self::CloudEventsBatch | Self::OpenConnectors(_) => self.appetite(),
        }
    }

    /// How many of `changes`, from the first, fit into one delivery of at most `max`; at least one.
    pub(super) fn fitting(&self, changes: &[Change], max: usize) -> usize {
        match self {
            Self::OpenConnectors(account) => account.shape.fitting(changes),
            _ => changes.len().clamp(1, max.max(1)),
        }
    }

    /// The id of a delivery in this form, the same over all attempts with the same bytes.
    pub(super) fn id(&self, delivery: &Delivery) -> String {
        match self {
            Self::OpenConnectors(account) => open_connectors::id(delivery, account),
            _ => message_id(delivery),
        }
    }

    /// What is posted. Nothing in it says that it is a replay: the same id has the same bytes.
    pub(super) fn encode(&self, delivery: &Delivery) -> Encoded {
        let (body, content_type) = match (self, delivery.changes.as_slice()) {
            (Self::CloudEvents, [only]) => (
                cloud_event::encode_one(only, false),
                "application/cloudevents+json; charset=utf-8",
            ),
            (Self::Json, [only]) => (
                cloud_event::encode_one(only, false),
                "application/json; charset=utf-8",
            ),
            (Self::CloudEventsBinary, [only]) => {
                return Encoded {
                    body: cloud_event::encode_data(only),
                    content_type: cloud_event::CONTENT_TYPE_DATA,
                    fields: cloud_event::header_fields(only),
                };
            }
            (Self::OpenConnectors(account), _) => (
                open_connectors::encode(delivery, account),
                "application/json; charset=utf-8",
            ),
            (_, several) => (
                cloud_event::encode_batch(several, false),
                "application/cloudevents-batch+json; charset=utf-8",
            ),
        };
        Encoded {
            body,
            content_type,
            fields: Vec::new(),
        }
    }

    /// The lines of a file, each ended by LF (within them `wire` leaves none).
    pub(super) fn encode_lines(&self, delivery: &Delivery) -> Vec<u8> {
        let replay = matches!(delivery.manner, Manner::Replay(_));
        let texts = match self {
            Self::CloudEvents | Self::CloudEventsBinary | Self::Json => {
                let changes = delivery.changes.iter();
                changes
                    .map(|change| cloud_event::encode_one(change, replay))
                    .collect()
            }
            Self::CloudEventsBatch => vec![cloud_event::encode_batch(&delivery.changes, replay)],
            Self::OpenConnectors(account) => vec![open_connectors::encode_line(delivery, account)],
        };
        let mut lines = texts.join(&b'\n');
        lines.push(b'\n');
        lines
    }
}

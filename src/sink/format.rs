//! In which form a sink gets its changes, and how many at a time. The bytes themselves are made by
//! `wire::outgoing`; here is only the choice between its encoders.

use crate::model::{Change, Delivery, Manner};
use crate::wire::outgoing::open_connectors::{self, OpenConnectors, Shape};
use crate::wire::outgoing::{cloud_event, delivery_id};

/// Changes in one CloudEvents batch, and lines in one write of a file.
const BATCH_MAX: usize = 100;

/// The form of what leaves.
#[derive(Clone, Debug)]
pub enum Format {
    /// One CloudEvents 1.0 event in structured mode.
    CloudEvents,
    /// An array of them.
    CloudEventsBatch,
    /// The envelope of Open Connectors, written for this account.
    OpenConnectors(OpenConnectors),
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
            Self::CloudEventsBatch => "cloudevents-batch",
            Self::OpenConnectors(_) => "open-connectors",
        }
    }

    /// What one HTTP request of this form takes.
    pub(super) fn appetite(&self) -> Appetite {
        match self {
            Self::CloudEvents => Appetite {
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
            Self::CloudEvents => Self::CloudEventsBatch.appetite(),
            Self::CloudEventsBatch | Self::OpenConnectors(_) => self.appetite(),
        }
    }

    /// How many of `changes`, from the first, fit into one delivery of at most `max`; at least one.
    pub(super) fn fitting(&self, changes: &[Change], max: usize) -> usize {
        match self {
            Self::CloudEvents | Self::CloudEventsBatch => changes.len().clamp(1, max.max(1)),
            Self::OpenConnectors(account) => account.shape.fitting(changes),
        }
    }

    /// The id of a delivery in this form, the same over all its attempts.
    pub(super) fn id(&self, delivery: &Delivery) -> String {
        match self {
            Self::CloudEvents | Self::CloudEventsBatch => delivery_id(delivery),
            Self::OpenConnectors(account) => open_connectors::id(delivery, account),
        }
    }

    /// The body of a request, and its content type.
    pub(super) fn encode(&self, delivery: &Delivery) -> (Vec<u8>, String) {
        let replay = is_replay(delivery);
        let (body, media_type) = match (self, delivery.changes.as_slice()) {
            (Self::CloudEvents, [only]) => (
                cloud_event::encode_one(only, replay),
                cloud_event::CONTENT_TYPE,
            ),
            (Self::CloudEvents | Self::CloudEventsBatch, several) => (
                cloud_event::encode_batch(several, replay),
                cloud_event::CONTENT_TYPE_BATCH,
            ),
            (Self::OpenConnectors(account), _) => (
                open_connectors::encode(delivery, account),
                open_connectors::CONTENT_TYPE,
            ),
        };
        (body, format!("{media_type}; charset=utf-8"))
    }

    /// The lines of a file, each ended by LF (within them `wire` leaves none).
    pub(super) fn encode_lines(&self, delivery: &Delivery) -> Vec<u8> {
        let replay = is_replay(delivery);
        let texts = match self {
            Self::CloudEvents => {
                let changes = delivery.changes.iter();
                changes
                    .map(|change| cloud_event::encode_one(change, replay))
                    .collect()
            }
            Self::CloudEventsBatch | Self::OpenConnectors(_) => vec![self.encode(delivery).0],
        };
        let mut lines = texts.join(&b'\n');
        lines.push(b'\n');
        lines
    }
}

fn is_replay(delivery: &Delivery) -> bool {
    matches!(delivery.manner, Manner::Replay(_))
}

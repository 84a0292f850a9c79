//! A delivery: checked, verified, decoded, kept, and only then acknowledged (I1).
//!
//! Not here: the connection it came on, and what becomes of it. Called by [`super::public`].
//! Promises: nothing is parsed or stored before the signature over the raw bytes is right; a
//! delivery that is authentic is kept even when its decoder panics; no body, signature or token is
//! ever logged.

use super::answer::{Answer, JSON, answer, later, text};
use super::body::{Bounds, Budget, Unread, announced};
use super::connection::Service;
use super::registry::Visit;
use super::router;
use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{
    Authenticity, Encoding, Item, Kept, Limits, Origin, Receipt, Tally, Unreadable,
};
use crate::wire::signature::{BadSignature, Verifier, verify};
use crate::wire::{Decoded, identity};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use hyper::body::{Body, Incoming};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::timeout;

const SIGNATURE: HeaderName = HeaderName::from_static("intuit-signature");

/// Bytes of a header that are kept with the receipt.
const KEPT_HEADER_BYTES_MAX: usize = 256;

/// Something that keeps receipts: the journal, or what a test or a benchmark puts in its place.
pub trait Keep: Send + Sync + 'static {
    /// Keeps a receipt. When it returns success, the receipt survives loss of power.
    fn keep(&self, receipt: Receipt) -> impl Future<Output = Result<Kept, Unkept>> + Send;
}

/// Why a receipt was not kept; the sender is asked to come again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unkept {
    /// There is no room on the disk or in the budget; it takes a while until there is.
    #[error("the journal is full")]
    Full,
    /// Too many receipts wait; it is over in a moment.
    #[error("the journal is busy")]
    Busy,
    /// The journal has failed; the process is about to end.
    #[error("the journal is broken")]
    Broken,
}

impl Keep for Journal {
    async fn keep(&self, receipt: Receipt) -> Result<Kept, Unkept> {
        self.append(receipt).await.map_err(|error| match error {
            Error::Full => Unkept::Full,
            Error::Busy => Unkept::Busy,
            _ => Unkept::Broken,
        })
    }
}

/// What turns a body into items.
pub type Decoder = fn(body: &[u8], items_max: usize) -> Decoded;

/// Where deliveries come in.
pub struct Door<K> {
    /// The paths on which deliveries are taken, exactly so.
    pub paths: Vec<String>,
    /// The tokens that sign authentic deliveries; exchanged on reload.
    pub verifiers: ArcSwap<Vec<Verifier>>,
    /// Where receipts go.
    pub keep: K,
    /// What reads a body: [`crate::wire::decode`].
    pub decode: Decoder,
    /// Tells when a delivery arrived.
    pub clock: Arc<dyn Clock>,
    /// Where everything is counted.
    pub tally: Arc<Tally>,
}

impl<K> fmt::Debug for Door<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// The public listener's service.
pub(super) struct Webhook<K> {
    pub(super) door: Arc<Door<K>>,
    pub(super) limits: Limits,
    pub(super) budget: Budget,
}

impl<K: Keep> Service for Webhook<K> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        let tally = &self.door.tally;
        tally.requests.add_one();
        if let Err(refusal) = router::check(&request, &self.door.paths) {
            return refuse(refusal.into(), request.body(), visit);
        }
        let (head, body) = request.into_parts();
        if announced_too_large(&body, &self.limits) {
            tally.deliveries_oversized.add_one();
            return refuse(too_large(), &body, visit);
        }
        let header = match signature(&head.headers) {
            Ok(header) => header,
            Err(reason) => return refuse(self.forged(reason, visit), &body, visit),
        };
        let bounds = Bounds {
            bytes_max: self.limits.body_bytes_max,
            span: self.limits.body,
        };
        let held = match self.budget.read(body, visit, bounds).await {
            Ok(held) => held,
            Err(unread) => {
                visit.unread.store(true, Ordering::Relaxed);
                return self.unread(unread, visit);
            }
        };
        let receipt = match self.authenticate(header, &head.headers, held.bytes.clone()) {
            Ok(receipt) => receipt,
            Err(reason) => return self.forged(reason, visit),
        };
        let _in_hand = visit.begin_delivery();
        let answer = self.keep(receipt, visit).await;
        // Until here: the journal has the bytes on disk, or has refused them.
        drop(held);
        answer
    }
}

impl<K: Keep> Webhook<K> {
    fn authenticate(
        &self,
        header: &[u8],
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Receipt, BadSignature> {
        let received_at = self.door.clock.now();
        let verifiers = self.door.verifiers.load();
        let verifier = verify(&verifiers, &body, Some(header))?.to_owned();
        let Decoded { form, items } = self.decode(&body);
        Ok(Receipt {
            received_at,
            source: verifier,
            authenticity: Authenticity::Signed,
            origin: Origin::Webhook,
            encoding: Encoding::Json,
            form,
            headers: kept_headers(headers),
            body,
            items,
        })
    }

    /// Decodes on the spot, however large: the largest body that is allowed (4 MiB, 10,000 events)
    /// takes one worker 50 ms on x86-64 (measured; several times that is to be expected on a board),
    /// only holders of a token can send it, and another thread would be one more thing that can fail
    /// to start.
    fn decode(&self, body: &[u8]) -> Decoded {
        let decode = || (self.door.decode)(body, self.limits.items_max);
        catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
            self.door.tally.decoder_panics.add_one();
            tracing::error!(
                bytes = body.len(),
                "the decoder failed; the delivery is kept as it is"
            );
            Decoded {
                form: None,
                items: vec![Item::Unreadable(Unreadable {
                    at: "body".into(),
                    why: "the decoder failed".into(),
                    identity: identity::of_unreadable(body),
                })],
            }
        })
    }

    async fn keep(&self, receipt: Receipt, visit: &Visit) -> Answer {
        let tally = &self.door.tally;
        let is_unreadable = |item: &&Item| matches!(item, Item::Unreadable(_));
        let unreadable = receipt.items.iter().filter(is_unreadable).count();
        let kept = timeout(self.limits.answer, self.door.keep.keep(receipt)).await;
        let (seconds, reason) = match kept {
            Ok(Ok(kept)) => {
                match kept {
                    Kept::New { .. } => {
                        tally.deliveries_kept.add_one();
                        tally
                            .items_unreadable
                            .add(u64::try_from(unreadable).unwrap_or(u64::MAX));
                    }
                    Kept::Repeat { .. } => tally.deliveries_repeated.add_one(),
                }
                visit.note_delivery();
                return answer(StatusCode::OK, JSON, &b"\"OK\""[..]);
            }
            Ok(Err(unkept @ Unkept::Full)) => (30, unkept.to_string()),
            Ok(Err(unkept)) => (5, unkept.to_string()),
            Err(_) => (5, "the journal took too long".into()),
        };
        let unkept = &tally.deliveries_unkept;
        unkept.add_one();
        // A full disk may be the one that holds the log: after the first few, one for each hundred.
        if unkept.value() <= 10 || unkept.value().is_multiple_of(100) {
            let so_far = unkept.value();
            tracing::warn!(peer = %visit.peer, reason, so_far, "delivery not kept");
        }
        later(seconds, "cannot keep it now")
    }

    fn forged(&self, reason: BadSignature, visit: &Visit) -> Answer {
        let forged = &self.door.tally.deliveries_forged;
        forged.add_one();
        // Anybody can cause these lines: after the first few, one for each hundred.
        if forged.value() <= 10 || forged.value().is_multiple_of(100) {
            let so_far = forged.value();
            tracing::warn!(peer = %visit.peer, %reason, so_far, "delivery refused");
        }
        text(StatusCode::FORBIDDEN, "signature missing or wrong")
    }

    fn unread(&self, unread: Unread, visit: &Visit) -> Answer {
        let tally = &self.door.tally;
        let (counter, answer) = match unread {
            Unread::TooLarge => (&tally.deliveries_oversized, too_large()),
            Unread::TooLate => (
                &tally.deliveries_broken_off,
                text(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
            ),
            Unread::BrokenOff => (
                &tally.deliveries_broken_off,
                text(StatusCode::BAD_REQUEST, "the body broke off"),
            ),
            Unread::NoRoom => (&tally.deliveries_unkept, later(5, "too much at once")),
        };
        counter.add_one();
        tracing::debug!(peer = %visit.peer, reason = ?unread, "body not read");
        answer
    }
}

/// Refuses before the body is read; where there is one, the connection ends with it.
fn refuse(refusal: Answer, body: &Incoming, visit: &Visit) -> Answer {
    if !body.is_end_stream() {
        visit.unread.store(true, Ordering::Relaxed);
    }
    refusal
}

fn announced_too_large(body: &Incoming, limits: &Limits) -> bool {
    let announced = announced(body);
    announced != usize::MAX && announced > limits.body_bytes_max
}

fn too_large() -> Answer {
    text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
}

/// The one signature header. Twice is malformed: which of them somebody else looked at is unknown.
fn signature(headers: &HeaderMap) -> Result<&[u8], BadSignature> {
    let mut fields = headers.get_all(SIGNATURE).iter();
    let first = fields.next().ok_or(BadSignature::Missing)?;
    match fields.next() {
        None => Ok(first.as_bytes()),
        Some(_) => Err(BadSignature::Malformed),
    }
}

/// The sender's headers worth keeping as evidence, cut to a bearable length. Never the signature.
fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_kept = |name: &HeaderName| {
        let is_intuit = name.as_str().starts_with("intuit-") && name != SIGNATURE;
        is_intuit || name == CONTENT_TYPE || name == USER_AGENT
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, value)| {
        let bytes = value.as_bytes();
        let bytes = bytes.get(..KEPT_HEADER_BYTES_MAX).unwrap_or(bytes);
        let value = String::from_utf8_lossy(bytes).into_owned();
        (name.as_str().to_owned(), value)
    })
    .collect()
}

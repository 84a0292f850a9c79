//! A delivery: checked, verified, decoded, kept, and only then acknowledged (I1).
//!
//! Not here: the connection it came on, and what becomes of it. Called by [`super::public`].
//! Promises: nothing is parsed or stored before the signature over the raw bytes is right, or the
//! client is one that the configuration lets in without; a delivery that is authentic is kept even when
//! its decoder panics; no body, signature, credential or token is ever logged.

use super::answer::Answer;
use super::body::{self, Bounds, Decoding, Held, Incoming, Unread, announced};
use super::coding::{self, Coding, Undecoded, Unsupported};
use super::connection::Service;
use super::face::{Entry, Face, content_type};
use super::head::SIGNATURE;
use super::keep::kept_headers;
use super::manner::{Manner, Wrong};
use super::meter::Meter;
use super::misdirected::is_worth_a_look;
use super::origin;
use super::reading::{Read, Reading};
use super::source::{Denied, Unwitting, admit};
use super::visit::Visit;
use crate::clock::Clock;
use crate::model::{
    Authenticity, Item, Kept, Limits, MisdirectedPosts, Origin, Receipt, Sampler, Tally, Timestamp,
};
use crate::wire::Decoded;
use crate::wire::servicestack::Malformed;
use crate::wire::signature::{BadSignature, Verifier, verify};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

pub use super::keep::{Keep, Unkept};

/// What turns a body into items.
pub type Decoder = fn(body: &[u8], items_max: usize) -> Decoded;

/// Where deliveries come in.
pub struct Door<K> {
    /// The paths on which deliveries are taken, exactly so.
    pub paths: Vec<String>,
    /// The tokens that sign authentic deliveries; exchanged on reload.
    pub verifiers: ArcSwap<Vec<Verifier>>,
    /// The original listener's face, and who may come without a signature.
    pub face: Face,
    /// Where receipts go.
    pub keep: K,
    /// What reads a body: [`crate::wire::decode`].
    pub decode: Decoder,
    /// Tells when a delivery arrived.
    pub clock: Arc<dyn Clock>,
    /// Where everything is counted.
    pub tally: Arc<Tally>,
    /// Where what went elsewhere is told.
    pub misdirected: Arc<MisdirectedPosts>,
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
    pub(super) decoding: Decoding,
    /// How much clients that do not sign have delivered.
    pub(super) meter: Meter,
}

/// Whose delivery it is, before its body is read.
enum Bearer {
    /// Whoever made this signature.
    Signer(Vec<u8>),
    /// A client that does not sign: the source's name, and what speaks for it.
    Client(String, Authenticity),
}

/// A delivery whose last byte is here.
struct Arrived<'a> {
    at: Timestamp,
    head: &'a Parts,
    body: Bytes,
    entry: &'a Entry,
}

impl<K: Keep> Service for Webhook<K> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        let tally = &self.door.tally;
        tally.requests.add_one();
        let is_signed = is_signed(&request);
        let entry = match self.door.face.enter(&request, &self.door.paths, is_signed) {
            Ok(entry) => entry,
            Err(answer) if is_worth_a_look(&request, &answer) => {
                self.look_at_misdirected(request, visit).await;
                return *answer;
            }
            Err(answer) => return *answer,
        };
        // A signature speaks for itself.
        let unwitting = match is_signed {
            true => Unwitting::default(),
            false => Unwitting {
                foreign_page: origin::is_foreign(&request),
                get: request.method() == Method::GET,
            },
        };
        let (head, body) = request.into_parts();
        let manner = &entry.manner;
        if announced_too_large(&body, &self.limits) {
            tally.deliveries_oversized.add_one();
            return manner.failure(&Wrong::TooLarge);
        }
        let bearer = match self.bearer(&head, &entry, unwitting, visit) {
            Ok(bearer) => bearer,
            Err(wrong) => return manner.failure(&wrong),
        };
        let codings = coding::of(&head.headers);
        if codings.is_err() && matches!(bearer, Bearer::Client(..)) {
            self.note(&Wrong::Coding, visit);
            return manner.failure(&Wrong::Coding);
        }
        let bounds = Bounds {
            bytes_max: self.limits.body_bytes_max,
            span: self.limits.body,
        };
        let mut held = match body::read(body, visit, bounds).await {
            Ok(held) => held,
            Err(unread) => return manner.failure(&self.unread(unread, visit)),
        };
        let arrived = Arrived {
            at: self.door.clock.now(),
            head: &head,
            body: held.bytes.clone(),
            entry: &entry,
        };
        let receipt = self.understand(bearer, codings, arrived, &mut held, visit);
        let (receipt, requests) = match receipt.await {
            Ok(receipt) => receipt,
            Err(wrong) => {
                self.note(&wrong, visit);
                return manner.failure(&wrong);
            }
        };
        let _in_hand = visit.begin_delivery();
        let answer = self.keep(receipt, requests, manner, visit).await;
        // Until here: the journal has the bytes on disk, or has refused them.
        drop(held);
        answer
    }
}

impl<K: Keep> Webhook<K> {
    /// Whose delivery it is to be: by its signature, which is verified when the body is there, or by
    /// its credential and its address.
    fn bearer(
        &self,
        head: &Parts,
        entry: &Entry,
        unwitting: Unwitting,
        visit: &Visit,
    ) -> Result<Bearer, Wrong> {
        let outcome = match signature(&head.headers) {
            Ok(header) => return Ok(Bearer::Signer(header.to_vec())),
            Err(BadSignature::Missing) => {
                let mut shown = head.headers.get_all(AUTHORIZATION).iter();
                // Twice is none: which of them somebody else looked at is unknown.
                let shown = shown.next().filter(|_| shown.next().is_none());
                let shown = shown.map(http::HeaderValue::as_bytes);
                admit(&entry.sources, &entry.gate, visit.peer, shown, unwitting)
            }
            Err(bad) => {
                let wrong = Wrong::Signature(bad);
                self.note(&wrong, visit);
                return Err(wrong);
            }
        };
        let wrong = match outcome {
            Ok((name, by)) => {
                let rate = rate(entry, name);
                match self.meter.admit(name, rate) {
                    Ok(()) => return Ok(Bearer::Client(name.to_owned(), by)),
                    Err(wait) => {
                        let seconds = wait.as_secs().saturating_add(1);
                        Wrong::TooMany(u32::try_from(seconds).unwrap_or(u32::MAX))
                    }
                }
            }
            Err(Denied::Unsigned) => Wrong::Signature(BadSignature::Missing),
            Err(Denied::Address) => Wrong::Address,
            Err(Denied::Credential(challenge)) => Wrong::Credential(challenge),
            Err(Denied::ForeignPage) => Wrong::ForeignPage,
            Err(Denied::Get) => Wrong::Get,
        };
        self.note(&wrong, visit);
        Err(wrong)
    }

    /// What was delivered, when it is known whose it is. A signature is over the bytes as they came,
    /// whatever their coding.
    async fn understand(
        &self,
        bearer: Bearer,
        codings: Result<Vec<Coding>, Unsupported>,
        mut arrived: Arrived<'_>,
        held: &mut Held,
        visit: &Visit,
    ) -> Result<(Receipt, usize), Wrong> {
        let (source, by) = match bearer {
            Bearer::Client(source, by) => (source, by),
            Bearer::Signer(header) => {
                let verifiers = self.door.verifiers.load();
                let verifier = verify(&verifiers, &arrived.body, Some(&header));
                let verifier = verifier.map_err(Wrong::Signature)?;
                self.door.misdirected.arrived(verifier);
                (verifier.to_owned(), Authenticity::Signed)
            }
        };
        let no_room = |_| self.unread(Unread::NoRoom, visit);
        let codings = codings.unwrap_or_default();
        let length = match codings.is_empty() {
            true => arrived.body.len(),
            false => self.limits.body_bytes_max,
        };
        let _in_hand = self.decoding.begin(length).await;
        let read = match self.decoded(&codings, &arrived.body, held, visit) {
            Ok(plain) => {
                arrived.body = plain.map_or(arrived.body, Bytes::from);
                self.read(by, &arrived)?
            }
            Err(Undecoded::NoRoom) => return Err(no_room(Unread::NoRoom)),
            // It is authentic, so it is kept.
            Err(undecoded) if by == Authenticity::Signed => {
                let why = match undecoded {
                    Undecoded::Damaged(why) => why,
                    Undecoded::TooLarge | Undecoded::NoRoom => "it is too large when decoded",
                };
                Read::coded(arrived.body.clone(), format!("its content coding: {why}"))
            }
            Err(Undecoded::TooLarge) => return Err(self.unread(Unread::TooLarge, visit)),
            Err(Undecoded::Damaged(why)) => return Err(malformed(&arrived, "body", why)),
        };
        held.grow(read.weight(), visit).map_err(no_room)?;
        if by.is_unsigned() {
            let rate = rate(arrived.entry, &source);
            self.meter.charge(&source, rate, read.items.len());
        }
        Ok(self.receipt(source, by, &arrived, read))
    }

    /// The body without its codings; `None` where it has none.
    fn decoded(
        &self,
        codings: &[Coding],
        body: &Bytes,
        held: &mut Held,
        visit: &Visit,
    ) -> Result<Option<Vec<u8>>, Undecoded> {
        if codings.is_empty() {
            return Ok(None);
        }
        let mut room = |bytes| held.grow(bytes, visit).is_ok();
        coding::decode(codings, body, self.limits.body_bytes_max, &mut room).map(Some)
    }

    fn read(&self, by: Authenticity, arrived: &Arrived<'_>) -> Result<Read, Wrong> {
        let (reading, body) = (self.reading(arrived), arrived.body.clone());
        if by == Authenticity::Signed {
            return Ok(reading.signed(body));
        }
        let query = arrived.head.uri.query().unwrap_or_default();
        let read = reading.unsigned(body, query);
        read.map_err(|Malformed { at, why }| malformed(arrived, &at, &why))
    }

    fn reading<'a>(&'a self, arrived: &Arrived<'a>) -> Reading<'a> {
        let face = &self.door.face;
        Reading {
            decode: self.door.decode,
            numbers: face.enabled.then_some(&face.numbers),
            items_max: self.limits.items_max,
            arity: arrived.entry.manner.arity,
            content_type: content_type(&arrived.head.headers),
        }
    }

    fn receipt(
        &self,
        source: String,
        authenticity: Authenticity,
        arrived: &Arrived<'_>,
        read: Read,
    ) -> (Receipt, usize) {
        if read.panicked {
            self.door.tally.decoder_panics.add_one();
        }
        let receipt = Receipt {
            received_at: arrived.at,
            source,
            authenticity,
            origin: Origin::Webhook,
            encoding: read.encoding,
            form: read.form,
            headers: kept_headers(&arrived.head.headers),
            body: read.body,
            items: read.items,
        };
        (receipt, read.requests)
    }

    async fn keep(
        &self,
        receipt: Receipt,
        requests: usize,
        manner: &Manner,
        visit: &Visit,
    ) -> Answer {
        let tally = &self.door.tally;
        let is_unreadable = |item: &&Item| matches!(item, Item::Unreadable(_));
        let unreadable = receipt.items.iter().filter(is_unreadable).count();
        let is_ahead = |item: &&Item| {
            matches!(item, Item::Notification(notification)
                if notification.happened.is_ahead(receipt.received_at))
        };
        let ahead = receipt.items.iter().filter(is_ahead).count();
        let is_signed = receipt.authenticity == Authenticity::Signed;
        let (at, items) = (receipt.received_at, receipt.items.len());
        let began = Instant::now();
        let kept = timeout(self.limits.answer, self.door.keep.keep(receipt)).await;
        let mut said = "cannot keep it now";
        let (seconds, reason) = match kept {
            Ok(Ok(kept)) => {
                match kept {
                    Kept::New { .. } => {
                        tally.deliveries_kept.add_one();
                        tally
                            .items_unreadable
                            .add(u64::try_from(unreadable).unwrap_or(u64::MAX));
                        tally
                            .items_dated_ahead
                            .add(u64::try_from(ahead).unwrap_or(u64::MAX));
                    }
                    Kept::Repeat { .. } => tally.deliveries_repeated.add_one(),
                }
                if !is_signed {
                    tally.deliveries_unsigned.add_one();
                }
                if KEPT.admits(at.as_seconds().cast_unsigned()) {
                    tell_kept(kept, items, began.elapsed());
                }
                visit.note_delivery();
                return manner.success(requests);
            }
            Ok(Err(unkept @ Unkept::Full)) => (30, unkept.to_string()),
            Ok(Err(unkept @ Unkept::Share)) => {
                said = "this source has its share of the journal; come again when some of it is delivered, or raise its journal_share";
                (60, unkept.to_string())
            }
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
        manner.failure(&Wrong::Later(seconds, said))
    }

    /// Counts a delivery that is refused for whose it is or for what is in it.
    fn note(&self, wrong: &Wrong, visit: &Visit) {
        let tally = &self.door.tally;
        let (counter, reason) = match wrong {
            Wrong::Address => (&tally.deliveries_unauthorized, "address not allowed".into()),
            Wrong::Credential(_) => (
                &tally.deliveries_unauthorized,
                "credential missing or wrong".into(),
            ),
            Wrong::ForeignPage => (
                &tally.deliveries_unauthorized,
                "sent by another site's page, with no credential".into(),
            ),
            Wrong::Get => (
                &tally.deliveries_unauthorized,
                "a GET with no credential".into(),
            ),
            Wrong::Malformed(_, malformed) => {
                let why = format!("cannot be read at {}", malformed.at);
                (&tally.deliveries_malformed, why)
            }
            Wrong::Signature(bad) => (&tally.deliveries_forged, bad.to_string()),
            Wrong::Coding => (
                &tally.deliveries_malformed,
                "content coding not known".into(),
            ),
            Wrong::TooMany(_) => (
                &tally.deliveries_throttled,
                "more entries than the source may deliver in a minute".into(),
            ),
            Wrong::TooLarge | Wrong::TooLate | Wrong::BrokenOff | Wrong::Later(..) => return,
        };
        counter.add_one();
        // Anybody can cause these lines: after the first few, one for each hundred.
        if counter.value() <= 10 || counter.value().is_multiple_of(100) {
            let so_far = counter.value();
            tracing::warn!(peer = %visit.peer, reason, so_far, "delivery refused");
        }
    }

    fn unread(&self, unread: Unread, visit: &Visit) -> Wrong {
        let tally = &self.door.tally;
        let (counter, wrong) = match unread {
            Unread::TooLarge => (&tally.deliveries_oversized, Wrong::TooLarge),
            Unread::TooLate => (&tally.deliveries_broken_off, Wrong::TooLate),
            Unread::BrokenOff => (&tally.deliveries_broken_off, Wrong::BrokenOff),
            Unread::NoRoom => (
                &tally.deliveries_unkept,
                Wrong::Later(5, "too much at once"),
            ),
        };
        counter.add_one();
        tracing::debug!(peer = %visit.peer, reason = ?unread, "body not read");
        wrong
    }
}

/// Whether a request has a signature, right or not.
pub(super) fn is_signed<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(SIGNATURE)
}

/// Entries that a source may deliver in a minute.
fn rate(entry: &Entry, source: &str) -> u32 {
    let found = entry.sources.iter().find(|one| one.name == source);
    found.map_or(u32::MAX, |one| one.scope.entries_per_minute)
}

/// Notifications that were kept: in the log at `info`, so many a second singly.
pub static KEPT: Sampler = Sampler::new();

fn tell_kept(kept: Kept, items: usize, took: Duration) {
    let took = format!("{:.1} ms", took.as_secs_f64() * 1e3);
    match kept {
        Kept::New { seq, changes } => tracing::info!(
            receipt = seq.0, items, changes, status = 200, %took, "notification kept"
        ),
        Kept::Repeat { of } => tracing::info!(
            receipt = of.0, items, status = 200, %took, "notification repeated"
        ),
    }
}

/// A body that cannot be read, as what it came.
fn malformed(arrived: &Arrived<'_>, at: &str, why: &str) -> Wrong {
    let named = content_type(&arrived.head.headers).unwrap_or("application/json");
    let (at, why) = (at.to_owned(), why.to_owned());
    Wrong::Malformed(named.to_owned(), Malformed { at, why })
}

pub(super) fn announced_too_large(body: &Incoming, limits: &Limits) -> bool {
    let announced = announced(body);
    announced != usize::MAX && announced > limits.body_bytes_max
}

/// The one signature header. Twice is malformed: which of them somebody else looked at is unknown.
pub(super) fn signature(headers: &HeaderMap) -> Result<&[u8], BadSignature> {
    let mut fields = headers.get_all(SIGNATURE).iter();
    let first = fields.next().ok_or(BadSignature::Missing)?;
    match fields.next() {
        None => Ok(first.as_bytes()),
        Some(_) => Err(BadSignature::Malformed),
    }
}

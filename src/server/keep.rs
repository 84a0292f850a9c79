//! Where receipts go, and what of a request's head is kept with one.

use super::head::SIGNATURE;
use crate::journal::{Error, Journal};
use crate::model::{Kept, Receipt};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName};
use std::future::Future;

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
    /// The source, which does not sign, has as much in the journal as it may.
    #[error(
        "the source has its share of the journal; deliver what waits, or raise its journal_share"
    )]
    Share,
    /// The journal has failed; the process is about to end.
    #[error("the journal is broken")]
    Broken,
}

impl Keep for Journal {
    async fn keep(&self, receipt: Receipt) -> Result<Kept, Unkept> {
        self.append(receipt).await.map_err(|error| match error {
            Error::Full => Unkept::Full,
            Error::Busy => Unkept::Busy,
            Error::Share => Unkept::Share,
            _ => Unkept::Broken,
        })
    }
}

/// The sender's headers worth keeping as evidence, cut to a bearable length. Never the signature.
pub(super) fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_kept = |name: &HeaderName| {
        let is_intuit = name.as_str().starts_with("intuit-") && name != SIGNATURE;
        is_intuit || [CONTENT_TYPE, CONTENT_ENCODING, USER_AGENT].contains(name)
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

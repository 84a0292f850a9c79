//! Signed posts to a path that is not the relay's: the address at Intuit or the configuration is wrong,
//! and nobody else would say so.
//!
//! Called by `webhook` for what is refused for where it goes. Promises: what cannot be one of Intuit's
//! is not read; a body is read within the same bounds as any other; the path is told in printable form.

use super::answer::Answer;
use super::body::{self, Bounds, Incoming};
use super::visit::Visit;
use super::webhook::{Keep, Webhook, announced_too_large, signature};
use crate::wire::signature::{is_plausible, verify};
use http::header::EXPECT;
use http::{Method, Request, StatusCode};

/// Characters of a path that are told.
const PATH_CHARACTERS_MAX: usize = 100;

/// Whether a request that is refused for where it goes can be one of Intuit's: nothing else is read.
pub(super) fn is_worth_a_look(request: &Request<Incoming>, refusal: &Answer) -> bool {
    let is_elsewhere = matches!(
        refusal.status(),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    );
    let is_signed = signature(request.headers()).is_ok_and(is_plausible);
    // Who asks first whether to send the body is told no, as on any other path that is not there.
    let asks_first = request.headers().contains_key(EXPECT);
    is_elsewhere && request.method() == Method::POST && is_signed && !asks_first
}

impl<K: Keep> Webhook<K> {
    /// Reads the request, and says so where it is Intuit's.
    pub(super) async fn look_at_misdirected(&self, request: Request<Incoming>, visit: &Visit) {
        let (head, body) = request.into_parts();
        let bounds = Bounds {
            bytes_max: self.limits.body_bytes_max,
            span: self.limits.body,
        };
        if announced_too_large(&body, &self.limits) {
            return;
        }
        let Ok(held) = body::read(body, visit, bounds).await else {
            return;
        };
        let verifiers = self.door.verifiers.load();
        let signature = signature(&head.headers).ok();
        let Ok(verifier) = verify(&verifiers, &held.bytes, signature) else {
            return;
        };
        let path = shown(head.uri.path());
        let counter = &self.door.tally.deliveries_misdirected;
        counter.add_one();
        if counter.value() <= 10 || counter.value().is_multiple_of(100) {
            let so_far = counter.value();
            tracing::warn!(peer = %visit.peer, path, verifier, so_far, "Intuit posts to a path that is not configured");
        }
        let now = self.door.clock.now();
        self.door.misdirected.note(verifier, path, now);
    }
}

/// A path of somebody else's for logs and pages: printable, and not too long.
fn shown(path: &str) -> String {
    let characters = path.chars().take(PATH_CHARACTERS_MAX);
    characters.flat_map(char::escape_default).collect()
}

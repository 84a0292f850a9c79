//! The public listener as the roof starts it: TLS, deliveries, and the way back from Intuit.

use super::answer::Answer;
use super::body::{Decoding, Incoming};
use super::connection::{Service, Site};
use super::consent::{self, Consent};
use super::listener;
use super::meter::Meter;
use super::visit::Visit;
use super::webhook::{self, Door, Keep, Webhook};
use crate::model::Limits;
use http::Request;
use rustls::ServerConfig;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves `door` on `listener`, and `consent` where companies can be connected, until `shutdown`
/// completes; then nobody new is taken in, requests in hand are finished, and it returns, at the latest
/// after `limits.body + limits.answer`. It does not return before.
pub async fn serve<K: Keep, C: Consent>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    door: Arc<Door<K>>,
    consent: Option<Arc<C>>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let tally = Arc::clone(&door.tally);
    let webhook = Webhook {
        door,
        limits: limits.clone(),
        decoding: Decoding::default(),
        meter: Meter::default(),
    };
    let service = Front { webhook, consent };
    let site = Site::new(service, Some(TlsAcceptor::from(tls)), limits, tally);
    listener::run(listener, site, shutdown).await;
}

/// What stands behind the public listener.
struct Front<K, C> {
    webhook: Webhook<K>,
    consent: Option<Arc<C>>,
}

impl<K: Keep, C: Consent> Service for Front<K, C> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        match &self.consent {
            // What is signed is Intuit's: it was sent to the wrong one of the two addresses.
            Some(consent)
                if request.uri().path() == consent::PATH && !webhook::is_signed(&request) =>
            {
                consent::answer(consent, &request, visit).await
            }
            _ => self.webhook.answer(request, visit).await,
        }
    }
}

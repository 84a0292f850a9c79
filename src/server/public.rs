//! The public listener as the roof starts it: TLS, and deliveries.

use super::body::Budget;
use super::connection::Site;
use super::listener;
use super::webhook::{Door, Keep, Webhook};
use crate::model::Limits;
use rustls::ServerConfig;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves `door` on `listener` until `shutdown` completes; then nobody new is taken in, requests in
/// hand are finished, and it returns, at the latest after `limits.body + limits.answer`. It does not
/// return before.
pub async fn serve<K: Keep>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    door: Arc<Door<K>>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let tally = Arc::clone(&door.tally);
    let service = Webhook {
        door,
        limits: limits.clone(),
        budget: Budget::new(limits.bodies_bytes_max),
    };
    let site = Site {
        service,
        tls: Some(TlsAcceptor::from(tls)),
        limits: limits.clone(),
        tally,
    };
    listener::run(listener, site, shutdown).await;
}

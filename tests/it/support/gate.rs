//! A public listener of our own on port 0, with a shelf where the journal would be.

use super::client::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use qbo_relay::clock;
use qbo_relay::model::{Kept, Limits, Receipt, Secret, Seq, Tally, Timestamp};
use qbo_relay::server::consent::Nobody;
use qbo_relay::server::face::Face;
use qbo_relay::server::public;
use qbo_relay::server::webhook::{Decoder, Door, Keep, Unkept};
use qbo_relay::tls::{self, Resolver};
use qbo_relay::wire::signature::Verifier;
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

pub(crate) const TOKEN: &str = "token-of-the-tests";
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_795_237_475_120);

/// A well-formed CloudEvents body of one event.
pub(crate) const BODY: &[u8] = include_bytes!("../../data/cloudevents-account-created.json");

/// Keeps receipts in memory, or does not.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    receipts: Mutex<Vec<Receipt>>,
    refusal: Mutex<Option<Unkept>>,
    /// Some: one permit is needed for each receipt.
    turnstile: Option<Semaphore>,
}

impl Shelf {
    /// Takes nothing before [`Self::let_in`].
    pub(crate) fn closed() -> Self {
        Self {
            turnstile: Some(Semaphore::new(0)),
            ..Self::default()
        }
    }

    /// Refuses everything.
    pub(crate) fn refusing(why: Unkept) -> Self {
        Self {
            refusal: Mutex::new(Some(why)),
            ..Self::default()
        }
    }

    pub(crate) fn let_in(&self, count: usize) {
        self.turnstile.as_ref().unwrap().add_permits(count);
    }

    pub(crate) fn receipts(&self) -> MutexGuard<'_, Vec<Receipt>> {
        self.receipts.lock().unwrap()
    }
}

/// The shelf as the door sees it.
pub(crate) struct OnShelf(Arc<Shelf>);

impl Keep for OnShelf {
    async fn keep(&self, receipt: Receipt) -> Result<Kept, Unkept> {
        if let Some(turnstile) = &self.0.turnstile {
            turnstile.acquire().await.unwrap().forget();
        }
        if let Some(why) = *self.0.refusal.lock().unwrap() {
            return Err(why);
        }
        let mut receipts = self.0.receipts();
        let known = receipts.iter().position(|known| known.body == receipt.body);
        if let Some(known) = known {
            let of = Seq(i64::try_from(known).unwrap() + 1);
            return Ok(Kept::Repeat { of });
        }
        receipts.push(receipt);
        let seq = Seq(i64::try_from(receipts.len()).unwrap());
        Ok(Kept::New { seq, changes: 1 })
    }
}

/// A public listener that runs.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) tally: Arc<Tally>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) resolver: Arc<Resolver>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

impl Gate {
    pub(crate) async fn open(limits: &Limits) -> Self {
        Self::open_with(limits, Shelf::default(), qbo_relay::wire::decode).await
    }

    pub(crate) async fn open_with(limits: &Limits, shelf: Shelf, decode: Decoder) -> Self {
        let resolver = Resolver::from_self_signed(&["localhost".into()]).unwrap();
        Self::open_as(Arc::new(resolver), limits, shelf, decode).await
    }

    pub(crate) async fn open_as(
        resolver: Arc<Resolver>,
        limits: &Limits,
        shelf: Shelf,
        decode: Decoder,
    ) -> Self {
        Self::open_full(resolver, limits, shelf, decode, Face::default()).await
    }

    /// A gate with this face of the original listener.
    pub(crate) async fn with_face(face: Face) -> Self {
        let resolver = Resolver::from_self_signed(&["localhost".into()]).unwrap();
        let (limits, shelf) = (Limits::default(), Shelf::default());
        Self::open_full(
            Arc::new(resolver),
            &limits,
            shelf,
            qbo_relay::wire::decode,
            face,
        )
        .await
    }

    async fn open_full(
        resolver: Arc<Resolver>,
        limits: &Limits,
        shelf: Shelf,
        decode: Decoder,
        face: Face,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tally = Arc::new(Tally::default());
        let shelf = Arc::new(shelf);
        let verifier = |name: &str, token: &str| Verifier {
            name: name.into(),
            token: Secret::new(token),
        };
        let verifiers = vec![
            verifier("old", "another token"),
            verifier("production", TOKEN),
        ];
        let door = Door {
            paths: vec!["/qbowebhook".into(), "/webhooks".into()],
            verifiers: Arc::new(verifiers).into(),
            face,
            keep: OnShelf(Arc::clone(&shelf)),
            decode,
            clock: Arc::new(clock::Manual::new(NOW)),
            tally: Arc::clone(&tally),
            misdirected: Arc::default(),
        };
        let tls = tls::server_config(Arc::clone(&resolver) as _).unwrap();
        let (stop, stopped) = oneshot::channel();
        let limits = limits.clone();
        let served = tokio::spawn(async move {
            let shutdown = async {
                // Also when the gate is dropped.
                let _ = stopped.await;
            };
            public::serve(
                listener,
                tls,
                Arc::new(door),
                None::<Arc<Nobody>>,
                &limits,
                shutdown,
            )
            .await;
        });
        Self {
            address,
            tally,
            shelf,
            resolver,
            stop: Some(stop),
            served,
        }
    }

    /// A client that trusts the certificate that serves now, and speaks HTTP/1.1.
    pub(crate) fn client(&self) -> Client {
        let current = self.resolver.current();
        Client::new(self.address, &current.key.cert[0])
    }

    /// Asks the listener to end.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

/// Small deadlines, so that what is to be cut is cut soon.
pub(crate) fn quick() -> Limits {
    Limits {
        handshake: Duration::from_millis(400),
        head: Duration::from_millis(400),
        body: Duration::from_millis(400),
        answer: Duration::from_millis(400),
        ..Limits::default()
    }
}

/// Intuit's signature over `body` with the tests' token.
pub(crate) fn sign(body: &[u8]) -> String {
    signed_by(TOKEN, body)
}

/// Intuit's signature over `body` with this token.
pub(crate) fn signed_by(token: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A signed delivery as bytes of HTTP/1.1.
pub(crate) fn delivery(body: &[u8]) -> Vec<u8> {
    let (signature, length) = (sign(body), body.len());
    let head = format!(
        "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {signature}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The head of a delivery that announces `length` bytes of body.
pub(crate) fn head(length: usize) -> Vec<u8> {
    let signature = sign(b"");
    format!(
        "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {signature}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

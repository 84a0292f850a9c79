//! The sink that posts deliveries to a URL, signed afresh on each attempt.
//!
//! It makes one attempt and says what came back; whether and when there is another is decided in
//! `rules::retry`. Called by `worker::lane`. It promises: an answer or a failure within the total
//! deadline, no redirect followed, no proxy used, no more of an answer read than agreed, and no
//! secret in what it says.

use super::dial::{DialError, Dialer, Route, cause};
use super::format::{Appetite, Encoded, Format};
use super::headers::{self, Authorization, BadHeader, Convention, Signing};
use super::target::Target;
use crate::model::{Change, Delivery, Limits, Outcome, Secret, SinkName, Stage, Timestamp};
use crate::wire::retry_after;
use crate::wire::url::{BadUrl, Url};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::time::sleep;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How often an HTTP/2 connection with a request on it is asked whether it is alive, and how long
/// it may think about it. Without it, one that died silently would swallow one attempt after
/// another until the kernel notices.
const PING: Duration = Duration::from_secs(5);

/// How long the rest of an answer is waited for.
const DRAIN: Duration = Duration::from_secs(1);

/// What an HTTP sink is made from.
#[derive(Clone)]
pub struct Settings {
    /// Its name.
    pub name: SinkName,
    /// Where deliveries are posted.
    pub url: Url,
    /// Their form.
    pub format: Format,
    /// The content type, where it is not that of the form.
    pub content_type: Option<HeaderValue>,
    /// What can change while the relay runs.
    pub credentials: Credentials,
    /// From the name lookup to the end of the TLS handshake.
    pub connect: Duration,
    /// From the start of an attempt to the end of the answer.
    pub total: Duration,
    /// Attempts at a time.
    pub concurrency: usize,
    /// Whether loopback and private addresses may be dialled.
    pub private_addresses: bool,
    /// Whether deliveries may leave without TLS, where the URL says `http`.
    pub plain: bool,
    /// Where the relay itself listens: never a target.
    pub own_addresses: Vec<SocketAddr>,
    /// Bytes of an answer that are read.
    pub answer_bytes_max: usize,
}

/// How a sink is convinced: all that a reload can swap.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Signing keys; of the kind that the format wants.
    pub signing: Signing,
    /// Bearer or Basic.
    pub authorization: Option<Authorization>,
    /// Further header fields, each name once.
    pub headers: Vec<(String, Secret)>,
    /// Trust, and the client certificate.
    pub tls: Arc<ClientConfig>,
}

/// Why an HTTP sink cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// Correct the URL.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// Correct the header or the credentials.
    #[error(transparent)]
    Header(#[from] BadHeader),
    /// Give a key of the other kind, or another format.
    #[error("the signing key is not of the kind that this format is signed with")]
    Signing,
}

/// An HTTP sink; share it behind an [`Arc`].
pub struct HttpSink {
    settings: Settings,
    target: Target,
    prepared: ArcSwap<Prepared>,
}

/// Credentials made ready, and the connections that were opened with them.
struct Prepared {
    client: Client<Dialer, Full<Bytes>>,
    signing: Signing,
    fields: HeaderMap,
}

impl Settings {
    /// Settings with the usual bounds: 10 s to connect, 20 s in total, 8 attempts at a time,
    /// private addresses and plain HTTP allowed.
    pub fn new(name: SinkName, url: Url, format: Format, credentials: Credentials) -> Self {
        Self {
            name,
            url,
            format,
            content_type: None,
            credentials,
            connect: Duration::from_secs(10),
            total: Duration::from_secs(20),
            concurrency: 8,
            private_addresses: true,
            plain: true,
            own_addresses: Vec::new(),
            answer_bytes_max: Limits::default().answer_bytes_max,
        }
    }
}

impl HttpSink {
    /// A sink; nothing is looked up or dialled before the first delivery.
    ///
    /// # Errors
    /// [`SettingsError`] says which setting cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let target = Target::new(settings.url.clone())?;
        let prepared = prepare(&settings, &target, &settings.credentials)?;
        Ok(Self {
            settings,
            target,
            prepared: ArcSwap::from_pointee(prepared),
        })
    }

    /// Uses other credentials from the next attempt on, over new connections.
    ///
    /// # Errors
    /// [`SettingsError`]; the old ones stay in use then.
    pub fn renew(&self, credentials: &Credentials) -> Result<(), SettingsError> {
        let prepared = prepare(&self.settings, &self.target, credentials)?;
        self.prepared.store(Arc::new(prepared));
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> &SinkName {
        &self.settings.name
    }

    /// Attempts at a time, at least 1.
    pub fn concurrency(&self) -> usize {
        self.settings.concurrency.max(1)
    }

    /// What one delivery takes.
    pub fn appetite(&self) -> Appetite {
        self.settings.format.appetite()
    }

    pub(super) fn fitting(&self, changes: &[Change]) -> usize {
        let format = &self.settings.format;
        format.fitting(changes, format.appetite().max)
    }

    /// One attempt, signed with the time `now`.
    pub async fn deliver(&self, delivery: &Delivery, now: Timestamp) -> Outcome {
        let prepared = self.prepared.load_full();
        let request = match self.request(&prepared, delivery, now) {
            Ok(request) => request,
            Err(error) => return self.failed(Stage::Connect, &error.to_string()),
        };
        let mut deadline = pin!(sleep(self.settings.total));
        let answer = tokio::select! {
            answer = prepared.client.request(request) => answer,
            () = deadline.as_mut() => {
                let within = format!("no answer within {:?}", self.settings.total);
                return self.failed(Stage::Answer, &within);
            }
        };
        match answer {
            Err(error) => self.explain(&error),
            Ok(answer) => {
                let outcome = judge(&answer, now);
                // The status has decided; the rest is read only so that the connection can serve
                // again, which is not worth a long wait.
                tokio::select! {
                    () = sleep(DRAIN) => {}
                    () = drain(answer.into_body(), self.settings.answer_bytes_max) => {}
                    () = deadline => {}
                }
                outcome
            }
        }
    }

    fn request(
        &self,
        prepared: &Prepared,
        delivery: &Delivery,
        now: Timestamp,
    ) -> http::Result<Request<Full<Bytes>>> {
        let format = &self.settings.format;
        let Encoded {
            body,
            content_type,
            fields,
        } = format.encode(delivery);
        let id = format.id(delivery);
        let mut request = Request::post(self.target.url.uri().clone());
        request = match &self.settings.content_type {
            Some(other) => request.header(CONTENT_TYPE, other),
            None => request.header(CONTENT_TYPE, content_type),
        };
        for (name, value) in fields {
            request = request.header(name, value);
        }
        if let Some(fields) = request.headers_mut() {
            fields.extend(prepared.fields.clone());
        }
        let fresh = headers::fresh(
            convention(format),
            &prepared.signing,
            &id,
            delivery,
            &body,
            now,
        );
        for (name, value) in fresh {
            request = request.header(name, value);
        }
        request.body(Full::from(body))
    }

    /// The innermost cause that says something, and how far the attempt came.
    fn explain(&self, error: &legacy::Error) -> Outcome {
        let mut detail = None;
        let mut link: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = link {
            if let Some(error) = error.downcast_ref::<DialError>() {
                let (stage, detail) = (error.stage, error.detail.clone());
                return Outcome::Failed { stage, detail };
            }
            let io = error.downcast_ref::<io::Error>();
            detail = Some(io.map_or_else(|| error.to_string(), cause));
            link = error.source();
        }
        let detail = detail.unwrap_or_else(|| error.to_string());
        // In TLS 1.3 a server judges the client certificate after the client's handshake is done;
        // the HTTP/2 library hands the error on as text only.
        let stage = match detail.starts_with("received fatal alert") {
            true => Stage::Tls,
            false => Stage::Answer,
        };
        self.failed(stage, &detail)
    }

    fn failed(&self, stage: Stage, cause: &str) -> Outcome {
        let detail = format!("{}: {cause}", self.target.url);
        Outcome::Failed { stage, detail }
    }
}

/// Without the URL, which may carry a token.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSink")
            .field("name", &self.settings.name)
            .field("target", &self.target.url)
            .finish_non_exhaustive()
    }
}

fn convention(format: &Format) -> Convention {
    match format {
        Format::OpenConnectors(_) => Convention::Elements,
        _ => Convention::StandardWebhooks,
    }
}

fn prepare(
    settings: &Settings,
    target: &Target,
    credentials: &Credentials,
) -> Result<Prepared, SettingsError> {
    match (convention(&settings.format), &credentials.signing) {
        (_, Signing::Unsigned)
        | (Convention::StandardWebhooks, Signing::StandardWebhooks(_))
        | (Convention::Elements, Signing::Elements(_)) => {}
        _ => return Err(SettingsError::Signing),
    }
    let route = Route {
        target: target.clone(),
        tls: Arc::clone(&credentials.tls),
        deadline: settings.connect,
        private_addresses: settings.private_addresses,
        plain: settings.plain,
        own_addresses: settings.own_addresses.clone(),
    };
    let client = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.concurrency.max(1))
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .build(Dialer(Arc::new(route)));
    Ok(Prepared {
        client,
        signing: credentials.signing.clone(),
        fields: headers::fixed(credentials.authorization.as_ref(), &credentials.headers)?,
    })
}

fn judge(answer: &Response<Incoming>, now: Timestamp) -> Outcome {
    let code = answer.status();
    let status = code.as_u16();
    let retry_after = retry_after::read(answer.headers(), Some(now));
    match code {
        _ if code.is_success() => Outcome::Accepted,
        StatusCode::GONE => Outcome::Gone,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Outcome::Busy {
            status,
            retry_after,
        },
        _ => Outcome::Refused {
            status,
            retry_after,
        },
    }
}

async fn drain(mut body: Incoming, bytes_max: usize) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > bytes_max {
            return;
        }
    }
}

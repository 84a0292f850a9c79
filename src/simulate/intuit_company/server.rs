//! The HTTP side: takes connections, finds out what is asked, lets go wrong what is to go wrong.

use super::answer::{Answer, Sent};
use super::calls::{Asked, Call};
use super::desk::{Desk, Question};
use super::faults::{Fault, Shape};
use super::{api, capture, oauth};
use crate::model::Environment;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// The longest body that is read.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 1_024;

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
    let mut open = JoinSet::new();
    loop {
        while open.len() >= CONNECTIONS_MAX || open.try_join_next().is_some() {
            if open.len() >= CONNECTIONS_MAX {
                open.join_next().await;
            }
        }
        let Ok((socket, _)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        _ = socket.set_nodelay(true);
        let (tls, desk) = (tls.clone(), Arc::clone(&desk));
        open.spawn(async move {
            match tls {
                None => converse(socket, desk).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(socket).await {
                        converse(stream, desk).await;
                    }
                }
            }
        });
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { respond(request, &desk).await }
    });
    _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What is asked for, before it is known what becomes of it.
enum Route {
    Discovery(Environment),
    Authorize,
    Token,
    Revoke,
    UserInfo,
    Keys,
    Api(Environment, String, Vec<String>),
    Control,
}

impl Route {
    fn of(question: &Question) -> Option<Self> {
        let path = question.path.as_str();
        match (question.method.as_str(), path) {
            ("GET", oauth::DISCOVERY) => return Some(Self::Discovery(Environment::Production)),
            ("GET", oauth::DISCOVERY_SANDBOX) => {
                return Some(Self::Discovery(Environment::Sandbox));
            }
            ("GET", oauth::AUTHORIZE) => return Some(Self::Authorize),
            ("POST", oauth::TOKEN) => return Some(Self::Token),
            ("POST", oauth::REVOKE) => return Some(Self::Revoke),
            ("GET", oauth::KEYS) => return Some(Self::Keys),
            ("GET", path) if path.ends_with(oauth::USERINFO) => {
                let host = path.strip_suffix(oauth::USERINFO);
                let is_known = matches!(host, Some("/accounts" | "/sandbox-accounts"));
                return is_known.then_some(Self::UserInfo);
            }
            _ => {}
        }
        if path.starts_with("/simulate/") {
            return Some(Self::Control);
        }
        let (environment, path) = match path.strip_prefix("/sandbox") {
            Some(path) => (Environment::Sandbox, path),
            None => (Environment::Production, path),
        };
        let mut parts = path.strip_prefix("/v3/company/")?.split('/');
        let realm = parts.next()?.to_owned();
        Some(Self::Api(
            environment,
            realm,
            parts.map(str::to_owned).collect(),
        ))
    }

    /// What sort of call it is and which company it is about.
    fn call(&self, desk: &Desk, question: &Question) -> Option<(Call, Option<String>)> {
        let owner = |name: &str| {
            let form = question.form();
            let token = form.iter().find(|(found, _)| found == name)?;
            desk.grants().realm_of(&token.1).map(str::to_owned)
        };
        Some(match self {
            Self::Control => return None,
            Self::Discovery(_) | Self::UserInfo | Self::Keys => (Call::Discovery, None),
            Self::Authorize => (Call::Authorize, None),
            Self::Revoke => (Call::Revoke, owner("token")),
            Self::Token => match owner("refresh_token") {
                Some(realm) => (Call::Refresh, Some(realm)),
                None if question.body_text().contains("grant_type=refresh_token") => {
                    (Call::Refresh, None)
                }
                None => (Call::Exchange, owner("code")),
            },
            Self::Api(_, realm, rest) => {
                let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
                (api::call(&rest), Some(realm.clone()))
            }
        })
    }
}

/// An error ends the connection without an answer.
async fn respond(request: Request<Incoming>, desk: &Desk) -> io::Result<Response<Sent>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let question = Question::new(head, body.to_bytes());
    let Some(route) = Route::of(&question) else {
        let nothing = serde_json::json!({"error": "there is nothing at this address"});
        return Ok(Answer::json(404, &nothing).sent(false));
    };
    let Some((call, realm)) = route.call(desk, &question) else {
        return Ok(desk.control(&question).sent(false));
    };
    let (latency, fault) = desk.faults.due(call, realm.as_deref());
    if !latency.is_zero() {
        sleep(latency).await;
    }
    let answer = match &fault {
        Some(fault) => instead(fault, desk, &question),
        None => None,
    };
    let inside = match &fault {
        Some(Fault::FaultInside { kind }) => Some(kind.clone().unwrap_or_default()),
        _ => None,
    };
    let answer = answer.unwrap_or_else(|| answer_to(&route, desk, &question, inside.as_deref()));
    let is_lost = fault == Some(Fault::AnswerLost);
    desk.calls().note(Asked {
        call,
        realm,
        target: if call.is_api() {
            question.target()
        } else {
            question.path.clone()
        },
        status: (!is_lost).then_some(answer.status),
    });
    if is_lost {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let trace = desk.trace();
    let answer = answer
        .with("intuit_tid", trace.clone())
        .with("intuit-tid", trace);
    Ok(answer.sent(fault == Some(Fault::Cut)))
}

fn answer_to(route: &Route, desk: &Desk, question: &Question, inside: Option<&str>) -> Answer {
    match route {
        Route::Discovery(environment) => desk.discovery(*environment),
        Route::Authorize => desk.authorization(question),
        Route::Token => desk.tokens(question),
        Route::Revoke => desk.revocation(question),
        Route::UserInfo => desk.user_info(question),
        Route::Keys => desk.keys(),
        Route::Api(environment, realm, rest) => {
            let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
            desk.api(*environment, realm, &rest, question, inside)
        }
        Route::Control => desk.control(question),
    }
}

/// What comes instead of the answer, where the fault is of that sort.
fn instead(fault: &Fault, desk: &Desk, question: &Question) -> Option<Answer> {
    let now = desk.clock.now();
    let token = question.bearer().unwrap_or_default();
    let invalid_grant = || Answer::refusal(400, "invalid_grant", Some("Token invalid"));
    Some(match fault {
        Fault::Latency { .. } | Fault::Cut | Fault::AnswerLost | Fault::FaultInside { .. } => {
            return None;
        }
        Fault::Throttled { shape } => match shape {
            Shape::Json429 => Answer::complaint(&api::throttled(), now),
            Shape::Gateway429 => {
                let detail = "The request limit was reached.  Try again later";
                Answer::gateway(429, "SERVICE", 3001, "ThrottleExceeded", detail, now)
            }
            Shape::Xml429 => Answer::xml_throttle(429, now),
            Shape::Xml403 => Answer::xml_throttle(403, now),
        },
        Fault::CapReached => Answer::refusal(
            429,
            "Monthly limit reached",
            Some("The monthly CorePlus API call limit of the Builder tier has been reached"),
        ),
        Fault::Status { status: 500 } => Answer::complaint(&capture::internal(), now),
        Fault::Status { status } => Answer::html(
            *status,
            format!(
                "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr><center>nginx</center></body></html>"
            ),
        ),
        Fault::Lapsed => Answer::complaint(&lapsed(), now),
        Fault::TooOld => {
            let since = question.parameter("changedSince").unwrap_or_default();
            Answer::complaint(&capture::too_old(since), now)
        }
        Fault::Unauthorized => Answer::bad_token(token, now),
        Fault::Forbidden => Answer::forbidden(now),
        Fault::NotFound => Answer::complaint(&api::not_found(), now),
        Fault::InvalidGrant => invalid_grant(),
        Fault::InvalidClient => Answer::refusal(401, "invalid_client", None),
    })
}

fn lapsed() -> super::answer::Complaint {
    super::answer::Complaint::invalid(
        "6190",
        "Invalid Company Status",
        "Subscription period has ended or canceled or there was a billing problem : You can't add data to QuickBooks Online Plus because your trial or subscription period ended or was canceled or there was a billing problem.".into(),
    )
}

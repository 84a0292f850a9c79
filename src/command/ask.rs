//! Asks the running relay over its control socket.

use crate::cli::Exit;
use crate::terminal::complain;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer: a dry run that names many changes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why there is no answer.
#[derive(thiserror::Error, Debug)]
pub(super) enum Error {
    /// Nobody listens.
    #[error("the relay is not running: nobody answers on {socket}")]
    NotRunning { socket: String },
    /// The socket may not be opened by this user.
    #[error("{socket} may not be opened by this user; try as root")]
    NotAllowed { socket: String },
    /// It listens, but did not answer well.
    #[error("the relay did not answer: {0}")]
    NoAnswer(String),
}

/// Asks and says on stderr what went wrong; the answer is JSON.
pub(super) fn order(
    socket: &Path,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<Value, Exit> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let asked = super::block_on(ask(socket, method, path, body.into_bytes()));
    let (status, answer) = match asked {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            complain(error);
            return Err(Exit::Journal);
        }
        Err(error) => {
            complain(error);
            return Err(Exit::Failure);
        }
    };
    let value: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if status == StatusCode::OK {
        return Ok(value);
    }
    match value.get("error").and_then(Value::as_str) {
        Some(why) => complain(why),
        None => complain(format_args!("the relay answered {status}")),
    }
    Err(Exit::Failure)
}

/// One request over the socket; the status and the body of the answer.
pub(super) async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), Error> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => Error::NotAllowed {
                socket: socket.display().to_string(),
            },
            _ => Error::NotRunning {
                socket: socket.display().to_string(),
            },
        })?;
    tokio::time::timeout(PATIENCE, exchange(stream, method, path, body))
        .await
        .map_err(|_| Error::NoAnswer(format!("nothing within {} s", PATIENCE.as_secs())))?
        .map_err(|error| Error::NoAnswer(error.to_string()))
}

async fn exchange(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(connection);
    tokio::select! {
        answer = answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => Err("the connection was closed".into()),
            Err(error) => Err(error.into()),
        },
    }
}

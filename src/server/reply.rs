//! An answer as hyper sends it: with the memory that it takes, and with an end that waits for the sender.
//!
//! Called by `connection`, once for every answer of every listener. Promises: no body where HTTP has
//! none (to HEAD, with 204 and with 304); the memory of an answer counts until its last byte is
//! handed to the system.

use super::body::Share;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What is still to be read of a request before its answer ends.
pub(super) type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body of an answer.
pub(super) struct Reply {
    data: Option<Bytes>,
    rest: Option<Rest>,
}

/// Bytes and their share of the memory.
struct Charged {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The answer to a request of this method, which holds `share` until it is sent.
///
/// `rest`: HTTP/2 ends a request that is answered before its end by a reset, and some clients then
/// show the reset instead of the answer. So the answer is sent, and its end when the sender is done.
pub(super) fn reply(
    answer: Response<Bytes>,
    method: &Method,
    share: Share,
    rest: Option<Rest>,
) -> Response<Reply> {
    let (mut head, bytes) = answer.into_parts();
    let is_bare = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
    if is_bare || method == Method::HEAD {
        if is_bare {
            head.headers.remove(CONTENT_LENGTH);
        } else {
            // What a GET would have brought.
            head.headers.insert(CONTENT_LENGTH, bytes.len().into());
        }
        let (data, rest) = (None, None);
        return Response::from_parts(head, Reply { data, rest });
    }
    let data = (!bytes.is_empty()).then(|| {
        Bytes::from_owner(Charged {
            bytes,
            _share: share,
        })
    });
    Response::from_parts(head, Reply { data, rest })
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(context));
            self.rest = None;
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.data.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn sent(status: u16, method: &Method) -> (Option<String>, Bytes) {
        let mut answer = Response::new(Bytes::from_static(b"a sentence"));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        let rest = Box::pin(std::future::ready(()));
        let reply = reply(answer, method, Share::default(), Some(rest));
        let length = reply.headers().get(CONTENT_LENGTH);
        let length = length.map(|length| length.to_str().unwrap().to_owned());
        let is_over = reply.body().is_end_stream();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(is_over, body.is_empty(), "{status} {method}");
        (length, body)
    }

    #[tokio::test]
    async fn there_is_no_body_where_http_has_none() {
        for status in [200, 404, 405, 503] {
            let (length, body) = sent(status, &Method::HEAD).await;
            assert_eq!((length.as_deref(), body.len()), (Some("10"), 0));
            assert_eq!(&*sent(status, &Method::POST).await.1, b"a sentence");
        }
        for status in [204, 304] {
            for method in [Method::GET, Method::HEAD, Method::POST] {
                assert_eq!(sent(status, &method).await, (None, Bytes::new()));
            }
        }
    }
}

//! Answers as Intuit gives them, in the shapes that were recorded; and answers that break off.

use crate::model::Timestamp;
use crate::simulate::books::pacific;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::json;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer that is not on its way yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// What the accounting service says is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Complaint {
    pub(super) status: u16,
    /// `ValidationFault`, `SERVICE`, ...
    pub(super) family: &'static str,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) detail: String,
}

const SERVICE_JSON: &str = "application/json;charset=utf-8";
const GATEWAY_JSON: &str = "application/json";

impl Answer {
    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body,
        }
    }

    /// JSON of the accounting service.
    pub(super) fn service(body: String) -> Self {
        let uncached = "max-age=0, no-cache, no-store, must-revalidate, private";
        Self::new(200, SERVICE_JSON, body).with("cache-control", uncached)
    }

    /// JSON of the gateway, the token endpoint and the simulator's own addresses.
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, GATEWAY_JSON, body.to_string()).with("cache-control", "no-store")
    }

    pub(super) fn html(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    pub(super) fn redirect(location: String) -> Self {
        Self::new(302, "text/html; charset=utf-8", String::new()).with("location", location)
    }

    /// A fault of the accounting service.
    pub(super) fn complaint(complaint: &Complaint, now: Timestamp) -> Self {
        let body = format!(
            r#"{{{},"time":"{}"}}"#,
            complaint.written(),
            pacific::millisecond(now)
        );
        Self::new(complaint.status, SERVICE_JSON, body)
    }

    /// A fault of the gateway: lower case, the time in milliseconds.
    pub(super) fn gateway(
        status: u16,
        family: &str,
        code: u16,
        name: &str,
        detail: &str,
        now: Timestamp,
    ) -> Self {
        let message = format!("message={name}; errorCode=00{code}; statusCode={status}");
        let error = json!({
            "message": message, "detail": detail, "code": code.to_string(), "element": null,
        });
        Self::json(
            status,
            &json!({
                "warnings": null, "intuitObject": null,
                "fault": {"error": [error], "type": family},
                "report": null, "queryResponse": null, "batchItemResponse": [],
                "attachableResponse": [], "syncErrorResponse": null, "requestId": null,
                "time": now.as_ms(), "status": null, "cdcresponse": [],
            }),
        )
    }

    /// The gateway's word on a token that is no good; it repeats the token.
    pub(super) fn bad_token(token: &str, now: Timestamp) -> Self {
        let detail = format!("Token expired: {token}");
        Self::gateway(
            401,
            "AUTHENTICATION",
            3200,
            "AuthenticationFailed",
            &detail,
            now,
        )
        .with(
            "www-authenticate",
            r#"Bearer realm="Intuit", error="invalid_token""#,
        )
    }

    /// The gateway's word on a company that the token is not for.
    pub(super) fn forbidden(now: Timestamp) -> Self {
        let name = "ApplicationAuthorizationFailed";
        Self::gateway(403, "AUTHORIZATION", 3100, name, "", now)
    }

    /// A throttle fault as XML, which comes also where JSON was asked for.
    pub(super) fn xml_throttle(status: u16, now: Timestamp) -> Self {
        let time = pacific::millisecond(now);
        Self::new(
            status,
            "text/xml",
            format!(
                r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><IntuitResponse time="{time}" xmlns="http://schema.intuit.com/finance/v3"><Fault type="SERVICE"><Error code="3001"><Message>message=ThrottleExceeded; errorCode=003001; statusCode={status}</Message><Detail>The request limit was reached.  Try again later</Detail></Error></Fault></IntuitResponse>"#
            ),
        )
    }

    /// A refusal of the token endpoint.
    pub(super) fn refusal(status: u16, error: &str, description: Option<&str>) -> Self {
        let body = match description {
            Some(description) => json!({"error_description": description, "error": error}),
            None => json!({"error": error}),
        };
        Self::json(status, &body)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer on its way; `cut` when the connection is to break in the middle of it.
    pub(super) fn sent(self, cut: bool) -> Response<Sent> {
        let mut response = Response::new(Sent::new(self.body, cut));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        if cut {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

impl Complaint {
    /// What cannot be understood or done (400).
    pub(super) fn invalid(code: &'static str, message: &'static str, detail: String) -> Self {
        Self {
            status: 400,
            family: "ValidationFault",
            code,
            message,
            detail,
        }
    }

    /// The fault by its name, without the braces of the answer around it.
    pub(super) fn written(&self) -> String {
        let error = json!({
            "Message": self.message, "Detail": self.detail, "code": self.code, "element": "",
        });
        let fault = json!({"Error": [error], "type": self.family});
        format!(r#""Fault":{fault}"#)
    }
}

/// A body that goes out whole, or breaks off after its first half.
#[derive(Debug)]
pub(super) struct Sent {
    rest: Bytes,
    announced: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Whole,
    Half,
    /// The first half is given time to leave.
    Pause,
    Break,
}

impl Sent {
    fn new(body: String, cut: bool) -> Self {
        Self {
            announced: body.len() as u64,
            rest: body.into(),
            stage: if cut { Stage::Half } else { Stage::Whole },
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.stage {
            Stage::Whole if self.rest.is_empty() => Poll::Ready(None),
            Stage::Whole => {
                let whole = std::mem::take(&mut self.rest);
                Poll::Ready(Some(Ok(Frame::data(whole))))
            }
            Stage::Half => {
                self.stage = Stage::Pause;
                let half = self.rest.len() / 2;
                Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(half)))))
            }
            Stage::Pause => {
                self.stage = Stage::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Stage::Break => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Whole && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_601_391_072_830);

    #[test]
    fn faults_have_the_shapes_that_were_recorded() {
        let bad_token = Answer::bad_token("AB01", NOW);
        assert_eq!(bad_token.status, 401);
        let body: serde_json::Value = serde_json::from_str(&bad_token.body).unwrap();
        assert_eq!(
            body["fault"]["error"][0]["message"],
            "message=AuthenticationFailed; errorCode=003200; statusCode=401"
        );
        assert_eq!(body["fault"]["error"][0]["detail"], "Token expired: AB01");
        assert_eq!(body["time"], 1_601_391_072_830_u64);

        let invalid =
            Complaint::invalid("2030", "Invalid ID", "Id should be a valid number".into());
        let answer = Answer::complaint(&invalid, NOW);
        assert_eq!(
            answer.body,
            r#"{"Fault":{"Error":[{"Detail":"Id should be a valid number","Message":"Invalid ID","code":"2030","element":""}],"type":"ValidationFault"},"time":"2020-09-29T07:51:12.830-07:00"}"#
        );
    }
}

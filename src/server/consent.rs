//! The page that a browser comes back to from Intuit, after a person has connected a company or has
//! declined to.
//!
//! Called by [`super::public`] where apps are configured. Not here: what the redirect means and what
//! is done with it; the roof says so through [`Consent`]. Promises: what came in the address is never
//! shown or logged by this module.

use super::answer::{Answer, Refusal};
use super::html::{Page, escape, html};
use super::router;
use http::{Method, Request, StatusCode};
use std::future::Future;

/// Where Intuit sends the browser: the path of every app's `redirect_uri`.
pub const PATH: &str = "/oauth/callback";

/// Somebody who takes what Intuit sent.
pub trait Consent: Send + Sync + 'static {
    /// Takes the query of the redirect; a sentence for the person about what came of it, good or bad.
    fn redirected(&self, query: &str) -> impl Future<Output = Result<String, String>> + Send;
}

/// Nobody: no app is configured, so nothing is answered on the path.
#[derive(Clone, Copy, Debug)]
pub enum Nobody {}

impl Consent for Nobody {
    async fn redirected(&self, _query: &str) -> Result<String, String> {
        match *self {}
    }
}

/// The answer to a request for [`PATH`].
pub(super) async fn answer<C: Consent, B>(consent: &C, request: &Request<B>) -> Answer {
    if let Err(refusal) = router::host(request) {
        return refusal.into();
    }
    if request.method() != Method::GET {
        return Refusal::NotAllowed("GET").into();
    }
    let query = request.uri().query().unwrap_or_default();
    let (status, class, title, sentence) = match consent.redirected(query).await {
        Ok(sentence) => (StatusCode::OK, "good", "Connected", sentence),
        Err(sentence) => (StatusCode::BAD_REQUEST, "bad", "Not connected", sentence),
    };
    let sentence = escape(&sentence);
    let body = format!(
        "<h1 class=\"{class}\">{title}</h1>\n<p>{sentence}</p>\n<p>You can close this page.</p>\n"
    );
    let page = Page {
        title,
        renewed_s: None,
        body: &body,
    };
    html(status, page.render())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    /// Says back what it was told.
    struct Parrot;

    impl Consent for Parrot {
        async fn redirected(&self, query: &str) -> Result<String, String> {
            if query.is_empty() {
                Err("<nothing>".into())
            } else {
                Ok(query.into())
            }
        }
    }

    async fn get(method: &str, uri: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("host", "gw.example").body(()).unwrap();
        let answer = answer(&Parrot, &request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_person_is_told_what_came_of_it() {
        let (status, page) = get("GET", "/oauth/callback?a=1").await;
        assert!(status == 200 && page.contains("<p>a=1</p>"), "{page}");
        let (status, page) = get("GET", "/oauth/callback").await;
        assert!(
            status == 400 && page.contains("<p>&lt;nothing&gt;</p>"),
            "{page}"
        );
        assert_eq!(get("POST", "/oauth/callback?a=1").await.0, 405);
    }
}

//! The way of a browser to Intuit and back: the link that was given out, and the page that it comes
//! back to after a person has connected a company or has declined to.
//!
//! Called by [`super::public`] where apps are configured. Not here: what the redirect means and what
//! is done with it; the roof says so through [`Consent`]. Promises: what came in the address is never
//! shown or logged by this module; a browser that goes away breaks nothing off.

use super::answer::{Answer, Refusal};
use super::html::{Page, escape, html};
use super::router;
use super::visit::Visit;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderValue, Method, Request, StatusCode};
use std::future::Future;
use std::sync::Arc;

/// Where Intuit sends the browser: the path of every app's `redirect_uri`.
pub const PATH: &str = "/oauth/callback";

/// What a link has in its query and a redirect of Intuit's has not.
const BEGIN: &str = "begin=";

/// How long a browser keeps the cookie: as long as a consent is open, and its outcome is remembered.
const COOKIE_S: u32 = 20 * 60;

/// A browser that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Came {
    /// The query of its address.
    pub query: String,
    /// The values of its cookie fields.
    pub cookies: Vec<String>,
    /// Where it came from, for the record.
    pub peer: String,
}

/// Where a browser is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Departure {
    /// The address.
    pub url: String,
    /// What it is to bring back: `name=value`.
    pub cookie: String,
}

/// Somebody who takes what Intuit sent.
pub trait Consent: Send + Sync + 'static {
    /// Opens the link with this secret.
    ///
    /// # Errors
    /// A sentence for the person.
    fn opened(&self, link: &str, came: &Came) -> Result<Departure, String>;

    /// Takes the query of the redirect; a sentence for the person about what came of it, good or bad.
    fn redirected(&self, came: Came) -> impl Future<Output = Result<String, String>> + Send;
}

/// Nobody: no app is configured, so nothing is answered on the path.
#[derive(Clone, Copy, Debug)]
pub enum Nobody {}

impl Consent for Nobody {
    fn opened(&self, _link: &str, _came: &Came) -> Result<Departure, String> {
        match *self {}
    }

    async fn redirected(&self, _came: Came) -> Result<String, String> {
        match *self {}
    }
}

/// The answer to a request for [`PATH`].
pub(super) async fn answer<C: Consent, B>(
    consent: &Arc<C>,
    request: &Request<B>,
    visit: &Visit,
) -> Answer {
    if let Err(refusal) = router::host(request) {
        return refusal.into();
    }
    if request.method() != Method::GET {
        return Refusal::NotAllowed("GET").into();
    }
    let cookies = request.headers().get_all(COOKIE).iter();
    let cookies = cookies.filter_map(|field| field.to_str().ok());
    let came = Came {
        query: request.uri().query().unwrap_or_default().to_owned(),
        cookies: cookies.map(str::to_owned).collect(),
        peer: visit.peer.to_string(),
    };
    if let Some(link) = came.query.strip_prefix(BEGIN) {
        let departure = consent.opened(link, &came);
        return match departure.map(|departure| depart(&departure)) {
            Ok(Some(answer)) => answer,
            Ok(None) => told(Err("The way to Intuit could not be written.".into())),
            Err(why) => told(Err(why)),
        };
    }
    // In a task of its own: a browser that goes away must not leave a code spent and nothing stored.
    let consent = Arc::clone(consent);
    let task = tokio::spawn(async move { consent.redirected(came).await });
    told(task.await.unwrap_or_else(|error| {
        // Not the panic's own text: it may quote what somebody sent.
        tracing::error!(panicked = error.is_panic(), "the task of a consent failed");
        Err("That failed; begin again.".into())
    }))
}

/// On to Intuit, with the cookie. `Lax`: Intuit's redirect brings it, forms and images elsewhere do not.
fn depart(departure: &Departure) -> Option<Answer> {
    let cookie = format!(
        "{}; Path=/; Max-Age={COOKIE_S}; Secure; HttpOnly; SameSite=Lax",
        departure.cookie
    );
    let mut cookie = HeaderValue::try_from(cookie).ok()?;
    cookie.set_sensitive(true);
    let location = HeaderValue::try_from(departure.url.as_str()).ok()?;
    let page = Page {
        title: "connect a company",
        renewed_s: None,
        body: "<h1>Connect a company</h1>\n<p>On to Intuit.</p>\n",
    };
    let mut answer = html(StatusCode::SEE_OTHER, page.render());
    answer.headers_mut().insert(SET_COOKIE, cookie);
    answer.headers_mut().insert(LOCATION, location);
    Some(answer)
}

fn told(outcome: Result<String, String>) -> Answer {
    let (status, class, title, sentence) = match outcome {
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
    use super::super::body::Budget;
    use super::super::peer::Peer;
    use super::super::registry::{Admission, Registry};
    use super::*;
    use crate::model::Limits;
    use http_body_util::BodyExt as _;

    /// Says back what it was told.
    struct Parrot;

    impl Consent for Parrot {
        fn opened(&self, link: &str, came: &Came) -> Result<Departure, String> {
            let departure = Departure {
                url: format!("https://intuit.example/?state={link}"),
                cookie: "__Host-a=1".into(),
            };
            came.cookies
                .is_empty()
                .then_some(departure)
                .ok_or_else(|| "<opened>".into())
        }

        async fn redirected(&self, came: Came) -> Result<String, String> {
            if came.query.is_empty() {
                Err("<nothing>".into())
            } else {
                Ok(format!("{} {}", came.query, came.cookies.join("+")))
            }
        }
    }

    async fn ask(method: &str, uri: &str, cookies: &[&str]) -> (Answer, String) {
        let registry = Registry::new(&Limits::default(), Budget::new(0));
        let Some(Admission::Admitted(place)) = registry.admit(Peer::Local) else {
            panic!("no room");
        };
        let mut request = Request::builder().method(method).uri(uri);
        for cookie in cookies {
            request = request.header("cookie", *cookie);
        }
        let request = request.header("host", "gw.example").body(()).unwrap();
        let mut answer = answer(&Arc::new(Parrot), &request, place.visit()).await;
        let body = answer.body_mut().collect().await.unwrap().to_bytes();
        (answer, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_person_is_told_what_came_of_it() {
        let (answer, page) = ask("GET", "/oauth/callback?a=1", &["c=d", "e=f"]).await;
        let is_told = page.contains("<p>a=1 c=d+e=f</p>");
        assert!(answer.status() == 200 && is_told, "{page}");
        let (answer, page) = ask("GET", "/oauth/callback", &[]).await;
        let is_told = page.contains("<p>&lt;nothing&gt;</p>");
        assert!(answer.status() == 400 && is_told, "{page}");
        let (answer, _) = ask("POST", "/oauth/callback?a=1", &[]).await;
        assert_eq!(answer.status(), 405);
    }

    #[tokio::test]
    async fn a_link_leads_to_intuit_and_leaves_a_cookie_that_only_the_way_back_brings() {
        let (answer, _) = ask("GET", "/oauth/callback?begin=x", &[]).await;
        assert_eq!(answer.status(), 303);
        let field = |name| answer.headers()[name].to_str().unwrap();
        assert_eq!(field(LOCATION), "https://intuit.example/?state=x");
        assert_eq!(
            field(SET_COOKIE),
            "__Host-a=1; Path=/; Max-Age=1200; Secure; HttpOnly; SameSite=Lax"
        );
        let (answer, page) = ask("GET", "/oauth/callback?begin=x", &["c=d"]).await;
        assert_eq!(answer.status(), 400);
        assert!(page.contains("&lt;opened&gt;"), "{page}");
    }
}

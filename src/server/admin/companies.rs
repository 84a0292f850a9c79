//! The page about companies: which ones the relay may read, and the way to connect another.
//!
//! Called by the admin listener. Not here: what connecting means; the roof says so through
//! [`Register`]. Promises: a page of another origin cannot begin a consent by way of a browser on
//! this machine; nothing here ends a connection.

use super::super::answer::{Answer, Refusal};
use super::super::html::{Page, escape, html};
use super::super::origin;
use super::super::visit::Visit;
use crate::model::{AppName, Company, Standing};
use http::{Method, Request, StatusCode};
use std::fmt::Write as _;
use std::future::Future;
use std::net::IpAddr;

/// Where the page is.
pub(super) const PATH: &str = "/companies";

/// Where its buttons lead.
pub(super) const CONNECT: &str = "/companies/connect";

/// Who knows the companies and begins consents.
pub trait Register: Send + Sync + 'static {
    /// The companies that are or were connected; why they cannot be told.
    fn companies(&self) -> impl Future<Output = Result<Vec<Company>, String>> + Send;

    /// The apps by which a company can be connected.
    fn apps(&self) -> Vec<AppName>;

    /// Begins a consent for somebody with a browser: the link to open.
    ///
    /// # Errors
    /// Why not, in a sentence for a person.
    fn begin(
        &self,
        app: &str,
        from: &BrowserOrigin,
    ) -> impl Future<Output = Result<String, String>> + Send;
}

/// Where a browser is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrowserOrigin {
    /// The network, by which what one may have open is bounded; `None` for a Unix socket.
    pub network: Option<IpAddr>,
    /// The same in words, for the record.
    pub peer: String,
}

/// The list, with a button for each app.
pub(super) async fn list<R: Register>(register: &R) -> Answer {
    let companies = match register.companies().await {
        Ok(companies) => companies,
        Err(why) => return page(StatusCode::SERVICE_UNAVAILABLE, &sentence(&why)),
    };
    let mut body = String::from("<h1>QuickBooks companies</h1>\n");
    if companies.is_empty() {
        body.push_str("<p>None is connected.</p>\n");
    } else {
        body.push_str("<table>\n<tr><th>Company</th><th>May be read</th><th>App</th></tr>\n");
        for company in &companies {
            row(&mut body, company);
        }
        body.push_str("</table>\n");
    }
    let apps = register.apps();
    if apps.is_empty() {
        body.push_str("<p>To connect one, add an [[app]] to the configuration.</p>\n");
    }
    for app in apps {
        // Writing to a string cannot fail. An app's name has no character that needs escaping.
        let _ = writeln!(
            body,
            "<form method=\"post\" action=\"{CONNECT}?app={app}\">\
             <button>Connect a company by {app}</button></form>"
        );
    }
    page(StatusCode::OK, &body)
}

/// The answer to a button: the way to Intuit.
pub(super) async fn connect<R: Register>(
    register: &R,
    request: &Request<impl Sync>,
    visit: &Visit,
) -> Answer {
    if request.method() != Method::POST {
        return Refusal::NotAllowed("POST").into();
    }
    if origin::is_foreign(request) {
        return Refusal::ForeignPage.into();
    }
    let query = request.uri().query().unwrap_or_default();
    let app = query.strip_prefix("app=").unwrap_or_default();
    let from = BrowserOrigin {
        network: visit.peer.network(),
        peer: visit.peer.to_string(),
    };
    match register.begin(app, &from).await {
        Ok(url) => {
            let url = escape(&url);
            let body = format!(
                "<h1>Connect a company</h1>\n<p><a href=\"{url}\" rel=\"noreferrer\">Go to Intuit</a>, \
                 sign in to the company, and agree. The way is open for ten minutes, once, in this \
                 browser. A company that is new here waits until the operator has approved it.</p>\n\
                 <p>The link leads over the gateway's public address. If the browser cannot reach \
                 that, run <code>qbo-relay connect</code> on the gateway instead.</p>\n"
            );
            page(StatusCode::OK, &body)
        }
        Err(why) => page(StatusCode::BAD_REQUEST, &sentence(&why)),
    }
}

fn row(body: &mut String, company: &Company) {
    let (class, standing) = match &company.standing {
        Standing::Connected => ("good", "yes".to_owned()),
        Standing::AwaitsApproval => {
            let how = format!("not yet: run qbo-relay company approve {}", company.realm);
            ("fair", how)
        }
        Standing::NeedsAuthorization { why } => ("bad", format!("no: {why}. Connect it again")),
        Standing::Disconnected => ("fair", "no: disconnected".to_owned()),
    };
    let _ = writeln!(
        body,
        "<tr><td>{}</td><td class=\"{class}\">{}</td><td>{} ({})</td></tr>",
        escape(company.realm.as_str()),
        escape(&standing),
        company.app,
        company.environment.as_str()
    );
}

fn sentence(why: &str) -> String {
    format!(
        "<h1 class=\"bad\">That did not work</h1>\n<p>{}</p>\n",
        escape(why)
    )
}

fn page(status: StatusCode, body: &str) -> Answer {
    let title = "companies";
    let page = Page {
        title,
        renewed_s: None,
        body,
    };
    html(status, page.render())
}

#[cfg(test)]
mod tests {
    use super::super::super::body::Budget;
    use super::super::super::peer::Peer;
    use super::super::super::registry::{Admission, Registry};
    use super::*;
    use crate::model::{Environment, Limits, RealmId, Timestamp};
    use http_body_util::BodyExt as _;

    const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);

    struct Fixed;

    impl Register for Fixed {
        async fn companies(&self) -> Result<Vec<Company>, String> {
            Ok(vec![Company {
                realm: RealmId::new("310687").unwrap(),
                app: AppName::new("books").unwrap(),
                environment: Environment::Sandbox,
                connected_at: NOW,
                standing: Standing::NeedsAuthorization {
                    why: "<b>no</b>".into(),
                },
                standing_since: NOW,
                access_expires_at: None,
                refresh_expires_at: None,
                hard_expires_at: None,
            }])
        }

        fn apps(&self) -> Vec<AppName> {
            vec![AppName::new("books").unwrap()]
        }

        async fn begin(&self, app: &str, from: &BrowserOrigin) -> Result<String, String> {
            assert_eq!(from.peer, "192.168.1.7");
            let url = "https://gw.example/oauth/callback?begin=1&b=2";
            (app == "books")
                .then(|| url.into())
                .ok_or("no such app".into())
        }
    }

    async fn text(answer: Answer) -> String {
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    async fn post(query: &str, origin: Option<&str>) -> Answer {
        let peer = Peer::of("192.168.1.7".parse().unwrap());
        let registry = Registry::new(&Limits::default(), Budget::new(0));
        let Some(Admission::Admitted(place)) = registry.admit(peer) else {
            panic!("no room");
        };
        let request = Request::builder().method("POST");
        let request = request
            .uri(format!("{CONNECT}?{query}"))
            .header("host", "localhost:8081");
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        let request = request.body(()).unwrap();
        connect(&Fixed, &request, place.visit()).await
    }

    #[tokio::test]
    async fn the_list_says_which_company_needs_a_person_and_offers_the_apps() {
        let page = text(list(&Fixed).await).await;
        assert!(
            page.contains("no: &lt;b&gt;no&lt;/b&gt;. Connect it again"),
            "{page}"
        );
        assert!(
            page.contains("action=\"/companies/connect?app=books\""),
            "{page}"
        );
    }

    #[tokio::test]
    async fn a_button_leads_to_intuit() {
        let answer = post("app=books", Some("http://localhost:8081")).await;
        assert_eq!(answer.status(), 200);
        let page = text(answer).await;
        assert!(page.contains("href=\"https://gw.example/oauth/callback?begin=1&amp;b=2\""));
        assert_eq!(post("app=other", None).await.status(), 400);
        assert_eq!(post("", None).await.status(), 400);
    }

    #[tokio::test]
    async fn a_page_of_another_origin_begins_nothing() {
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:9",
            "http://localhost",
        ] {
            let answer = post("app=books", Some(origin)).await;
            assert_eq!(answer.status(), 403, "{origin}");
        }
    }
}

//! Consents that are begun on the admin page: bound to the browser, bounded for each network, and
//! approved by the operator before a company is read.

use super::connecting::{REALM, Scene, client};
use crate::support::relay::eventually;
use bytes::Bytes;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use qbo_relay::simulate::intuit_company::{Call, Consent};

/// A browser: it keeps cookies, and looks every name up as this machine.
#[derive(Default)]
struct Browser {
    cookies: Vec<String>,
}

impl Browser {
    async fn ask(&mut self, method: Method, address: &str) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(address);
        for cookie in &self.cookies {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = client().request(request).await.unwrap().into_parts();
        for cookie in head.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookies.push(pair.to_owned());
        }
        let body = body.collect().await.unwrap().to_bytes();
        (
            head.status,
            head.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    /// Presses the page's button: the status, and the link on the page that comes.
    async fn press(&mut self, scene: &Scene) -> (StatusCode, String) {
        let admin = scene.gateway.admin.unwrap();
        let address = format!("http://{admin}/companies/connect?app=books");
        let (status, _, page) = self.ask(Method::POST, &address).await;
        let link = page
            .split("href=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        (status, link.unwrap_or(&page).replace("&amp;", "&"))
    }

    /// Opens a link to the gateway's public address; where it leads, or what the page says.
    async fn open(&mut self, scene: &Scene, link: &str) -> Result<String, String> {
        let link: Uri = link.parse().unwrap();
        assert_eq!(link.host(), Some("gw.example"));
        let path = link.path_and_query().unwrap();
        let here = format!("https://{}{path}", scene.gateway.https.unwrap());
        let (_, head, page) = self.ask(Method::GET, &here).await;
        match head.get(LOCATION) {
            Some(location) => Ok(location.to_str().unwrap().to_owned()),
            None if page.contains("class=\"good\"") => Ok(page),
            None => Err(page),
        }
    }
}

/// How the company stands.
fn standing(scene: &Scene) -> String {
    let companies = scene.companies();
    assert_eq!(companies.len(), 1);
    companies[0]["standing"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_comes_back_to_the_browser_that_began_it_and_waits_for_approval() {
    let scene = Scene::with(Consent::AtOnce).await;
    let (mut mine, mut other) = (Browser::default(), Browser::default());
    let (status, link) = mine.press(&scene).await;
    assert_eq!(status, 200, "{link}");
    let intuit = mine.open(&scene, &link).await.unwrap();
    let again = mine.open(&scene, &link).await;
    assert_eq!(again, Ok(intuit.clone()), "the same browser may");
    let refused = other.open(&scene, &link).await.unwrap_err();
    assert!(refused.contains("begun in another browser"), "{refused}");

    let redirect = scene.consent(&intuit).await;
    let refused = other.open(&scene, &redirect).await.unwrap_err();
    assert!(refused.contains("begun in another browser"), "{refused}");
    assert_eq!(scene.intuit.calls().all(Call::Exchange), 0);
    let page = mine.open(&scene, &redirect).await.unwrap();
    let how = format!("qbo-relay company approve {REALM}");
    assert!(page.contains(&how), "{page}");

    // It is not read, and it is said.
    assert_eq!(standing(&scene), "awaits approval");
    assert!(scene.says(&["company", "list"]).contains(&how));
    let told = eventually("the status says so", || {
        let output = scene.gateway.command(&["status"]);
        let told = String::from_utf8(output.stdout).unwrap();
        (output.status.code() == Some(1) && told.contains(&how)).then_some(told)
    });
    assert!(told.contains("4 short flashes every 4 s"), "{told}");
    let other_company = "9341455841580199";
    let told = scene.complains(&["company", "approve", other_company]);
    assert!(
        told.contains(&format!("company {other_company} is not connected")),
        "{told}"
    );
    let reads = scene.intuit.calls().metered() - scene.intuit.calls().all(Call::CompanyInfo);
    assert_eq!(reads, 0);

    let told = scene.says(&["company", "approve", REALM]);
    assert!(told.contains("approved"), "{told}");
    assert_eq!(standing(&scene), "connected");
    eventually("it is read", || {
        let calls = scene.intuit.calls();
        (calls.metered() > calls.all(Call::CompanyInfo)).then_some(())
    });
    let told = scene.complains(&["company", "approve", REALM]);
    assert!(
        told.contains("does not wait for approval: it is connected"),
        "{told}"
    );

    // Once approved, it need not be again.
    let (_, link) = mine.press(&scene).await;
    let intuit = mine.open(&scene, &link).await.unwrap();
    let redirect = scene.consent(&intuit).await;
    let page = mine.open(&scene, &redirect).await.unwrap();
    assert!(
        page.contains(&format!("Company {REALM} is connected.")),
        "{page}"
    );
    assert_eq!(standing(&scene), "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_pastes_or_ended_is_the_operators_to_decide() {
    let scene = Scene::with(Consent::AtOnce).await;
    let mut browser = Browser::default();
    let (_, link) = browser.press(&scene).await;
    let intuit = browser.open(&scene, &link).await.unwrap();
    let redirect = scene.consent(&intuit).await;
    // No cookie is needed in the operator's shell, and no approval.
    scene.says(&["connect", "--paste", &redirect]);
    assert_eq!(standing(&scene), "connected");
    scene.says(&["company", "disconnect", REALM]);

    let (_, link) = browser.press(&scene).await;
    let intuit = browser.open(&scene, &link).await.unwrap();
    let redirect = scene.consent(&intuit).await;
    browser.open(&scene, &redirect).await.unwrap();
    assert_eq!(standing(&scene), "awaits approval");
    let told = scene.says(&["company", "disconnect", REALM]);
    assert!(told.contains("revoked at Intuit"), "{told}");
    assert_eq!(standing(&scene), "disconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_consents_of_one_network_end_nobody_elses() {
    let scene = Scene::with(Consent::AtOnce).await;
    let operators = scene.begin();
    let mut browser = Browser::default();
    let (_, first) = browser.press(&scene).await;
    let mut refused = 0;
    for _ in 0..40 {
        let (status, page) = browser.press(&scene).await;
        if status == StatusCode::BAD_REQUEST {
            assert!(page.contains("qbo-relay connect"), "{page}");
            refused += 1;
        }
    }
    assert_eq!(refused, 33, "eight are open");
    let redirect = scene.consent(&operators).await;
    let (status, page) = scene.come_back(&redirect).await;
    assert_eq!(status, 200, "{page}");
    let intuit = browser.open(&scene, &first).await.unwrap();
    let redirect = scene.consent(&intuit).await;
    let page = browser.open(&scene, &redirect).await;
    assert!(page.is_ok(), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_an_entry_that_says_who_and_what_came_of_it() {
    let scene = Scene::with(Consent::AtOnce).await;
    let mut browser = Browser::default();
    let (_, link) = browser.press(&scene).await;
    let intuit = browser.open(&scene, &link).await.unwrap();
    let redirect = scene.consent(&intuit).await;
    browser.open(&scene, &redirect).await.unwrap();
    browser.open(&scene, &redirect).await.unwrap();
    scene.says(&["company", "approve", REALM]);
    scene.complains(&["company", "disconnect", "1"]);
    scene.says(&["company", "disconnect", REALM]);
    let refused = scene.gateway.command(&["sink", "enable", "instance-99"]);
    assert!(!refused.status.success());
    scene.says(&["admin-secret"]);
    // What only looks, and what anybody can send, is no entry.
    scene.says(&["company", "list"]);
    scene
        .come_back("/oauth/callback?code=x&state=y&realmId=1")
        .await;
    let events = scene.says(&["journal", "events"]);
    let entries: Vec<&str> = events
        .lines()
        .filter_map(|line| line.split_once(" audit ").map(|(_, text)| text.trim()))
        .collect();
    let expected = [
        (
            "connect --app books: begun;",
            "by a browser without a login from 127.0.0.1",
        ),
        (
            "consent: Company",
            "by a browser without a login from 127.0.0.1",
        ),
        (
            "company approve 9341455841580195: done;",
            "by the operator's shell",
        ),
        (
            "company disconnect 1: company 1 is not connected;",
            "by the operator's shell",
        ),
        (
            "company disconnect 9341455841580195: done;",
            "by the operator's shell",
        ),
        ("sink enable instance-99: ", "by the operator's shell"),
        ("admin-secret: done;", "by the operator's shell"),
    ];
    assert_eq!(entries.len(), expected.len(), "{events}");
    for (entry, (call, by)) in entries.iter().zip(expected) {
        assert!(entry.starts_with(call) && entry.contains(by), "{entry}");
    }
}

//! The demo's chapter about the QuickBooks side: a person's consent, a notification whose record is
//! fetched, a notification that was lost and whose change is found, a token that ends.

use super::Mishap;
use super::tale::Tale;
use crate::connect::{Bringer, Desk};
use crate::simulate::books::{Books, Happening};
use crate::simulate::company::PayloadForm;
use crate::simulate::intuit_company::notices::payload;
use crate::simulate::intuit_company::{Call, CompanyFacts, FakeIntuit, Options, Rotation};
use crate::terminal::{Tint, say, tinted};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// The company of this chapter.
const REALM: &str = "4620816365000001";

/// An Intuit whose refresh tokens change each time, with one company.
pub(super) async fn intuit() -> Result<FakeIntuit, Mishap> {
    let company = CompanyFacts {
        realm: REALM.into(),
        environment: crate::model::Environment::Production,
    };
    let options = Options {
        companies: vec![company],
        rotation: Rotation::EachTime,
        ..Options::default()
    };
    Ok(FakeIntuit::start(options).await?)
}

/// The app as the configuration has it.
pub(super) fn app(intuit: &FakeIntuit) -> String {
    let production = crate::model::Environment::Production;
    format!(
        r#"
[[app]]
name = "demo"
client_id = "client"
client_secret = "secret"
redirect_uri = "https://localhost/oauth/callback"
authorize_url = "{}"
token_url = "{}"
revoke_url = "{}"
api_url = "{}"

[reconcile]
settle = "200 ms"
"#,
        intuit.authorize_url(),
        intuit.token_url(),
        intuit.revoke_url(),
        intuit.api_url(production),
    )
}

impl Tale<'_> {
    /// A company is connected, and read.
    pub(super) async fn books(&mut self) -> Result<(), Mishap> {
        say(tinted(
            Tint::Bold,
            "QuickBooks is asked: a notification is only a hint (a simulated Intuit with a company)",
        ));
        let intuit = self.stage.intuit_company();
        let books = intuit.books(REALM).ok_or("the company is gone")?.quietly();
        consent(self.stage.desk()).await?;
        say(format_args!(
            "  a person consents at Intuit: company {REALM} is connected"
        ));
        let invoice = books.create("Invoice")?;
        self.notify("CloudEvents: an invoice was created", &invoice)
            .await;
        self.show_arrivals().await?;

        books.create("Bill")?;
        say("  a bill is created, and its notification is lost");
        self.expected_events += 1;
        self.notify(
            "CloudEvents: another bill was created",
            &books.create("Bill")?,
        )
        .await;
        self.show_arrivals().await?;

        let before = intuit.calls().of(REALM, Call::Refresh);
        intuit.expire_access(REALM);
        say("  the access token ends");
        self.notify(
            "CloudEvents: a customer was created",
            &books.create("Customer")?,
        )
        .await;
        self.show_arrivals().await?;
        let calls = intuit.calls();
        let renewed = calls.of(REALM, Call::Refresh) - before;
        say(format_args!(
            "  new tokens, stored before they were used: {renewed} renewal; {} calls of Change Data Capture \
             in all",
            calls.of(REALM, Call::Capture)
        ));
        say("");
        self.are_books_good = renewed == 1 && self.is_told(&books);
        Ok(())
    }

    async fn notify(&mut self, title: &str, happening: &Happening) {
        let body = payload(PayloadForm::Cloudevents, std::slice::from_ref(happening));
        self.post(title, &body, 1).await;
    }

    /// Whether the receiver was told everything that happened, with the record each time.
    fn is_told(&self, books: &Books) -> bool {
        let received = self.stage.receiver.received();
        let received = received.borrow();
        books.history().iter().all(|happening| {
            let subject = format!("{}/{}", happening.kind, happening.id);
            received.events.iter().any(|event| {
                event.realmid == REALM && event.subject == subject && event.data.record.is_some()
            })
        })
    }
}

/// What a person's browser does: it opens the address, and comes back with Intuit's answer.
async fn consent(desk: &Desk) -> Result<(), Mishap> {
    let begun = desk.begin(None)?;
    let browser: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(begun.url).body(Empty::new())?;
    let answer = browser.request(request).await?;
    let back = answer.headers().get("location");
    let back = back.ok_or("Intuit sends the browser nowhere")?;
    let back = back.to_str()?;
    desk.complete(back, Bringer::Browser(&[])).await?.outcome?;
    Ok(())
}

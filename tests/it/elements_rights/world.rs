//! A gateway with instances of two companies, and everybody who may come and ask.

use crate::support::intuit::Came;
use crate::support::office::{Office, SECRET};
use crate::support::receiver::Answer;
use crate::support::relay::eventually;
use qbo_relay::model::Environment;
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule};
use qbo_relay::simulate::intuit_company::{Call, CompanyFacts, Granted, Options};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::sync::Mutex;

/// The company of the instances that callers have of their own, and that of another.
pub(super) const OWN: &str = "9341455841580195";
pub(super) const FOREIGN: &str = "9341455841580196";

/// Who asks, by what is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Caller {
    Nobody,
    WrongUser,
    WrongOrganization,
    WrongOrganizationAndOwn,
    UserOnly,
    OrganizationOnly,
    ElementOnly,
    OrganizationAndElementOnly,
    MadeUpElement,
    Deleted,
    Disabled,
    Foreign,
    Own,
    Organization,
    Both,
}

impl Caller {
    pub(super) const ALL: [Self; 15] = [
        Self::Nobody,
        Self::WrongUser,
        Self::WrongOrganization,
        Self::WrongOrganizationAndOwn,
        Self::UserOnly,
        Self::OrganizationOnly,
        Self::ElementOnly,
        Self::OrganizationAndElementOnly,
        Self::MadeUpElement,
        Self::Deleted,
        Self::Disabled,
        Self::Foreign,
        Self::Own,
        Self::Organization,
        Self::Both,
    ];

    /// Whether its secrets are right.
    pub(super) fn is_let_in(self) -> bool {
        self.is_organization() || matches!(self, Self::Disabled | Self::Foreign | Self::Own)
    }

    pub(super) fn is_organization(self) -> bool {
        matches!(self, Self::Organization | Self::Both)
    }

    /// Whether it shows the token of the instance that was made for it.
    pub(super) fn has_token(self) -> bool {
        matches!(self, Self::Disabled | Self::Own | Self::Both)
    }
}

/// An instance of somebody else.
pub(super) struct Foreign {
    pub(super) id: u32,
    pub(super) event: String,
    token: String,
}

pub(super) struct World {
    office: Office,
    pub(super) foreign: Foreign,
    /// An instance that stays; its number and its token.
    spare: (u32, String),
    deleted: String,
    /// The token that the next caller shows as its own.
    current: Mutex<String>,
    journal: Connection,
}

impl World {
    pub(super) async fn open() -> Self {
        let company = |realm: &str| CompanyFacts {
            realm: realm.into(),
            environment: Environment::Production,
        };
        let options = Options {
            companies: vec![company(OWN), company(FOREIGN)],
            pace: None,
            ..Options::default()
        };
        let keys = "private_callbacks = true";
        let mut office = Office::open_with(options, keys, vec![Answer::Status(200)]).await;
        let mut made = Vec::new();
        for realm in [OWN, FOREIGN, OWN] {
            let code = office.intuit.code("client", realm, "https://mycoolapp.com");
            let mut draft: Value = serde_json::from_str(&Self::draft(name(realm), realm)).unwrap();
            draft["providerData"]["code"] = json!(code.unwrap());
            let hook = office.receiver.url(hook(realm));
            draft["configuration"]["event.notification.callback.url"] = json!(hook);
            let came = office.call("POST", "/instances", &draft).await;
            assert_eq!(came.status, 200, "{}", came.text);
            let token = came.json()["token"].as_str().unwrap().to_owned();
            made.push((
                u32::try_from(came.json()["id"].as_u64().unwrap()).unwrap(),
                token,
            ));
        }
        let [spare, (id, token), (gone, deleted)] = made.try_into().unwrap();
        let at = format!("/instances/{gone}");
        assert_eq!(office.call("DELETE", &at, &Value::Null).await.status, 200);
        // One post about both.
        let happened = [OWN, FOREIGN].map(|realm| {
            let books = office.intuit.books(realm).unwrap();
            books.create("Invoice").unwrap()
        });
        assert_eq!(office.notify(&happened).await, 200);
        office.receiver.wait_for(2).await;
        let events = format!("/instances/{id}/events");
        let events = office.call("GET", &events, &Value::Null).await.json();
        let event = events[0]["id"].as_str().unwrap().to_owned();
        // So many polls failed that they rest.
        assert_eq!(office.gateway.end_by("TERM"), Some(0));
        let path = office
            .gateway
            .folder
            .path()
            .join("state")
            .join("journal.db");
        let stopped =
            "UPDATE instance SET stopped_at = 1, stopped_why = 'foreign-name' WHERE id = ?1";
        Connection::open(&path)
            .unwrap()
            .execute(stopped, [id])
            .unwrap();
        office.gateway.start();
        let journal = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        Self {
            office,
            foreign: Foreign { id, event, token },
            spare,
            deleted,
            current: Mutex::default(),
            journal: journal.unwrap(),
        }
    }

    /// The body that makes an instance of a company that is connected.
    pub(super) fn draft(name: &str, realm: &str) -> String {
        json!({
            "element": { "key": "quickbooks" },
            "providerData": { "realmId": realm },
            "name": name,
            "configuration": {
                "oauth.callback.url": "https://mycoolapp.com",
                "oauth.api.key": "client",
                "oauth.api.secret": SECRET,
                "event.notification.enabled": true,
                "event.notification.callback.url": Self::callback(realm),
            },
        })
        .to_string()
    }

    /// Where the instances of a company call back.
    pub(super) fn callback(realm: &str) -> String {
        format!("http://127.0.0.1:9{}", hook(realm))
    }

    /// Where an instance of the caller's own calls back.
    pub(super) fn own_callback(caller: Caller) -> String {
        match caller {
            Caller::Foreign => Self::callback(FOREIGN),
            _ => Self::callback(OWN),
        }
    }

    /// An instance that the caller may change, or may not; what it shows as its own is of it, or of
    /// one of the other company.
    pub(super) async fn fresh(&self, caller: Caller) -> u32 {
        if !caller.is_let_in() {
            self.current.lock().unwrap().clone_from(&self.spare.1);
            return self.spare.0;
        }
        let (id, token) = self.make(OWN).await;
        let token = match caller {
            Caller::Foreign => self.make(FOREIGN).await.1,
            _ => token,
        };
        *self.current.lock().unwrap() = token;
        if caller == Caller::Disabled {
            let at = format!("/instances/{id}/enabled");
            let off = self.ask(Caller::Organization, "DELETE", &at, "").await;
            assert_eq!(off.status, 200);
        }
        id
    }

    async fn make(&self, realm: &str) -> (u32, String) {
        let draft = Self::draft(name(realm), realm);
        let came = self
            .ask(Caller::Organization, "POST", "/instances", &draft)
            .await;
        assert_eq!(came.status, 200, "{}", came.text);
        let id = u32::try_from(came.json()["id"].as_u64().unwrap()).unwrap();
        (id, came.json()["token"].as_str().unwrap().to_owned())
    }

    /// Deletes what [`fresh`](Self::fresh) made, where it is still there.
    pub(super) async fn dismiss(&self, caller: Caller, id: u32) {
        if !caller.is_let_in() {
            return;
        }
        let at = format!("/instances/{id}");
        self.ask(Caller::Organization, "DELETE", &at, "").await;
        if caller == Caller::Foreign {
            let token = self.current.lock().unwrap().clone();
            self.by_token(&token, "DELETE", "/instances").await;
        }
    }

    pub(super) async fn ask(&self, caller: Caller, method: &str, path: &str, body: &str) -> Came {
        let (user, organization) = self.office.authorization.split_once(", ").unwrap();
        let wrong = "Organization 00000000000000000000000000000000";
        let own = format!("Element {}", self.current.lock().unwrap());
        let element = |token: &str| format!("{user}, Element {token}");
        let shown = match caller {
            Caller::Nobody => String::new(),
            Caller::WrongUser => format!("User wrong, {organization}"),
            Caller::WrongOrganization => format!("{user}, {wrong}"),
            Caller::WrongOrganizationAndOwn => format!("{user}, {wrong}, {own}"),
            Caller::UserOnly => user.to_owned(),
            Caller::OrganizationOnly => organization.to_owned(),
            Caller::ElementOnly => own,
            Caller::OrganizationAndElementOnly => format!("{organization}, {own}"),
            Caller::MadeUpElement => element("dG9rZW4tb2YtdGhlLWluc3RhbmNlLTctaXMtdGhpcy4="),
            Caller::Deleted => element(&self.deleted),
            Caller::Disabled | Caller::Foreign | Caller::Own => format!("{user}, {own}"),
            Caller::Organization => format!("{user}, {organization}"),
            Caller::Both => format!("{user}, {organization}, {own}"),
        };
        self.office
            .call_as(&shown, method, path, body.to_owned())
            .await
    }

    pub(super) async fn by_token(&self, token: &str, method: &str, path: &str) -> Came {
        self.office.call_by(&json!(token), method, path).await
    }

    pub(super) fn spare_token(&self) -> &str {
        &self.spare.1
    }

    /// The token that was made for the caller of [`fresh`](Self::fresh), or that of an instance.
    pub(super) async fn token_of(&self, id: u32) -> String {
        let at = format!("/instances/{id}");
        let read = self.ask(Caller::Organization, "GET", &at, "").await;
        read.json()["token"].as_str().unwrap().to_owned()
    }

    /// That an answer tells nothing of the instances of others.
    #[track_caller]
    pub(super) fn assert_silent(&self, caller: Caller, what: &str, came: &Came) {
        let theirs = [&*self.foreign.token, name(FOREIGN), hook(FOREIGN)];
        let own = [&*self.spare.1, name(OWN), hook(OWN)];
        let hidden = match caller {
            Caller::Foreign => own.to_vec(),
            caller if caller.is_let_in() => theirs.to_vec(),
            _ => [own, theirs].concat(),
        };
        let head = format!("{:?}", came.headers);
        for part in hidden {
            assert!(
                !came.text.contains(part),
                "{what} tells {part}: {}",
                came.text
            );
            assert!(!head.contains(part), "{what} tells {part}: {head}");
        }
    }

    /// What the journal keeps of instances, companies and settings. Whoever puts tokens in the place of
    /// others connects the company anew; that the relay renews them is no change of anybody's.
    pub(super) fn kept(&self) -> Vec<Vec<Cell>> {
        let mut kept = Vec::new();
        for sql in [
            "SELECT * FROM instance ORDER BY id",
            "SELECT id, name, configured, realm, kinds, disabled_at FROM sink ORDER BY id",
            "SELECT realm, app, environment, connected_at FROM company ORDER BY realm",
            "SELECT name, value FROM setting ORDER BY name",
            "SELECT id, name FROM realm ORDER BY id",
        ] {
            let mut statement = self.journal.prepare(sql).unwrap();
            let count = statement.column_count();
            let rows =
                statement.query_map((), |row| (0..count).map(|column| row.get(column)).collect());
            kept.extend(rows.unwrap().map(Result::unwrap));
        }
        kept
    }

    pub(super) fn tokens(&self, realm: &str) -> Granted {
        self.office.intuit.authorize("client", realm).unwrap()
    }

    pub(super) fn code(&self, realm: &str) -> String {
        let redirect = "https://mycoolapp.com";
        self.office.intuit.code("client", realm, redirect).unwrap()
    }

    /// From now on Intuit takes so long to exchange a code.
    pub(super) fn slow_down(&self, ms: u64) {
        let rule = Rule::new(Fault::Latency { ms }).on(Call::Exchange);
        self.office.intuit.faults().set(vec![rule]);
    }

    /// Waits until so many wait for Intuit.
    pub(super) async fn until_waiting(&self, count: u64) {
        let faults = self.office.intuit.faults();
        let waiting = || (faults.fired() >= count).then_some(());
        // The simulated Intuit runs in this very thread: it has to be let.
        while waiting().is_none() {
            tokio::task::yield_now().await;
        }
        eventually("they wait", waiting);
    }
}

fn name(realm: &str) -> &'static str {
    match realm {
        OWN => "own-name",
        _ => "foreign-name",
    }
}

fn hook(realm: &str) -> &'static str {
    match realm {
        OWN => "/own-hook",
        _ => "/foreign-hook",
    }
}

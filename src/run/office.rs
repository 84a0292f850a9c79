//! Who answers questions and takes orders while the relay runs.

use super::{connections, forgetting};
use crate::clock::Clock;
use crate::command::errand::Errand;
use crate::connect::Desk;
use crate::journal::{AuditedChange, Caller, Journal};
use crate::model::{AppName, Company, Health, SinkName};
use crate::rules;
use crate::server::admin::{BrowserOrigin, Control, Observe, Order, Refused, Register, Report};
use crate::wire::servicestack::metadata::Metadata;
use crate::worker::pulse::Glance;
use http::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Where the outcome of a reload is awaited: done, or why not.
pub(crate) type Asked = oneshot::Sender<Result<(), String>>;

/// Knows the health, and holds the journal for what is to be replayed.
pub(super) struct Office {
    pub(super) health: watch::Receiver<Health>,
    pub(super) glance: Glance,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: Journal,
    /// Where companies are connected, when an app is configured.
    pub(super) desk: Option<Arc<Desk>>,
    /// `None` where the original listener's face is switched off.
    pub(super) metadata: Option<Metadata>,
    /// Who asks for a reload; whoever runs the relay carries it out.
    pub(super) reloads: mpsc::Sender<Asked>,
    /// Where the public and the admin listener listen, when on TCP.
    pub(super) addresses: [Option<SocketAddr>; 2],
}

impl Observe for Office {
    async fn observe(&self) -> Report {
        self.glance.refresh().await;
        let at = self.clock.now();
        let mut health = self.health.borrow().clone();
        // What the last commit said, not what it said when somebody last looked.
        health.journal = self.journal.health();
        let condition = rules::health::condition(&health);
        Report {
            at,
            condition,
            lamp: rules::led::pattern(condition).describe(),
            sentence: rules::health::sentence(&health, at),
            health,
        }
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }
}

impl Register for Office {
    async fn companies(&self) -> Result<Vec<Company>, String> {
        let companies = self.journal.companies().await;
        companies.map_err(|error| error.to_string())
    }

    fn apps(&self) -> Vec<AppName> {
        self.desk
            .as_ref()
            .map(|desk| desk.apps())
            .unwrap_or_default()
    }

    async fn begin(&self, app: &str, from: &BrowserOrigin) -> Result<String, String> {
        let desk = self.desk().map_err(|refused| refused.why)?;
        let begun = desk.invite(Some(app), from.network);
        // Who is refused has begun nothing, and may be anybody: that is no entry.
        let link = begun.map_err(|error| error.to_string())?;
        let change = AuditedChange {
            peer: from.peer.clone(),
            caller: Caller::Browser,
            call: format!("connect --app {app}"),
            outcome: "begun".into(),
        };
        self.journal.audit(self.clock.now(), &change).await;
        Ok(link)
    }
}

impl Control for Office {
    async fn obey(&self, order: Order) -> Result<Value, Refused> {
        let change = order.change();
        let done = self.carry_out(order).await;
        if let Some(call) = change {
            let outcome = match &done {
                Ok(_) => "done".to_owned(),
                Err(refused) => refused.why.clone(),
            };
            let change = AuditedChange {
                peer: "the control socket".into(),
                caller: Caller::Shell,
                call,
                outcome,
            };
            self.journal.audit(self.clock.now(), &change).await;
        }
        done
    }
}

impl Office {
    async fn carry_out(&self, order: Order) -> Result<Value, Refused> {
        match order {
            Order::Replay(request) => self.replay(request).await,
            Order::Reload => self.reload().await,
            Order::Addresses => Ok(self.addresses()),
            Order::Enable(sink) => self.enable(&sink).await,
            Order::Connect(app) => connections::begin(self.desk()?, app.as_deref()),
            Order::Outcome(ticket) => connections::outcome(self.desk()?, ticket),
            Order::Paste(address) => connections::paste(self.desk()?, &address).await,
            Order::Companies => connections::companies(&self.journal).await,
            Order::Forget(realm, wish) => {
                let (journal, desk) = (&self.journal, self.desk.as_deref());
                forgetting::forget(journal, desk, &realm, &wish, self.clock.now()).await
            }
            Order::Disconnect(realm) => connections::disconnect(self.desk()?, &realm).await,
            Order::Approve(realm) => connections::approve(self.desk()?, &realm).await,
            Order::SecretsMade => Ok(json!({})),
        }
    }

    fn desk(&self) -> Result<&Desk, Refused> {
        let desk = self.desk.as_deref();
        desk.ok_or_else(|| connections::refused(&crate::connect::Error::NoApp))
    }

    async fn replay(&self, request: Value) -> Result<Value, Refused> {
        let refused = |why: String| Refused {
            status: StatusCode::BAD_REQUEST,
            why,
        };
        let errand: Errand =
            serde_json::from_value(request).map_err(|error| refused(error.to_string()))?;
        errand
            .carry_out(&self.journal, self.clock.now())
            .await
            .map_err(refused)
    }

    async fn reload(&self) -> Result<Value, Refused> {
        let refused = |why: String| Refused {
            status: StatusCode::CONFLICT,
            why,
        };
        let (answer, answered) = oneshot::channel();
        let gone = || refused("nobody carries reloads out here; send SIGHUP to the relay".into());
        self.reloads.send(answer).await.map_err(|_| gone())?;
        match answered.await {
            Ok(Ok(())) => Ok(json!({ "reloaded": true })),
            Ok(Err(why)) => Err(refused(format!(
                "not reloaded, everything stays as it was: {why}"
            ))),
            Err(_) => Err(gone()),
        }
    }

    fn addresses(&self) -> Value {
        let text = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        let [https, admin] = self.addresses;
        json!({ "https": text(https), "admin": text(admin) })
    }

    async fn enable(&self, sink: &SinkName) -> Result<Value, Refused> {
        self.journal
            .enable_sink(sink)
            .await
            .map_err(|error| Refused {
                status: StatusCode::NOT_FOUND,
                why: error.to_string(),
            })?;
        Ok(json!({ "sink": sink.as_str(), "enabled": true }))
    }
}

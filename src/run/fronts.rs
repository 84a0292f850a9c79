//! What faces outwards: the public listener, the control socket and the admin listener.

use super::connections::Reception;
use super::office::Office;
use super::platform::Host;
use super::relay::Parts;
use super::vitals::stopped_answering;
use crate::connect::Desk;
use crate::journal::Journal;
use crate::model::{Limits, Tally};
use crate::server::admin::OwnNames;
use crate::server::admin::Rooms;
use crate::server::elements::Hall;
use crate::server::webhook::Door;
use crate::server::{admin, public};
use crate::worker::liveness::Beat;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

/// What faces outwards: it takes deliveries, questions and orders.
pub(super) struct Fronts {
    pub(super) public: TcpListener,
    pub(super) tls: Arc<rustls::ServerConfig>,
    pub(super) door: Arc<Door<Journal>>,
    pub(super) consent: Option<Arc<Desk>>,
    pub(super) control: UnixListener,
    pub(super) admin: Admin,
    /// Of the admin listener.
    pub(super) admin_tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) names: OwnNames,
    pub(super) hall: Hall<Host>,
    pub(super) office: Arc<Office>,
    pub(super) tally: Arc<Tally>,
    pub(super) limits: Limits,
    /// Of the public listener, the control socket and the admin listener.
    pub(super) beats: [Beat; 3],
}

/// The admin listener, of either kind.
pub(super) enum Admin {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Admin {
    /// Where it listens, when on TCP.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl Fronts {
    /// Starts the listeners: the public one ends with `door`, the others with `house`.
    pub(super) fn spawn(self, door: &watch::Sender<bool>, house: &watch::Sender<bool>) -> Parts {
        let mut parts = Parts::new();
        let [outside, inside, pages_beat] = self.beats;
        let (public, tls, deliveries) = (self.public, self.tls, self.door);
        let reception = |desk| {
            Arc::new(Reception {
                desk,
                journal: self.office.journal.clone(),
                clock: Arc::clone(&self.office.clock),
            })
        };
        let consent = self.consent.map(reception);
        let limits = self.limits.clone();
        let stop = stopped_answering(outside, thrown(door));
        parts.spawn(async move {
            public::serve(public, tls, deliveries, consent, &limits, stop).await;
            Ok("the public listener")
        });
        let (control, office, tally) = (
            self.control,
            Arc::clone(&self.office),
            Arc::clone(&self.tally),
        );
        let limits = self.limits.clone();
        let stop = stopped_answering(inside, thrown(house));
        parts.spawn(async move {
            admin::serve_control(control, office, tally, &limits, stop).await;
            Ok("the control socket")
        });
        let (listener, tls) = (self.admin, self.admin_tls);
        let rooms = Rooms {
            observer: self.office,
            hall: self.hall,
            tally: self.tally,
            names: self.names,
        };
        let limits = self.limits;
        let stop = stopped_answering(pages_beat, thrown(house));
        parts.spawn(async move {
            match listener {
                Admin::Tcp(listener) => admin::serve_tcp(listener, tls, rooms, &limits, stop).await,
                Admin::Unix(listener) => admin::serve_unix(listener, rooms, &limits, stop).await,
            }
            Ok("the admin listener")
        });
        parts
    }
}

/// Completes when the switch is thrown, and not when it is dropped.
pub(super) fn thrown(switch: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut switch = switch.subscribe();
    async move {
        if switch.wait_for(|thrown| *thrown).await.is_err() {
            pending::<()>().await;
        }
    }
}

//! A relay, from its parts to its end: made by [`Relay::start`], run by [`Relay::serve_until`].

use super::books::{self, Books, Readers};
use super::chronicle::Chronicle;
use super::fronts::Fronts;
use super::office::{Asked, Office};
use super::platform::{self, Desks, Host, Joints};
use super::reloads::Reloads;
use super::vitals::Vitals;
use super::{Failure, control_socket, parts};
use crate::clock::Clock;
use crate::config::{Config, SinkConfig};
use crate::connect::Desk;
use crate::instances::Platform;
use crate::journal::Journal;
use crate::model::{AppName, Device, Health, MisdirectedPosts, Tally};
use crate::qbo;
use crate::server::elements::Hall;
use crate::server::face::Face;
use crate::server::source::scopes;
use crate::server::webhook::{Door, KEPT};
use crate::sink::Sink;
use crate::systemd::Inherited;
use crate::tls;
use crate::vault::admin_secrets::{self, AdminSecrets};
use crate::wire;
use crate::wire::servicestack::metadata::Metadata;
use crate::wire::signature::Verifier;
use crate::worker::company::Roster;
use crate::worker::liveness::Beat;
use crate::worker::pulse::{Glance, Pulse};
use crate::worker::{Worker, sums, upkeep};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

/// How long requests in hand may take to be answered.
const DRAIN: Duration = Duration::from_secs(20);

/// How long attempts in flight may take to be settled. Meanwhile nobody is let in, so a sink that
/// hangs must not make a restart long.
const GRACE: Duration = Duration::from_secs(3);

/// How long the journal may take to be closed: its log is copied then.
const CLOSE: Duration = Duration::from_secs(20);

/// Parts that run; each says its name when it ends.
pub(super) type Parts = JoinSet<Result<&'static str, Failure>>;

/// A relay whose parts are made and whose sockets listen.
pub struct Relay {
    file: PathBuf,
    resolver: Arc<tls::Resolver>,
    sinks: Vec<Arc<Sink>>,
    apps: BTreeMap<AppName, qbo::App>,
    journal: Journal,
    health: watch::Receiver<Health>,
    started: watch::Sender<bool>,
    fronts: Fronts,
    inside: Inside,
    vitals: Vitals,
    chronicle: Chronicle,
    reload_requests: mpsc::Receiver<Asked>,
}

/// What works behind the journal.
struct Inside {
    worker: Worker,
    pulse: Pulse,
    health: watch::Sender<Health>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    /// What reads companies, where an app is configured.
    readers: Option<Readers>,
    /// The instances, and what follows from them.
    platform: Option<(Arc<Platform>, Joints)>,
    device: watch::Receiver<Device>,
    /// Of the upkeep.
    beat: Beat,
}

/// What all parts have in common.
struct Shared {
    journal: Journal,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    misdirected: Arc<MisdirectedPosts>,
    device: watch::Receiver<Device>,
}

impl Shared {
    fn pulse(
        &self,
        resolver: &Arc<tls::Resolver>,
        roster: &Roster,
        started: watch::Receiver<bool>,
        beat: Beat,
    ) -> Pulse {
        let certificate = Arc::clone(resolver);
        Pulse {
            misdirected: Arc::clone(&self.misdirected),
            books: roster.clone(),
            journal: self.journal.clone(),
            clock: Arc::clone(&self.clock),
            certificate_left: Box::new(move |now| parts::certificate_left(&certificate, now)),
            started,
            news: Arc::default(),
            device: self.device.clone(),
            beat,
            glance: Glance::default(),
        }
    }

    fn door(&self, paths: Vec<String>, verifiers: Vec<Verifier>, face: Face) -> Door<Journal> {
        Door {
            paths,
            verifiers: ArcSwap::from_pointee(verifiers),
            keep: self.journal.clone(),
            face,
            decode: wire::decode,
            clock: Arc::clone(&self.clock),
            tally: Arc::clone(&self.tally),
            misdirected: Arc::clone(&self.misdirected),
        }
    }

    fn worker(&self, sinks: &[Arc<Sink>], configured: Vec<SinkConfig>) -> Worker {
        let endpoints = sinks.iter().zip(configured).map(parts::endpoint).collect();
        let (journal, clock) = (self.journal.clone(), Arc::clone(&self.clock));
        let mut worker = Worker::new(journal, endpoints, clock, Arc::clone(&self.tally));
        worker.device = self.device.clone();
        worker
    }

    fn office(
        &self,
        (health, glance): (&watch::Sender<Health>, Glance),
        desk: Option<Arc<Desk>>,
        metadata: Option<Metadata>,
        reloads: mpsc::Sender<Asked>,
        addresses: [Option<SocketAddr>; 2],
    ) -> Office {
        Office {
            health: health.subscribe(),
            glance,
            clock: Arc::clone(&self.clock),
            journal: self.journal.clone(),
            desk,
            metadata,
            reloads,
            addresses,
        }
    }

    /// The Open Connectors interface; callers are let in by the secrets beside the journal.
    fn hall(&self, journal: &Path, host: Option<Host>) -> Result<Hall<Host>, Failure> {
        let mut seed = [0; 5];
        let filled = books::randomness(&mut seed);
        filled.map_err(|()| Failure::Ended("the system's randomness".into()))?;
        Ok(Hall {
            elements: host.map(Arc::new),
            secrets: AdminSecrets::new(admin_secrets::file_beside(journal)),
            clock: Arc::clone(&self.clock),
            seed,
        })
    }

    fn chronicle(&self) -> Chronicle {
        Chronicle {
            journal: self.journal.clone(),
            clock: Arc::clone(&self.clock),
        }
    }

    fn readers(self, books: Books, roster: Roster, joints: &Joints) -> Readers {
        Readers {
            books,
            journal: self.journal,
            clock: self.clock,
            tally: self.tally,
            device: self.device,
            roster,
            accesses: joints.accesses.subscribe(),
            polls: joints.polls.subscribe(),
        }
    }
}

impl Relay {
    /// Makes every part and listens; nobody is answered before [`Self::serve_until`].
    ///
    /// # Errors
    /// [`Failure`]: what cannot be used, and why.
    pub async fn start(
        config: Config,
        clock: Arc<dyn Clock>,
        mut inherited: Inherited,
    ) -> Result<Self, Failure> {
        let resolver = Arc::new(parts::resolver(&config, clock.now())?);
        let public = parts::public(config.https, &mut inherited).await?;
        let admin = parts::admin(&config.admin, &mut inherited).await?;
        parts::warn_of_unused(&inherited);
        let sinks = parts::sinks(&config, public.local_addr().ok().as_slice())?;
        let journal = parts::journal(&config, clock.now())?;
        journal.set_scopes(scopes(&config.sources));
        let books = books::books(&config)?;
        let tally = Arc::new(Tally::default());
        let started = watch::Sender::new(false);
        let (vitals, beats) = Vitals::new(&config, &journal, &clock);
        let shared = Shared {
            journal: journal.clone(),
            clock: Arc::clone(&clock),
            tally: Arc::clone(&tally),
            misdirected: Arc::default(),
            device: vitals.device.subscribe(),
        };
        let chronicle = shared.chronicle();
        let roster = Roster::default();
        let pulse = shared.pulse(&resolver, &roster, started.subscribe(), beats.pulse);
        let health = pulse.begin().await;
        let listening = [public.local_addr().ok(), admin.address()];
        let (reloads, reload_requests) = mpsc::channel(4);
        let own = parts::own(&resolver, listening);
        let desks = Desks::open(&config, books.as_ref(), own, (&journal, &clock)).await?;
        let paths = parts::paths(&config);
        let face = parts::face(config.face, &config.paths, config.sources);
        let (metadata, desk) = (parts::metadata(&face), desks.desk.clone());
        let seen = (&health, pulse.glance.clone());
        let office = shared.office(seen, desk, metadata, reloads, listening);
        let fronts = Fronts {
            consent: desks.consent(),
            public,
            tls: parts::server_config(&resolver)?,
            door: Arc::new(shared.door(paths, config.verifiers, face)),
            control: parts::socket(&control_socket(&config.journal))?,
            admin_tls: parts::admin_tls(&admin, config.admin_tls, &resolver)?,
            admin,
            names: parts::names(&resolver, config.admin_names),
            hall: shared.hall(&config.journal, desks.host(&journal, &clock))?,
            office: Arc::new(office),
            tally: Arc::clone(&tally),
            limits: config.limits,
            beats: [beats.public, beats.control, beats.admin],
        };
        let apps = books.as_ref().map(|books| books.apps.clone());
        let mut worker = shared.worker(&sinks, config.sinks);
        let readers = books.map(|books| shared.readers(books, roster, &desks.joints));
        worker.published = desks.joints.endpoints.subscribe();
        worker.news = Arc::clone(&pulse.news);
        worker.beat = beats.worker;
        Ok(Self {
            file: config.file,
            resolver,
            sinks,
            apps: apps.unwrap_or_default(),
            health: health.subscribe(),
            started,
            fronts,
            inside: Inside {
                worker,
                pulse,
                health,
                journal: journal.clone(),
                clock,
                readers,
                platform: desks.into_platform(),
                device: vitals.device.subscribe(),
                beat: beats.upkeep,
            },
            vitals,
            chronicle,
            reload_requests,
            journal,
        })
    }

    /// Where the public listener listens.
    ///
    /// # Errors
    /// The system's.
    pub fn https(&self) -> std::io::Result<SocketAddr> {
        self.fronts.public.local_addr()
    }

    /// Where the admin listener listens, when on TCP.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.fronts.admin.address()
    }

    /// How the relay is, now and from now on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Where companies are connected; `None` where no app is configured.
    pub fn desk(&self) -> Option<Arc<Desk>> {
        self.fronts.consent.clone()
    }

    /// The handles that renew secrets and certificates.
    pub fn reloads(&self) -> Reloads {
        Reloads {
            file: self.file.clone(),
            door: Arc::clone(&self.fronts.door),
            resolver: Arc::clone(&self.resolver),
            sinks: self.sinks.clone(),
            apps: self.apps.clone(),
            chronicle: self.chronicle.clone(),
            device: Arc::clone(&self.vitals.device),
        }
    }

    /// The reloads that are asked for over the control socket; whoever does not take them refuses them.
    pub(crate) fn reload_requests(&mut self) -> mpsc::Receiver<Asked> {
        std::mem::replace(&mut self.reload_requests, mpsc::channel(1).1)
    }

    /// Serves until `stop` completes, then ends every part in order.
    ///
    /// # Errors
    /// [`Failure`] when a part ended by itself; the others are broken off then.
    pub async fn serve_until(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let https = self
            .https()
            .map_or_else(|error| error.to_string(), |address| address.to_string());
        let admin = self
            .admin()
            .map_or_else(|| "-".to_owned(), |address| address.to_string());
        let (door, house) = (watch::Sender::new(false), watch::Sender::new(false));
        let mut fronts = self.fronts.spawn(&door, &house);
        let mut tasks = self.inside.spawn(&house);
        let started = self.started.subscribe();
        self.vitals
            .spawn(&mut tasks, &self.health, started, (&door, &house));
        self.started.send_replace(true);
        tracing::info!(%https, %admin, "serving");
        let failure = tokio::select! {
            () = async { self.chronicle.started().await; stop.await } => None,
            error = self.journal.broken() => Some(Failure::Journal(error)),
            ended = fronts.join_next() => Some(failure_of(ended)),
            ended = tasks.join_next() => Some(failure_of(ended)),
        };
        if let Some(failure) = failure {
            self.chronicle.failed(&failure).await;
            return Err(failure);
        }

        // In the order of the way: first the door, then what is inside, last the journal. What was in
        // flight and is broken off is sent again after the next start, under the same id.
        door.send_replace(true);
        let answered = timeout(DRAIN, fronts.join_next()).await.is_ok();
        house.send_replace(true);
        let settled = timeout(GRACE, async {
            while tasks.join_next().await.is_some() {}
            while fronts.join_next().await.is_some() {}
        });
        if !(settled.await.is_ok() && answered) {
            tracing::warn!(
                "broken off what did not end in time; it comes again after the next start"
            );
        }
        tasks.shutdown().await;
        fronts.shutdown().await;
        self.chronicle.stopped().await;
        match timeout(CLOSE, self.journal.close()).await {
            Ok(closed) => closed?,
            // What it has acknowledged is on the disk already.
            Err(_) => tracing::warn!(
                "the journal could not be closed in time; it is read back at the next start"
            ),
        }
        tracing::info!("stopped");
        Ok(())
    }
}

impl Inside {
    /// Starts what ends with `house`.
    fn spawn(self, house: &watch::Sender<bool>) -> Parts {
        let mut parts = Parts::new();
        let (worker, stop) = (self.worker, house.subscribe());
        parts.spawn(async move {
            let ended = worker.run(stop).await;
            ended.map_err(|error| Failure::Ended(format!("the worker ({error})")))?;
            Ok("the worker")
        });
        let sums_clock = Arc::clone(&self.clock);
        let (journal, clock, stop) = (self.journal, self.clock, house.subscribe());
        let (device, beat) = (self.device, self.beat);
        parts.spawn(async move {
            upkeep::run(journal, clock, device, beat, stop).await?;
            Ok("the upkeep")
        });
        if let Some((platform, joints)) = self.platform {
            platform::spawn(platform, joints, &mut parts, house);
        }
        if let Some(readers) = self.readers {
            readers.spawn(&mut parts, house);
        }
        let (clock, stop) = (sums_clock, house.subscribe());
        parts.spawn(async move {
            sums::run(clock, &KEPT, stop).await;
            Ok("the sums of the log")
        });
        let (pulse, health, stop) = (self.pulse, self.health, house.subscribe());
        parts.spawn(async move {
            pulse.run(health, stop).await;
            Ok("the pulse")
        });
        parts
    }
}

/// What it means that a part ended that nobody had told to.
fn failure_of(ended: Option<Result<Result<&'static str, Failure>, JoinError>>) -> Failure {
    match ended {
        Some(Ok(Ok(name))) => Failure::Ended(name.into()),
        Some(Ok(Err(failure))) => failure,
        Some(Err(error)) => Failure::Ended(format!("a part of the relay ({error})")),
        None => Failure::Ended("everything".into()),
    }
}

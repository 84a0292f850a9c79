//! What watches over the parts: liveness, the clock's trust, the lamp, and the word to systemd.

use super::relay::Parts;
use crate::board::{Choice, Pin, StatusLed};
use crate::clock::Clock;
use crate::config::{Config, SinkConfig, Target};
use crate::journal::Journal;
use crate::model::{Device, Health};
use crate::systemd::notify;
use crate::worker::herald::Herald;
use crate::worker::lamp::Lamp;
use crate::worker::liveness::{self, Beat, Liveness, Verdict};
use crate::worker::trust::Trust;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two questions to every part; less where systemd wants to hear more often.
const ROUND: Duration = Duration::from_secs(5);

/// A loop that only waits answers at once; this is what a busy small board may take.
const LOOP: Duration = Duration::from_secs(10);

/// The writer may be in the middle of a sync, for which a card that collects garbage needs seconds.
const WRITER: Duration = Duration::from_secs(20);

/// Parts that ask the journal, which has deadlines of its own.
const ASKING: Duration = Duration::from_secs(40);

/// The file beside the configuration that says that the boot import was refused.
pub(crate) const REFUSED: &str = "boot-import-refused";

/// The watchers, and the ends that the parts answer by.
pub(super) struct Vitals {
    pub(super) device: Arc<watch::Sender<Device>>,
    writer: Beat,
    liveness: Liveness,
    verdict: watch::Sender<Verdict>,
    trust: Trust,
    lamp: Choice,
    journal: Journal,
    clock: Arc<dyn Clock>,
}

/// One for each part.
pub(super) struct Beats {
    pub(super) public: Beat,
    pub(super) control: Beat,
    pub(super) admin: Beat,
    pub(super) worker: Beat,
    pub(super) upkeep: Beat,
    pub(super) pulse: Beat,
}

impl Vitals {
    /// Everything ready, and the ends for the parts; the clock has been looked at once.
    pub(super) fn new(config: &Config, journal: &Journal, clock: &Arc<dyn Clock>) -> (Self, Beats) {
        let device = Arc::new(watch::Sender::new(Device {
            import_refused: import_refused(&config.file),
            ..Device::default()
        }));
        let round = notify::watchdog().map_or(ROUND, |span| ROUND.min(span / 3));
        let mut liveness = Liveness::new(round);
        let beats = Beats {
            public: liveness.part("the public listener", LOOP),
            control: liveness.part("the control socket", LOOP),
            admin: liveness.part("the admin listener", LOOP),
            worker: liveness.part("the worker", ASKING + attempt_longest(config)),
            upkeep: liveness.part("the upkeep", ASKING),
            pulse: liveness.part("the pulse", ASKING),
        };
        let trust = Trust {
            clock: Arc::clone(clock),
            synchronized_file: config.clock.synchronized_file.clone(),
            wait: config.clock.wait,
            device: Arc::clone(&device),
            journal: journal.clone(),
        };
        trust.begin();
        let fine = Verdict {
            at: Instant::now(),
            fine: true,
        };
        let vitals = Self {
            writer: liveness.part("the journal's writer", WRITER),
            verdict: watch::Sender::new(fine),
            lamp: config.lamp.clone(),
            journal: journal.clone(),
            clock: Arc::clone(clock),
            device,
            liveness,
            trust,
        };
        (vitals, beats)
    }

    /// Starts the watchers. What is told to systemd ends with `door`, the others with `house`.
    pub(super) fn spawn(
        self,
        parts: &mut Parts,
        health: &watch::Receiver<Health>,
        started: watch::Receiver<bool>,
        (door, house): (&watch::Sender<bool>, &watch::Sender<bool>),
    ) {
        self.show(health, house);
        let herald = Herald {
            clock: self.clock,
            health: health.clone(),
            verdict: self.verdict.subscribe(),
            started,
        };
        let stop = door.subscribe();
        parts.spawn(async move {
            herald.run(stop).await;
            Ok("the word to systemd")
        });
        let (journal, writer, stop) = (self.journal, self.writer, house.subscribe());
        parts.spawn(async move {
            liveness::writer(journal, writer, stop).await?;
            Ok("the question to the journal's writer")
        });
        let (liveness, verdict, device, stop) =
            (self.liveness, self.verdict, self.device, house.subscribe());
        parts.spawn(async move {
            liveness.run(verdict, device, stop).await;
            Ok("the liveness")
        });
        let (trust, stop) = (self.trust, house.subscribe());
        parts.spawn(async move {
            trust.run(stop).await;
            Ok("the look at the clock")
        });
    }

    /// Starts the lamp, where there is to be one. Whatever fails with it is a warning (I10).
    fn show(&self, health: &watch::Receiver<Health>, house: &watch::Sender<bool>) {
        if matches!(self.lamp.seat(), Ok(None)) {
            return;
        }
        let choice = self.lamp.clone();
        let lamp = Lamp {
            take: move || take(&choice),
            health: health.clone(),
            verdict: self.verdict.subscribe(),
            device: Arc::clone(&self.device),
        };
        if let Err(error) = lamp.start(house.subscribe()) {
            tracing::warn!("no lamp: no thread for it ({error})");
        }
    }
}

fn take(choice: &Choice) -> Result<StatusLed<Pin>, String> {
    match choice.take() {
        Ok(Some(led)) => Ok(led),
        Ok(None) => Err("there is to be none".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// How long one attempt can take.
fn attempt_longest(config: &Config) -> Duration {
    let span = |sink: &SinkConfig| match &sink.target {
        Target::Http(settings) => settings.total,
        Target::File(settings) => settings.total,
    };
    let callback = config.instances.enabled.then_some(config.instances.timeout);
    config
        .sinks
        .iter()
        .map(span)
        .chain(callback)
        .max()
        .unwrap_or_default()
}

/// Whether what lay on the boot partition was refused.
pub(super) fn import_refused(configuration: &Path) -> bool {
    configuration.with_file_name(REFUSED).exists()
}

/// An end that completes with `stop` and answers until then: a listener looks at it in the loop in
/// which it accepts.
pub(super) async fn stopped_answering(mut beat: Beat, stop: impl Future<Output = ()>) {
    liveness::answering(&mut beat, stop).await;
}

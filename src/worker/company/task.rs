//! One company: view, step, call, reading, over and over.
//!
//! Called by the supervisor, one task a company. What the task holds is lost with it and found again
//! by looking; what counts is in the journal.

use super::super::lane::{PAUSE, pointless, rest, stopped};
use super::caller::{Answer, Caller};
use super::contract::Contract;
use super::errand::{Errand, Refused, Step as Taken};
use super::renewal::{Kept, Renewal, Unrenewed};
use super::report::Report;
use super::{Common, QuickBooks};
use crate::journal::Error;
use crate::model::{
    ClockTrust, CompanyView, HindranceKind, Purpose, Reading, RealmId, Secret, Standing, Timestamp,
    TokenSet,
};
use crate::qbo::Failure;
use crate::rules::company::{
    Class, Course, InstancePolls, MISSES_MAX, Misses, Plan, Refusal, Step, open, polled, step,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often the list of a kind is compared that is not polled.
const COMPARED_EVERY: Duration = Duration::from_hours(1);

/// One company's task.
pub(super) struct Task<Q> {
    common: Arc<Common<Q>>,
    realm: RealmId,
    /// What is read of this company, and when, as it was last said.
    plan: Plan,
    /// What of it is for its element instances.
    wishes: InstancePolls,
    misses: Misses,
    course: Course,
    errands: BTreeMap<Class, Errand>,
    tokens: Option<TokenSet>,
    connected_at: Option<Timestamp>,
    report: Report,
    caller: Caller,
}

/// What a turn came to.
enum Turn {
    /// Something was done: look again at once.
    Done,
    /// Nothing to do before that instant, or before the task is woken.
    Rest(Timestamp),
    /// The journal could not say.
    Unsure,
    /// The company was disconnected.
    Over,
}

impl<Q: QuickBooks + Clone> Task<Q> {
    pub(super) fn new(common: Arc<Common<Q>>, realm: RealmId) -> Self {
        Self {
            report: Report::new(common.roster.clone(), realm.clone()),
            caller: Caller::every(common.interval),
            plan: common.plan.clone(),
            wishes: InstancePolls::default(),
            misses: Misses::default(),
            common,
            realm,
            course: Course::default(),
            errands: BTreeMap::new(),
            tokens: None,
            connected_at: None,
        }
    }

    /// Works until it is told to stop or the company is disconnected.
    ///
    /// # Errors
    /// Those of the journal after which going on is pointless.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut wake = self.common.journal.subscribe(&self.realm);
        let mut bell = self.common.bell.subscribe();
        let (mut device, mut stop) = (self.common.device.clone(), self.common.stop.clone());
        let (mut apps, mut polls) = (self.common.contracts.subscribe(), self.common.polls.clone());
        while !*stop.borrow() {
            tokio::select! {
                // Nobody left to say so counts as trust.
                _ = device.wait_for(|device| device.clock != ClockTrust::Waiting) => {}
                () = stopped(&mut stop) => break,
            }
            // Marked as seen before the look, so that what happens after it wakes the task.
            wake.mark_unchanged();
            bell.mark_unchanged();
            apps.mark_unchanged();
            polls.mark_unchanged();
            let pause = match self.turn().await? {
                Turn::Done => continue,
                Turn::Over => break,
                Turn::Unsure => PAUSE,
                Turn::Rest(until) => self.until(until),
            };
            tokio::select! {
                _ = rest(pause, &mut wake) => {}
                Ok(()) = bell.changed() => {}
                Ok(()) = apps.changed() => {}
                Ok(()) = polls.changed() => {}
                () = stopped(&mut stop) => {}
            }
        }
        Ok(())
    }

    async fn turn(&mut self) -> Result<Turn, Error> {
        let journal = &self.common.journal;
        let view = match journal.company_view(&self.realm).await {
            Ok(Some(view)) if view.company.standing != Standing::Disconnected => view,
            Ok(_) => return Ok(Turn::Over),
            Err(error) => return pointless(error).map(|()| Turn::Unsure),
        };
        let now = self.common.clock.now();
        let Some(contract) = self.common.contracts.get(&view.company.app) else {
            let why = format!(
                "there is no app named {}, to which this company was connected",
                view.company.app
            );
            let kind = HindranceKind::Refused;
            self.common.roster.hinder(&view.company, kind, &why, now);
            return Ok(Turn::Rest(now.plus(self.common.tick)));
        };
        let spent = match contract.spent(journal, now).await {
            Ok(spent) => spent,
            Err(error) => return pointless(error).map(|()| Turn::Unsure),
        };
        if self.connected_at != Some(view.company.connected_at) {
            self.connected_at = Some(view.company.connected_at);
            self.course.connected();
            self.misses = Misses::default();
            (self.tokens, self.errands) = (None, BTreeMap::new());
        }
        self.course.under_way = self.errands.keys().copied().collect();
        self.heed_wishes();
        let step = step(now, &view, &self.plan, spent, &mut self.course);
        let polling_stopped = &self.wishes.stopped;
        self.report
            .tell(now, &view, spent, &self.course, polling_stopped);
        match step {
            Step::Rest { until } => Ok(Turn::Rest(until)),
            Step::Refresh => self.renew(&contract, &view).await,
            Step::Read(class) => self.read(&contract, class, &view).await,
        }
    }

    /// Takes up what instances wish for. Read after the instant at which the step is judged, so that
    /// no poll is begun for a wish that had ended by then.
    fn heed_wishes(&mut self) {
        let wishes = self.common.polls.borrow().get(&self.realm).cloned();
        self.wishes = wishes.unwrap_or_default();
        self.plan = self.common.plan.with(&self.wishes);
    }

    /// Gets and stores the next tokens.
    async fn renew(&mut self, contract: &Contract<Q>, view: &CompanyView) -> Result<Turn, Error> {
        let unstored = |why: String| self.report.unstored(&why, self.common.clock.now());
        let renewed = self.renewal(contract, &unstored).renew().await;
        match renewed {
            Ok(tokens) => {
                self.tokens = Some(tokens);
                self.course.renewed(self.common.clock.now());
                self.common.tally.tokens_renewed.add_one();
                Ok(Turn::Done)
            }
            Err(unrenewed) => self.unrenewed(unrenewed, view).await,
        }
    }

    /// The access token that belongs to the view: what was stored last.
    async fn access(
        &mut self,
        contract: &Contract<Q>,
        view: &CompanyView,
    ) -> Result<Secret, Unrenewed> {
        let newest = view.company.access_expires_at;
        let held = self.tokens.take();
        let held = held.filter(|tokens| Some(tokens.access_expires_at) == newest);
        let tokens = match held {
            Some(tokens) => tokens,
            None => self.renewal(contract, &|_| ()).stored().await?,
        };
        let access = tokens.access.clone();
        self.tokens = Some(tokens);
        Ok(access)
    }

    fn renewal<'a>(
        &'a self,
        contract: &'a Contract<Q>,
        unstored: &'a (dyn Fn(String) + Sync),
    ) -> Renewal<'a, Q, Kept<'a>> {
        Renewal {
            quickbooks: &contract.quickbooks,
            store: Kept {
                journal: &self.common.journal,
                realm: &self.realm,
            },
            vault: &self.common.vault,
            realm: &self.realm,
            clock: &*self.common.clock,
            stop: &self.common.stop,
            unstored,
        }
    }

    async fn unrenewed(&mut self, unrenewed: Unrenewed, view: &CompanyView) -> Result<Turn, Error> {
        let now = self.common.clock.now();
        match unrenewed {
            Unrenewed::Journal(error) => return pointless(error).map(|()| Turn::Unsure),
            Unrenewed::Sealed(error) => self.course.refused(now, &error.to_string()),
            Unrenewed::Gone => {
                let why = "there are no tokens of this company; connect it again";
                self.course.refused(now, why);
            }
            Unrenewed::Ended(why) => {
                let why = format!("Intuit no longer accepts the authorization: {why}");
                let realm = &self.realm;
                tracing::error!(%realm, "company {realm} has to be connected again: {why}");
                return self.stand_still(Standing::NeedsAuthorization { why }).await;
            }
            Unrenewed::Failure(failure) => self.hinder(None, &failure),
        }
        self.miss(view).await
    }

    /// Counts a poll for instances that failed because the company cannot be read, and stops them
    /// when it was one too many.
    async fn miss(&mut self, view: &CompanyView) -> Result<Turn, Error> {
        let now = self.common.clock.now();
        let Some(hindrance) = &self.course.hindrance else {
            return Ok(Turn::Done);
        };
        if self.misses.miss(now, view, &self.wishes) {
            let (realm, why) = (&self.realm, &hindrance.why);
            let why = format!("{MISSES_MAX} polls failed in a row, the last one because {why}");
            tracing::error!(%realm, "company {realm} is polled no more for its instances: {why}");
            match self.common.journal.stop_polling(realm, &why, now).await {
                Ok(()) => self.misses = Misses::default(),
                // It is tried again at the next failure.
                Err(error) => pointless(error)?,
            }
        }
        Ok(Turn::Done)
    }

    async fn stand_still(&self, standing: Standing) -> Result<Turn, Error> {
        let (journal, now) = (&self.common.journal, self.common.clock.now());
        match journal.set_standing(&self.realm, standing, now).await {
            Ok(()) => Ok(Turn::Done),
            // It is asked again, and refused again.
            Err(error) => pointless(error).map(|()| Turn::Unsure),
        }
    }

    /// The next call for this reason, and what it brings.
    async fn read(
        &mut self,
        contract: &Contract<Q>,
        class: Class,
        view: &CompanyView,
    ) -> Result<Turn, Error> {
        let now = self.common.clock.now();
        let held = self.errands.remove(&class);
        let held = held.filter(|errand| class != Class::Gap || errand.gap == view.gap);
        let Some(mut errand) = held.or_else(|| self.begin(now, class, view)) else {
            return Ok(Turn::Done);
        };
        let Some(ask) = errand.ask(now) else {
            let taken = errand.close(now);
            return self.take_in(errand, taken).await;
        };
        let access = match self.access(contract, view).await {
            Ok(access) => access,
            Err(unrenewed) => {
                self.errands.insert(class, errand);
                return self.unrenewed(unrenewed, view).await;
            }
        };
        let (common, caller) = (&self.common, &mut self.caller);
        let is_short = class == Class::Poll && errand.is_suspicious();
        let asked = (&ask, self.plan.zone_of(ask.kinds()));
        let answer = caller.call(common, contract, &self.realm, &access, asked, is_short);
        let Some(answer) = answer.await? else {
            return Ok(Turn::Done);
        };
        let now = self.common.clock.now();
        let taken = match answer {
            Ok(answer) => {
                self.course.answered();
                self.report.answered(now);
                if class == Class::Poll {
                    self.misses = Misses::default();
                }
                match answer {
                    Answer::Captured(captured) => errand.captured(captured, now),
                    Answer::Page(page) => errand.page(page, now),
                }
            }
            Err(failure) => {
                self.common.tally.quickbooks_calls_failed.add_one();
                if is_answer(&failure) {
                    self.course.answered();
                }
                match errand.failed(&failure, self.course.answers, now) {
                    Some(taken) => taken,
                    None => {
                        self.errands.insert(class, errand);
                        self.hinder(Some(class), &failure);
                        return self.miss(view).await;
                    }
                }
            }
        };
        self.take_in(errand, taken).await
    }

    fn begin(&self, now: Timestamp, class: Class, view: &CompanyView) -> Option<Errand> {
        let plan = &self.plan;
        let mut errand = match class {
            Class::Notified => {
                let open = open(now, view, &self.course);
                Errand::of_notified(now, view, &open, plan.overlap, plan.capture)
            }
            Class::Gap => Errand::of_gap(view, view.gap.as_ref()?, plan.overlap),
            Class::Poll => {
                let kinds = polled(now, view, plan, &self.course);
                let compares = |kind: &str| self.course.compares(now, kind);
                Errand::of_poll(view, kinds, compares, plan.overlap)
            }
            Class::Sweep => Errand::of_sweep(view, plan.overlap),
        };
        errand.keep_apart(&self.course.refused_kinds());
        Some(errand)
    }

    /// Notes a failure that only time or a person can mend.
    fn hinder(&mut self, class: Option<Class>, failure: &Failure) {
        let (now, why) = (self.common.clock.now(), failure.to_string());
        let chance = (self.common.jitter)();
        let course = &mut self.course;
        match failure {
            Failure::Unauthorized => course.unauthorized(now, &why),
            Failure::Throttled { wait } => course.throttled(now, *wait, chance, &why),
            Failure::CapReached => course.cap_reached(now, &why),
            Failure::Forbidden { .. }
            | Failure::InvalidGrant { .. }
            | Failure::InvalidClient { .. }
            | Failure::Lapsed => course.refused(now, &why),
            Failure::TooOld
            | Failure::TooLarge { .. }
            | Failure::Unsupported { .. }
            | Failure::Refused { .. }
            | Failure::Unavailable { .. }
            | Failure::NotUnderstood { .. } => course.unreachable(now, class, chance, &why),
        }
    }

    /// Hands over to the journal what a call came to.
    async fn take_in(&mut self, errand: Errand, taken: Taken) -> Result<Turn, Error> {
        let realm = self.realm.clone();
        let Taken {
            mut reading,
            refused,
            skipped,
            compared,
        } = taken;
        for Refused { kind, why, passes } in refused {
            tracing::warn!(%realm, "company {realm}: {kind} cannot be read: {why}");
            let refusal = match passes {
                true => Refusal::Passing((self.common.jitter)()),
                false => Refusal::Lasting,
            };
            self.course.kind_refused(reading.at, &kind, refusal);
        }
        self.report
            .skipped(&self.common.journal, &reading, skipped)
            .await?;
        if let Some((kind, calls)) = compared {
            let interval = self.plan.polls.get(&kind).copied();
            let interval = interval.unwrap_or(COMPARED_EVERY);
            self.course.compared(reading.at, &kind, calls, interval);
        }
        if reading.finished {
            errand
                .kinds_read()
                .for_each(|kind| self.course.kind_read(kind));
            if let Purpose::Notified { through } = &mut reading.purpose {
                match self.course.settle(reading.at, &errand.outcome()) {
                    Some(all) => *through = all,
                    None => reading.finished = false,
                }
            }
            self.report.missing(&self.common.journal, &reading).await?;
        } else {
            self.errands.insert(errand.class, errand);
        }
        self.store(reading).await?;
        Ok(Turn::Done)
    }

    /// Stores a reading, as often as it takes; nothing is read again for it.
    async fn store(&self, reading: Reading) -> Result<(), Error> {
        let mut stop = self.common.stop.clone();
        loop {
            match self.common.journal.reconcile(reading.clone()).await {
                Ok(done) => {
                    let tally = &self.common.tally;
                    tally.changes_found.add(done.found.into());
                    tally.records_attached.add(done.attached.into());
                    return Ok(());
                }
                // Nobody wants to know any more.
                Err(Error::NotConnected(_)) => return Ok(()),
                Err(error) => pointless(error)?,
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = stopped(&mut stop) => return Ok(()),
            }
        }
    }

    /// Until what is due, and no longer than a tick, which is a little different each time so that
    /// the tasks do not all look at once.
    fn until(&self, until: Timestamp) -> Duration {
        let tick = self.common.tick.mul_f64(1.0 + (self.common.jitter)() / 5.0);
        until.since(self.common.clock.now()).min(tick)
    }
}

/// Whether QuickBooks is well and only did not like the question.
const fn is_answer(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::TooOld
            | Failure::TooLarge { .. }
            | Failure::Unsupported { .. }
            | Failure::Refused { .. }
    )
}

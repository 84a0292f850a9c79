//! The handle's half for companies that are read: connecting, tokens, readings, gaps, calls spent.
//!
//! Called by the companies' own tasks and by the roof. Each method that writes returns when its
//! transaction is committed and survives loss of power (I1), so that a new refresh token is safe
//! before the access token that came with it is used.

use super::command::Task;
use super::company::{self, Order};
use super::gaps::{self, Opening};
use super::{Error, Journal};
use crate::model::{
    AppName, Company, CompanyView, Ends, GapReport, Reading, RealmId, Reconciled, Standing,
    Timestamp,
};

impl Journal {
    /// A company was connected, or connected again: the company and its sealed tokens in one
    /// transaction. It is connected from `now` on; where `company` says that it awaits approval, only
    /// if it could be read before, and what it is then is returned. Again: it goes on where it had
    /// been read to, and a gap is opened for it from the moment on since which it could not be read.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn connect_company(
        &self,
        company: Company,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<Standing, Error> {
        let (realm, asked) = (company.realm.clone(), company.standing.clone());
        self.order(Order::Connect {
            company,
            sealed,
            now,
        })
        .await?;
        // It is stored, whether or not that can be read back.
        let companies = self.companies().await.unwrap_or_default();
        let mut stored = companies
            .into_iter()
            .filter(|company| company.realm == realm);
        Ok(stored.next().map_or(asked, |company| company.standing))
    }

    /// Stores a set of tokens in the place of the one before. When this returns `Ok`, it survives
    /// loss of power.
    ///
    /// # Errors
    /// [`Error::NotConnected`], or as for [`settle`](Self::settle): the old set stands then.
    pub async fn store_tokens(
        &self,
        realm: &RealmId,
        sealed: Vec<u8>,
        ends: Ends,
    ) -> Result<(), Error> {
        let realm = realm.clone();
        self.order(Order::Tokens {
            realm,
            sealed,
            ends,
        })
        .await
    }

    /// The newest set of tokens of a company, sealed; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn sealed_tokens(&self, realm: &RealmId) -> Result<Option<Vec<u8>>, Error> {
        let realm = realm.clone();
        self.read(move |connection| company::tokens(connection, &realm))
            .await
    }

    /// Whether a company may be read from now on; written as an event when it is a change. A
    /// disconnected company's tokens are forgotten.
    ///
    /// # Errors
    /// [`Error::NotConnected`], or as for [`settle`](Self::settle).
    pub async fn set_standing(
        &self,
        realm: &RealmId,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), Error> {
        let realm = realm.clone();
        self.order(Order::Stand {
            realm,
            standing,
            now,
        })
        .await
    }

    /// Every company that was ever connected, by its id.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn companies(&self) -> Result<Vec<Company>, Error> {
        self.read(company::all).await
    }

    /// What the next step with a company follows from; `None` when it was never connected.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn company_view(&self, realm: &RealmId) -> Result<Option<CompanyView>, Error> {
        let asked = realm.clone();
        let mut view = self
            .read(move |connection| company::view(connection, &asked))
            .await?;
        if let Some(view) = &mut view {
            self.0.shared.catch_up(realm, &mut view.watermarks);
        }
        Ok(view)
    }

    /// Takes in what a look at a company brought, as one transaction: what nobody had told becomes
    /// changes that leave like all others, what was notified gets its record, the watermarks move.
    /// A look that brought nothing new is kept in memory, and written when what is written has
    /// fallen an hour behind: after a loss of power the same is read again and known.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::Full`] when there is no room (nothing of it was kept: read
    /// again when there is); else as for [`settle`](Self::settle).
    pub async fn reconcile(&self, reading: Reading) -> Result<Reconciled, Error> {
        let reading = Box::new(reading);
        self.command(|answer| Task::Reconcile(reading, answer))
            .await
    }

    /// A span in which notifications may have been missed is to be gone through by every connected
    /// company. Joins an open gap of the same cause that it overlaps or adjoins. Returns its
    /// number, or `None` when no company is connected, so that there is nothing to do.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn open_gap(
        &self,
        since: Timestamp,
        until: Timestamp,
        cause: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, Error> {
        let opening = Opening {
            since,
            until: until.max(since),
            cause: cause.to_owned(),
            now,
        };
        self.command(|answer| Task::Gap(opening, answer)).await
    }

    /// The newest twenty gaps and what came of them, newest first.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn gaps(&self) -> Result<Vec<GapReport>, Error> {
        self.read(gaps::newest).await
    }

    /// Adds to the API calls of an app in a month (`2026-11`). Each is a write to the disk: several
    /// calls at once.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn spend(&self, app: &AppName, month: &str, calls: u64) -> Result<(), Error> {
        self.order(Order::Spend {
            app: app.clone(),
            month: month.to_owned(),
            calls,
        })
        .await
    }

    /// The API calls of an app in a month (`2026-11`), as far as they were counted.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn spent(&self, app: &AppName, month: &str) -> Result<u64, Error> {
        let (app, month) = (app.clone(), month.to_owned());
        self.read(move |connection| company::spent(connection, &app, &month))
            .await
    }

    /// The latest instant that the file knew of when it was opened: since then, notifications may
    /// have been missed. `None` for a new journal.
    pub fn last_alive(&self) -> Option<Timestamp> {
        self.0.last_alive
    }

    async fn order(&self, order: Order) -> Result<(), Error> {
        let order = Box::new(order);
        self.command(|answer| Task::Company(order, answer)).await
    }
}

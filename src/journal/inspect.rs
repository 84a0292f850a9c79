//! Looking into a journal from outside: for the command line, in a process of its own.
//!
//! Read-only, whether the relay runs or not, and in short steps, so that the relay's log is not kept
//! from being reused. It decides nothing and prints nothing.

use super::brief::Brief;
use super::events::{self, Event};
use super::listing::{Lanes, listed, seqs, shown};
use super::open;
use super::reader::in_one_view;
use super::replay;
use super::{Error, error::Failure};
use super::{instance, instance_rows, migrate};
use crate::model::access;
use crate::model::{
    Authenticity, Change, ChangeId, Encoding, Form, Instance, LaneState, RealmId, Seq, SinkName,
    Timestamp,
};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;
use std::path::Path;

/// A journal, open for reading.
pub struct Inspection {
    pub(super) connection: Connection,
    brief: Brief,
}

/// Which receipts are meant; what is `None` does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// With a change of this company.
    pub realm: Option<RealmId>,
    /// With a change of a record of this kind, in any case.
    pub kind: Option<String>,
    /// With a change of a record with this id.
    pub id: Option<String>,
    /// Received at this instant or later.
    pub since: Option<Timestamp>,
    /// Received before this instant.
    pub until: Option<Timestamp>,
    /// In this state.
    pub state: Option<State>,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// What can be said of a receipt. More than one can be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Something of it has yet to reach a configured sink.
    Pending,
    /// Nothing waits and nothing was given up.
    Delivered,
    /// Something of it was given up, and nobody has looked after it.
    Dead,
    /// Something in it was not understood, and nobody has acknowledged it.
    Unreadable,
}

/// A receipt as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its number.
    pub seq: Seq,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Name of the verifier, the trusted source or the app by which it came.
    pub source: String,
    /// What speaks for it.
    pub authenticity: Authenticity,
    /// What its body is written in.
    pub encoding: Encoding,
    /// Its payload form, where one was recognized.
    pub form: Option<Form>,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// Entries in it, those known already included.
    pub items: u64,
    /// What it added, in order, with its fate.
    pub changes: Vec<ListedChange>,
    /// What was not understood, in order.
    pub unreadable: Vec<ListedUnreadable>,
    /// What had come before: its place in the body, from 0, and the receipt that brought it.
    pub repeated: Vec<(u64, Seq)>,
    /// How often it came again.
    pub repeats: u64,
    /// When it last did.
    pub last_repeat_at: Option<Timestamp>,
}

/// A change, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedChange {
    /// Its place in the body, from 0.
    pub ordinal: u64,
    /// The change.
    pub change: Change,
    /// What became of it at every configured sink.
    pub fates: Vec<(SinkName, Fate)>,
    /// When it was asked for again, oldest first.
    pub replays: Vec<ListedReplay>,
}

/// What became of a change at a sink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It has yet to go; the state of its lane, when it is at the head.
    Waiting(Option<LaneState>),
    /// The sink has it.
    Delivered,
    /// Given up.
    Dead {
        /// When.
        at: Timestamp,
        /// Why, in one sentence.
        reason: String,
        /// When somebody asked for it again.
        replayed_at: Option<Timestamp>,
        /// When somebody put it aside.
        discarded_at: Option<Timestamp>,
    },
}

/// A replay of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedReplay {
    /// Where to.
    pub sink: SinkName,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// How it fared.
    pub state: LaneState,
    /// When it was delivered, given up or cancelled.
    pub done_at: Option<Timestamp>,
    /// Whether it was cancelled.
    pub cancelled: bool,
}

/// An entry that was not understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedUnreadable {
    /// Its place in the body, from 0.
    pub ordinal: u64,
    /// Where in the body.
    pub at: String,
    /// Why.
    pub why: String,
    /// When somebody acknowledged it.
    pub discarded_at: Option<Timestamp>,
}

/// All of a receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// What a list shows of it.
    pub listed: Listed,
    /// The headers that were kept.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Whether the body still has the digest that it had when it was stored.
    pub body_is_intact: bool,
}

impl Inspection {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Foreign`], [`Error::Unusable`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        match path.metadata() {
            Ok(facts) if facts.is_file() => {}
            Ok(_) => {
                let path = path.display();
                return Err(Error::Unusable(format!("{path} is not a file")));
            }
            Err(error) => return Err(Error::Unusable(access::not_opened(path, &error))),
        }
        if let Err(error) = std::fs::File::open(path) {
            return Err(Error::Unusable(access::not_opened(path, &error)));
        }
        let open = || -> Result<Connection, Failure> {
            let connection = open::open_read_only(path)?;
            let format = migrate::recognize(&connection, path)?;
            if format == migrate::newest() {
                return Ok(connection);
            }
            let path = path.display();
            let said = match format {
                0 => format!("{path} is not a journal yet; `run` makes one"),
                older => format!("{path} has the older format {older}; `run` brings it forward"),
            };
            Err(Error::Unusable(said).into())
        };
        let mut connection = open()?;
        let brief = Brief::on(&mut connection, path).map_err(Failure::from)?;
        Ok(Self { connection, brief })
    }

    /// The newest receipts that the filter lets through, oldest first.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn list(&self, filter: &Filter) -> Result<Vec<Listed>, Error> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        let mut found: Vec<Listed> = Vec::new();
        let mut before = i64::MAX;
        while found.len() < limit {
            let step = self.view(|connection| {
                let lanes = Lanes::load(connection)?;
                let seqs = seqs(connection, filter, (i64::MIN, before), "DESC")?;
                let listed = seqs.iter().map(|seq| listed(connection, &lanes, *seq));
                Ok((seqs.last().copied(), listed.collect::<Result<Vec<_>, _>>()?))
            })?;
            let (Some(last), listed) = step else { break };
            before = last.0;
            let chosen = listed
                .into_iter()
                .flatten()
                .filter(|one| filter.admits(one));
            found.extend(chosen.take(limit - found.len()));
        }
        found.reverse();
        Ok(found)
    }

    /// All of one receipt.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn show(&self, seq: Seq) -> Result<Option<Shown>, Error> {
        self.view(|connection| shown(connection, &Lanes::load(connection)?, seq))
    }

    /// The receipt that brought the change with this id.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn find(&self, id: &ChangeId) -> Result<Option<Seq>, Error> {
        self.view(|connection| {
            let Some(change) = replay::find(connection, id)? else {
                return Ok(None);
            };
            connection
                .query_row(
                    "SELECT receipt FROM change WHERE seq = ?1",
                    [change.0],
                    |row| row.get(0),
                )
                .optional()
                .map(|seq| seq.map(Seq))
        })
    }

    /// Hands over every receipt that the filter lets through, oldest first, until the receiver
    /// fails.
    ///
    /// # Errors
    /// [`Error::Unread`], or what the receiver returned.
    pub fn each<E: From<Error>>(
        &self,
        filter: &Filter,
        mut receiver: impl FnMut(Shown) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = i64::MIN;
        loop {
            let step = self.view(|connection| {
                let lanes = Lanes::load(connection)?;
                let seqs = seqs(connection, filter, (after, i64::MAX), "ASC")?;
                Ok((lanes, seqs))
            })?;
            let (lanes, seqs) = step;
            let Some(last) = seqs.last() else {
                return Ok(());
            };
            after = last.0;
            for seq in seqs {
                let shown = self.view(|connection| shown(connection, &lanes, seq))?;
                if let Some(shown) = shown.filter(|shown| filter.admits(&shown.listed)) {
                    receiver(shown)?;
                }
            }
        }
    }

    /// What happened to the relay, newest first.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn events(&self, count: usize) -> Result<Vec<Event>, Error> {
        self.view(|connection| events::newest(connection, count))
    }

    /// Every element instance, by its number.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn instances(&self) -> Result<Vec<Instance>, Error> {
        self.view(instance_rows::all)
    }

    /// The sinks of instances whose subscription is paused.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn paused_instances(&self) -> Result<BTreeSet<SinkName>, Error> {
        self.view(instance::paused)
    }

    pub(super) fn view<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.look(question).map_err(|error| Error::of_read(&error))
    }

    /// One view; broken off when it lasts while somebody writes.
    pub(super) fn look<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.brief.begin();
        in_one_view(&self.connection, question)
    }
}

impl Listed {
    /// Whether this can be said of the receipt.
    pub fn is(&self, state: State) -> bool {
        let any = |is: fn(&Fate) -> bool| {
            self.changes
                .iter()
                .flat_map(|change| &change.fates)
                .any(|(_, fate)| is(fate))
        };
        let dead = any(|fate| {
            matches!(
                fate,
                Fate::Dead {
                    replayed_at: None,
                    discarded_at: None,
                    ..
                }
            )
        });
        let replaying = || {
            let mut replays = self.changes.iter().flat_map(|change| &change.replays);
            replays.any(|replay| replay.done_at.is_none())
        };
        let pending = any(|fate| matches!(fate, Fate::Waiting(_))) || replaying();
        match state {
            State::Pending => pending,
            State::Delivered => !pending && !dead,
            State::Dead => dead,
            State::Unreadable => self
                .unreadable
                .iter()
                .any(|entry| entry.discarded_at.is_none()),
        }
    }
}

impl Filter {
    fn admits(&self, listed: &Listed) -> bool {
        let fits = |change: &Change| {
            let notification = &change.notification;
            let (kind, id) = (&notification.entity.kind, &notification.entity.id);
            self.realm
                .as_ref()
                .is_none_or(|realm| *realm == notification.realm)
                && self
                    .kind
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind))
                && self.id.as_ref().is_none_or(|wanted| wanted == id)
        };
        let about_changes = self.realm.is_some() || self.kind.is_some() || self.id.is_some();
        (!about_changes || listed.changes.iter().any(|one| fits(&one.change)))
            && self.state.is_none_or(|state| listed.is(state))
    }
}

//! Questions that were asked of Intuit and not answered yet, and for a while what came of them.
//!
//! Each is known by a `state` of 256 random bits, and one that was begun in a browser by a link and a
//! cookie of as many; they are looked up by their digests, so nothing about a wrong one can be learned
//! from how long the look takes. Bounded: so many for each who begins them and so many in all, and
//! nobody's question makes room for somebody else's.

use super::{Begun, Connected, Error, Outcome};
use crate::model::{AppName, Timestamp};
use crate::wire::quickbooks::redirect::Redirect;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::watch;

/// Random bytes of a `state`, a link and a cookie.
pub(super) const SECRET_BYTES: usize = 32;

/// How long a question is open, and how long its outcome is remembered.
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Questions at a time of the operator's shell, of one network, and of all networks: a person opens
/// one, perhaps two.
const SHELL_MAX: usize = 32;
const NETWORK_MAX: usize = 8;
const NETWORKS_MAX: usize = 256;

/// What every cookie's name begins with. Browsers take `__Host-` only from the host itself, by HTTPS.
const COOKIE_PREFIX: &str = "__Host-qbo-relay-consent-";

/// The name of a question for whoever asked it: says nothing about its `state`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ticket(String);

impl Ticket {
    /// A ticket as it was written down.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As text: 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who begins a consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Beginner {
    /// The operator, who has a shell on this machine.
    Shell,
    /// Somebody with a browser, in this network; `None` for this machine's own sockets.
    Browser(Option<IpAddr>),
}

/// How an answer came, which tells whether whoever brings it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bringer<'a> {
    /// The operator pasted it.
    Shell,
    /// A browser came back with these cookies, as its header fields have them.
    Browser(&'a [&'a str]),
}

/// What came of a question, once it is known.
pub(super) type Settled = Option<Result<Connected, Error>>;

/// An answer to an open question.
pub(super) enum Taken {
    /// The first: whoever takes it sees to it, and says here what came of it.
    First {
        app: AppName,
        /// Nobody with the operator's shell had a part in it.
        unattended: bool,
        settle: watch::Sender<Settled>,
    },
    /// The same once more: what came of the first, as soon as that is known.
    Again(watch::Receiver<Settled>),
}

/// The questions.
#[derive(Default)]
pub(super) struct Pending(Vec<Question>);

struct Question {
    ticket: Ticket,
    app: AppName,
    at: Timestamp,
    by: Beginner,
    way: Way,
    /// The answer that was taken: its digest, and what comes of it.
    answer: Option<([u8; 32], watch::Receiver<Settled>)>,
}

/// How somebody gets to Intuit with it.
enum Way {
    /// The address was told to the operator.
    Told,
    /// The link with this digest leads to the address, and leaves a cookie with this digest.
    Link {
        link: [u8; 32],
        url: String,
        cookie: Option<[u8; 32]>,
    },
}

impl Pending {
    /// A new question of the operator's: `url` makes the address at Intuit from its `state`.
    pub(super) fn begin_told(
        &mut self,
        app: AppName,
        state: [u8; SECRET_BYTES],
        url: impl FnOnce(&str) -> String,
        now: Timestamp,
    ) -> Begun {
        self.forget(now);
        let is_shells = |question: &Question| question.by == Beginner::Shell;
        if self.0.iter().filter(|question| is_shells(question)).count() >= SHELL_MAX {
            // All of them are the operator's own, and the newest is the one that is meant.
            if let Some(oldest) = self.0.iter().position(is_shells) {
                self.0.remove(oldest);
            }
        }
        let state = text(&state);
        let url = url(&state);
        let ticket = self.ask(app, &state, Beginner::Shell, Way::Told, now);
        Begun { url, ticket }
    }

    /// A new question of somebody with a browser. `link` is what its link ends with.
    ///
    /// # Errors
    /// [`Error::TooMany`].
    pub(super) fn begin_linked(
        &mut self,
        app: AppName,
        [state, link]: [[u8; SECRET_BYTES]; 2],
        url: impl FnOnce(&str) -> String,
        network: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<String, Error> {
        self.forget(now);
        let by = Beginner::Browser(network);
        let all = self.0.iter().filter(|asked| asked.by != Beginner::Shell);
        let here = all.clone().filter(|asked| asked.by == by);
        if here.count() >= NETWORK_MAX || all.count() >= NETWORKS_MAX {
            return Err(Error::TooMany);
        }
        let (state, link) = (text(&state), text(&link));
        let way = Way::Link {
            link: digest(&link),
            url: url(&state),
            cookie: None,
        };
        self.ask(app, &state, by, way, now);
        Ok(link)
    }

    fn ask(&mut self, app: AppName, state: &str, by: Beginner, way: Way, now: Timestamp) -> Ticket {
        let ticket = ticket(state);
        self.0.push(Question {
            ticket: ticket.clone(),
            app,
            at: now,
            by,
            way,
            answer: None,
        });
        ticket
    }

    /// Opens a link: the address at Intuit, and the cookie to leave in the browser (`name=value`). A
    /// link is opened by one browser; the same one, which brings the cookie, may open it again.
    ///
    /// # Errors
    /// [`Error::Unasked`], [`Error::OtherBrowser`].
    pub(super) fn open(
        &mut self,
        opened: &str,
        cookies: &[&str],
        fresh: [u8; SECRET_BYTES],
        now: Timestamp,
    ) -> Result<(String, String), Error> {
        self.forget(now);
        let opened = digest(opened);
        for question in &mut self.0 {
            let name = cookie_name(&question.ticket);
            if let Way::Link { link, url, cookie } = &mut question.way
                && *link == opened
            {
                let value = match cookie {
                    None => text(&fresh),
                    Some(known) => brought(cookies, &name, known).ok_or(Error::OtherBrowser)?,
                };
                *cookie = Some(digest(&value));
                return Ok((url.clone(), format!("{name}={value}")));
            }
        }
        Err(Error::Unasked)
    }

    /// Takes an answer to an open question. What was answered is not answered anew: the same answer
    /// gets the same outcome, another one none.
    ///
    /// # Errors
    /// [`Error::Unasked`]; [`Error::OtherBrowser`], and the question stays as it is.
    pub(super) fn take(
        &mut self,
        redirect: &Redirect,
        bringer: Bringer<'_>,
        now: Timestamp,
    ) -> Result<Taken, Error> {
        self.forget(now);
        let ticket = ticket(&redirect.state);
        let mut questions = self.0.iter_mut();
        let question = questions
            .find(|question| question.ticket == ticket)
            .ok_or(Error::Unasked)?;
        question.admit(bringer)?;
        let answer = digest_of(redirect);
        match &question.answer {
            Some((first, outcome)) if *first == answer => Ok(Taken::Again(outcome.clone())),
            Some(_) => Err(Error::Unasked),
            None => {
                let (settle, outcome) = watch::channel(None);
                question.answer = Some((answer, outcome));
                question.at = now;
                Ok(Taken::First {
                    app: question.app.clone(),
                    unattended: question.by != Beginner::Shell && bringer != Bringer::Shell,
                    settle,
                })
            }
        }
    }

    /// How a question stands.
    pub(super) fn outcome(&mut self, ticket: &Ticket, now: Timestamp) -> Option<Outcome> {
        self.forget(now);
        let question = self.0.iter().find(|question| question.ticket == *ticket)?;
        let settled = question.answer.as_ref();
        let settled = settled.and_then(|(_, settled)| settled.borrow().clone());
        Some(match settled {
            None => Outcome::Waiting,
            Some(Ok(connected)) => Outcome::Connected(connected),
            Some(Err(error)) => Outcome::Refused(error.to_string()),
        })
    }

    /// A clock that was put back makes a question older, never younger.
    fn forget(&mut self, now: Timestamp) {
        self.0
            .retain(|question| question.at <= now && now.since(question.at) <= LIFETIME);
    }
}

impl Question {
    /// Whether the answer may come in this way: to the browser that began it, or by the operator.
    fn admit(&self, bringer: Bringer<'_>) -> Result<(), Error> {
        let (Bringer::Browser(cookies), Way::Link { cookie, .. }) = (bringer, &self.way) else {
            return Ok(());
        };
        let name = cookie_name(&self.ticket);
        let known = cookie.as_ref();
        let brought = known.and_then(|known| brought(cookies, &name, known));
        brought.map(drop).ok_or(Error::OtherBrowser)
    }
}

/// The cookie of this name with this digest, if it is among those that a browser sent.
fn brought(cookies: &[&str], name: &str, known: &[u8; 32]) -> Option<String> {
    let mut pairs = cookies.iter().flat_map(|field| field.split(';'));
    pairs.find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name && digest(value) == *known).then(|| value.to_owned())
    })
}

/// One for each question, so that two that are open in one browser do not get in each other's way.
fn cookie_name(ticket: &Ticket) -> String {
    let short = ticket.0.get(..16).unwrap_or_default();
    format!("{COOKIE_PREFIX}{short}")
}

fn text(secret: &[u8; SECRET_BYTES]) -> String {
    URL_SAFE_NO_PAD.encode(secret)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Of the answer as it was understood: an address that was pasted and the redirect itself are one.
fn digest_of(redirect: &Redirect) -> [u8; 32] {
    let mut digest = Sha256::new();
    match &redirect.consent {
        Ok((code, realm)) => {
            digest.update(code.expose());
            digest.update([0]);
            digest.update(realm.as_str());
        }
        Err(why) => {
            digest.update([1]);
            digest.update(why);
        }
    }
    digest.finalize().into()
}

fn ticket(state: &str) -> Ticket {
    let mut text = String::with_capacity(64);
    for byte in digest(state) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ticket(text)
}

#[cfg(test)]
mod tests;

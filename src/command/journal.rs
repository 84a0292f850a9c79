//! `journal`: reads the journal from outside, whether the relay runs or not.

use super::journal_path;
use super::replay::form::{entity, realm, time};
use crate::cli::{ConfigArgs, Exit};
use crate::journal::inspect::{Fate, Filter, Inspection, Listed, ListedChange, Shown, State};
use crate::model::{Authenticity, Change, ChangeId, Form, Origin, Seq, Timestamp};
use crate::terminal::{Tint, complain, say, say_json, say_lines, say_raw, tinted};
use clap::{Args, ValueEnum};
use std::fmt::Display;
use std::io::IsTerminal;

/// Which receipts.
#[derive(Args, Debug)]
struct Choice {
    /// Only those with a change of this company.
    #[arg(long, alias = "realm", value_name = "ID")]
    company: Option<String>,
    /// Only those with a change of records of this kind, or of one record: `Invoice`, `Invoice/130`.
    #[arg(long, value_name = "ENTITY")]
    entity: Option<String>,
    /// Only those received at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those received before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<StateWord>,
}

/// Which receipts are listed, and how.
#[derive(Args, Debug)]
pub struct ListOptions {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    choice: Choice,
    /// The newest so many; 0 means all of them.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Which receipts are exported.
#[derive(Args, Debug)]
pub struct ExportOptions {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    choice: Choice,
}

/// Which receipt.
#[derive(Args, Debug)]
pub struct ShowOptions {
    #[command(flatten)]
    config: ConfigArgs,
    /// The receipt's number, or the id of one of its changes.
    id: String,
    /// All of it as one JSON object.
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// The body byte for byte, also on a terminal, which it may garble.
    #[arg(long)]
    raw: bool,
}

/// Which journal.
#[derive(Args, Debug)]
pub struct VerifyOptions {
    #[command(flatten)]
    config: ConfigArgs,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
}

/// How many events.
#[derive(Args, Debug)]
pub struct EventsOptions {
    #[command(flatten)]
    config: ConfigArgs,
    /// The newest so many; a thousand are kept.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// A state, as a word on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateWord {
    /// Something of it has yet to reach a sink.
    Pending,
    /// Nothing waits and nothing was given up.
    Delivered,
    /// Something of it was given up, and nobody has looked after it.
    Dead,
    /// Something in it was not understood, and nobody has acknowledged it.
    #[value(name = "not-understood", alias = "unreadable")]
    Unreadable,
}

/// Runs `journal list`.
pub fn list(options: &ListOptions) -> Exit {
    carry_out(&options.config, |journal| {
        let filter = Filter {
            limit: (options.limit > 0).then_some(options.limit),
            ..options.choice.filter()?
        };
        if options.json {
            let each = |shown: Shown| {
                let mut object = shown.to_json();
                if let Some(fields) = object.as_object_mut() {
                    fields.retain(|name, _| !name.starts_with("body"));
                }
                say_json(object);
            };
            // In the order of the list, which is bounded; the bodies are read one at a time.
            for listed in journal.list(&filter).map_err(text)? {
                journal.show(listed.seq).map_err(text)?.map(each);
            }
        } else {
            journal.list(&filter).map_err(text)?.iter().for_each(line);
        }
        Ok(Exit::Success)
    })
}

/// Runs `journal export`.
pub fn export(options: &ExportOptions) -> Exit {
    carry_out(&options.config, |journal| {
        let filter = options.choice.filter()?;
        journal
            .export(&filter, &mut std::io::stdout().lock())
            .map_err(text)?;
        Ok(Exit::Success)
    })
}

/// Runs `journal show`.
pub fn show(options: &ShowOptions) -> Exit {
    carry_out(&options.config, |journal| {
        let seq = match options.id.parse() {
            // A change's id has 32 digits; a number has at most 19.
            Ok(number) if options.id.len() < 20 => Some(Seq(number)),
            _ => journal
                .find(&ChangeId(options.id.to_ascii_lowercase()))
                .map_err(text)?,
        };
        let shown = match seq {
            Some(seq) => journal.show(seq).map_err(text)?,
            None => None,
        };
        let Some(shown) = shown else {
            return Err(format!(
                "{} is neither a receipt's number nor the id of a change in the journal",
                options.id
            ));
        };
        if options.json {
            say_json(shown.to_json());
        } else {
            page(&shown, options.raw);
        }
        Ok(Exit::Success)
    })
}

/// Runs `journal events`: what outlives the system's log.
pub fn events(options: &EventsOptions) -> Exit {
    carry_out(&options.config, |journal| {
        let events = journal.events(options.limit).map_err(text)?;
        for event in events.iter().rev() {
            let (at, kind) = (event.at.to_string(), event.kind.as_str());
            if options.json {
                say_json(serde_json::json!({ "at": at, "kind": kind, "text": event.text }));
            } else {
                say(format_args!("{at}  {kind:<11}  {}", event.text));
            }
        }
        Ok(Exit::Success)
    })
}

/// Runs `journal verify`.
pub fn verify(options: &VerifyOptions) -> Exit {
    carry_out(&options.config, |journal| {
        let seen = journal.verify().map_err(text)?;
        if options.json {
            say_json(serde_json::json!({
                "receipts": seen.receipts,
                "body_bytes": seen.body_bytes,
                "changes": seen.changes,
                "left_out": seen.left_out,
                "findings": seen.findings,
            }));
        } else {
            for finding in &seen.findings {
                say(tinted(Tint::Red, finding));
            }
            if !seen.left_out.is_empty() {
                say(format_args!(
                    "left out, because the relay writes meanwhile: {}; stop it for all of it",
                    seen.left_out.join(", ")
                ));
            }
            say(format_args!(
                "{} receipts, {} bytes of bodies, {} changes: {}",
                seen.receipts,
                seen.body_bytes,
                seen.changes,
                match seen.findings.len() {
                    0 => tinted(Tint::Green, "every byte as it was written"),
                    count => tinted(Tint::Red, format_args!("{count} findings")),
                }
            ));
        }
        Ok(if seen.findings.is_empty() {
            Exit::Success
        } else {
            Exit::Failure
        })
    })
}

fn carry_out(args: &ConfigArgs, act: impl FnOnce(&Inspection) -> Result<Exit, String>) -> Exit {
    let path = match journal_path(args) {
        Ok(path) => path,
        Err(exit) => return exit,
    };
    let journal = match Inspection::open(&path) {
        Ok(journal) => journal,
        Err(error) => {
            complain(error);
            return Exit::Journal;
        }
    };
    act(&journal).unwrap_or_else(|message| {
        complain(message);
        Exit::Failure
    })
}

fn text(error: impl Display) -> String {
    error.to_string()
}

impl Choice {
    fn filter(&self) -> Result<Filter, String> {
        let (kind, id) = entity(self.entity.as_ref());
        Ok(Filter {
            realm: realm(self.company.as_ref())?,
            kind,
            id,
            since: time(self.since.as_ref())?,
            until: time(self.until.as_ref())?,
            state: self.state.map(|word| match word {
                StateWord::Pending => State::Pending,
                StateWord::Delivered => State::Delivered,
                StateWord::Dead => State::Dead,
                StateWord::Unreadable => State::Unreadable,
            }),
            limit: None,
        })
    }
}

fn line(listed: &Listed) {
    let what = match (listed.changes.first(), listed.changes.len()) {
        (Some(first), 1) => told(&first.change),
        (Some(first), count) => format!("{count} changes, the first {}", told(&first.change)),
        (None, _) => match (listed.unreadable.first(), listed.repeated.first()) {
            (Some(entry), _) => format!("{}: {}", entry.at, entry.why),
            (None, Some((_, of))) => format!("repeat of receipt {of}"),
            (None, None) => "nothing new".into(),
        },
    };
    let repeats = match listed.repeats {
        0 => String::new(),
        count => format!(", came {count} times more"),
    };
    say(format_args!(
        "{:>7}  {}  {:>7} B  {}  {}  {what}{repeats}",
        listed.seq,
        listed.received_at,
        listed.body_bytes,
        provenance(listed),
        state(listed)
    ));
}

/// A change by what `replay` takes: its company, its number there, its id.
fn told(change: &Change) -> String {
    let told = &change.notification;
    format!(
        "{} of company {} no. {}, event {}",
        told.event_type, told.realm, change.sequence, change.id
    )
}

/// How it came and what speaks for it, as two words of one width: `webhook signed    `.
fn provenance(listed: &Listed) -> String {
    // What adds no change was sent: a reading that brings nothing is not kept.
    let origin = listed
        .changes
        .first()
        .map_or(Origin::Webhook, |first| first.change.origin);
    format!(
        "{:<7} {:<10}",
        origin.as_str(),
        listed.authenticity.as_str()
    )
}

/// The gravest that can be said, as a word of one width.
fn state(listed: &Listed) -> String {
    if listed.is(State::Dead) {
        tinted(Tint::Red, "dead          ")
    } else if listed.is(State::Unreadable) {
        tinted(Tint::Yellow, "not understood")
    } else if listed.is(State::Pending) {
        tinted(Tint::Yellow, "pending       ")
    } else if is_put_aside(listed) {
        tinted(Tint::Dim, "put aside     ")
    } else {
        tinted(Tint::Green, "delivered     ")
    }
}

/// Whether a person has put something of it aside.
fn is_put_aside(listed: &Listed) -> bool {
    let discarded = |fate: &Fate| {
        matches!(
            fate,
            Fate::Dead {
                discarded_at: Some(_),
                ..
            }
        )
    };
    let mut fates = listed.changes.iter().flat_map(|change| &change.fates);
    fates.any(|(_, fate)| discarded(fate))
        || listed
            .unreadable
            .iter()
            .any(|entry| entry.discarded_at.is_some())
}

fn page(shown: &Shown, raw: bool) {
    let listed = &shown.listed;
    say(format_args!(
        "receipt {}, received {}",
        listed.seq, listed.received_at
    ));
    say(format_args!(
        "  came by      {}",
        provenance(listed).trim_end()
    ));
    say(format_args!(
        "  {}{}",
        spoken_for(listed.authenticity),
        listed.source
    ));
    say(format_args!(
        "  form         {}, {}",
        listed.form.map_or("not recognized", Form::as_str),
        listed.encoding.as_str()
    ));
    for (name, value) in &shown.headers {
        say(format_args!("  {name}: {value}"));
    }
    if let Some(last) = listed.last_repeat_at {
        say(format_args!(
            "  came again   {} times, last at {last}",
            listed.repeats
        ));
    }
    listed.changes.iter().for_each(change);
    for (ordinal, of) in &listed.repeated {
        say(format_args!("  [{ordinal}]: repeat of receipt {of}"));
    }
    for entry in &listed.unreadable {
        say(format_args!(
            "  {} {}: {}{}",
            tinted(Tint::Yellow, "not understood"),
            entry.at,
            entry.why,
            when("acknowledged", entry.discarded_at)
        ));
    }
    let intact = if shown.body_is_intact {
        ""
    } else {
        ", NOT as it arrived: its digest differs"
    };
    say(format_args!("  body, {} bytes{intact}:", listed.body_bytes));
    if raw || !std::io::stdout().is_terminal() {
        say_raw(&shown.body);
    } else {
        say_lines(String::from_utf8_lossy(&shown.body));
    }
}

/// `, acknowledged 2026-11-21T05:04:23.120Z`, where there is a time.
fn when(what: &str, at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(", {what} {at}"))
}

/// What stands before the name that a receipt came by.
fn spoken_for(authenticity: Authenticity) -> &'static str {
    match authenticity {
        Authenticity::Signed => "verified by  ",
        Authenticity::Credential => "not signed; showed the credential of source ",
        Authenticity::Address => "not signed; came from an address of source ",
        Authenticity::Fetched => "read from QuickBooks by app ",
    }
}

fn change(listed: &ListedChange) {
    let change = &listed.change;
    let notification = &change.notification;
    let mut marks = String::new();
    for (is, mark) in [
        (change.late, "  late"),
        (change.conflicting, "  conflicting"),
        (change.is_ahead(), "  dated in the future"),
    ] {
        if is {
            marks.push_str(mark);
        }
    }
    if let Some(first) = &change.confirms {
        marks.push_str("  confirms ");
        marks.push_str(&first.0);
    }
    say(format_args!(
        "  event {}  {}  {} of company {} no. {}{marks}",
        change.id,
        notification.event_type,
        notification.entity,
        notification.realm,
        change.sequence
    ));
    let is_number = notification.entity.kind.parse::<i32>().is_ok();
    if let Some(data) = notification.data.as_ref().filter(|_| is_number) {
        say(format_args!("      not decided which kind it is: {data}"));
    }
    for (sink, fate) in &listed.fates {
        say(match fate {
            Fate::Waiting(state) => {
                let failure = state.as_ref().and_then(|state| state.last_failure.clone());
                format!(
                    "      {sink}: waiting{}",
                    failure.map_or_else(String::new, |failure| format!(", {failure}"))
                )
            }
            Fate::Delivered => format!("      {sink}: delivered"),
            Fate::Dead {
                at,
                reason,
                replayed_at,
                discarded_at,
            } => format!(
                "      {sink}: given up at {at}: {reason}{}{}",
                when("sent again", *replayed_at),
                when("discarded", *discarded_at)
            ),
        });
    }
    for replay in &listed.replays {
        let verb = if replay.cancelled {
            "cancelled"
        } else {
            "done"
        };
        let done = replay
            .done_at
            .map_or_else(|| "waiting".into(), |at| format!("{verb} at {at}"));
        say(format_args!(
            "      {}: asked for again at {}, {done}",
            replay.sink, replay.requested_at
        ));
    }
}

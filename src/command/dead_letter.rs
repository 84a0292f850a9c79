//! `dead-letter`: what sinks did not take in the end, by sink, company and time; and what a person
//! does about it. `journal discard` is the same for what was not understood.

use super::errand::{Among, Errand, Receipts, meant};
use super::replay::{self, form::Form};
use super::{configuration, journal_path};
use crate::cli::{ConfigArgs, Exit};
use crate::journal::{DeadLetter, Inspection};
use crate::terminal::{complain, say, say_json};
use clap::Args;
use serde_json::{Value, json};

/// Which dead letters.
#[derive(Args, Debug)]
struct Choice {
    /// Only those of this sink, configured or not; may be given several times.
    #[arg(long = "sink", value_name = "NAME")]
    sinks: Vec<String>,
    /// Only those of this company.
    #[arg(long, alias = "realm", value_name = "ID")]
    company: Option<String>,
    /// Only those given up at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those given up before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Which dead letters are listed, and how.
#[derive(Args, Debug)]
pub struct ListOptions {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    choice: Choice,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Which event.
#[derive(Args, Debug)]
pub struct ShowOptions {
    #[command(flatten)]
    config: ConfigArgs,
    /// The id of the event, as `dead-letter list` shows it.
    event: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Which dead letters are sent again.
#[derive(Args, Debug)]
pub struct ReplayOptions {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    choice: Choice,
    /// Say what would go where, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many there are.
    #[arg(long)]
    yes: bool,
    /// The plan as JSON.
    #[arg(long)]
    json: bool,
}

/// Which dead letters are put aside.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["event", "sinks", "company", "since", "until", "all"]))]
pub struct DiscardOptions {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only those of this event, by its id.
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    #[command(flatten)]
    choice: Choice,
    /// All of them.
    #[arg(long, conflicts_with_all = ["event", "sinks", "company", "since", "until"])]
    all: bool,
    /// Say which, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many there are.
    #[arg(long)]
    yes: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Which receipts' entries are acknowledged.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["receipts", "since", "until", "all"]))]
pub struct AcknowledgeOptions {
    #[command(flatten)]
    config: ConfigArgs,
    /// Numbers of receipts, as `journal list --state not-understood` shows them.
    receipts: Vec<i64>,
    /// Those received at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Those received before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["receipts", "since", "until"])]
    all: bool,
    /// Say which, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many there are.
    #[arg(long)]
    yes: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Choice {
    fn among(&self, event: Option<&String>) -> Among {
        Among {
            sinks: self.sinks.clone(),
            company: self.company.clone(),
            event: event.cloned(),
            since: self.since.clone(),
            until: self.until.clone(),
        }
    }
}

/// Runs `dead-letter list`.
pub fn list(options: &ListOptions) -> Exit {
    let letters = match found(&options.config, &options.choice.among(None)) {
        Ok(letters) => letters,
        Err(exit) => return exit,
    };
    tell(&letters, options.json);
    if letters.is_empty() && !options.json {
        say("there are no such dead letters");
    }
    Exit::Success
}

/// Runs `dead-letter show`.
pub fn show(options: &ShowOptions) -> Exit {
    let among = Among {
        event: Some(options.event.clone()),
        ..Among::default()
    };
    let letters = match found(&options.config, &among) {
        Ok(letters) => letters,
        Err(exit) => return exit,
    };
    if letters.is_empty() {
        complain(format_args!(
            "event {} is no dead letter; `qbo-relay dead-letter list` shows which there are",
            options.event
        ));
        return Exit::Failure;
    }
    if options.json {
        say_json(Value::from(letters.iter().map(object).collect::<Vec<_>>()));
        return Exit::Success;
    }
    for letter in &letters {
        let change = &letter.change;
        let told = &change.notification;
        say(format_args!("event {}", change.id));
        say(format_args!(
            "  what         {} of {}",
            told.event_type, told.entity
        ));
        say(format_args!(
            "  company      {} no. {}",
            told.realm, change.sequence
        ));
        say(format_args!(
            "  receipt      {}, received {}",
            change.receipt, change.received_at
        ));
        say(format_args!(
            "  sink         {}{}",
            letter.sink,
            away(letter)
        ));
        say(format_args!("  given up     {}", letter.died_at));
        say(format_args!("  why          {}", letter.reason));
    }
    Exit::Success
}

/// Runs `dead-letter replay`.
pub fn replay(options: &ReplayOptions) -> Exit {
    let (config, _) = match configuration(&options.config.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let choice = &options.choice;
    let form = Form {
        dry_run: options.dry_run,
        dead_letters: true,
        company: choice.company.clone(),
        since: choice.since.clone(),
        until: choice.until.clone(),
        sinks: choice.sinks.clone(),
        ..Form::default()
    };
    replay::carry_out(&form, &config, options.yes, options.json)
}

/// Runs `dead-letter discard`.
pub fn discard(options: &DiscardOptions) -> Exit {
    let among = options.choice.among(options.event.as_ref());
    let letters = match found(&options.config, &among) {
        Ok(letters) => letters,
        Err(exit) => return exit,
    };
    if letters.is_empty() && options.event.is_some() {
        complain(
            "this event is no dead letter; `qbo-relay dead-letter list` shows which there are",
        );
        return Exit::Failure;
    }
    let count = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    if options.dry_run {
        tell(&letters, options.json);
        if !options.json {
            say(format_args!("{count} would be put aside"));
        }
        return Exit::Success;
    }
    let what =
        "dead letters would be put aside; nothing sends them again after that but `replay --event`";
    put_aside(
        &options.config,
        &Errand::Discard(among),
        (count, what, options.yes),
        ("discarded", options.json),
    )
}

/// Runs `journal discard`.
pub fn acknowledge(options: &AcknowledgeOptions) -> Exit {
    let receipts = Receipts {
        numbers: options.receipts.clone(),
        since: options.since.clone(),
        until: options.until.clone(),
    };
    let found = inspect(&options.config, |journal| {
        let found = journal.unreadable(&receipts.filter()?);
        found.map_err(|error| error.to_string())
    });
    let found = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let unknown = |number: &&i64| !found.iter().any(|seq| seq.0 == **number);
    if let Some(number) = options.receipts.iter().find(unknown) {
        complain(format_args!(
            "receipt {number} has nothing that was not understood and is not acknowledged; `qbo-relay journal list --state not-understood` shows which have"
        ));
        return Exit::Failure;
    }
    let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
    if options.dry_run {
        if options.json {
            let numbers: Vec<i64> = found.iter().map(|seq| seq.0).collect();
            say_json(json!({ "receipts": numbers }));
        } else {
            for seq in &found {
                say(format_args!("receipt {seq}"));
            }
            say(format_args!("{count} receipts would be acknowledged"));
        }
        return Exit::Success;
    }
    let what = "receipts with entries that were not understood would be acknowledged";
    put_aside(
        &options.config,
        &Errand::Acknowledge(receipts),
        (count, what, options.yes),
        ("acknowledged", options.json),
    )
}

fn put_aside(
    args: &ConfigArgs,
    errand: &Errand,
    (count, what, yes): (u64, &str, bool),
    (done, json): (&str, bool),
) -> Exit {
    if let Err(exit) = meant(count, what, yes) {
        return exit;
    }
    let (config, _) = match configuration(&args.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    match errand.run(&config) {
        Ok(answer) if json => say_json(answer),
        Ok(answer) => {
            let count = answer.get(done).and_then(Value::as_u64).unwrap_or(0);
            say(format_args!(
                "{count} {done}; they stay in the journal until their receipts are deleted"
            ));
        }
        Err(exit) => return exit,
    }
    Exit::Success
}

/// The letters that are meant, from the journal itself; a sink or company that it does not know is
/// an error.
fn found(args: &ConfigArgs, among: &Among) -> Result<Vec<DeadLetter>, Exit> {
    inspect(args, |journal| {
        let filter = among.filter()?;
        let letters = journal
            .dead_letters(&filter)
            .map_err(|error| error.to_string())?;
        if letters.is_empty() {
            let unknown = journal
                .unknown(&filter)
                .map_err(|error| error.to_string())?;
            if let Some(why) = unknown {
                return Err(why);
            }
        }
        Ok(letters)
    })
}

fn inspect<T>(
    args: &ConfigArgs,
    look: impl FnOnce(&Inspection) -> Result<T, String>,
) -> Result<T, Exit> {
    let journal = Inspection::open(&journal_path(args)?).map_err(|error| {
        complain(error);
        Exit::Journal
    })?;
    look(&journal).map_err(|why| {
        complain(why);
        Exit::Failure
    })
}

fn away(letter: &DeadLetter) -> &'static str {
    match letter.is_configured {
        true => "",
        false => ", not configured any more",
    }
}

fn tell(letters: &[DeadLetter], json: bool) {
    for letter in letters {
        if json {
            say_json(object(letter));
            continue;
        }
        let change = &letter.change;
        let told = &change.notification;
        say(format_args!(
            "event {}  {:<22} company {} no. {:<6} receipt {:<7} given up {}  by {}{}: {}",
            change.id,
            told.entity.to_string(),
            told.realm,
            change.sequence,
            change.receipt,
            letter.died_at,
            letter.sink,
            away(letter),
            letter.reason
        ));
    }
}

fn object(letter: &DeadLetter) -> Value {
    let change = &letter.change;
    let told = &change.notification;
    json!({
        "event": change.id.0,
        "receipt": change.receipt.0,
        "company": told.realm.as_str(),
        "sequence": change.sequence,
        "entity": told.entity.to_string(),
        "type": told.event_type,
        "received_at": change.received_at.to_string(),
        "sink": letter.sink.as_str(),
        "sink_configured": letter.is_configured,
        "given_up_at": letter.died_at.to_string(),
        "reason": letter.reason,
    })
}

//! `replay`: sends changes again, through the running relay, or by a note in the journal that the
//! next start acts upon.

pub(crate) mod form;

use super::configuration;
use super::errand::{Among, Errand, meant};
use crate::cli::{ConfigArgs, Exit};
use crate::config::Config;
use crate::terminal::{say, say_json};
use clap::Args;
use form::Form;
use serde_json::{Value, json};

/// What to send again, and where.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    config: ConfigArgs,
    /// The changes that this receipt brought, by the number that `journal list` shows.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["event", "company", "entity", "since", "until", "dead_letters"])]
    receipt: Option<i64>,
    /// One event, by the id that `journal show` and the receivers show.
    #[arg(long, value_name = "ID", conflicts_with_all = ["company", "entity", "since", "until", "dead_letters"])]
    event: Option<String>,
    /// The changes of this company.
    #[arg(long, alias = "realm", value_name = "ID")]
    company: Option<String>,
    /// From this number of the company on, as `journal show` and `sequence` have it.
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "company",
        conflicts_with = "dead_letters"
    )]
    from: Option<u64>,
    /// Up to this number of the company.
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "company",
        conflicts_with = "dead_letters"
    )]
    to: Option<u64>,
    /// The changes of records of this kind, or of one record: `Invoice`, `Invoice/130`.
    #[arg(long, value_name = "ENTITY", conflicts_with = "dead_letters")]
    entity: Option<String>,
    /// The changes received at this time or later; of dead letters, those given up then.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The changes received before this time; of dead letters, those given up before it.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The dead letters that nobody has looked after.
    #[arg(long)]
    dead_letters: bool,
    /// Only to this sink; may be given several times.
    #[arg(long = "sink", value_name = "NAME")]
    sinks: Vec<String>,
    /// Say what would go where, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many there are.
    #[arg(long)]
    yes: bool,
    /// End the replays that are not done, all of them or those of --sink and --company.
    #[arg(long, conflicts_with_all = ["receipt", "event", "from", "to", "entity", "since", "until", "dead_letters", "dry_run"])]
    cancel: bool,
    /// The plan as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let (config, _) = match configuration(&options.config.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    if options.cancel {
        return cancel(options, &config);
    }
    let form = Form {
        dry_run: options.dry_run,
        dead_letters: options.dead_letters,
        receipt: options.receipt,
        event: options.event.clone(),
        company: options.company.clone(),
        from: options.from,
        to: options.to,
        entity: options.entity.clone(),
        since: options.since.clone(),
        until: options.until.clone(),
        sinks: options.sinks.clone(),
        after: None,
    };
    carry_out(&form, &config, options.yes, options.json)
}

/// Plans, asks where that is a matter of many, and sends.
pub(super) fn carry_out(form: &Form, config: &Config, yes: bool, json: bool) -> Exit {
    match planned(form, config, yes) {
        Ok(plan) if json => say_json(plan),
        Ok(plan) => show(&plan),
        Err(exit) => return exit,
    }
    Exit::Success
}

fn planned(form: &Form, config: &Config, yes: bool) -> Result<Value, Exit> {
    if !form.dry_run && !yes {
        let look = Form {
            dry_run: true,
            ..form.clone()
        };
        // The first answer is enough to know that it is about many.
        let plan = Errand::Replay(look).run(config)?;
        let count = plan
            .get("planned")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let what = match plan.get("next").is_some_and(Value::is_array) {
            true => "deliveries and more would be sent again",
            false => "deliveries would be sent again",
        };
        meant(u64::try_from(count).unwrap_or(u64::MAX), what, false)?;
    }
    let mut form = form.clone();
    let mut whole: Option<Value> = None;
    loop {
        let plan = Errand::Replay(form.clone()).run(config)?;
        form.after = plan
            .get("next")
            .and_then(|next| serde_json::from_value(next.clone()).ok());
        let joined = join(whole, plan);
        if form.after.is_none() {
            return Ok(joined);
        }
        whole = Some(joined);
    }
}

/// Two parts of one plan as one.
fn join(first: Option<Value>, mut second: Value) -> Value {
    if let Some(fields) = second.as_object_mut() {
        fields.remove("next");
    }
    let Some(mut first) = first else {
        return second;
    };
    if let (Some(planned), Some(Value::Array(more))) = (
        first.get_mut("planned").and_then(Value::as_array_mut),
        second.get_mut("planned").map(Value::take),
    ) {
        planned.extend(more);
    }
    for key in ["waiting", "under_way", "unconfigured"] {
        let sum = number(&first, key).saturating_add(number(&second, key));
        if let Some(fields) = first.as_object_mut() {
            fields.insert(key.into(), sum.into());
        }
    }
    first
}

fn cancel(options: &Options, config: &Config) -> Exit {
    let among = Among {
        sinks: options.sinks.clone(),
        company: options.company.clone(),
        ..Among::default()
    };
    let cancelled = match Errand::Cancel(among).run(config) {
        Ok(done) => number(&done, "cancelled"),
        Err(exit) => return exit,
    };
    if options.json {
        say_json(json!({ "cancelled": cancelled }));
    } else {
        say(match cancelled {
            0 => "no replay is under way".to_owned(),
            count => format!("{count} will not be sent again; what was sent already stays sent"),
        });
    }
    Exit::Success
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn show(plan: &Value) {
    let text = |value: &Value, key: &str| match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".into(),
    };
    let planned = plan
        .get("planned")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for row in &planned {
        say(format_args!(
            "receipt {:>7}  event {}  {:<22} company {} no. {:<6} received {}  to {}",
            text(row, "receipt"),
            text(row, "event"),
            text(row, "entity"),
            text(row, "company"),
            text(row, "sequence"),
            text(row, "received_at"),
            text(row, "sink")
        ));
    }
    let dry = plan.get("dry_run") == Some(&Value::Bool(true));
    let verb = if dry {
        "would be sent again"
    } else {
        "will be sent again; `qbo-relay replay --cancel` ends that"
    };
    match planned.len() {
        0 => say("nothing is to be sent again"),
        count => say(format_args!("{count} {verb}")),
    }
    for (key, why) in [
        (
            "waiting",
            "left out: the sink has yet to get them in the ordinary course",
        ),
        ("under_way", "left out: a replay of them is under way"),
        (
            "unconfigured",
            "left out: their sink is not configured any more; `qbo-relay dead-letter discard --sink NAME` puts them aside",
        ),
    ] {
        if number(plan, key) > 0 {
            say(format_args!("{} {why}", text(plan, key)));
        }
    }
}

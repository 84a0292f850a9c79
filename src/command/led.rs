//! `led test` and `led stopped`: the lamp by hand, while no relay drives it.

use super::{configuration, credentials};
use crate::board::{Choice, Pin, StatusLed};
use crate::cli::Exit;
use crate::config::{Config, lamp_of};
use crate::model::Condition;
use crate::rules::lamp::Show;
use crate::rules::led::{Pattern, pattern};
use crate::run::control_socket;
use crate::terminal::{complain, say};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long the need for a person is shown before the lamp stands still: three times around.
const CALL: Duration = Duration::from_secs(12);

/// What `led test` shows for how long.
#[derive(clap::Args, Debug)]
pub struct TestOptions {
    /// Seconds for each pattern.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u16,
    #[command(flatten)]
    config: crate::cli::ConfigArgs,
}

/// Runs `led test`.
pub fn test(options: &TestOptions) -> Exit {
    let (config, _) = match configuration(&options.config.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    if UnixStream::connect(control_socket(&config.journal)).is_ok() {
        complain(
            "the relay is running and drives the lamp; stop it first: systemctl stop qbo-relay",
        );
        return Exit::Failure;
    }
    let led = match config.lamp.take() {
        Ok(Some(led)) => led,
        Ok(None) => {
            complain(
                "there is no lamp: [led] names none; see board/README.md for what it can name",
            );
            return Exit::Failure;
        }
        Err(error) => {
            complain(error);
            return Exit::Failure;
        }
    };
    match tour(led, Duration::from_secs(options.seconds.into())) {
        Ok(()) => Exit::Success,
        Err(error) => {
            complain(error);
            Exit::Failure
        }
    }
}

/// What each condition means, in the order in which it gets worse.
const fn meaning(condition: Condition) -> &'static str {
    match condition {
        Condition::Delivered => "serving; everything delivered",
        Condition::Backlog => "serving; a backlog is being worked off",
        Condition::Starting => "starting, or the clock is not trusted yet",
        Condition::Blocked => "serving and storing, but a sink refuses or cannot be reached",
        Condition::Attention => "a person is needed",
        Condition::Refusing => "not accepting: the journal is full or broken",
    }
}

fn tour(mut led: StatusLed<Pin>, span: Duration) -> Result<(), crate::board::pin::Stuck> {
    for condition in Condition::ALL {
        let pattern = pattern(condition);
        say(format_args!(
            "{:<28}  {}",
            pattern.describe(),
            meaning(condition)
        ));
        show(&mut led, pattern, span)?;
    }
    say(format_args!("{:<28}  not running", "standing still"));
    led.put(true)
}

/// Shows one pattern from its beginning.
fn show(
    led: &mut StatusLed<Pin>,
    pattern: Pattern,
    span: Duration,
) -> Result<(), crate::board::pin::Stuck> {
    let (mut show, began) = (Show::default(), Instant::now());
    while let Some(left) = span.checked_sub(began.elapsed()) {
        let (lit, next) = show.at(began.elapsed(), Some(pattern));
        led.put(lit)?;
        thread::sleep(next.min(left));
    }
    led.put(false)?;
    thread::sleep(Duration::from_secs(1));
    Ok(())
}

/// Runs `led stopped`, as systemd does after every end of the relay. Never fails: it would be the
/// failure of a stop.
pub fn stopped(config: &Path) -> Exit {
    let choice = lamp_of(config);
    if let Err(error) = stop(&choice, is_unusable(config)) {
        complain(format_args!("the lamp was left as it is: {error}"));
    }
    Exit::Success
}

fn stop(choice: &Choice, call: bool) -> Result<(), crate::board::Error> {
    let Some(seat) = choice.seat()? else {
        return Ok(());
    };
    if call {
        let mut led = seat.take()?;
        // What goes wrong here goes wrong again below, and is said there.
        _ = show(&mut led, pattern(Condition::Attention), CALL);
    }
    seat.stop()
}

/// Whether the relay ended because its configuration cannot be used: nobody but a person can help
/// then, and no relay runs that could say so. systemd.exec(5) names the variables.
fn is_unusable(config: &Path) -> bool {
    let ended_badly = std::env::var("SERVICE_RESULT").is_ok_and(|result| result != "success");
    let said_so = std::env::var("EXIT_STATUS")
        .is_ok_and(|status| status == Exit::Configuration.status().to_string());
    let credentials: Option<PathBuf> = credentials();
    ended_badly && (said_so || Config::read(config, credentials.as_deref()).is_err())
}

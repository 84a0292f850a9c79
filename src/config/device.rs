//! The device: its lamp, and its clock.

use super::closest::did_you_mean;
use super::file;
use super::reader::Reader;
use crate::board::{Choice, Polarity, Seat, lamp, profile};
use crate::wire::text::decode;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// Ten minutes: a router that starts together with the gateway after a power cut has the network up
/// by then.
const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// The file that systemd-timesyncd makes when it has set the clock (systemd-timesyncd.service(8)).
const DEFAULT_SYNCHRONIZED_FILE: &str = "/run/systemd/timesync/synchronized";

/// How long the clock's word is waited for, and where it is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClockConfig {
    /// How long deliveries wait at most for a clock that can be trusted.
    pub wait: Duration,
    /// The file that is there when the clock has been set.
    pub synchronized_file: PathBuf,
}

/// The lamp that a file names, also where the rest of it cannot be used; the board's own where not
/// even that can be read.
pub fn lamp_of(path: &Path) -> Choice {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = decode(&bytes).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let led = table.get("led").and_then(toml::Value::as_table);
    let led = led.and_then(|led| {
        let mut led = led.clone();
        led.retain(|key, _| ["board", "led_class", "line", "active_low"].contains(&key));
        // Through text, because the places in it are part of what is read.
        toml::from_str::<file::Led>(&toml::to_string(&led).ok()?).ok()
    });
    match led {
        Some(led) => lamp(&led, &mut Reader::new(path, &text, None)),
        None => Choice {
            board: lamp::AUTO.into(),
            seat: None,
        },
    }
}

pub(super) fn lamp(led: &file::Led, reader: &mut Reader<'_>) -> Choice {
    let board = led
        .board
        .as_ref()
        .map_or(lamp::AUTO, |board| board.get_ref());
    if let Some(given) = &led.board
        && board != lamp::AUTO
        && profile::find(board).is_none()
    {
        let known: Vec<&str> = profile::names().collect();
        reader.error(
            &given.span(),
            format!(
                "[led] board = \"{board}\" is not known; use auto, {}{}",
                known.join(", "),
                did_you_mean(board, known.iter().copied())
            ),
        );
    }
    if let (Some(given), None) = (&led.active_low, &led.line) {
        reader.error(
            &given.span(),
            "active_low is for a `line`; a lamp of the LED class knows its own polarity",
        );
    }
    let seat = match (&led.led_class, &led.line) {
        (Some(class), Some(_)) => {
            reader.error(&class.span(), "led_class and line are two lamps; keep one");
            None
        }
        (Some(class), None) => named(class, reader).map(|name| Seat::LedClass(vec![name])),
        (None, Some(line)) => named(line, reader).map(|name| Seat::Line {
            name,
            polarity: Polarity::of(led.active_low.as_ref().is_some_and(|low| *low.get_ref())),
        }),
        (None, None) => None,
    };
    let wants_name = profile::find(board)
        .and_then(|profile| profile.lamp)
        .is_some_and(|lamp| lamp.led_class.is_some_and(|names| names.is_empty()));
    if let (Some(given), true, None, None) = (&led.board, wants_name, &led.led_class, &led.line) {
        reader.error(
            &given.span(),
            format!("board = \"{board}\" needs `led_class`: the lamp's name in /sys/class/leds"),
        );
    }
    Choice {
        board: board.to_owned(),
        seat,
    }
}

fn named(given: &Spanned<String>, reader: &mut Reader<'_>) -> Option<String> {
    let name = given.get_ref();
    if name.is_empty() || name.chars().any(char::is_control) {
        reader.error(&given.span(), "the lamp's name is empty");
        return None;
    }
    Some(name.clone())
}

pub(super) fn clock(clock: &file::Clock, reader: &Reader<'_>) -> ClockConfig {
    let file = clock.synchronized_file.as_ref().map(Spanned::get_ref);
    ClockConfig {
        wait: clock
            .wait
            .as_ref()
            .map_or(DEFAULT_WAIT, |wait| wait.get_ref().0),
        synchronized_file: file.map_or_else(
            || PathBuf::from(DEFAULT_SYNCHRONIZED_FILE),
            |file| reader.resolve(file),
        ),
    }
}

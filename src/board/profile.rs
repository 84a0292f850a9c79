//! What is known of each board: the facts of `board/*/board.toml`, compiled in as text.
//!
//! One binary serves all boards; the configuration names one, or the device tree's model does. Called
//! by `board::lamp` and by `check`. Promises: every profile that is compiled in can be read (a test).

use serde::Deserialize;

/// The folders of `board/`, and what stands in them.
const PROFILES: [(&str, &str); 6] = [
    ("none", include_str!("../../board/none/board.toml")),
    (
        "generic-led-class",
        include_str!("../../board/generic-led-class/board.toml"),
    ),
    (
        "raspberry-pi-3",
        include_str!("../../board/raspberry-pi-3/board.toml"),
    ),
    (
        "raspberry-pi-4",
        include_str!("../../board/raspberry-pi-4/board.toml"),
    ),
    (
        "raspberry-pi-5",
        include_str!("../../board/raspberry-pi-5/board.toml"),
    ),
    (
        "raspberry-pi-zero-2w",
        include_str!("../../board/raspberry-pi-zero-2w/board.toml"),
    ),
];

/// One board.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name for people.
    pub name: String,
    /// How the device tree's `model` begins.
    pub model: Option<String>,
    /// Where the facts are from.
    pub source: String,
    /// Its own lamp.
    pub lamp: Option<Facts>,
}

/// Where a board's own lamp is: on a lamp of the LED class, or on a GPIO line.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Names in `/sys/class/leds`, the likeliest first; empty when the configuration has to say.
    pub led_class: Option<Vec<String>>,
    /// The line's name, as `gpioinfo` shows it.
    pub line: Option<String>,
    /// A low line lights it.
    #[serde(default)]
    pub active_low: bool,
}

/// The names that `[led] board` can have, besides `auto`.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.into_iter().map(|(name, _)| name)
}

/// The profile of that name.
pub fn find(name: &str) -> Option<Profile> {
    let (_, text) = PROFILES.into_iter().find(|(known, _)| *known == name)?;
    toml::from_str(text).ok()
}

/// The board whose device tree calls it so, and the profile's name.
pub fn of_model(model: &str) -> Option<(&'static str, Profile)> {
    names().find_map(|name| {
        let profile = find(name)?;
        let known = profile.model.as_deref()?;
        model.starts_with(known).then_some((name, profile))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_profile_can_be_read_and_names_one_kind_of_lamp_and_its_source() {
        for (name, text) in PROFILES {
            let profile: Profile = toml::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(
                !profile.name.is_empty() && !profile.source.is_empty(),
                "{name}"
            );
            let Some(lamp) = profile.lamp else {
                assert_eq!(name, "none");
                continue;
            };
            assert_ne!(lamp.led_class.is_some(), lamp.line.is_some(), "{name}");
        }
    }

    #[test]
    fn every_folder_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("board");
        let mut folders: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("board.toml").exists())
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        folders.sort();
        let mut known: Vec<_> = names().collect();
        known.sort_unstable();
        assert_eq!(folders, known);
    }

    #[test]
    fn a_board_is_known_by_the_model_that_its_device_tree_tells() {
        for (model, expected) in [
            (
                "Raspberry Pi 3 Model B Plus Rev 1.3",
                Some("raspberry-pi-3"),
            ),
            ("Raspberry Pi 4 Model B Rev 1.5", Some("raspberry-pi-4")),
            ("Raspberry Pi 5 Model B Rev 1.0", Some("raspberry-pi-5")),
            (
                "Raspberry Pi Zero 2 W Rev 1.0",
                Some("raspberry-pi-zero-2w"),
            ),
            ("Raspberry Pi 400 Rev 1.0", None),
            ("linux,dummy-virt", None),
        ] {
            let found = of_model(model).map(|(name, _)| name);
            assert_eq!(found, expected, "{model}");
        }
    }
}

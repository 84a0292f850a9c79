//! The configuration of an instance: keys and values as its owner gave them.

use super::{MASK, Wrong, body, keys};
use crate::wire::json;
use std::collections::BTreeMap;
use std::fmt;

/// Keys that one configuration may have, and characters of one key.
const KEYS_MAX: usize = 256;
const KEY_CHARACTERS_MAX: usize = 128;

/// The spelling of [`keys::SIGNATURE_KEY`] in the table of webhook parameters of one of the pages.
const SIGNATURE_KEY_SHORT: &str = "notification.signature.key";

/// Keys and values, all of them text. `Debug` shows no value, because some are secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Configuration(BTreeMap<String, String>);

impl Configuration {
    /// The configuration that a JSON object is: truth values and numbers become text, `null` becomes
    /// the empty text, objects and arrays their JSON. Of a key that is there twice the last one
    /// counts.
    ///
    /// # Errors
    /// 400 for too many keys, or a key or value that cannot be text.
    pub(super) fn read(object: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| Wrong::at("configuration", why);
        let entries = json::entries(object, KEYS_MAX);
        let entries = entries.map_err(|error| wrong(&json::complaint(&error)))?;
        let entries = entries.ok_or_else(|| wrong(&format!("more than {KEYS_MAX} keys")))?;
        let mut read = BTreeMap::new();
        for (key, value) in entries {
            if key.chars().nth(KEY_CHARACTERS_MAX).is_some() {
                let why = format!("a key has more than {KEY_CHARACTERS_MAX} characters");
                return Err(wrong(&why));
            }
            let value = body::as_text(value).map_err(|why| Wrong::at(&key, why))?;
            read.insert(key, value);
        }
        if let Some(value) = read.remove(SIGNATURE_KEY_SHORT) {
            read.entry(keys::SIGNATURE_KEY.to_owned()).or_insert(value);
        }
        Ok(Self(read))
    }

    /// The value of a key, where it is set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets one key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// All of it, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// All of it as it may be shown.
    pub(super) fn masked(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().map(|(key, value)| (key, mask(key, value)))
    }

    /// These keys in place of all (PUT): a secret that comes as [`MASK`], as it was shown, keeps its
    /// value from `kept`.
    ///
    /// # Errors
    /// 400 that names a masked key that was never set.
    pub fn in_place_of(mut self, kept: &Self) -> Result<Self, Wrong> {
        for (key, value) in &mut self.0 {
            if value == MASK && keys::is_secret(key) {
                let shown = kept.get(key).filter(|kept| !kept.is_empty());
                let never =
                    || Wrong::at(key, "only stars, and nothing is kept that they stand for");
                shown.ok_or_else(never)?.clone_into(value);
            }
        }
        Ok(self)
    }

    /// These keys on top of those of `kept` (PATCH), with masked ones as in [`Self::in_place_of`].
    ///
    /// # Errors
    /// 400 that names a masked key that was never set.
    pub fn on_top_of(self, kept: &Self) -> Result<Self, Wrong> {
        let mut whole = kept.clone();
        whole.0.append(&mut self.in_place_of(kept)?.0);
        Ok(whole)
    }

    /// The key of a configuration item: one that is set, or one that could be.
    pub fn key_of(&self, item: u32) -> Option<&str> {
        let known = keys::KEYS.iter().map(|known| known.key);
        let own = self.0.keys().map(String::as_str);
        known.chain(own).find(|key| keys::id(key) == item)
    }
}

/// A value as it may be shown.
pub(super) fn mask<'a>(key: &str, value: &'a str) -> &'a str {
    if keys::is_secret(key) && !value.is_empty() {
        MASK
    } else {
        value
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(object: &str) -> Configuration {
        Configuration::read(object).unwrap()
    }

    #[test]
    fn every_value_becomes_text() {
        let found =
            read(r#"{"a":true,"b":15,"c":null,"d":"x\n","e":{"k": 1},"f":["x"],"a":false}"#);
        let found: Vec<_> = found.iter().collect();
        assert_eq!(
            found,
            [
                ("a", "false"),
                ("b", "15"),
                ("c", ""),
                ("d", "x\n"),
                ("e", r#"{"k": 1}"#),
                ("f", r#"["x"]"#)
            ]
        );
    }

    #[test]
    fn the_short_spelling_of_the_signature_key_is_the_same_key() {
        let short = read(r#"{"notification.signature.key":"k"}"#);
        assert_eq!(short, read(r#"{"event.notification.signature.key":"k"}"#));
        let both = r#"{"notification.signature.key":"k","event.notification.signature.key":"l"}"#;
        assert_eq!(
            read(both),
            read(r#"{"event.notification.signature.key":"l"}"#)
        );
    }

    #[test]
    fn what_comes_back_masked_keeps_its_value() {
        let kept = read(r#"{"oauth.api.secret":"s3cret","scope":"a","tag":"********"}"#);
        let shown: Vec<_> = kept.masked().collect();
        assert_eq!(
            shown,
            [("oauth.api.secret", MASK), ("scope", "a"), ("tag", MASK)]
        );
        let put = read(r#"{"oauth.api.secret":"********","tag":"********"}"#);
        let put = put.in_place_of(&kept).unwrap();
        assert_eq!(
            put,
            read(r#"{"oauth.api.secret":"s3cret","tag":"********"}"#)
        );
        let patch = read(r#"{"scope":"b","oauth.api.secret":"********"}"#);
        let patched = patch.on_top_of(&kept).unwrap();
        assert_eq!(patched.get("scope"), Some("b"));
        assert_eq!(patched.get("oauth.api.secret"), Some("s3cret"));
        assert_eq!(patched.get("tag"), Some("********"));
        let wrong = read(r#"{"password":"********"}"#).in_place_of(&kept);
        assert!(wrong.unwrap_err().message.starts_with("password: "));
    }

    #[test]
    fn a_configuration_is_bounded_and_shows_no_value() {
        let with = |count: usize| {
            let keys: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
            Configuration::read(&format!("{{{}}}", keys.join(",")))
        };
        assert!(with(256).is_ok());
        assert_eq!(
            with(257).unwrap_err().message,
            "configuration: more than 256 keys"
        );
        let long = format!(r#"{{"{}":1}}"#, "k".repeat(129));
        let wrong = Configuration::read(&long).unwrap_err();
        assert_eq!(
            wrong.message,
            "configuration: a key has more than 128 characters"
        );
        let half = Configuration::read(r#"{"scope":"\ud800"}"#).unwrap_err();
        assert_eq!(
            half.message,
            "scope: a string with half of a surrogate pair"
        );
        assert_eq!(
            format!("{:?}", read(r#"{"scope":"s3cret"}"#)),
            r#"{"scope"}"#
        );
    }

    #[test]
    fn a_key_is_found_by_its_number() {
        let own = read(r#"{"own":"1"}"#);
        assert_eq!(own.key_of(keys::id("own")), Some("own"));
        assert_eq!(own.key_of(15), Some("event.notification.enabled"));
        assert_eq!(own.key_of(0), None);
        assert_eq!(own.key_of(keys::id("other")), None);
    }
}

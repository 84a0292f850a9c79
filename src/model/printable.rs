//! Text of others, made fit to be shown: on a terminal, in a log, on a page.
//!
//! What moves the cursor, changes colours, reorders what stands beside it or begins a line of its own
//! is written as an escape, so that nobody can make the relay say what it did not say.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every control character, every character that changes the direction of writing, and
/// every invisible one written as an escape: `\n`, `\u{1b}`, `\u{202e}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_hidden) else {
        return Cow::Borrowed(text);
    };
    let (plain, rest) = text.split_at(first);
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(plain);
    for character in rest.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a string cannot fail.
            hidden if is_hidden(hidden) => {
                _ = write!(shown, "\\u{{{:x}}}", u32::from(hidden));
            }
            other => shown.push(other),
        }
    }
    Cow::Owned(shown)
}

/// JSON text in which the same characters are written as JSON writes them; where serde has left them
/// they stand within strings, so that the meaning stays. Line ends between values stay, too.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    let is_odd = |character| is_hidden(character) && character != '\n';
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_odd(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether a character does something instead of being seen.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Arabic letter mark, Mongolian vowel separator, zero width space, direction marks.
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Line and paragraph separators, embeddings, overrides, invisible operators, isolates.
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Byte order mark, annotations, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_act_is_shown_instead() {
        for (text, shown) in [
            (
                "Müller & Söhne, 株式会社, \u{1f600}",
                "Müller & Söhne, 株式会社, \u{1f600}",
            ),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("invoice\u{202e}fdp.exe", "invoice\\u{202e}fdp.exe"),
            (
                "a\u{2028}b\u{2066}c\u{feff}",
                "a\\u{2028}b\\u{2066}c\\u{feff}",
            ),
            ("\u{e0041}\u{200f}\0", "\\u{e0041}\\u{200f}\\u{0}"),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_json_keeps_its_meaning(text in any::<String>()) {
            prop_assert!(!printable(&text).contains(is_hidden));
            let json = serde_json::Value::from(text.clone()).to_string();
            let shown = printable_json(&json);
            prop_assert!(!shown.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}

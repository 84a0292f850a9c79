//! Text files as people save them: which bytes are meant as which text.
//!
//! Editors put a byte order mark before the text, save it as UTF-16, and end lines in their own ways;
//! whoever copies a secret takes quotes and empty lines along. Called for the configuration, for
//! everything secret that a file or a credential holds, and by the boot import. Promises: what is said
//! of a text that cannot be meant names the line and the cure, and never a secret.

use crate::model::Secret;
use zeroize::{Zeroize, Zeroizing};

/// Why bytes are no text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct NotText {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    what: String,
}

const SAVE: &str = "save the file as plain text with the encoding UTF-8";

/// The text that the bytes mean: UTF-8, or UTF-16 of either order, with or without a byte order mark.
///
/// # Errors
/// [`NotText`], where they mean no text, or one with characters that no text has.
pub fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            let what = format!("is UTF-32; {SAVE}");
            return Err(NotText { line: 1, what });
        }
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        // Every second byte of Latin text in UTF-16 is zero, and no byte of a text in UTF-8 is.
        [first, 0, ..] if *first != 0 && bytes.len().is_multiple_of(2) => {
            utf16(bytes, u16::from_le_bytes)?
        }
        [0, second, ..] if *second != 0 && bytes.len().is_multiple_of(2) => {
            utf16(bytes, u16::from_be_bytes)?
        }
        plain => utf8(plain)?,
    };
    let is_strange = |c: char| c.is_control() && !"\t\r\n".contains(c);
    if let Some(at) = text.find(is_strange) {
        let code = text.get(at..).and_then(|rest| rest.chars().next());
        let code = code.map_or(0, u32::from);
        return Err(NotText {
            line: line_of(text.as_bytes(), at),
            what: format!("has the control character U+{code:04X}, which no text has; {SAVE}"),
        });
    }
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => Err(NotText {
            line: line_of(bytes, error.valid_up_to()),
            what: format!("is not UTF-8 text; {SAVE}"),
        }),
    }
}

fn utf16(bytes: &[u8], order: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, NotText> {
    let pairs = bytes.chunks(2).map(|pair| match pair {
        [one, two] => order([*one, *two]),
        // Half a character: not one that can be decoded.
        _ => 0xd800,
    });
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    for character in char::decode_utf16(pairs) {
        let Ok(character) = character else {
            return Err(NotText {
                line: line_of(text.as_bytes(), text.len()),
                what: format!("is UTF-16 that breaks off; {SAVE}"),
            });
        };
        text.push(character);
    }
    Ok(text)
}

/// The line, from 1, in which a place stands.
pub fn line_of(text: &[u8], place: usize) -> usize {
    let before = text.get(..place).unwrap_or(text);
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Why a text is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoSecret {
    /// Nothing is in it.
    #[error("is empty; put the secret into it, and nothing else")]
    Empty,
    /// More than one line.
    #[error("has more than one line; keep the secret alone, on one line")]
    Lines,
    /// A name stands before it.
    #[error("begins with a name such as `token=`; keep the secret alone, without name, `=` or `:`")]
    Named,
    /// Somebody was to replace it.
    #[error("is a text that stands for the secret, not the secret; put the real one into it")]
    Placeholder,
    /// There are spaces within it.
    #[error("has spaces in it; keep the secret alone, as it was copied")]
    Spaces,
    /// It cannot be written in a header or compared byte for byte.
    #[error(
        "has characters that no such secret has (typographic quotes, letters with accents or the like); copy it again"
    )]
    Characters,
}

/// The lines that hold something, without what editors and copying add: spaces, line ends, quotes
/// around a line, empty lines.
///
/// # Errors
/// [`NoSecret::Empty`].
pub fn secret_lines(text: &str) -> Result<Vec<&str>, NoSecret> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| unquoted(line.trim()))
        .filter(|line| !line.is_empty())
        .collect();
    match lines.is_empty() {
        true => Err(NoSecret::Empty),
        false => Ok(lines),
    }
}

/// A secret of one line. Spaces within it are left to [`token`]; a password may have them.
///
/// # Errors
/// [`NoSecret`].
pub fn secret_line(text: &str) -> Result<Secret, NoSecret> {
    let line = only_line(text)?;
    if is_named(line) {
        return Err(NoSecret::Named);
    }
    if is_placeholder(line) {
        return Err(NoSecret::Placeholder);
    }
    Ok(Secret::new(line))
}

fn only_line(text: &str) -> Result<&str, NoSecret> {
    match secret_lines(text)?[..] {
        [line] => Ok(line),
        _ => Err(NoSecret::Lines),
    }
}

/// A secret that programs make: one line of visible ASCII.
///
/// # Errors
/// [`NoSecret`].
pub fn token(text: &str) -> Result<Secret, NoSecret> {
    visible(secret_line(text)?)
}

/// A key in Base64: one line of visible ASCII. Words are not looked for, because any can stand in
/// Base64 by chance; what is no key is not as long as one.
///
/// # Errors
/// [`NoSecret`], but not that it has a name or stands for a secret.
pub fn base64_line(text: &str) -> Result<Secret, NoSecret> {
    visible(Secret::new(only_line(text)?))
}

fn visible(secret: Secret) -> Result<Secret, NoSecret> {
    if secret.expose().iter().any(u8::is_ascii_whitespace) {
        return Err(NoSecret::Spaces);
    }
    match secret.expose().iter().all(u8::is_ascii_graphic) {
        true => Ok(secret),
        false => Err(NoSecret::Characters),
    }
}

/// A verifier token: Intuit makes them, so that a word of ours is none.
///
/// # Errors
/// [`NoSecret`].
pub fn verifier_token(text: &str) -> Result<Secret, NoSecret> {
    let line = secret_lines(text)?;
    if line.iter().any(|line| is_word(line)) {
        return Err(NoSecret::Placeholder);
    }
    token(text)
}

/// A line without the quotes around it.
fn unquoted(line: &str) -> &str {
    const PAIRS: [(char, char); 7] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('\u{201c}', '\u{201d}'),
        ('\u{201e}', '\u{201c}'),
        ('\u{2018}', '\u{2019}'),
        ('\u{ab}', '\u{bb}'),
    ];
    let inside = PAIRS.iter().find_map(|(open, close)| {
        line.strip_prefix(*open)
            .and_then(|rest| rest.strip_suffix(*close))
    });
    inside.map_or(line, str::trim)
}

/// Whether a line is an assignment or a header field: `token=...`, `Authorization: Bearer ...`.
fn is_named(line: &str) -> bool {
    const NAMES: [&str; 10] = [
        "token",
        "secret",
        "password",
        "passwd",
        "key",
        "verifier",
        "bearer",
        "authorization",
        "credential",
        "signature",
    ];
    let lower = line.to_ascii_lowercase();
    if lower.starts_with("bearer ") || lower.starts_with("basic ") || lower.starts_with("export ") {
        return true;
    }
    let Some((name, value)) = lower.split_once(['=', ':']) else {
        return false;
    };
    // What only ends in `=` is Base64, in which any word can stand by chance.
    if value.trim_start_matches('=').is_empty() {
        return false;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-. \"'".contains(c);
    name.chars().all(is_name) && NAMES.iter().any(|word| name.contains(word))
}

/// Whether a line says that the secret is to be put in its place.
fn is_placeholder(line: &str) -> bool {
    const PARTS: [&str; 11] = [
        "changeme",
        "replaceme",
        "replacethis",
        "placeholder",
        "yourtoken",
        "yoursecret",
        "yourverifier",
        "yourpassword",
        "yourkey",
        "puttoken",
        "here",
    ];
    let framed = [('<', '>'), ('{', '}'), ('[', ']'), ('$', '}'), ('%', '%')]
        .iter()
        .any(|(open, close)| line.starts_with(*open) && line.ends_with(*close));
    let mut plain: String = line
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let has_words = line.contains([' ', '-', '_', '.']);
    let part = PARTS.iter().any(|part| match *part {
        // As a word of its own at the end: `token-goes-here`.
        "here" => has_words && plain.ends_with("here") && plain.chars().all(|c| c.is_alphabetic()),
        part => plain.contains(part),
    });
    plain.zeroize();
    framed || part
}

/// Whether a line is only a word for what is to stand there, or one character again and again.
fn is_word(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "token",
        "secret",
        "password",
        "verifier",
        "verifiertoken",
        "todo",
        "none",
        "null",
        "undefined",
    ];
    let letters = line.chars().filter(char::is_ascii_alphanumeric);
    let mut plain: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    let one = plain.chars().next();
    let repeated = plain.len() > 1
        && "x0123456789".contains(one.unwrap_or(' '))
        && plain.chars().all(|c| Some(c) == one);
    let is_word = repeated || plain.is_empty() || WORDS.contains(&plain.as_str());
    plain.zeroize();
    is_word
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "d691402a-9b97-4836-9989-938628cc2927";

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn read(bytes: &[u8]) -> Result<String, String> {
        let text = decode(bytes).map_err(|error| error.to_string())?;
        let secret = verifier_token(&text).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(secret.expose().to_vec()).unwrap())
    }

    #[test]
    fn a_token_is_read_however_an_editor_saves_it() {
        let marked = format!("\u{feff}{TOKEN}\r\n");
        for bytes in [
            TOKEN.as_bytes().to_vec(),
            format!("{TOKEN}\n").into_bytes(),
            format!("\r\n  {TOKEN}\t\r\n\r\n").into_bytes(),
            format!("\"{TOKEN}\"\n\n\n").into_bytes(),
            format!("'{TOKEN}'").into_bytes(),
            format!("\u{201c}{TOKEN}\u{201d}\n").into_bytes(),
            marked.clone().into_bytes(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            utf16(TOKEN, u16::to_le_bytes),
            utf16(&format!("\"{TOKEN}\"\n"), u16::to_be_bytes),
        ] {
            assert_eq!(read(&bytes), Ok(TOKEN.to_owned()), "{bytes:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_with_the_reason_and_without_the_secret() {
        for (text, part) in [
            ("", "empty"),
            ("\"\"\n", "empty"),
            ("\u{feff}\r\n", "empty"),
            ("d691402a\nother9b97\n", "more than one line"),
            ("token=d691402a", "such as `token=`"),
            ("VERIFIER_TOKEN: d691402a", "such as `token=`"),
            ("export TOKEN=d691402a", "such as `token=`"),
            ("Bearer d691402a", "such as `token=`"),
            ("<your token>", "stands for"),
            ("your-verifier-token-here", "stands for"),
            ("CHANGE_ME", "stands for"),
            ("xxxxxxxx", "stands for"),
            ("00000000-0000-0000-0000-000000000000", "stands for"),
            ("paste the token here", "stands for"),
            ("${VERIFIER}", "stands for"),
            ("...", "stands for"),
            ("d691402a 9b97", "has spaces"),
            ("d691402a\u{2013}9b97", "characters"),
        ] {
            let said = read(text.as_bytes()).unwrap_err();
            assert!(said.contains(part), "{text:?}: {said}");
            assert!(
                !said.contains("d691402a") && !said.contains("9b97"),
                "{said}"
            );
        }
    }

    #[test]
    fn base64_is_no_assignment_whatever_word_is_in_it() {
        for text in [
            "0keyAAAA00000000000000000000000000000000000=",
            "whsec_aKEYsecretAAAA==",
        ] {
            assert!(token(text).is_ok(), "{text}");
        }
        assert_eq!(token("token=abc").err(), Some(NoSecret::Named));
    }

    #[test]
    fn what_is_no_text_is_named_with_its_line() {
        for (bytes, line, part) in [
            (&b"a = 1\nb = \xe4\n"[..], 2, "UTF-8"),
            (b"a = 1\n\nb\0 = 2\n", 3, "U+0000"),
            (b"\x1b[31m", 1, "U+001B"),
            (b"\xff\xfea\0\n\0b\0\0\xd8", 2, "UTF-16"),
            (b"\xff\xfea\0b", 1, "UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0", 1, "UTF-32"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert_eq!(error.line, line, "{bytes:?}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_password_may_have_spaces_and_an_equals_sign() {
        let read = |text| secret_line(text).map(|secret| secret.expose().to_vec());
        assert_eq!(
            read("correct horse=battery\n"),
            Ok(b"correct horse=battery".to_vec())
        );
        assert_eq!(read("a3:b=c\n"), Ok(b"a3:b=c".to_vec()));
        assert_eq!(secret_lines("\n'a'\r\n\"b\"\n").unwrap(), ["a", "b"]);
    }
}

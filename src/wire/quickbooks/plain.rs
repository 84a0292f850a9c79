//! Intuit's own words, made fit for logs, pages and mails.
//!
//! The gateway's fault for an expired access token quotes the token; others quote what was sent.
//! Tokens are long words with digits in them, and no sentence of Intuit's has such words.

/// Characters that a sentence keeps.
const CHARACTERS_MAX: usize = 300;

/// Bytes from which a word with a digit in it is taken for a token. Dates and error codes are
/// shorter.
const TOKEN_BYTES_MIN: usize = 16;

/// Bytes from which any word is.
const WORD_BYTES_MAX: usize = 40;

/// The text in one line, with `…` for whatever looks like a token, and not too long.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text.trim();
    while let Some(next) = rest.chars().next() {
        let end = rest.find(|c| !belongs_to_word(c)).unwrap_or(rest.len());
        if end == 0 {
            shown.push(if next.is_control() { ' ' } else { next });
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (word, after) = rest.split_at(end);
        shown.push_str(if looks_like_token(word) { "…" } else { word });
        rest = after;
    }
    match shown.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

fn belongs_to_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/".contains(c)
}

fn looks_like_token(word: &str) -> bool {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    word.len() >= WORD_BYTES_MAX || (has_digit && word.len() >= TOKEN_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sentences_stay_and_tokens_do_not() {
        let table = [
            (
                "message=AuthenticationFailed; errorCode=003200; statusCode=401",
                "message=AuthenticationFailed; errorCode=003200; statusCode=401",
            ),
            (
                "Token expired: AB01601390262eyJlbmMiOiJBMTI4Q0JD",
                "Token expired: …",
            ),
            ("Token: RT1-39-H3-1785429816rcysb9dns1, no", "Token: …, no"),
            ("(eyJhbGciOiJub25lIn0.e30.sig==)", "(…==)"),
            (
                "Id should be a valid number. Supplied value:1.5",
                "Id should be a valid number. Supplied value:1.5",
            ),
            (
                "changedSince date 2015-10-05T14:42:19-0700 is older",
                "changedSince date 2015-10-05T14:42:19-0700 is older",
            ),
            (" two\r\nlines\t", "two  lines"),
            ("Objet supprimé — désolé", "Objet supprimé — désolé"),
        ];
        for (text, expected) in table {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn a_sentence_is_bounded() {
        let long = plain(&"é ".repeat(1000));
        assert_eq!(long.chars().count(), CHARACTERS_MAX + 1);
        assert!(long.ends_with('…'));
    }

    proptest! {
        #[test]
        fn no_token_comes_through(
            before in "[ -~]{0,40}", token in "[A-Za-z0-9._~+/-]{15,80}[0-9]", after in "[ -~]{0,40}"
        ) {
            let text = format!("{before}{token}{after}");
            prop_assert!(!plain(&text).contains(&token));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            prop_assert!(!plain(&text).contains(char::is_control));
        }
    }
}

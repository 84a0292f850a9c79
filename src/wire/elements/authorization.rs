//! `Authorization: User <secret>, Organization <secret>[, Element <token>]`.

use super::Wrong;
use crate::model::Secret;

/// The secrets of a caller.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Authorization {
    /// Who calls.
    pub user: Option<Secret>,
    /// For whom.
    pub organization: Option<Secret>,
    /// The token of an instance.
    pub element: Option<Secret>,
}

/// What a header has to look like, for those who sent another.
const FORM: &str = "expected `Authorization: User <secret>, Organization <secret>` \
                    or `User <secret>, Element <token>`";

/// Reads the header: pairs in any order, with commas between them, the words in any case. Base64 has
/// no comma, so that a secret never holds one.
///
/// # Errors
/// 401, with what is wrong; never a secret.
pub fn parse(header: &[u8]) -> Result<Authorization, Wrong> {
    let mut read = Authorization::default();
    for pair in header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if pair.is_empty() {
            continue;
        }
        let end = pair.iter().position(u8::is_ascii_whitespace);
        let (word, secret) = pair.split_at(end.unwrap_or(pair.len()));
        let (name, slot) = match word.to_ascii_lowercase().as_slice() {
            b"user" => ("User", &mut read.user),
            b"organization" => ("Organization", &mut read.organization),
            b"element" => ("Element", &mut read.element),
            _ => return Err(Wrong::unauthorized(format!("{FORM}; it begins otherwise"))),
        };
        let secret = secret.trim_ascii();
        if secret.is_empty() || secret.iter().any(u8::is_ascii_whitespace) {
            let why = format!("{FORM}; behind {name} there has to be one word");
            return Err(Wrong::unauthorized(why));
        }
        if slot.replace(Secret::new(secret)).is_some() {
            let why = format!("{FORM}; {name} is there twice");
            return Err(Wrong::unauthorized(why));
        }
    }
    if read == Authorization::default() {
        return Err(Wrong::unauthorized(FORM));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USER: &str = "7OpR4MRo7wnPoVKkKFXHhHBUPRzqutoem/d+WEnR1kY=";
    const ORGANIZATION: &str = "ce7f1f9be0d2a8b1f37bcfa6d71eda20";

    fn read(header: &str) -> [Option<String>; 3] {
        let read = parse(header.as_bytes()).unwrap();
        [read.user, read.organization, read.element]
            .map(|secret| secret.map(|secret| String::from_utf8(secret.expose().to_vec()).unwrap()))
    }

    #[test]
    fn pairs_are_read_in_any_order_and_case() {
        let expected = [Some(USER.into()), Some(ORGANIZATION.into()), None];
        for header in [
            format!("User {USER}, Organization {ORGANIZATION}"),
            format!("Organization {ORGANIZATION}, User {USER}"),
            format!("user {USER},ORGANIZATION {ORGANIZATION}"),
            format!("  User\t{USER} ,, Organization   {ORGANIZATION} , "),
        ] {
            assert_eq!(read(&header), expected, "{header}");
        }
        let all = read("Element e, User u, Organization o");
        assert_eq!(all, ["u", "o", "e"].map(|secret| Some(secret.into())));
        assert_eq!(read("User u, Element e")[1], None);
    }

    #[test]
    fn what_is_wrong_is_said_without_a_secret() {
        for (header, why) in [
            ("", "expected"),
            (" , ", "expected"),
            ("User , Organization ", "User there has to be one word"),
            ("User", "one word"),
            ("User s3cret s3cret", "one word"),
            ("User s3cret, user s3cret", "User is there twice"),
            ("Bearer s3cret", "it begins otherwise"),
            ("Basic dXNlcjpzM2NyZXQ=", "it begins otherwise"),
            ("User s3cret Organization s3cret", "one word"),
        ] {
            let wrong = parse(header.as_bytes()).unwrap_err();
            assert_eq!(wrong.status, 401);
            assert!(wrong.message.contains(why), "{header}: {}", wrong.message);
            assert!(!wrong.message.contains("s3cret"), "{}", wrong.message);
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(header in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Err(wrong) = parse(&header) {
                prop_assert_eq!(wrong.status, 401);
            }
        }
    }
}

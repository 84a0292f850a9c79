//! A bearer token, or a user with a password: what the relay shows, and what is shown to it.

use super::reader::{Reader, SecretKeys, Shape};
use crate::wire::credential::Credential;
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;

/// The keys that give one.
pub(super) struct CredentialKeys<'a> {
    /// Of the table that they are in.
    pub(super) span: Range<usize>,
    pub(super) token: &'a Option<Spanned<String>>,
    pub(super) token_file: &'a Option<Spanned<PathBuf>>,
    pub(super) token_credential: &'a Option<Spanned<String>>,
    pub(super) username: &'a Option<Spanned<String>>,
    pub(super) password: &'a Option<Spanned<String>>,
    pub(super) password_file: &'a Option<Spanned<PathBuf>>,
    pub(super) password_credential: &'a Option<Spanned<String>>,
}

/// The credential that the keys give, if they give one.
pub(super) fn read(keys: &CredentialKeys<'_>, reader: &mut Reader<'_>) -> Option<Credential> {
    let bearer = SecretKeys {
        key: "bearer_token",
        inline: keys.token,
        file: keys.token_file,
        credential: keys.token_credential,
    };
    let bearer = reader.secret(&bearer, Shape::Token);
    let password = SecretKeys {
        key: "basic_password",
        inline: keys.password,
        file: keys.password_file,
        credential: keys.password_credential,
    };
    let password = reader.secret(&password, Shape::Line);
    match (bearer, keys.username, password) {
        (None, None, None) => None,
        (Some(bearer), None, None) => Some(Credential::Bearer(bearer)),
        (None, Some(user), Some(password)) => Some(Credential::Basic {
            user: user.get_ref().clone(),
            password,
        }),
        (None, Some(user), None) => {
            reader.error(&user.span(), "basic_username needs basic_password");
            None
        }
        (None, None, Some(_)) => {
            reader.error(&keys.span, "basic_password needs basic_username");
            None
        }
        (Some(_), _, _) => {
            reader.error(
                &keys.span,
                "a bearer token and basic_username or basic_password exclude each other; keep one",
            );
            None
        }
    }
}

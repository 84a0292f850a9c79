//! The body that makes or changes an instance.

use super::body::{self, Field};
use super::{Configuration, ELEMENT, ELEMENT_ID, Terms, Wrong};
use crate::model::{RealmId, Secret};

/// Characters of a name or a tag, and tags of one instance.
const NAME_CHARACTERS_MAX: usize = 255;
const TAGS_MAX: usize = 64;

/// Characters of a code, which has some fifty at Intuit.
const CODE_CHARACTERS_MAX: usize = 1024;

/// What an instance is to be (POST, PUT). Only what could not be read is refused here; what is
/// missing is `None` or empty.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Draft {
    /// `name`, without markup; empty where none is given.
    pub name: String,
    /// `tags`, without markup and empty ones.
    pub tags: Vec<String>,
    /// `providerData.code`: what Intuit's consent page gave; for one exchange.
    pub code: Option<Secret>,
    /// `providerData.realmId` as given; see [`company`].
    pub realm: Option<RealmId>,
    /// `configuration`.
    pub configuration: Configuration,
    /// `externalAuthentication`.
    pub external_authentication: ExternalAuthentication,
}

/// What is to become different (PATCH); `None` stays as it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Amendment {
    /// `name`, without markup.
    pub name: Option<String>,
    /// `tags`, without markup and empty ones: all of them, not more of them.
    pub tags: Option<Vec<String>>,
    /// `providerData.code`: authorizes the instance anew.
    pub code: Option<Secret>,
    /// `providerData.realmId` as given; see [`company`].
    pub realm: Option<RealmId>,
    /// Keys of `configuration` that change.
    pub configuration: Configuration,
    /// `externalAuthentication`.
    pub external_authentication: Option<ExternalAuthentication>,
}

/// Who gets the tokens.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ExternalAuthentication {
    /// `none`: the gateway exchanges the code.
    #[default]
    None,
    /// `initial`: the owner did, and gives `oauth.user.token` and `oauth.user.refresh_token`.
    Initial,
}

impl ExternalAuthentication {
    /// The word of the interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Initial => "initial",
        }
    }
}

impl Draft {
    /// Reads a body that was found to be an object.
    pub(super) fn read(object: &str, names_element: bool) -> Result<Self, Wrong> {
        let read = Amendment::read(object)?;
        let [element] = body::fields(object, ["element"])?;
        if names_element && element.object()?.is_none() {
            return Err(element_missing());
        }
        Ok(Self {
            name: read.name.unwrap_or_default(),
            tags: read.tags.unwrap_or_default(),
            code: read.code,
            realm: read.realm,
            configuration: read.configuration,
            external_authentication: read.external_authentication.unwrap_or_default(),
        })
    }
}

impl Amendment {
    /// Reads a body that was found to be an object.
    pub(super) fn read(object: &str) -> Result<Self, Wrong> {
        let names = [
            "element",
            "name",
            "tags",
            "providerData",
            "configuration",
            "externalAuthentication",
        ];
        let [element, name, tags, provider, configuration, external] = body::fields(object, names)?;
        check_element(element)?;
        let (code, realm) = provider_data(provider.object()?.unwrap_or("{}"))?;
        Ok(Self {
            name: name
                .string()?
                .map(|name| plain("name", &name))
                .transpose()?,
            tags: tags.strings(TAGS_MAX)?.map(plain_tags).transpose()?,
            code,
            realm,
            configuration: Configuration::read(configuration.object()?.unwrap_or("{}"))?,
            external_authentication: external.string()?.map(|word| who(&word)).transpose()?,
        })
    }
}

/// The QuickBooks company: `providerData.realmId` and `quickbooks.realm.id` of the terms, of which
/// one is enough.
///
/// # Errors
/// 400 when both are missing, differ, or are not a number (it becomes part of addresses).
pub fn company(realm: Option<&RealmId>, terms: &Terms) -> Result<RealmId, Wrong> {
    let name = "providerData.realmId";
    let found = match (realm, &terms.realm) {
        (Some(one), Some(other)) if one != other => {
            return Err(Wrong::at(name, "quickbooks.realm.id names another company"));
        }
        (Some(realm), _) | (None, Some(realm)) => realm,
        (None, None) => return Err(Wrong::at(name, "missing: it names the company")),
    };
    if !found.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::at(name, "expected the number of a company"));
    }
    Ok(found.clone())
}

/// That the element is the one there is, where one is named.
fn check_element(element: Field<'_>) -> Result<(), Wrong> {
    let Some(element) = element.object()? else {
        return Ok(());
    };
    let [key, id] = body::fields(element, ["element.key", "element.id"])?;
    let named = [key.string()?, id.string_or_number()?];
    if named == [None, None] {
        return Err(element_missing());
    }
    named
        .iter()
        .flatten()
        .try_for_each(|named| is_element(named))
}

fn element_missing() -> Wrong {
    Wrong::at("element.key", "missing; it is \"quickbooks\"")
}

/// That a key or a number is the element's.
///
/// # Errors
/// 404 for another one.
pub(super) fn is_element(named: &str) -> Result<(), Wrong> {
    if named.eq_ignore_ascii_case(ELEMENT) || named == ELEMENT_ID.to_string() {
        return Ok(());
    }
    let named: String = named.chars().take(60).collect();
    Err(Wrong::not_found(format!(
        "there is no element {named:?}; the one there is has the key {ELEMENT:?} and the id {ELEMENT_ID}"
    )))
}

fn provider_data(object: &str) -> Result<(Option<Secret>, Option<RealmId>), Wrong> {
    let names = ["providerData.code", "providerData.realmId"];
    let [code, realm] = body::fields(object, names)?;
    let name = code.name;
    let code = code.secret()?;
    if code
        .as_ref()
        .is_some_and(|code| code.expose().len() > CODE_CHARACTERS_MAX)
    {
        let why = format!("longer than {CODE_CHARACTERS_MAX} characters");
        return Err(Wrong::at(name, why));
    }
    let name = realm.name;
    let realm = realm.string_or_number()?.filter(|realm| !realm.is_empty());
    let why = || Wrong::at(name, "expected the number of a company");
    let realm = realm.map(|realm| RealmId::new(realm).ok_or_else(why));
    Ok((code, realm.transpose()?))
}

fn who(word: &str) -> Result<ExternalAuthentication, Wrong> {
    [
        ExternalAuthentication::None,
        ExternalAuthentication::Initial,
    ]
    .into_iter()
    .find(|who| who.as_str() == word)
    .ok_or_else(|| Wrong::at("externalAuthentication", "expected \"none\" or \"initial\""))
}

fn plain_tags(tags: Vec<String>) -> Result<Vec<String>, Wrong> {
    let mut plain_tags = Vec::with_capacity(tags.len());
    for tag in tags {
        let tag = plain("tags", &tag)?;
        if !tag.is_empty() && !plain_tags.contains(&tag) {
            plain_tags.push(tag);
        }
    }
    Ok(plain_tags)
}

/// Text without markup and control characters: it is shown on pages.
fn plain(name: &str, text: &str) -> Result<String, Wrong> {
    let mut plain = String::with_capacity(text.len().min(NAME_CHARACTERS_MAX));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        if !after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
            plain.push('<');
            rest = after;
            continue;
        }
        let Some((_, after)) = after.split_once('>') else {
            // Nothing is closed from here on.
            plain.push('<');
            plain.push_str(after);
            rest = "";
            break;
        };
        rest = after;
    }
    plain.push_str(rest);
    let plain = plain.replace(char::is_control, " ").trim().to_owned();
    if plain.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        let why = format!("longer than {NAME_CHARACTERS_MAX} characters");
        return Err(Wrong::at(name, why));
    }
    Ok(plain)
}

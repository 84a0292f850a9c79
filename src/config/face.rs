//! `[servicestack]` and `[[source]]`: the original listener's face, and the clients that do not sign.

use super::credential::{self, CredentialKeys};
use super::file as table;
use super::listen::path_of;
use super::reader::Reader;
use super::scope::scope;
use crate::server::source::Source;
use crate::wire::credential::Credential;
use crate::wire::servicestack::value::EntityNumbers;
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeSet;
use std::net::IpAddr;
use toml::Spanned;

/// The original listener's face, as it is configured.
#[derive(Clone, Debug)]
pub struct FaceConfig {
    /// Whether it is shown at all.
    pub enabled: bool,
    /// Strings in JSON without quotes.
    pub raw_strings: bool,
    /// Whether the metadata pages are on the public listener, too.
    pub publish_metadata: bool,
    /// The integers of the entity names.
    pub numbers: EntityNumbers,
}

pub(super) fn face(table: &table::ServiceStack, reader: &mut Reader<'_>) -> FaceConfig {
    let flag = |given: &Option<Spanned<bool>>, default| {
        given.as_ref().map_or(default, |flag| *flag.get_ref())
    };
    FaceConfig {
        enabled: flag(&table.enabled, true),
        raw_strings: flag(&table.raw_strings, false),
        publish_metadata: flag(&table.publish_metadata, false),
        numbers: numbers(table, reader),
    }
}

fn numbers(table: &table::ServiceStack, reader: &mut Reader<'_>) -> EntityNumbers {
    let Some(given) = &table.entity_numbers else {
        return EntityNumbers::default();
    };
    let is_name = |name: &String| {
        (1..=64).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if let Some(bad) = given.get_ref().keys().find(|name| !is_name(name)) {
        reader.error(
            &given.span(),
            format!("entity_numbers: \"{bad}\" is not a name such as PurchaseOrder"),
        );
    }
    let entries = given.get_ref().iter();
    let mut entries: Vec<(String, i32)> = entries.map(|(k, n)| (k.clone(), *n)).collect();
    entries.sort_by_key(|(_, number)| *number);
    EntityNumbers::new(entries)
}

pub(super) fn sources(
    tables: &[table::Source],
    face: &FaceConfig,
    paths: &[String],
    reader: &mut Reader<'_>,
) -> Vec<Source> {
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for table in tables {
        let (name, span) = (table.name.get_ref(), table.name.span());
        if !face.enabled {
            reader.error(
                &span,
                "[servicestack] enabled = false switches the sources off; take the [[source]] away, or switch it on",
            );
        }
        if !names.insert(name) {
            reader.error(&span, format!("two sources are named \"{name}\""));
        }
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            reader.error(&span, "a source's name has 1 to 64 characters");
        }
        let source = source(table, reader);
        if source.path.is_none() && !source.predefined_routes {
            reader.error(
                &span,
                format!(
                    "source \"{name}\" has no way in; give `path`, or predefined_routes = true"
                ),
            );
        }
        if source.credential.is_none() && source.addresses.is_empty() && !shows_something(table) {
            reader.error(
                &span,
                format!("source \"{name}\" would let everybody in without a signature; give bearer_token, basic_username and basic_password, or addresses"),
            );
        }
        if let Some(why) = source.credential.as_ref().and_then(weakness) {
            reader.warn(
                &span,
                format!("the credential of source \"{name}\" {why}; whoever guesses it can post changes: make one with `openssl rand -hex 32`"),
            );
        }
        if let (Some(path), Some(normal)) = (&table.path, &source.path)
            && paths.contains(normal)
        {
            reader.warn(
                &path.span(),
                format!("\"{}\" also takes Intuit's signed notifications; whoever comes as source \"{name}\" need not sign there", path.get_ref()),
            );
        }
        if source.credential.is_none() && !source.addresses.is_empty() {
            reader.warn(
                &span,
                format!("source \"{name}\" is known by its address alone, which every program and every user there has; give it a bearer_token_file, or basic_username and basic_password_file, too"),
            );
        }
        if let Some(Credential::Basic { user, .. }) = &source.credential
            && user.contains(':')
        {
            reader.error(&span, "basic_username cannot have a colon in it (RFC 7617)");
        }
        sources.push(source);
    }
    sources
}

/// Fewer characters than these can be tried through.
const LEAST_TOKEN: usize = 20;
const LEAST_PASSWORD: usize = 12;

/// Why a credential is easily guessed.
fn weakness(credential: &Credential) -> Option<String> {
    let (secret, least, names) = match credential {
        Credential::Bearer(token) => (token, LEAST_TOKEN, None),
        Credential::Basic { user, password } => (password, LEAST_PASSWORD, Some(user)),
    };
    let bytes = secret.expose();
    if bytes.len() < least {
        return Some(format!(
            "is short ({} characters of at least {least})",
            bytes.len()
        ));
    }
    let kinds: BTreeSet<u8> = bytes.iter().map(u8::to_ascii_lowercase).collect();
    if kinds.len() < LEAST_KINDS {
        return Some(format!("is made of {} characters only", kinds.len()));
    }
    let runs = bytes.windows(2).filter(|pair| match pair {
        [one, two] => one.abs_diff(*two) <= 1,
        _ => false,
    });
    if runs.count() * 4 > bytes.len() * 3 {
        return Some("is a row of neighbouring characters".into());
    }
    let is_user = names.is_some_and(|user| user.as_bytes().eq_ignore_ascii_case(bytes));
    is_user.then(|| "is the user's name".into())
}

/// Different characters that a made-up secret of this length has at least.
const LEAST_KINDS: usize = 6;

/// Whether something was given that could not be read, which has been said already.
fn shows_something(table: &table::Source) -> bool {
    let tokens = [&table.bearer_token, &table.bearer_token_credential];
    let passwords = [
        &table.basic_username,
        &table.basic_password,
        &table.basic_password_credential,
    ];
    let files = [&table.bearer_token_file, &table.basic_password_file];
    tokens.into_iter().chain(passwords).any(Option::is_some)
        || files.into_iter().any(Option::is_some)
        || table
            .addresses
            .as_ref()
            .is_some_and(|given| !given.is_empty())
}

fn source(table: &table::Source, reader: &mut Reader<'_>) -> Source {
    let path = table.path.as_ref().map(|path| path_of(path, reader));
    let keys = CredentialKeys {
        span: table.name.span(),
        token: &table.bearer_token,
        token_file: &table.bearer_token_file,
        token_credential: &table.bearer_token_credential,
        username: &table.basic_username,
        password: &table.basic_password,
        password_file: &table.basic_password_file,
        password_credential: &table.basic_password_credential,
    };
    let addresses = table.addresses.iter().flatten();
    Source {
        name: table.name.get_ref().clone(),
        path,
        predefined_routes: table
            .predefined_routes
            .as_ref()
            .is_some_and(|flag| *flag.get_ref()),
        credential: credential::read(&keys, reader),
        addresses: addresses
            .filter_map(|range| address(range, reader))
            .collect(),
        scope: scope(table, reader),
    }
}

/// A range such as `192.168.1.0/24`, or one address.
fn address(given: &Spanned<String>, reader: &mut Reader<'_>) -> Option<IpNet> {
    let text = given.get_ref();
    let range = text.parse::<IpNet>().ok();
    let range = range.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(range) = range else {
        reader.error(
            &given.span(),
            format!("\"{text}\" is not an address range; write it like \"192.168.1.0/24\" or \"2001:db8::/48\""),
        );
        return None;
    };
    if range.trunc() != range {
        reader.warn(
            &given.span(),
            format!(
                "\"{text}\" names an address within a range; it is taken as {}",
                range.trunc()
            ),
        );
    }
    let range = unmapped(range.trunc());
    if range.prefix_len() == 0 {
        let version = if range.addr().is_ipv4() { 4 } else { 6 };
        reader.warn(
            &given.span(),
            format!("\"{text}\" is every IPv{version} address there is"),
        );
    }
    Some(range)
}

/// A range of IPv4 addresses in IPv6's clothes, such as `::ffff:10.0.0.0/104`, without them: peers are
/// compared without them, too.
fn unmapped(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else {
        return range;
    };
    let v4 = mapped
        .addr()
        .to_ipv4_mapped()
        .zip(mapped.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    v4.map_or(range, IpNet::V4)
}

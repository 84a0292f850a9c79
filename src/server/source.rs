//! Who may deliver without a signature: the clients that the configuration names, and nobody else.
//!
//! Called by `webhook` for a request that has no signature. Promises: without a source for the path
//! nobody is let in; a source that asks for a credential and an address asks for both; what a request
//! says about where it comes from (`X-Forwarded-For`) is not looked at. An address speaks for every
//! browser there, whatever page is open in it: where nothing but the address speaks, what a foreign page
//! had sent and what any link or image can send (`GET`) is refused.

use super::peer::Peer;
use crate::model::{Authenticity, SourceScope};
use crate::wire::credential::{self, Credential};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// A client that does not sign.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, for the journal.
    pub name: String,
    /// The path on which it delivers.
    pub path: Option<String>,
    /// Whether it delivers on the predefined routes of the original listener, too.
    pub predefined_routes: bool,
    /// What it has to show.
    pub credential: Option<Credential>,
    /// Where it has to come from; from anywhere where this is empty.
    pub addresses: Vec<IpNet>,
    /// Which companies it may speak of; the journal looks after it.
    pub scope: SourceScope,
}

/// What the journal is told of the sources.
pub fn scopes(sources: &[Source]) -> BTreeMap<String, SourceScope> {
    let scope = |source: &Source| (source.name.clone(), source.scope.clone());
    sources.iter().map(scope).collect()
}

/// Where a request came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    /// On a configured path.
    Path(String),
    /// On a predefined route.
    Predefined,
}

/// Why a request without a signature is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Denied {
    /// Nobody may come here without a signature.
    Unsigned,
    /// The address is in no range.
    Address,
    /// The credential is missing or wrong; what is to be shown.
    Credential(&'static str),
    /// The address is right, but a page of another origin made a browser send it.
    ForeignPage,
    /// The address is right, but a `GET` changes nothing without a credential.
    Get,
}

/// What the sender need not have known of, because any web page can make a browser send it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Unwitting {
    /// A page of another origin.
    pub(super) foreign_page: bool,
    /// A `GET`, as links and images send it.
    pub(super) get: bool,
}

/// The source that a request comes from, and what speaks for it.
pub(super) fn admit<'s>(
    sources: &'s [Source],
    gate: &Gate,
    peer: Peer,
    authorization: Option<&[u8]>,
    unwitting: Unwitting,
) -> Result<(&'s str, Authenticity), Denied> {
    let mut denied = Denied::Unsigned;
    for source in sources.iter().filter(|source| source.is_at(gate)) {
        if !source.is_from(peer) {
            if denied == Denied::Unsigned {
                denied = Denied::Address;
            }
            continue;
        }
        match &source.credential {
            // A source without either lets nobody in; the configuration does not make one.
            None if source.addresses.is_empty() => {}
            None if unwitting.foreign_page => denied = Denied::ForeignPage,
            None if unwitting.get => denied = Denied::Get,
            None => return Ok((&source.name, Authenticity::Address)),
            Some(credential) => {
                if authorization.is_some_and(|shown| credential::check(credential, shown)) {
                    return Ok((&source.name, Authenticity::Credential));
                }
                denied = Denied::Credential(credential.challenge());
            }
        }
    }
    Err(denied)
}

impl Source {
    fn is_at(&self, gate: &Gate) -> bool {
        match gate {
            Gate::Path(path) => self.path.as_ref() == Some(path),
            Gate::Predefined => self.predefined_routes,
        }
    }

    fn is_from(&self, peer: Peer) -> bool {
        let Some(address) = peer.address() else {
            return false;
        };
        self.addresses.is_empty() || self.addresses.iter().any(|range| range.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn source(name: &str, credential: Option<&str>, addresses: &[&str]) -> Source {
        Source {
            name: name.into(),
            path: Some("/in".into()),
            predefined_routes: false,
            credential: credential.map(|token| Credential::Bearer(Secret::new(token))),
            addresses: addresses
                .iter()
                .map(|range| range.parse().unwrap())
                .collect(),
            scope: SourceScope::default(),
        }
    }

    fn judge(
        sources: &[Source],
        path: &str,
        address: &str,
        token: &str,
    ) -> Result<(String, Authenticity), Denied> {
        let shown = format!("Bearer {token}");
        let shown = Some(shown.as_bytes()).filter(|_| !token.is_empty());
        let gate = Gate::Path(path.into());
        let peer = Peer::of(address.parse().unwrap());
        admit(sources, &gate, peer, shown, Unwitting::default())
            .map(|(name, by)| (name.to_owned(), by))
    }

    #[test]
    fn an_address_alone_does_not_speak_for_what_a_page_made_a_browser_send() {
        let range = source("range", None, &["192.168.1.0/24"]);
        let both = source("both", Some("b"), &["192.168.1.0/24"]);
        let gate = Gate::Path("/in".into());
        let peer = Peer::of("192.168.1.7".parse().unwrap());
        let by_address = Ok(Authenticity::Address);
        let by_token = Ok(Authenticity::Credential);
        for (foreign_page, get, alone) in [
            (false, false, by_address),
            (true, false, Err(Denied::ForeignPage)),
            (true, true, Err(Denied::ForeignPage)),
            (false, true, Err(Denied::Get)),
        ] {
            let unwitting = Unwitting { foreign_page, get };
            let judge = |sources: &[Source], shown| {
                admit(sources, &gate, peer, shown, unwitting).map(|(_, by)| by)
            };
            let shown = Some(&b"Bearer b"[..]);
            assert_eq!(judge(std::slice::from_ref(&range), shown), alone);
            assert_eq!(judge(std::slice::from_ref(&both), shown), by_token);
            let all = [range.clone(), both.clone()];
            assert_eq!(judge(&all, shown), alone.or(by_token));
        }
    }

    #[test]
    fn who_is_let_in_by_what() {
        let bearer = source("token", Some("a"), &[]);
        let range = source("range", None, &["192.168.1.0/24", "2001:db8:0:1::5/128"]);
        let both = source("both", Some("b"), &["10.0.0.7/32"]);
        let nobody = source("nobody", None, &[]);
        let challenge = Denied::Credential("Bearer realm=\"qbo-relay\"");
        let by_token = |name: &str| Ok((name.to_owned(), Authenticity::Credential));
        let by_address = |name: &str| Ok((name.to_owned(), Authenticity::Address));
        let (unsigned, elsewhere) = (Err(Denied::Unsigned), Err(Denied::Address));
        let table: [(&[&Source], _, _, _); 16] = [
            (&[], "10.0.0.1", "a", unsigned.clone()),
            (&[&bearer], "10.0.0.1", "a", by_token("token")),
            (&[&bearer], "10.0.0.1", "b", Err(challenge)),
            (&[&bearer], "10.0.0.1", "", Err(challenge)),
            (&[&range], "192.168.1.77", "", by_address("range")),
            (&[&range], "::ffff:192.168.1.77", "", by_address("range")),
            (&[&range], "192.168.2.1", "a", elsewhere.clone()),
            (&[&range], "2001:db8:0:1::5", "", by_address("range")),
            (&[&range], "2001:db8:0:1::6", "", elsewhere.clone()),
            (&[&both], "10.0.0.7", "b", by_token("both")),
            (&[&both], "10.0.0.7", "a", Err(challenge)),
            (&[&both], "10.0.0.8", "b", elsewhere),
            (&[&nobody], "10.0.0.8", "b", unsigned.clone()),
            (&[&range, &bearer, &both], "10.0.0.7", "b", by_token("both")),
            (&[&bearer, &range], "192.168.1.1", "", by_address("range")),
            (&[&bearer, &range], "10.0.0.1", "", Err(challenge)),
        ];
        for (sources, address, token, expected) in table {
            let sources: Vec<Source> = sources.iter().copied().cloned().collect();
            let found = judge(&sources, "/in", address, token);
            assert_eq!(found, expected, "{address} {token}");
            let elsewhere = judge(&sources, "/qbowebhook", address, token);
            assert_eq!(elsewhere, unsigned);
        }
    }

    #[test]
    fn the_predefined_routes_are_for_those_who_are_named_for_them() {
        let mut sources = [source("token", Some("a"), &[])];
        let peer = Peer::of("10.0.0.1".parse().unwrap());
        let shown = Some(&b"Bearer a"[..]);
        let judge = |sources: &[Source]| {
            let admitted = admit(
                sources,
                &Gate::Predefined,
                peer,
                shown,
                Unwitting::default(),
            );
            admitted.map(|(_, by)| by)
        };
        assert_eq!(judge(&sources), Err(Denied::Unsigned));
        sources[0].predefined_routes = true;
        assert_eq!(judge(&sources), Ok(Authenticity::Credential));
        let unwitting = Unwitting::default();
        let local = admit(&sources, &Gate::Predefined, Peer::Local, shown, unwitting);
        assert_eq!(local, Err(Denied::Address));
    }
}

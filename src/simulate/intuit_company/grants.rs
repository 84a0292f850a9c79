//! Codes and tokens: who may read which company, how long, and what is dead.
//!
//! Pure but for its own seeded chance; the time is an argument. What one consent brings forth, code
//! to last refresh, is a family: it has one refresh token at a time and ends as a whole.

use super::options::{Lifetimes, Rotation};
use crate::model::Timestamp;
use crate::simulate::company::Chance;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// After this long a refresh changes the refresh token under [`Rotation::Daily`].
const DAY: Duration = Duration::from_secs(86_400);

/// Families, codes and dead refresh tokens of a family that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// What a code or a refresh token was exchanged for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// Access token.
    pub access: String,
    /// How long it lasts.
    pub access_for: Duration,
    /// Refresh token.
    pub refresh: String,
    /// How long it lasts when it is not used.
    pub refresh_for: Duration,
    /// How long it lasts however it is used.
    pub hard_for: Duration,
}

/// Why nothing was granted; all of them are `invalid_grant`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// The code is unknown, used, too old, or for another address.
    Code,
    /// The refresh token is unknown, changed since, or too old.
    Refresh,
    /// It was given to another app.
    OtherApp,
}

#[derive(Debug)]
pub(super) struct Grants {
    rotation: Rotation,
    lifetimes: Lifetimes,
    revoke_on_reuse: bool,
    chance: Chance,
    newest: u64,
    families: BTreeMap<u64, Family>,
    codes: BTreeMap<String, Code>,
    access: BTreeMap<String, Access>,
}

#[derive(Debug)]
struct Family {
    client_id: String,
    realm: String,
    consented_at: Timestamp,
    refresh: String,
    changed_at: Timestamp,
    ends_at: Timestamp,
    is_alive: bool,
    dead: VecDeque<String>,
}

#[derive(Debug)]
struct Code {
    client_id: String,
    realm: String,
    redirect_uri: String,
    ends_at: Timestamp,
}

#[derive(Debug)]
struct Access {
    family: u64,
    ends_at: Timestamp,
}

impl Grants {
    pub(super) fn new(
        rotation: Rotation,
        lifetimes: Lifetimes,
        revoke_on_reuse: bool,
        seed: u64,
    ) -> Self {
        Self {
            rotation,
            lifetimes,
            revoke_on_reuse,
            chance: Chance::new(seed ^ 0x0a07),
            newest: 0,
            families: BTreeMap::new(),
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
        }
    }

    /// A code for a person's consent; single use.
    pub(super) fn code(
        &mut self,
        client_id: &str,
        realm: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> String {
        self.codes.retain(|_, code| code.ends_at > now);
        if self.codes.len() >= REMEMBERED_MAX {
            self.codes.pop_first();
        }
        let code = format!("AB1{}{}", now.as_seconds(), self.letters(36));
        self.codes.insert(
            code.clone(),
            Code {
                client_id: client_id.to_owned(),
                realm: realm.to_owned(),
                redirect_uri: redirect_uri.to_owned(),
                ends_at: now.plus(self.lifetimes.code),
            },
        );
        code
    }

    /// The first tokens, for a code. A code that was presented is used up, whatever came of it.
    pub(super) fn exchange(
        &mut self,
        client_id: &str,
        code: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<Granted, Refused> {
        let code = self.codes.remove(code).ok_or(Refused::Code)?;
        if code.client_id != client_id {
            return Err(Refused::OtherApp);
        }
        if code.redirect_uri != redirect_uri || code.ends_at <= now {
            return Err(Refused::Code);
        }
        Ok(self.found(client_id, &code.realm, now))
    }

    /// The first tokens of a new family.
    pub(super) fn found(&mut self, client_id: &str, realm: &str, now: Timestamp) -> Granted {
        self.newest += 1;
        if self.families.len() >= REMEMBERED_MAX {
            self.families.pop_first();
        }
        let refresh = self.refresh_token(now);
        self.families.insert(
            self.newest,
            Family {
                client_id: client_id.to_owned(),
                realm: realm.to_owned(),
                consented_at: now,
                refresh,
                changed_at: now,
                ends_at: now.plus(self.lifetimes.refresh.min(self.lifetimes.hard)),
                is_alive: true,
                dead: VecDeque::new(),
            },
        );
        self.issue(self.newest, now)
    }

    /// The next tokens, for a refresh token.
    pub(super) fn refresh(
        &mut self,
        client_id: &str,
        refresh: &str,
        now: Timestamp,
    ) -> Result<Granted, Refused> {
        let id = self.family_of(refresh).ok_or(Refused::Refresh)?;
        let next = self.refresh_token(now);
        let family = self.families.get_mut(&id).ok_or(Refused::Refresh)?;
        if family.client_id != client_id {
            return Err(Refused::OtherApp);
        }
        if family.refresh != refresh {
            if self.revoke_on_reuse {
                family.is_alive = false;
            }
            return Err(Refused::Refresh);
        }
        if !family.is_alive || family.ends_at <= now {
            return Err(Refused::Refresh);
        }
        let is_due = match self.rotation {
            Rotation::EachTime => true,
            Rotation::Daily => now.since(family.changed_at) >= DAY,
            Rotation::Never => false,
        };
        if is_due {
            if family.dead.len() == REMEMBERED_MAX {
                family.dead.pop_front();
            }
            let old = std::mem::replace(&mut family.refresh, next);
            family.dead.push_back(old);
            family.changed_at = now;
        }
        let hard_end = family.consented_at.plus(self.lifetimes.hard);
        family.ends_at = now.plus(self.lifetimes.refresh).min(hard_end);
        Ok(self.issue(id, now))
    }

    /// Who may read what with this access token now: app and company.
    pub(super) fn bearer(&self, access: &str, now: Timestamp) -> Option<(&str, &str)> {
        let token = self
            .access
            .get(access)
            .filter(|token| token.ends_at > now)?;
        let family = self.families.get(&token.family)?;
        family
            .is_alive
            .then_some((family.client_id.as_str(), family.realm.as_str()))
    }

    /// The company that any token ever was for.
    pub(super) fn realm_of(&self, token: &str) -> Option<&str> {
        let by_access = self.access.get(token).map(|access| access.family);
        let by_code = self.codes.get(token).map(|code| code.realm.as_str());
        let family = by_access.or_else(|| self.family_of(token));
        family
            .and_then(|family| Some(self.families.get(&family)?.realm.as_str()))
            .or(by_code)
    }

    /// Whether the app is connected to the company.
    pub(super) fn is_connected(&self, client_id: &str, realm: &str) -> bool {
        let mut families = self.families.values();
        families
            .any(|family| family.is_alive && family.client_id == client_id && family.realm == realm)
    }

    /// The app gives a token back: it is no longer connected to that company. Whether there was one.
    pub(super) fn revoke(&mut self, client_id: &str, token: &str) -> bool {
        let Some(realm) = self.realm_of(token).map(str::to_owned) else {
            return false;
        };
        let mut found = false;
        for family in self.families.values_mut() {
            if family.client_id == client_id && family.realm == realm {
                found |= family.is_alive;
                family.is_alive = false;
            }
        }
        found
    }

    /// A person at the company disconnects all apps.
    pub(super) fn disconnect(&mut self, realm: &str) {
        for family in self.families.values_mut() {
            family.is_alive &= family.realm != realm;
        }
    }

    /// Every access token for the company ends now.
    pub(super) fn expire_access(&mut self, realm: &str) {
        let families = &self.families;
        self.access.retain(|_, access| {
            let family = families.get(&access.family);
            family.is_some_and(|family| family.realm != realm)
        });
    }

    fn issue(&mut self, id: u64, now: Timestamp) -> Granted {
        self.access.retain(|_, access| access.ends_at > now);
        let access = format!("eyJhbGciOiJkaXIi{}", self.letters(640));
        self.access.insert(
            access.clone(),
            Access {
                family: id,
                ends_at: now.plus(self.lifetimes.access),
            },
        );
        let family = self.families.get(&id);
        let hard_end = family.map_or(now, |family| family.consented_at.plus(self.lifetimes.hard));
        Granted {
            access,
            access_for: self.lifetimes.access,
            refresh: family.map_or_else(String::new, |family| family.refresh.clone()),
            refresh_for: family.map_or(Duration::ZERO, |family| family.ends_at.since(now)),
            hard_for: hard_end.since(now),
        }
    }

    fn family_of(&self, refresh: &str) -> Option<u64> {
        let mut families = self.families.iter();
        families
            .find(|(_, family)| {
                family.refresh == refresh || family.dead.iter().any(|dead| dead == refresh)
            })
            .map(|(id, _)| *id)
    }

    /// In the form of a recorded one: `RT1-39-H3-1785429816rcysb9dns1ofreknypnm`.
    fn refresh_token(&mut self, now: Timestamp) -> String {
        let end = now.plus(self.lifetimes.refresh).as_seconds();
        let (node, shard) = (self.chance.below(90) + 10, self.chance.below(4));
        format!("RT1-{node}-H{shard}-{end}{}", self.letters(20))
    }

    fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let letter = |_| {
            let index = usize::try_from(self.chance.below(36)).unwrap_or(0);
            char::from(LETTERS.get(index).copied().unwrap_or(b'a'))
        };
        (0..count).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);
    const BACK: &str = "https://relay.example/oauth/callback";

    fn grants(rotation: Rotation) -> Grants {
        Grants::new(rotation, Lifetimes::default(), false, 1)
    }

    fn later(s: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(s))
    }

    #[test]
    fn a_code_is_good_once_for_its_app_its_address_and_five_minutes() {
        let mut grants = grants(Rotation::Daily);
        let mut exchanged = |client, redirect, at| {
            let code = grants.code("a", "1", BACK, NOW);
            let first = grants.exchange(client, &code, redirect, at).map(drop);
            let second = grants.exchange("a", &code, BACK, at).map(drop);
            assert_eq!(second, Err(Refused::Code));
            first
        };
        assert_eq!(exchanged("a", BACK, later(299)), Ok(()));
        assert_eq!(exchanged("a", BACK, later(300)), Err(Refused::Code));
        assert_eq!(exchanged("b", BACK, NOW), Err(Refused::OtherApp));
        assert_eq!(exchanged("a", "https://x.example", NOW), Err(Refused::Code));
    }

    #[test]
    fn the_refresh_token_changes_as_the_rotation_says_and_the_old_one_is_dead() {
        let table = [
            (Rotation::EachTime, 1, true),
            (Rotation::Daily, 86_399, false),
            (Rotation::Daily, 86_400, true),
            (Rotation::Never, 1_000_000, false),
        ];
        for (rotation, after_s, changes) in table {
            let mut grants = grants(rotation);
            let first = grants.found("a", "1", NOW);
            let second = grants.refresh("a", &first.refresh, later(after_s)).unwrap();
            assert_eq!(second.refresh != first.refresh, changes, "{rotation:?}");
            let again = grants.refresh("a", &first.refresh, later(after_s));
            assert_eq!(again.is_err(), changes, "{rotation:?}");
            assert!(grants.refresh("a", &second.refresh, later(after_s)).is_ok());
        }
    }

    #[test]
    fn a_dead_value_that_is_used_again_ends_the_family_only_where_that_is_asked() {
        for (revoke_on_reuse, survives) in [(false, true), (true, false)] {
            let mut grants = grants(Rotation::EachTime);
            grants.revoke_on_reuse = revoke_on_reuse;
            let first = grants.found("a", "1", NOW);
            let second = grants.refresh("a", &first.refresh, NOW).unwrap();
            assert_eq!(
                grants.refresh("a", &first.refresh, NOW),
                Err(Refused::Refresh)
            );
            assert_eq!(grants.refresh("a", &second.refresh, NOW).is_ok(), survives);
            assert_eq!(grants.bearer(&second.access, NOW).is_some(), survives);
        }
    }

    #[test]
    fn tokens_end_by_time_by_revocation_and_by_the_hard_limit() {
        let mut grants = grants(Rotation::Never);
        let first = grants.found("a", "1", NOW);
        assert_eq!(grants.bearer(&first.access, later(3_599)), Some(("a", "1")));
        assert_eq!(grants.bearer(&first.access, later(3_600)), None);
        let hundred_days = 8_640_000;
        let mut at = 0;
        for _ in 0..18 {
            at += hundred_days;
            assert!(grants.refresh("a", &first.refresh, later(at)).is_ok());
        }
        let last = grants.refresh("a", &first.refresh, later(at)).unwrap();
        assert_eq!(last.hard_for, Duration::from_secs(157_680_000 - at));
        assert_eq!(last.refresh_for, last.hard_for);
        let beyond = later(157_680_000);
        assert_eq!(
            grants.refresh("a", &first.refresh, beyond),
            Err(Refused::Refresh)
        );
        let unused = grants.found("a", "1", NOW);
        let too_late = grants.refresh("a", &unused.refresh, later(8_726_400));
        assert_eq!(too_late, Err(Refused::Refresh));
    }

    #[test]
    fn a_revoked_or_disconnected_company_can_neither_be_read_nor_refreshed() {
        let mut grants = grants(Rotation::Never);
        let (mine, other) = (grants.found("a", "1", NOW), grants.found("a", "2", NOW));
        assert_eq!(
            grants.refresh("b", &mine.refresh, NOW),
            Err(Refused::OtherApp)
        );
        assert!(!grants.revoke("b", &mine.refresh));
        assert!(grants.revoke("a", &mine.access));
        assert!(!grants.revoke("a", "never seen"));
        assert_eq!(grants.bearer(&mine.access, NOW), None);
        assert_eq!(
            grants.refresh("a", &mine.refresh, NOW),
            Err(Refused::Refresh)
        );
        assert!(grants.is_connected("a", "2"));
        grants.disconnect("2");
        assert!(!grants.is_connected("a", "2"));
        assert_eq!(grants.bearer(&other.access, NOW), None);
    }

    #[test]
    fn an_access_token_can_be_made_to_end_while_the_refresh_token_lives() {
        let mut grants = grants(Rotation::Never);
        let first = grants.found("a", "1", NOW);
        grants.expire_access("1");
        assert_eq!(grants.bearer(&first.access, NOW), None);
        let next = grants.refresh("a", &first.refresh, NOW).unwrap();
        assert!(grants.bearer(&next.access, NOW).is_some());
        assert_eq!(grants.realm_of(&next.refresh), Some("1"));
    }
}

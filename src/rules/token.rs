//! When tokens are renewed, what their ends are, and who has to be warned of one.
//!
//! An access token lasts an hour and is renewed a little before, when there is something to call
//! for. A refresh token ends 100 days after its last use, and for good five years after the consent
//! (Intuit, "Important changes to refresh token policy", 2025-11-12). Called by a company's task.
//! Promises: a company that has nothing to call for renews its tokens once a day all the same, so
//! that the first of the two ends does not come near.

use crate::model::{Company, Ends, Timestamp, TokenEnd, TokenWarning};
use std::time::Duration;

/// How long before its end an access token is no longer used: longer than any call takes.
const AHEAD: Duration = Duration::from_mins(5);

/// How long after the end of an access token a company that needs none gets the next set.
const IDLE: Duration = Duration::from_hours(23);

/// Days before an end at which a person is warned.
const WARNINGS: [u32; 2] = [7, 30];

/// Lifetimes as an answer of the authorization server tells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// Of the access token.
    pub access: Duration,
    /// Of the refresh token when it is not used.
    pub refresh: Duration,
    /// Of the consent, where it was told.
    pub hard: Option<Duration>,
}

/// The ends of tokens that were asked for at `asked_at`. The end of the consent stays as it was known
/// when the answer does not tell it.
pub fn ends(asked_at: Timestamp, lifetimes: Lifetimes, hard_before: Option<Timestamp>) -> Ends {
    Ends {
        access: asked_at.plus(lifetimes.access),
        refresh: asked_at.plus(lifetimes.refresh),
        hard: lifetimes
            .hard
            .map(|hard| asked_at.plus(hard))
            .or(hard_before),
    }
}

/// Whether the access token is at its end, or not known.
pub fn is_due(now: Timestamp, access_expires_at: Option<Timestamp>) -> bool {
    access_expires_at.is_none_or(|end| end.minus(AHEAD) <= now)
}

/// When a company that needs no access token gets the next set; `None`: now. An end that lies far
/// ahead is looked at again within a day: it may have been set by a clock that was put back since.
pub fn rests_until(now: Timestamp, access_expires_at: Option<Timestamp>) -> Option<Timestamp> {
    let due = access_expires_at?.plus(IDLE);
    (due > now).then(|| due.min(now.plus(IDLE)))
}

/// The end that comes first.
pub fn soonest_end(company: &Company) -> Option<(TokenEnd, Timestamp)> {
    let idle = company.refresh_expires_at.map(|at| (TokenEnd::Idle, at));
    let consent = company.hard_expires_at.map(|at| (TokenEnd::Consent, at));
    idle.into_iter().chain(consent).min_by_key(|(_, at)| *at)
}

/// The warning that is due: 30 and again 7 days before the end that comes first.
pub fn warning(now: Timestamp, company: &Company) -> Option<TokenWarning> {
    let (end, at) = soonest_end(company)?;
    let left = at.since(now);
    let day = Duration::from_hours(24);
    let days = WARNINGS.into_iter().find(|days| left <= day * *days)?;
    Some(TokenWarning { end, at, days })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppName, Environment, RealmId, Standing};

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);

    fn company(refresh_days: u32, hard_days: Option<u32>) -> Company {
        Company {
            realm: RealmId::new("310687").unwrap(),
            app: AppName::new("app").unwrap(),
            environment: Environment::Sandbox,
            connected_at: NOW,
            standing: Standing::Connected,
            standing_since: NOW,
            access_expires_at: None,
            refresh_expires_at: Some(NOW.plus(DAY * refresh_days)),
            hard_expires_at: hard_days.map(|days| NOW.plus(DAY * days)),
        }
    }

    #[test]
    fn an_access_token_is_renewed_a_little_before_its_end() {
        let minutes = |minutes: u64| Some(NOW.plus(Duration::from_secs(60 * minutes)));
        assert!(is_due(NOW, None));
        assert!(is_due(NOW, Some(NOW.minus(HOUR))));
        assert!(is_due(NOW, minutes(5)));
        assert!(!is_due(NOW, minutes(6)));
    }

    #[test]
    fn a_quiet_company_renews_once_a_day() {
        assert_eq!(rests_until(NOW, None), None);
        let end = NOW.plus(HOUR);
        assert_eq!(
            rests_until(NOW, Some(end.minus(HOUR * 2))),
            Some(NOW.plus(HOUR * 22))
        );
        assert_eq!(rests_until(NOW, Some(NOW.minus(IDLE))), None);
        let in_a_year = NOW.plus(DAY * 365);
        assert_eq!(rests_until(NOW, Some(in_a_year)), Some(NOW.plus(IDLE)));
    }

    #[test]
    fn the_end_that_comes_first_is_warned_of_twice() {
        let table = [
            (100, Some(1825), None),
            (100, None, None),
            (31, None, None),
            (30, None, Some((TokenEnd::Idle, 30))),
            (8, Some(9), Some((TokenEnd::Idle, 30))),
            (7, Some(9), Some((TokenEnd::Idle, 7))),
            (100, Some(30), Some((TokenEnd::Consent, 30))),
            (100, Some(3), Some((TokenEnd::Consent, 7))),
            (0, None, Some((TokenEnd::Idle, 7))),
        ];
        for (refresh, hard, expected) in table {
            let told = warning(NOW, &company(refresh, hard));
            let told = told.map(|warning| (warning.end, warning.days));
            assert_eq!(told, expected, "{refresh} {hard:?}");
        }
        let mut unknown = company(1, None);
        unknown.refresh_expires_at = None;
        assert_eq!(warning(NOW, &unknown), None);
    }

    #[test]
    fn ends_count_from_the_question_and_a_known_consent_stays() {
        let lifetimes = Lifetimes {
            access: HOUR,
            refresh: DAY * 100,
            hard: None,
        };
        let before = Some(NOW.plus(DAY * 500));
        let told = ends(NOW, lifetimes, before);
        assert_eq!(
            (told.access, told.refresh),
            (NOW.plus(HOUR), NOW.plus(DAY * 100))
        );
        assert_eq!(told.hard, before);
        let hard = Some(DAY * 400);
        let told = ends(NOW, Lifetimes { hard, ..lifetimes }, before);
        assert_eq!(told.hard, Some(NOW.plus(DAY * 400)));
    }
}

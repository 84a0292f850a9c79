//! What there is to say about the companies that are read: what a person has to do, and what only
//! has to be known.
//!
//! Part of the one sentence and the one condition of [`health`](super::health).

use super::span;
use crate::model::{CompanyHealth, HindranceKind, Standing, Timestamp, TokenWarning};

/// Days before the end of an authorization from which the lamp asks for a person.
const PRESSING_DAYS: u32 = 7;

/// Whether a person has to do something about a company.
pub fn is_calling(books: &[CompanyHealth]) -> bool {
    // What is said depends on the time, whether something is said does not.
    call(books, Timestamp::from_ms(0)).is_some()
}

/// What a person has to do about a company, the first one's if there are several; `None` while all
/// can be read, or will be again by themselves.
pub fn call(books: &[CompanyHealth], now: Timestamp) -> Option<String> {
    let mut calls = books.iter().filter_map(|company| call_for(company, now));
    let first = calls.next()?;
    Some(match calls.count() {
        0 => first,
        more => format!("{first}, and {more} more companies need somebody"),
    })
}

fn call_for(company: &CompanyHealth, now: Timestamp) -> Option<String> {
    let realm = &company.realm;
    if let Standing::NeedsAuthorization { why } = &company.standing {
        return Some(format!(
            "company {realm} needs authorization ({why}): connect it again"
        ));
    }
    if company.standing == Standing::AwaitsApproval {
        return Some(format!(
            "company {realm} waits for approval: qbo-relay company approve {realm}"
        ));
    }
    if let Some(hindrance) = &company.hindrance {
        match hindrance.kind {
            HindranceKind::Throttled | HindranceKind::Unreachable => {}
            HindranceKind::Budget
            | HindranceKind::Refused
            | HindranceKind::Unstored
            | HindranceKind::Broken => {
                return Some(format!("company {realm} is not read: {}", hindrance.why));
            }
        }
    }
    if let Some((_, why)) = &company.polling_stopped {
        return Some(format!(
            "company {realm} is not polled for its instances: {why}; switch them on again"
        ));
    }
    let pressing = |warning: &TokenWarning| warning.days <= PRESSING_DAYS;
    let warning = company.warning.filter(pressing)?;
    Some(ending(company, warning, now))
}

/// What has to be known, and mends itself or has time.
pub fn remark(books: &[CompanyHealth], now: Timestamp) -> Option<String> {
    let waits = |company: &&CompanyHealth| {
        company.hindrance.as_ref().is_some_and(|hindrance| {
            matches!(
                hindrance.kind,
                HindranceKind::Throttled | HindranceKind::Unreachable
            )
        })
    };
    match books.iter().filter(waits).count() {
        0 => {}
        1 => return Some("1 company is not read at the moment".into()),
        count => return Some(format!("{count} companies are not read at the moment")),
    }
    let ends = books.iter().find_map(|company| {
        let warning = company.warning?;
        Some(ending(company, warning, now))
    });
    ends.or_else(|| {
        let percent = books.iter().filter_map(|company| company.budget_percent);
        let percent = percent.max().filter(|percent| *percent >= 80)?;
        Some(format!("{percent} % of the month's calls used"))
    })
}

fn ending(company: &CompanyHealth, warning: TokenWarning, now: Timestamp) -> String {
    format!(
        "the authorization of company {} ends in {}: connect it again",
        company.realm,
        span::text(warning.at.since(now))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppName, Environment, Hindrance, RealmId, TokenEnd};
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn company(realm: &str) -> CompanyHealth {
        CompanyHealth {
            realm: RealmId::new(realm).unwrap(),
            app: AppName::new("books").unwrap(),
            environment: Environment::Production,
            standing: Standing::Connected,
            last_success_at: Some(NOW),
            hindrance: None,
            budget_percent: Some(3),
            soonest_end: None,
            warning: None,
            unreadable_kinds: Vec::new(),
            skipped_records: Vec::new(),
            polling_stopped: None,
            unreconciled: 0,
        }
    }

    fn hindered(kind: HindranceKind) -> CompanyHealth {
        CompanyHealth {
            hindrance: Some(Hindrance {
                kind,
                since: NOW,
                why: "so it is".into(),
                until: None,
            }),
            ..company("1")
        }
    }

    fn ending_in(days: u32) -> CompanyHealth {
        let warning = TokenWarning {
            end: TokenEnd::Consent,
            at: NOW.plus(DAY * days),
            days: if days <= 7 { 7 } else { 30 },
        };
        CompanyHealth {
            warning: Some(warning),
            ..company("1")
        }
    }

    #[test]
    fn a_person_is_called_for_what_only_a_person_can_mend() {
        let unauthorized = CompanyHealth {
            standing: Standing::NeedsAuthorization {
                why: "the consent was withdrawn".into(),
            },
            ..company("1")
        };
        let connect = "company 1 needs authorization (the consent was withdrawn): connect it again";
        let stopped = CompanyHealth {
            polling_stopped: Some((NOW, "100 polls failed in a row".into())),
            ..company("1")
        };
        for (company, expected) in [
            (company("1"), None),
            (
                stopped,
                Some(
                    "company 1 is not polled for its instances: 100 polls failed in a row; \
                     switch them on again",
                ),
            ),
            (unauthorized.clone(), Some(connect)),
            (hindered(HindranceKind::Throttled), None),
            (hindered(HindranceKind::Unreachable), None),
            (
                hindered(HindranceKind::Refused),
                Some("company 1 is not read: so it is"),
            ),
            (
                hindered(HindranceKind::Budget),
                Some("company 1 is not read: so it is"),
            ),
            (ending_in(20), None),
            (
                ending_in(5),
                Some("the authorization of company 1 ends in 5 days: connect it again"),
            ),
        ] {
            let told = call(std::slice::from_ref(&company), NOW);
            assert_eq!(told.as_deref(), expected, "{company:?}");
        }
        let several = [
            company("2"),
            unauthorized,
            hindered(HindranceKind::Unstored),
        ];
        let told = call(&several, NOW).unwrap();
        assert!(told.starts_with(connect) && told.ends_with("1 more companies need somebody"));
    }

    #[test]
    fn what_mends_itself_is_remarked() {
        let busy = CompanyHealth {
            budget_percent: Some(83),
            ..company("1")
        };
        for (books, expected) in [
            (vec![company("1")], None),
            (
                vec![hindered(HindranceKind::Throttled), company("2")],
                Some("1 company is not read at the moment"),
            ),
            (
                vec![ending_in(20)],
                Some("the authorization of company 1 ends in 20 days: connect it again"),
            ),
            (vec![busy], Some("83 % of the month's calls used")),
        ] {
            assert_eq!(remark(&books, NOW).as_deref(), expected);
        }
    }
}

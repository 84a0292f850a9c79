//! Who may answer which question, and how often.

use super::*;
use crate::model::{RealmId, Secret};

const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);

fn app() -> AppName {
    AppName::new("books").unwrap()
}

fn network(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 168, 1, last]))
}

/// Another one for each seed.
fn secret(seed: u16) -> [u8; SECRET_BYTES] {
    let mut secret = [7; SECRET_BYTES];
    secret[..2].copy_from_slice(&seed.to_be_bytes());
    secret
}

/// A question of the operator's; its state, and its ticket.
fn told(pending: &mut Pending, seed: u16) -> (String, Ticket) {
    let begun = pending.begin_told(app(), secret(seed), str::to_owned, NOW);
    (begun.url, begun.ticket)
}

/// A question of a browser's; its link.
fn linked(pending: &mut Pending, seed: u16, from: Option<IpAddr>) -> Result<String, Error> {
    let secrets = [secret(seed), secret(seed ^ 0x8000)];
    pending.begin_linked(app(), secrets, str::to_owned, from, NOW)
}

fn open(pending: &mut Pending, link: &str, cookies: &[&str]) -> Result<(String, String), Error> {
    pending.open(link, cookies, secret(0x4000), NOW)
}

fn answer(state: &str, code: &str) -> Redirect {
    Redirect {
        state: state.to_owned(),
        consent: Ok((Secret::new(code), RealmId::new("310687").unwrap())),
    }
}

fn take(pending: &mut Pending, state: &str, code: &str, by: Bringer<'_>) -> Result<Taken, Error> {
    pending.take(&answer(state, code), by, NOW)
}

/// Whether it was the first answer, and nobody with a shell had a part in it.
fn first(taken: &Result<Taken, Error>) -> Option<bool> {
    match taken {
        Ok(Taken::First { unattended, .. }) => Some(*unattended),
        Ok(Taken::Again(_)) | Err(_) => None,
    }
}

#[test]
fn the_same_answer_gets_the_same_outcome_and_another_answer_none() {
    let mut pending = Pending::default();
    let (state, ticket) = told(&mut pending, 7);
    assert_eq!(state.len(), 43);
    assert_eq!(pending.outcome(&ticket, NOW), Some(Outcome::Waiting));
    for wrong in ["", ticket.as_str()] {
        let taken = take(&mut pending, wrong, "c", Bringer::Shell);
        assert_eq!(taken.err(), Some(Error::Unasked));
    }
    let taken = take(&mut pending, &state, "c", Bringer::Browser(&[]));
    let Ok(Taken::First { settle, .. }) = taken else {
        panic!("not the first");
    };
    // A second one waits for what comes of the first.
    let again = take(&mut pending, &state, "c", Bringer::Browser(&[]));
    let Ok(Taken::Again(again)) = again else {
        panic!("not the same");
    };
    assert_eq!(*again.borrow(), None);
    let connected = Connected {
        realm: RealmId::new("310687").unwrap(),
        awaits_approval: false,
    };
    settle.send_replace(Some(Ok(connected.clone())));
    assert_eq!(*again.borrow(), Some(Ok(connected.clone())));
    let connected = Some(Outcome::Connected(connected));
    assert_eq!(pending.outcome(&ticket, NOW), connected);
    let other = take(&mut pending, &state, "d", Bringer::Shell);
    assert_eq!(other.err(), Some(Error::Unasked));
}

#[test]
fn a_question_is_open_for_ten_minutes() {
    let mut pending = Pending::default();
    let (state, ticket) = told(&mut pending, 7);
    let late = NOW.plus(LIFETIME + Duration::from_millis(1));
    let taken = pending.take(&answer(&state, "c"), Bringer::Shell, late);
    assert_eq!(taken.err(), Some(Error::Unasked));
    assert_eq!(pending.outcome(&ticket, late), None);
}

#[test]
fn a_clock_that_was_put_back_does_not_keep_a_question_open() {
    let mut pending = Pending::default();
    let (state, _) = told(&mut pending, 7);
    let early = NOW.minus(LIFETIME);
    let taken = pending.take(&answer(&state, "c"), Bringer::Shell, early);
    assert_eq!(taken.err(), Some(Error::Unasked));
}

#[test]
fn what_was_begun_in_a_browser_is_answered_by_that_browser_or_by_the_operator() {
    let mut pending = Pending::default();
    let link = linked(&mut pending, 7, network(1)).unwrap();
    let (state, cookie) = open(&mut pending, &link, &[]).unwrap();
    assert!(cookie.starts_with("__Host-qbo-relay-consent-"), "{cookie}");
    let (name, _) = cookie.split_once('=').unwrap();
    for foreign in [
        &[][..],
        &["a=b"],
        &[&format!("{name}=")],
        &[&format!("{name}={state}")],
        &[&cookie[..cookie.len() - 1]],
    ] {
        let taken = take(&mut pending, &state, "c", Bringer::Browser(foreign));
        assert_eq!(taken.err(), Some(Error::OtherBrowser), "{foreign:?}");
    }
    // Whoever was refused has not used it up, and the cookie may stand among others.
    let cookies = format!("a=b; {cookie}");
    let brought = Bringer::Browser(&["c=d", &cookies]);
    assert_eq!(first(&take(&mut pending, &state, "c", brought)), Some(true));

    let link = linked(&mut pending, 8, network(1)).unwrap();
    let (state, _) = open(&mut pending, &link, &[]).unwrap();
    let pasted = take(&mut pending, &state, "c", Bringer::Shell);
    assert_eq!(first(&pasted), Some(false));
}

#[test]
fn a_link_is_opened_by_one_browser() {
    let mut pending = Pending::default();
    let link = linked(&mut pending, 7, network(1)).unwrap();
    let first = open(&mut pending, &link, &[]).unwrap();
    assert_eq!(open(&mut pending, &link, &[]), Err(Error::OtherBrowser));
    assert_eq!(open(&mut pending, &link, &[&first.1]), Ok(first));
    for unknown in ["", "x", &first_state(&mut pending)] {
        assert_eq!(open(&mut pending, unknown, &[]), Err(Error::Unasked));
    }
}

/// The state of a link of its own: it opens nothing.
fn first_state(pending: &mut Pending) -> String {
    let link = linked(pending, 9, network(2)).unwrap();
    open(pending, &link, &[]).unwrap().0
}

#[test]
fn nobodys_question_makes_room_for_somebody_elses() {
    let mut pending = Pending::default();
    let (operators, _) = told(&mut pending, 10_000);
    let owners = linked(&mut pending, 10_001, network(1)).unwrap();
    let mut begun = 0;
    let mut seed = 100;
    for last in 2..=255 {
        for _ in 0..=NETWORK_MAX {
            begun += usize::from(linked(&mut pending, seed, network(last)).is_ok());
            seed += 1;
        }
        let too_many = linked(&mut pending, 1, network(last));
        assert_eq!(too_many, Err(Error::TooMany), "{last}");
    }
    assert_eq!(begun, NETWORKS_MAX - 1);
    assert!(open(&mut pending, &owners, &[]).is_ok());
    let taken = take(&mut pending, &operators, "c", Bringer::Browser(&[]));
    assert_eq!(first(&taken), Some(false));
    // The operator's own make room for the operator's own.
    for seed in 0..SHELL_MAX {
        told(&mut pending, 20_000 + u16::try_from(seed).unwrap());
    }
    let oldest = take(&mut pending, &operators, "c", Bringer::Shell);
    assert_eq!(oldest.err(), Some(Error::Unasked));
}

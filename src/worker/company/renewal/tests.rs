//! Renewals in which something goes wrong at each point, with tokio's clock standing still so that
//! waits take no time.

use super::*;
use crate::clock::Manual;
use crate::model::{Secret, Timestamp};
use crate::qbo::{Captured, Page, Question, Since};
use std::collections::VecDeque;
use std::sync::Mutex;

const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// Intuit, with answers in store, that notes which refresh tokens it was shown.
struct Script {
    answers: Mutex<VecDeque<Result<Granted, Failure>>>,
    shown: Mutex<Vec<String>>,
}

impl QuickBooks for Script {
    async fn refresh(&self, refresh: &Secret) -> Result<Granted, Failure> {
        let shown = String::from_utf8(refresh.expose().to_vec()).unwrap();
        self.shown.lock().unwrap().push(shown);
        self.answers.lock().unwrap().pop_front().unwrap()
    }

    async fn capture(
        &self,
        _realm: &RealmId,
        _access: &Secret,
        _kinds: &[&str],
        _since: Since,
    ) -> Result<Captured, Failure> {
        unreachable!("a renewal reads nothing")
    }

    async fn query(&self, _: &RealmId, _: &Secret, _: &Question) -> Result<Page, Failure> {
        unreachable!("a renewal reads nothing")
    }
}

/// What is stored, and how often storing fails first.
struct Shelf<'a> {
    sealed: Mutex<Vec<Option<Vec<u8>>>>,
    failures: Mutex<Vec<Error>>,
    log: &'a Mutex<Vec<String>>,
}

impl Store for &Shelf<'_> {
    async fn sealed(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut sealed = self.sealed.lock().unwrap();
        // The last one stays.
        Ok(match sealed.len() {
            1 => sealed[0].clone(),
            _ => sealed.remove(0),
        })
    }

    async fn keep(&self, sealed: Vec<u8>, _: Ends) -> Result<(), Error> {
        if let Some(error) = self.failures.lock().unwrap().pop() {
            return Err(error);
        }
        self.log.lock().unwrap().push("stored".into());
        *self.sealed.lock().unwrap() = vec![Some(sealed)];
        Ok(())
    }
}

fn vault() -> Vault {
    Vault::from_key(&Secret::new("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")).unwrap()
}

fn tokens(refresh: &str) -> TokenSet {
    TokenSet {
        access: Secret::new("access"),
        access_expires_at: NOW,
        refresh: Secret::new(refresh),
        refresh_expires_at: NOW.plus(HOUR * 2400),
        hard_expires_at: Some(NOW.plus(HOUR * 9000)),
    }
}

fn sealed(refresh: &str) -> Option<Vec<u8>> {
    Some(vault().seal("310687", &tokens(refresh)).unwrap())
}

fn granted(refresh: &str) -> Result<Granted, Failure> {
    Ok(Granted {
        access: Secret::new("new access"),
        access_for: HOUR,
        refresh: Secret::new(refresh),
        refresh_for: HOUR * 2400,
        hard_for: None,
    })
}

fn lost() -> Result<Granted, Failure> {
    Err(Failure::Unavailable {
        why: "the connection broke".into(),
    })
}

fn dead() -> Result<Granted, Failure> {
    Err(Failure::InvalidGrant {
        why: "Incorrect or invalid refresh token".into(),
    })
}

struct Came {
    renewed: Result<TokenSet, Unrenewed>,
    /// The refresh tokens that Intuit was shown.
    shown: Vec<String>,
    /// What is stored at the end.
    stored: Option<Secret>,
    log: Vec<String>,
}

/// What tells a renewal to stop, or not.
fn going_on() -> watch::Sender<bool> {
    watch::Sender::new(false)
}

/// A renewal with these answers, these sets in the store as it is looked into, and these failures of
/// storing.
async fn renewal(
    answers: Vec<Result<Granted, Failure>>,
    sealed: Vec<Option<Vec<u8>>>,
    failures: Vec<Error>,
) -> Came {
    renewal_until(&going_on(), answers, sealed, failures).await
}

async fn renewal_until(
    stop: &watch::Sender<bool>,
    answers: Vec<Result<Granted, Failure>>,
    sealed: Vec<Option<Vec<u8>>>,
    failures: Vec<Error>,
) -> Came {
    let log = Mutex::new(Vec::new());
    let script = Script {
        answers: Mutex::new(answers.into()),
        shown: Mutex::default(),
    };
    let shelf = Shelf {
        sealed: Mutex::new(sealed),
        failures: Mutex::new(failures),
        log: &log,
    };
    let (clock, vault) = (Manual::new(NOW), vault());
    let realm = RealmId::new("310687").unwrap();
    let renewal = Renewal {
        quickbooks: &script,
        store: &shelf,
        vault: &vault,
        realm: &realm,
        clock: &clock,
        stop: &stop.subscribe(),
        unstored: &|why| log.lock().unwrap().push(why),
    };
    let renewed = renewal.renew().await;
    assert!(script.answers.lock().unwrap().is_empty(), "too few calls");
    let last = shelf.sealed.lock().unwrap().last().cloned().flatten();
    let stored = last.and_then(|sealed| vault.unseal("310687", &sealed).ok());
    Came {
        renewed,
        shown: script.shown.into_inner().unwrap(),
        stored: stored.map(|tokens| tokens.refresh),
        log: log.lock().unwrap().clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn new_tokens_are_stored_before_they_are_given_out() {
    let came = renewal(vec![granted("second")], vec![sealed("first")], Vec::new()).await;
    let renewed = came.renewed.unwrap();
    assert_eq!(came.shown, ["first"]);
    assert_eq!(came.stored, Some(Secret::new("second")));
    assert_eq!(renewed.refresh, Secret::new("second"));
    assert_eq!(renewed.access_expires_at, NOW.plus(HOUR));
    // The end of the consent was not told again, and stays.
    assert_eq!(renewed.hard_expires_at, Some(NOW.plus(HOUR * 9000)));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_tried_until_it_takes_them() {
    let failures = vec![Error::Full, Error::Busy, Error::Full];
    let came = renewal(vec![granted("second")], vec![sealed("first")], failures).await;
    assert!(came.renewed.is_ok());
    assert_eq!(
        came.log,
        [
            "the journal is full",
            "the journal is busy",
            "the journal is full",
            "stored"
        ]
    );
    assert_eq!(came.stored, Some(Secret::new("second")));
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_gives_nothing_out() {
    let failures = vec![Error::Broken("fsync".into())];
    let came = renewal(vec![granted("second")], vec![sealed("first")], failures).await;
    assert!(matches!(
        came.renewed,
        Err(Unrenewed::Journal(Error::Broken(_)))
    ));
    let failures = vec![Error::NotConnected("310687".into())];
    let came = renewal(vec![granted("second")], vec![sealed("first")], failures).await;
    assert!(matches!(came.renewed, Err(Unrenewed::Gone)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_asked_for_again_soon_with_the_old_token() {
    let began = tokio::time::Instant::now();
    let answers = vec![lost(), lost(), granted("second")];
    let came = renewal(answers, vec![sealed("first")], Vec::new()).await;
    assert!(came.renewed.is_ok());
    assert_eq!(came.shown, ["first"; 3]);
    assert_eq!(began.elapsed().as_secs(), 4);
    let came = renewal(
        vec![lost(), lost(), lost(), lost()],
        vec![sealed("first")],
        Vec::new(),
    )
    .await;
    assert!(matches!(
        came.renewed,
        Err(Unrenewed::Failure(Failure::Unavailable { .. }))
    ));
    assert_eq!(came.shown.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_to_stop_stores_what_it_got_and_asks_no_more() {
    let stop = watch::Sender::new(true);
    let failures = vec![Error::Full];
    let came = renewal_until(
        &stop,
        vec![granted("second")],
        vec![sealed("first")],
        failures,
    )
    .await;
    assert_eq!(came.stored, Some(Secret::new("second")));
    let came = renewal_until(&stop, vec![lost()], vec![sealed("first")], Vec::new()).await;
    assert!(matches!(came.renewed, Err(Unrenewed::Failure(_))));
}

#[tokio::test(start_paused = true)]
async fn a_dead_token_is_shown_once_and_a_newer_one_in_the_store_is_tried() {
    let came = renewal(vec![dead()], vec![sealed("first")], Vec::new()).await;
    let Err(Unrenewed::Ended(why)) = came.renewed else {
        panic!("{:?}", came.renewed);
    };
    assert_eq!(why, "Incorrect or invalid refresh token");
    assert_eq!((came.shown.len(), came.log.len()), (1, 0));
    // A person has connected the company again meanwhile.
    let came = renewal(
        vec![dead(), granted("third")],
        vec![sealed("first"), sealed("second")],
        Vec::new(),
    )
    .await;
    assert!(came.renewed.is_ok());
    assert_eq!(came.shown, ["first", "second"]);
    let came = renewal(
        vec![dead(), dead()],
        vec![sealed("first"), sealed("second"), sealed("third")],
        Vec::new(),
    )
    .await;
    assert!(matches!(came.renewed, Err(Unrenewed::Ended(_))));
}

#[tokio::test(start_paused = true)]
async fn other_refusals_are_not_asked_again() {
    for failure in [
        Failure::InvalidClient { why: "".into() },
        Failure::Throttled { wait: HOUR },
        Failure::CapReached,
    ] {
        let came = renewal(
            vec![Err(failure.clone())],
            vec![sealed("first")],
            Vec::new(),
        )
        .await;
        assert!(matches!(came.renewed, Err(Unrenewed::Failure(same)) if same == failure));
    }
    let came = renewal(Vec::new(), vec![None], Vec::new()).await;
    assert!(matches!(came.renewed, Err(Unrenewed::Gone)));
    let came = renewal(Vec::new(), vec![Some(vec![1; 60])], Vec::new()).await;
    assert!(matches!(came.renewed, Err(Unrenewed::Sealed(_))));
}

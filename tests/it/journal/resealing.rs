//! Another key for what lies sealed: all of it or nothing.

use super::readings::company;
use super::support::*;
use crate::support::relay::Gateway;
use qbo_relay::journal::{Error, Journal, Resealed, Sealed, Settings};
use qbo_relay::model::{Secret, Timestamp, TokenSet};
use qbo_relay::vault::Vault;

const OLD: &[u8] = b"sealed with the old key";

fn tokens() -> TokenSet {
    TokenSet {
        access: Secret::new("eyJ.access"),
        access_expires_at: Timestamp::from_ms(1),
        refresh: Secret::new("RT1-refresh"),
        refresh_expires_at: Timestamp::from_ms(2),
        hard_expires_at: None,
    }
}

#[tokio::test]
async fn when_one_value_cannot_be_sealed_anew_all_stay_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    for name in ["1", "2", "3"] {
        let connected = journal.connect_company(company(name), OLD.to_vec(), START);
        connected.await.unwrap();
    }
    journal.close().await.unwrap();
    let settings = settings(directory.path());
    let mut count = 0;
    let failed = Journal::reseal(&settings, START, |_, _, sealed| {
        count += 1;
        match count {
            3 => Err(Error::Busy),
            _ => Ok([sealed, b" again"].concat()),
        }
    });
    assert_eq!(failed, Err(Error::Busy));
    let journal = open(directory.path());
    for name in ["1", "2", "3"] {
        let sealed = journal.sealed_tokens(&realm(name)).await.unwrap().unwrap();
        assert_eq!(sealed, OLD);
    }
    let running = Journal::reseal(&settings, START, |_, _, sealed| {
        Ok::<_, Error>(sealed.to_vec())
    });
    assert!(matches!(running, Err(Error::Locked(_))), "{running:?}");
    journal.close().await.unwrap();
    let mut seen = Vec::new();
    let done = Journal::reseal(&settings, START, |what, company, sealed| {
        assert_eq!((what, sealed), (Sealed::Tokens, OLD));
        seen.push(company.to_owned());
        Ok::<_, Error>(b"anew".to_vec())
    });
    let all = Resealed {
        count: 3,
        old_are_gone: true,
    };
    assert_eq!((done, seen.len()), (Ok(all), 3));
    let bytes = std::fs::read(&settings.path).unwrap();
    assert!(!bytes.windows(OLD.len()).any(|part| part == OLD));
}

#[tokio::test]
async fn vault_rekey_replaces_the_key_and_what_is_sealed_with_it() {
    let gateway = Gateway::new("");
    std::fs::create_dir_all(gateway.path("state")).unwrap();
    let (path, key) = (
        gateway.path("state/journal.db"),
        gateway.path("state/tokens.key"),
    );
    let before = Vault::open_or_make(&key).unwrap();
    let of_gateway = Settings {
        path: path.clone(),
        ..settings(gateway.folder.path())
    };
    let journal = Journal::open(of_gateway.clone(), START).unwrap();
    let sealed = before.seal("1", &tokens()).unwrap();
    journal
        .connect_company(company("1"), sealed, START)
        .await
        .unwrap();

    // A relay that runs keeps its key.
    let output = gateway.command(&["vault", "rekey"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let sealed = journal.sealed_tokens(&realm("1")).await.unwrap().unwrap();
    assert_eq!(
        Vault::open_or_make(&key).unwrap().unseal("1", &sealed),
        Ok(tokens())
    );
    journal.close().await.unwrap();

    let output = gateway.command(&["vault", "rekey"]);
    assert!(output.status.success(), "{output:?}");
    let journal = Journal::open(of_gateway, START).unwrap();
    let sealed = journal.sealed_tokens(&realm("1")).await.unwrap().unwrap();
    assert_eq!(
        Vault::open_or_make(&key).unwrap().unseal("1", &sealed),
        Ok(tokens())
    );
    assert!(before.unseal("1", &sealed).is_err());
    assert!(!gateway.path("state/tokens.key.new").exists());
}

#[tokio::test]
async fn while_somebody_reads_the_old_values_a_change_is_not_called_done() {
    let gateway = Gateway::new("");
    std::fs::create_dir_all(gateway.path("state")).unwrap();
    let key = gateway.path("state/tokens.key");
    let before = Vault::open_or_make(&key).unwrap();
    let of_gateway = Settings {
        path: gateway.path("state/journal.db"),
        ..settings(gateway.folder.path())
    };
    let old = before.seal("1", &tokens()).unwrap();
    let journal = Journal::open(of_gateway.clone(), START).unwrap();
    let connected = journal.connect_company(company("1"), old.clone(), START);
    connected.await.unwrap();
    journal.close().await.unwrap();

    let reader = rusqlite::Connection::open(&of_gateway.path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM company")
        .unwrap();
    for _ in 0..2 {
        let output = gateway.command(&["vault", "rekey"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("another process reads the journal"), "{told}");
        assert!(gateway.path("state/tokens.key.new").exists());
    }
    drop(reader);
    let output = gateway.command(&["vault", "rekey"]);
    assert!(output.status.success(), "{output:?}");
    for file in ["journal.db", "journal.db-wal"] {
        let bytes = std::fs::read(gateway.path("state").join(file)).unwrap_or_default();
        assert!(!bytes.windows(old.len()).any(|part| part == old), "{file}");
    }
    let journal = Journal::open(of_gateway, START).unwrap();
    let sealed = journal.sealed_tokens(&realm("1")).await.unwrap().unwrap();
    let after = Vault::open_or_make(&key).unwrap();
    assert_eq!(after.unseal("1", &sealed), Ok(tokens()));
    assert!(before.unseal("1", &sealed).is_err());
}

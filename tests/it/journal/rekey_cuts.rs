//! `vault rekey` is killed at each of its steps: no tokens are lost, and the same command finishes it.

use super::readings::company;
use super::support::*;
use crate::support::relay::{Gateway, has_strace};
use qbo_relay::journal::{Journal, Settings};
use qbo_relay::model::{Secret, Timestamp, TokenSet};
use qbo_relay::vault::Vault;
use std::fs;
use std::path::Path;
use std::process::Command;

const COMPANIES: [&str; 3] = ["1", "2", "3"];

/// System calls by which something on the disk becomes another. Those that this system has not are
/// passed over.
const STEPS: [&str; 13] = [
    "pwrite64",
    "write",
    "ftruncate",
    "fsync",
    "fdatasync",
    "fchown",
    "chown",
    "link",
    "linkat",
    "unlink",
    "rename",
    "renameat",
    "renameat2",
];

fn tokens(refresh: &str) -> TokenSet {
    TokenSet {
        access: Secret::new("eyJ.access"),
        access_expires_at: Timestamp::from_ms(1),
        refresh: Secret::new(refresh),
        refresh_expires_at: Timestamp::from_ms(2),
        hard_expires_at: None,
    }
}

fn journal(folder: &Path) -> Journal {
    let settings = Settings {
        path: folder.join("journal.db"),
        ..settings(folder)
    };
    Journal::open(settings, START).unwrap()
}

/// Puts a copy of one folder in the place of another.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Of how many companies the vault opens the tokens.
async fn readable(folder: &Path, vault: &Vault) -> usize {
    let journal = journal(folder);
    let mut count = 0;
    for name in COMPANIES {
        let sealed = journal.sealed_tokens(&realm(name)).await.unwrap().unwrap();
        count += usize::from(vault.unseal(name, &sealed) == Ok(tokens(name)));
    }
    journal.close().await.unwrap();
    count
}

#[tokio::test]
async fn a_kill_at_any_step_of_rekey_loses_no_tokens_and_the_same_again_finishes_it() {
    if !has_strace() {
        return;
    }
    let gateway = Gateway::new("");
    let [state, template, between] =
        ["state", "template", "between"].map(|name| gateway.path(name));
    fs::create_dir_all(&state).unwrap();
    let before = Vault::open_or_make(&state.join("tokens.key")).unwrap();
    let made = journal(&state);
    for name in COMPANIES {
        let sealed = before.seal(name, &tokens(name)).unwrap();
        let connected = made.connect_company(company(name), sealed, START);
        connected.await.unwrap();
    }
    made.close().await.unwrap();
    copy(&state, &template);

    let mut kills = 0;
    for step in STEPS {
        for number in 1.. {
            copy(&template, &state);
            let (trace, inject) = (
                format!("trace=?{step}"),
                format!("inject=?{step}:signal=KILL:when={number}"),
            );
            let strace = ["-f", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let rekey = ["vault", "rekey", "--config", &gateway.config()];
            let cut = Command::new("strace")
                .args(strace)
                .arg(env!("CARGO_BIN_EXE_qbo-relay"))
                .args(rekey)
                .output()
                .unwrap();
            if cut.status.success() {
                break;
            }
            kills += 1;
            copy(&state, &between);
            let vault = Vault::open_or_make(&between.join("tokens.key")).unwrap();
            assert_eq!(readable(&between, &vault).await, 3, "{step} {number}");

            let again = gateway.command(&["vault", "rekey"]);
            assert!(again.status.success(), "{step} {number}: {again:?}");
            assert!(!state.join("tokens.key.new").exists(), "{step} {number}");
            let after = Vault::open_or_make(&state.join("tokens.key")).unwrap();
            assert_eq!(readable(&state, &after).await, 3, "{step} {number}");
            assert_eq!(readable(&state, &before).await, 0, "{step} {number}");
        }
    }
    assert!(kills > 10, "{kills} kills only");
}

//! `qbo-relay admin-secret`: the secrets are shown once, kept as digests, and belong to the relay's user.

use crate::support::relay::{Gateway, qbo_relay};
use qbo_relay::clock::{Clock, System};
use qbo_relay::model::Secret;
use qbo_relay::vault::admin_secrets::AdminSecrets;
use rustix::process::geteuid;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

/// What the command shows: the user secret and the organization secret, and all of it.
fn made(gateway: &Gateway, arguments: &[&str]) -> ([String; 2], String) {
    let arguments = [&["admin-secret"], arguments].concat();
    let output = gateway.command(&arguments);
    let told = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}{error}");
    let word = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    ([word("User "), word("Organization ")], told)
}

fn admits(gateway: &Gateway, [user, organization]: &[String; 2]) -> bool {
    let secrets = AdminSecrets::new(gateway.path("state/admin-secrets"));
    let (user, organization) = (
        Secret::new(user.as_str()),
        Secret::new(organization.as_str()),
    );
    let admitted = secrets.admits(&user, Some(&organization), System.now());
    admitted.unwrap()
}

#[test]
fn secrets_are_made_before_the_relay_runs_while_it_runs_and_after() {
    let mut gateway = Gateway::new("");
    let (before, told) = made(&gateway, &[]);
    let header = format!(
        "Authorization: User {}, Organization {}",
        before[0], before[1]
    );
    assert!(told.lines().any(|line| line == header), "{told}");
    let facts = fs::metadata(gateway.path("state/admin-secrets")).unwrap();
    assert_eq!(facts.mode() & 0o777, 0o600);
    let file = fs::read_to_string(gateway.path("state/admin-secrets")).unwrap();
    assert!(
        !file.contains(&before[0]) && !file.contains(&before[1]),
        "{file}"
    );

    gateway.start();
    let (meanwhile, told) = made(&gateway, &[]);
    assert!(told.contains("The ones before stay good until"), "{told}");
    assert!(admits(&gateway, &before) && admits(&gateway, &meanwhile));
    assert_eq!(gateway.end_by("TERM"), Some(0));

    let (after, told) = made(&gateway, &["--overlap", "0 s"]);
    assert!(told.contains("No others are good"), "{told}");
    assert!(admits(&gateway, &after));
    assert!(!admits(&gateway, &before) && !admits(&gateway, &meanwhile));
}

#[test]
fn a_journal_folder_of_another_user_gets_its_secrets_from_root() {
    if !geteuid().is_root() {
        return;
    }
    let gateway = Gateway::new("");
    let state = gateway.path("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(65_534), Some(65_533)).unwrap();
    made(&gateway, &[]);
    let facts = fs::metadata(gateway.path("state/admin-secrets")).unwrap();
    assert_eq!((facts.uid(), facts.gid()), (65_534, 65_533));
    assert_eq!(facts.mode() & 0o777, 0o600);
}

/// systemd passes them to the relay alone.
#[test]
fn commands_that_need_the_journal_only_work_where_the_relays_credentials_are_not() {
    let other = "[[verifier]]\nname = \"other\"\ntoken_credential = \"other\"\n";
    let mut gateway = Gateway::new("");
    gateway.start();
    gateway.configure(other);
    let (secrets, _) = made(&gateway, &[]);
    assert!(admits(&gateway, &secrets));
    for words in [&["status"][..], &["company", "list"], &["journal", "list"]] {
        let output = gateway.command(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {told}");
    }
}

#[test]
fn what_keeps_them_from_being_made_is_said() {
    let gateway = Gateway::new("");
    let refused = |arguments: &[&str]| {
        let arguments = [&["admin-secret"], arguments].concat();
        let output = gateway.command(&arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code(), told)
    };
    let (code, told) = refused(&["--overlap", "soon"]);
    assert!(code == Some(2) && told.contains("15 min"), "{told}");
    fs::create_dir(gateway.path("state")).unwrap();
    gateway.write("state/admin-secrets", "{\"version\": 9, \"secrets\": []}");
    let (code, told) = refused(&[]);
    assert!(code == Some(1) && told.contains("version 9"), "{told}");
    gateway.write("qbo-relay.toml", "[journal]\npth = \"x\"\n");
    let (code, told) = refused(&[]);
    assert!(
        code == Some(2) && told.contains("qbo-relay.toml:2"),
        "{told}"
    );
    let nowhere = qbo_relay(&["admin-secret", "--config", "/nowhere/relay.toml"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn check_says_whether_anybody_has_secrets() {
    let gateway = Gateway::new("");
    let check = || {
        let output = gateway.command(&["check"]);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, told) = check();
    assert!(
        code == Some(0) && told.contains("qbo-relay admin-secret"),
        "{told}"
    );
    made(&gateway, &[]);
    made(&gateway, &[]);
    let (code, told) = check();
    assert!(
        code == Some(0) && told.contains("2 pairs of secrets are good"),
        "{told}"
    );
    gateway.write("state/admin-secrets", "edited");
    let (code, told) = check();
    assert!(code == Some(2) && told.contains("admin-secrets"), "{told}");
}

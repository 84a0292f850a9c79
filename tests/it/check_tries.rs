//! `check` says beforehand what `run` would meet, and what Intuit will.

use crate::support::relay::{Gateway, eventually};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::net::TcpListener;

fn check(gateway: &Gateway) -> (Option<i32>, String) {
    let output = gateway.command(&["check"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), told)
}

/// A configuration that listens there, with further tables.
fn listening(https: &str, admin: &str, tables: &str) -> Gateway {
    let gateway = Gateway::new("");
    let text = format!(
        "[listen]\nhttps = \"{https}\"\n[tls]\nself_signed = true\n[[verifier]]\nname = \"test\"\ntoken_file = \"verifier\"\n[journal]\npath = \"state/journal.db\"\n[admin]\nlisten = \"{admin}\"\n[clock]\nwait = \"0 s\"\n{tables}"
    );
    gateway.write("qbo-relay.toml", &text);
    gateway
}

#[track_caller]
fn refused(gateway: &Gateway, words: &[&str]) {
    let (code, told) = check(gateway);
    assert_eq!(code, Some(2), "{told}");
    for word in words {
        assert!(told.contains(word), "no {word:?} in: {told}");
    }
}

#[test]
fn an_address_that_cannot_be_listened_on_is_told() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    let used = format!("{address} is in use by another program");
    refused(&listening(&address, free, ""), &["[listen] https", &used]);
    refused(&listening(free, &address, ""), &["[admin] listen", &used]);
    let foreign = ["no address of this machine", "192.0.2.1"];
    refused(&listening("192.0.2.1:8443", free, ""), &foreign);
    refused(&listening(free, "192.0.2.1:8081", ""), &foreign);
    let both = listening("0.0.0.0:28443", "127.0.0.1:28443", "");
    refused(&both, &["127.0.0.1:28443 is in use"]);
    refused(
        &listening(free, "./nowhere/admin.sock", ""),
        &["there is no folder"],
    );
    let long = format!("./{}", "a".repeat(120));
    refused(&listening(free, &long, ""), &["longer than"]);
}

#[test]
fn an_address_that_the_running_relay_holds_is_as_it_should_be() {
    let (mut https, mut admin) = (String::new(), String::new());
    for address in [&mut https, &mut admin] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        *address = free.local_addr().unwrap().to_string();
    }
    let mut gateway = listening(&https, &admin, "");
    gateway.start();
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        told.matches("in use by the relay that runs").count(),
        2,
        "{told}"
    );
}

#[test]
fn a_journal_or_a_file_that_cannot_be_written_is_told() {
    let journal = |path: &str| {
        let gateway = Gateway::new("");
        let text = fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
        gateway.write("qbo-relay.toml", &text.replace("state/journal.db", path));
        gateway
    };
    refused(
        &journal("/proc/qbo/journal.db"),
        &["[journal] path", "nothing can be written in /proc"],
    );
    refused(
        &journal("/sys/kernel/journal.db"),
        &["nothing can be written in /sys/kernel"],
    );
    refused(&journal("verifier/journal.db"), &["not a folder"]);

    let sink = |name: &str, path: &str| {
        format!("[[sink]]\nname = \"{name}\"\nkind = \"file\"\npath = \"{path}\"\n")
    };
    refused(
        &Gateway::new(&sink("lines", "nowhere/out.jsonl")),
        &["[[sink]] lines", "there is no folder", "mkdir -p"],
    );
    refused(&Gateway::new(&sink("lines", "/proc/out.jsonl")), &["/proc"]);
    let gateway = Gateway::new(&sink("lines", "folder"));
    fs::create_dir(gateway.path("folder")).unwrap();
    refused(&gateway, &["cannot be written", "not a file"]);
}

#[test]
fn two_sinks_on_one_file_are_refused_however_its_name_is_written() {
    for other in [
        "out.jsonl",
        "./out.jsonl",
        "folder/../out.jsonl",
        "link/out.jsonl",
        "alias.jsonl",
    ] {
        let gateway = Gateway::new("");
        fs::create_dir(gateway.path("folder")).unwrap();
        fs::write(gateway.path("out.jsonl"), "").unwrap();
        std::os::unix::fs::symlink(gateway.folder.path(), gateway.path("link")).unwrap();
        std::os::unix::fs::symlink(gateway.path("out.jsonl"), gateway.path("alias.jsonl")).unwrap();
        let sink = |name: &str, path: &str| {
            format!("[[sink]]\nname = \"{name}\"\nkind = \"file\"\npath = \"{path}\"\n")
        };
        gateway.configure(&(sink("one", "out.jsonl") + &sink("two", other)));
        refused(
            &gateway,
            &["qbo-relay.toml:19", "same file as sink \"one\""],
        );
        let run = gateway.command(&["run"]);
        assert_eq!(run.status.code(), Some(2));
    }
}

#[test]
fn a_record_that_would_come_too_late_is_warned_of() {
    let sink = "[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"o\"\nrecord = true\n";
    let (code, told) = check(&Gateway::new(sink));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("qbo-relay.toml:16") && told.contains("when-reconciled"),
        "{told}"
    );
    let (_, told) = check(&Gateway::new(&format!(
        "{sink}relay = \"when-reconciled\"\n"
    )));
    assert!(!told.contains("record = true"), "{told}");
}

#[test]
fn what_intuit_and_browsers_will_see_of_the_certificate_is_told() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Office CA");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    for (names, redirect, public, covered) in [
        (vec!["gw.example.org"], "gw.example.org", true, true),
        (vec!["*.example.org"], "gw.example.org", true, true),
        (vec!["gw.example.org"], "other.example.org", true, false),
        (
            vec!["gateway.local", "10.1.2.3"],
            "gateway.local",
            false,
            true,
        ),
    ] {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let leaf = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let gateway = Gateway::new("");
        gateway.write("cert.pem", &(leaf.pem() + &authority.pem()));
        gateway.write("key.pem", &key.serialize_pem());
        let text = fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
        let text = text.replace(
            "self_signed = true",
            "certificate = \"cert.pem\"\nkey = \"key.pem\"",
        );
        let app = format!(
            "[[app]]\nname = \"books\"\nclient_id = \"id\"\nclient_secret = \"0123456789abcdef\"\nredirect_uri = \"https://{redirect}/oauth/callback\"\n"
        );
        gateway.write("qbo-relay.toml", &(text + &app));
        let (code, told) = check(&gateway);
        assert_eq!(code, Some(0), "{told}");
        let is_known = !std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").exists();
        assert!(
            is_known || told.contains("Office CA, which is none of the public"),
            "{told}"
        );
        assert_eq!(told.contains("no public name"), !public, "{told}");
        assert_eq!(told.contains("browsers come back to"), !covered, "{told}");
    }
}

#[test]
fn what_waits_for_a_removed_sink_is_told() {
    let sink = "[[sink]]\nname = \"erp\"\nkind = \"http\"\nurl = \"http://127.0.0.1:9/\"\n";
    let mut gateway = Gateway::new(sink);
    gateway.start();
    assert!(gateway.simulate(&["--count", "3"]).status.success());
    assert_eq!(gateway.end_by("TERM"), Some(0));
    gateway.configure("");
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("sink erp: is not configured; 3 changes"),
        "{told}"
    );
    gateway.start();
    assert!(
        gateway
            .line("sink erp is not configured any more")
            .contains("3 changes")
    );
    // As long as a read of the journal takes too long, the status is the one from before it.
    eventually("the status tells of them", || {
        let status = gateway.command(&["status"]).stdout;
        let status = String::from_utf8_lossy(&status).into_owned();
        status
            .contains("erp, not configured any more: 3 changes")
            .then_some(())
    });
}

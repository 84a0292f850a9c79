//! Configurations and secrets as people write and save them: read, or refused with the line and the cure.

use crate::support::relay::{Gateway, TOKEN};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn check(gateway: &Gateway) -> (Option<i32>, String) {
    let output = gateway.command(&["check"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), told)
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// Ends with the line that the mistake is in; the lines before are sound.
const SOUND: &str = "[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\nself_signed = true\n[[verifier]]\nname = \"test\"\ntoken_file = \"verifier\"\n[journal]\npath = \"state/journal.db\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";

/// A mistake stands in the last line of `mistake`; it is named with that line, and with these words.
#[track_caller]
fn explained(mistake: &str, words: &[&str]) {
    let gateway = Gateway::new("");
    let text = format!("{SOUND}{mistake}");
    gateway.write("qbo-relay.toml", &text);
    let line = format!("qbo-relay.toml:{}:", text.lines().count());
    for command in ["check", "run"] {
        let output = gateway.command(&[command]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{mistake:?}: {told}");
        for word in [&line[..]].iter().chain(words) {
            assert!(told.contains(word), "{mistake:?}: no {word:?} in: {told}");
        }
    }
}

#[test]
fn a_mistake_of_a_table_has_its_line_and_its_cure() {
    explained("[sink]", &["write [[sink]] instead of [sink]"]);
    explained("[source]", &["[[source]]"]);
    explained("[[clock]]", &["write [clock] instead of [[clock]]"]);
    explained("[Led]", &["there is no such table", "did you mean [led]?"]);
    explained("[[snik]]", &["did you mean [[sink]]?"]);
    explained("[tls]", &["stands twice", "first in line 3"]);
    explained("[[sink]", &["brackets", "[[sink]]"]);
    explained("[[source]]", &["[[source]] lacks `name`"]);
    explained("[[sink]]", &["[[sink]] lacks `"]);
}

#[test]
fn a_mistake_of_a_key_has_its_line_and_its_cure() {
    explained(
        "[log]\nLevel = \"info\"",
        &["`Level`", "did you mean `level`?"],
    );
    explained("[log]\nlevl = \"info\"", &["did you mean `level`?"]);
    explained("[clock]\nbytes_max = \"8 MiB\"", &["belongs to [journal]"]);
    explained(
        "[log]\nlevel = \"info\"\nlevel = \"warn\"",
        &["`level` stands twice", "line 13"],
    );
    explained("[log]\nlevel: info", &["level = \"info\"", "not with :"]);
    explained("[log]\nlevel", &["key = value"]);
    explained("[log]\nlevel = \"lout\"", &["error, warn, info"]);
    explained("[log]\nlevel = \"inof\"", &["did you mean \"info\"?"]);
    explained(
        "[led]\nboard = \"raspbery-pi-4\"",
        &["did you mean \"raspberry-pi-4\"?"],
    );
}

#[test]
fn a_mistake_of_a_value_has_its_line_and_its_cure() {
    let sink = "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://erp.example/\"\n";
    let of_sink = |line: &str, words: &[&str]| explained(&format!("{sink}{line}"), words);
    of_sink("timeout = 10", &["timeout = \"10 s\""]);
    of_sink(
        "timeout = \"10 secs\"",
        &["did you mean timeout = \"10 s\"?"],
    );
    of_sink("timeout = \"10\"", &["did you mean timeout = \"10 s\"?"]);
    of_sink(
        "retry_for = \"2 weeks\"",
        &["did you mean retry_for = \"14 d\"?"],
    );
    of_sink(
        "rotate_bytes = \"16 MB\"",
        &["did you mean rotate_bytes = \"16 MiB\"?"],
    );
    of_sink("rotate_bytes = 16", &["rotate_bytes = \"16 MiB\""]);
    of_sink(
        "rotate_keep = \"5\"",
        &["without quotes", "rotate_keep = 5"],
    );
    of_sink("rotate_keep = -1", &["a whole number"]);
    of_sink("record = \"yes\"", &["record = true"]);
    of_sink("record = True", &["record = true"]);
    of_sink("retry_delays = \"5 s\"", &["retry_delays = [\"5 s\"]"]);
    of_sink(
        "format = \"cloud-event\"",
        &["did you mean \"cloudevents\"?"],
    );
    of_sink("bearer_token = 12345", &["bearer_token = \"12345\""]);
    explained("[servicestack]\nenabled = on", &["enabled = true"]);
    explained(
        "[poll]\nresources = \"invoices\"",
        &["resources = [\"invoices\"]"],
    );
    explained(
        "[clock]\nsynchronized_file = \"C:\\data\"",
        &["single quotes"],
    );
}

#[test]
fn what_word_processors_do_has_its_line_and_its_cure() {
    explained(
        "[log]\nlevel = \u{201c}info\u{201d}",
        &["U+201C", "straight quotes"],
    );
    explained("[log]\nlevel = \u{2018}info\u{2019}", &["straight quotes"]);
    explained("[log]\nlevel\u{a0}= \"info\"", &["U+00A0", "plain space"]);
    explained(
        "[poll]\nintervals = { tax\u{2013}rates = \"6 h\" }",
        &["plain hyphen"],
    );
    explained("[log]\nl\0evel = \"info\"", &["U+0000", "UTF-8"]);
    // In a value, and in a comment, they are nobody's business.
    let gateway = Gateway::new("");
    let text = format!(
        "{SOUND}[instances] # \u{201c}nobody\u{201d} \u{2013} yet\n\tuser = \"M\u{fc}ller \u{2013} \u{201c}erp\u{201d}\"\r\n"
    );
    gateway.write("qbo-relay.toml", &text);
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn a_configuration_is_read_in_the_encodings_that_editors_save() {
    let gateway = Gateway::new("");
    let text = SOUND.replace('\n', "\r\n");
    let marked = format!("\u{feff}{text}");
    for bytes in [
        marked.clone().into_bytes(),
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
        utf16(&text, u16::to_le_bytes),
    ] {
        fs::write(gateway.path("qbo-relay.toml"), bytes).unwrap();
        let (code, told) = check(&gateway);
        assert_eq!(code, Some(0), "{told}");
    }
    // A mistake in such a file has its line, too.
    let mistaken = format!("{marked}[log]\r\nlevl = \"info\"\r\n");
    fs::write(
        gateway.path("qbo-relay.toml"),
        utf16(&mistaken, u16::to_le_bytes),
    )
    .unwrap();
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(2));
    assert!(
        told.contains("qbo-relay.toml:13: ") && told.contains("`level`"),
        "{told}"
    );
    fs::write(gateway.path("qbo-relay.toml"), b"[log]\nlevel = \"\xe4\"\n").unwrap();
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(2));
    assert!(
        told.contains("qbo-relay.toml:2: ") && told.contains("UTF-8"),
        "{told}"
    );
}

#[test]
fn a_verifier_token_is_read_as_it_was_saved_and_verifies() {
    let marked = format!("\u{feff}\"{TOKEN}\"\r\n\r\n");
    for bytes in [
        marked.clone().into_bytes(),
        utf16(&marked, u16::to_le_bytes),
        format!("\u{201c}{TOKEN}\u{201d}").into_bytes(),
    ] {
        let mut gateway = Gateway::new("");
        fs::write(gateway.path("verifier"), bytes).unwrap();
        gateway.start();
        gateway.write("verifier", TOKEN);
        let sent = gateway.simulate(&["--count", "1"]);
        assert!(
            sent.status.success(),
            "{}",
            String::from_utf8_lossy(&sent.stdout)
        );
        assert_eq!(gateway.end_by("TERM"), Some(0));
    }
}

#[test]
fn what_cannot_be_a_verifier_token_is_refused_with_key_line_file_and_cure() {
    for (text, part) in [
        (format!("{TOKEN}\n{TOKEN}\n"), "more than one line"),
        (format!("token={TOKEN}\n"), "such as `token=`"),
        (format!("verifier: {TOKEN}\n"), "such as `token=`"),
        (
            "<paste the verifier token here>".into(),
            "stands for the secret",
        ),
        ("your-verifier-token".into(), "stands for the secret"),
        ("d691402a 9b97 4836".into(), "has spaces"),
        (" \r\n".into(), "is empty"),
        (format!("\u{fc}{TOKEN}"), "characters"),
    ] {
        let gateway = Gateway::new("");
        gateway.write("verifier", &text);
        let (code, told) = check(&gateway);
        assert_eq!(code, Some(2), "{text:?}: {told}");
        for part in ["qbo-relay.toml:7:", "`token` in ", "/verifier ", part] {
            assert!(told.contains(part), "{text:?}: no {part:?} in: {told}");
        }
        assert!(!told.contains("d691402a"), "{told}");
    }
}

#[test]
fn an_inline_secret_that_everybody_can_read_is_an_error_of_check() {
    let source = "[[source]]\nname = \"s\"\npath = \"/s\"\nbearer_token = \"3f2a51c0d5e14b7f9a0c1d2e3f405162\"\n";
    for (tables, line) in [
        (source, "qbo-relay.toml:15"),
        (
            "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://erp.example/\"\nheaders = { X-Api-Key = \"k\" }\n",
            "qbo-relay.toml:16",
        ),
    ] {
        let gateway = Gateway::new(tables);
        assert_eq!(check(&gateway).0, Some(0));
        let file = gateway.path("qbo-relay.toml");
        for (mode, code) in [(0o640, 0), (0o644, 2), (0o604, 2)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let (found, told) = check(&gateway);
            assert_eq!(found, Some(code), "{mode:o}: {told}");
            assert_eq!(
                told.contains(line) && told.contains("chmod o="),
                code == 2,
                "{told}"
            );
        }
    }
}

#[test]
fn a_weak_credential_of_a_source_is_warned_of() {
    for (credential, part) in [
        ("bearer_token = \"hunter2\"", "is short"),
        (
            "bearer_token = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "made of 1 characters",
        ),
        (
            "bearer_token = \"abcdefghijklmnopqrstuvwxyz\"",
            "neighbouring",
        ),
        (
            "basic_username = \"u\"\nbasic_password = \"short\"",
            "is short",
        ),
        ("bearer_token = \"3f2a51c0d5e14b7f9a0c1d2e3f405162\"", ""),
    ] {
        let gateway = Gateway::new(&format!(
            "[[source]]\nname = \"s\"\npath = \"/s\"\n{credential}\n"
        ));
        let (code, told) = check(&gateway);
        assert_eq!(code, Some(0), "{told}");
        let warned = told.contains("the credential of source");
        assert_eq!(warned, !part.is_empty(), "{told}");
        assert!(told.contains(part), "{told}");
    }
}

/// The binary as another user than the one whose files these are.
#[test]
fn what_may_not_be_opened_is_not_called_absent() {
    let mut gateway = Gateway::new("");
    gateway.start();
    assert!(gateway.simulate(&["--count", "1"]).status.success());
    let folder = gateway.folder.path();
    let is_root = rustix::process::geteuid().is_root();
    let (config, binary) = (gateway.config(), env!("CARGO_BIN_EXE_qbo-relay"));
    let run = |words: &[&str]| {
        let mut all: Vec<&str> = Vec::new();
        if is_root {
            all.extend([
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ]);
        }
        all.push(binary);
        all.extend(words);
        all.extend(["--config", &config]);
        let output = std::process::Command::new(all[0])
            .args(&all[1..])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder, 0o755);
    mode(&gateway.path("qbo-relay.toml"), 0o644);
    if !is_root {
        mode(&gateway.path("state"), 0o000);
    }
    let cure = "may not be opened by this user; try as root";
    for words in [
        &["journal", "list"][..],
        &["status"],
        &["dead-letter", "list"],
    ] {
        let said = run(words);
        assert!(
            said.contains(cure) && !said.contains("there is no file"),
            "{words:?}: {said}"
        );
    }
    if !is_root {
        mode(&gateway.path("verifier"), 0o000);
    }
    let said = run(&["check"]);
    assert!(said.contains("verifier may not be opened"), "{said}");
    mode(
        &gateway.path("qbo-relay.toml"),
        if is_root { 0o600 } else { 0o000 },
    );
    let said = run(&["check"]);
    assert!(said.contains("qbo-relay.toml may not be opened"), "{said}");
    mode(&gateway.path("state"), 0o700);
}

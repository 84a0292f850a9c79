//! The boot partition's way into the configuration, by the real binary; with a kill at every step.

use crate::support::relay::{Gateway, TOKEN, has_strace};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const CONFIG: &str = "[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\nself_signed = true\n[[verifier]]\nname = \"production\"\ntoken_file = \"verifier-production\"\n[journal]\npath = \"/tmp/never/journal.db\"\n";

/// A boot partition and a configuration's folder.
struct Card {
    folder: TempDir,
}

impl Card {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("boot")).unwrap();
        let card = Self { folder };
        fs::create_dir(card.etc()).unwrap();
        card
    }

    fn boot(&self) -> PathBuf {
        self.folder.path().join("boot")
    }

    fn etc(&self) -> PathBuf {
        self.folder.path().join("qbo-relay")
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.boot().join(name), text).unwrap();
    }

    /// The import, under another program.
    fn import_under(&self, program: &[&str]) -> Output {
        let mut words = program.to_vec();
        words.push(env!("CARGO_BIN_EXE_qbo-relay"));
        let (boot, etc) = (self.boot(), self.etc());
        Command::new(words[0])
            .args(&words[1..])
            .args(["boot-import", "--owner", "daemon", "--from"])
            .args([&boot, Path::new("--to"), &etc])
            .output()
            .unwrap()
    }

    fn import(&self) -> Output {
        self.import_under(&[])
    }

    fn result(&self) -> String {
        let text = fs::read_to_string(self.boot().join("qbo-relay-result.txt")).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        text.replace("\r\n", "\n")
    }

    /// Everything in the configuration's folder.
    fn held(&self) -> BTreeMap<String, String> {
        files(&self.etc())
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut held = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        held.insert(name, fs::read_to_string(path).unwrap());
    }
    held
}

#[test]
fn a_configuration_and_its_secrets_are_taken_in_and_leave_the_boot_partition() {
    let card = Card::new();
    fs::write(card.etc().join("kept"), "as it was").unwrap();
    fs::set_permissions(card.etc().join("kept"), fs::Permissions::from_mode(0o640)).unwrap();
    // As an editor on another system writes it.
    card.put(
        "qbo-relay.toml",
        &format!("\u{feff}{}", CONFIG.replace('\n', "\r\n")),
    );
    card.put(
        "qbo-relay-secrets.toml",
        &format!("verifier-production = \"{TOKEN}\"\r\n"),
    );
    let done = card.import();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let mode = |name: &str| fs::metadata(card.etc().join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("verifier-production"), 0o600);
    assert_eq!(mode("qbo-relay.toml"), 0o640);
    assert_eq!(mode("kept"), 0o640);
    let held = card.held();
    assert_eq!(held["verifier-production"], format!("{TOKEN}\n"));
    assert_eq!(held["kept"], "as it was");
    assert_eq!(held.len(), 3);
    if rustix::process::geteuid().is_root() {
        // The user `daemon` has the number 1 everywhere.
        let secret = fs::metadata(card.etc().join("verifier-production")).unwrap();
        let config = fs::metadata(card.etc().join("qbo-relay.toml")).unwrap();
        assert_eq!((secret.uid(), config.uid()), (1, 0));
    }
    let left: Vec<_> = files(&card.boot()).into_keys().collect();
    assert_eq!(left, ["qbo-relay-result.txt"]);
    let result = card.result();
    assert!(
        result.contains("was taken in") && result.contains("verifier-production"),
        "{result}"
    );
    assert!(
        result.contains("qbo-relay.toml, line 4: self_signed"),
        "{result}"
    );
    assert!(!result.contains(TOKEN));
    // The next start finds nothing to do, and leaves the result for whoever looks.
    assert_eq!(card.import().status.code(), Some(0));
    assert_eq!(card.result(), result);
    // A new secret alone goes with the configuration that is there.
    card.put(
        "qbo-relay-secrets.toml",
        "verifier-production = \"another\"\n",
    );
    assert_eq!(card.import().status.code(), Some(0));
    assert_eq!(card.held()["verifier-production"], "another\n");
}

#[test]
fn a_mistake_is_named_with_its_line_and_changes_nothing() {
    let secrets = format!("verifier-production = \"{TOKEN}\"\n");
    let table = [
        (
            CONFIG.replace("token_file", "tokenfile"),
            secrets.clone(),
            "qbo-relay.toml, line 5: missing field",
        ),
        (
            CONFIG.replace("[listen]", "[listen]\nveriifer = 1"),
            secrets.clone(),
            "qbo-relay.toml, line 2: unknown field `veriifer`",
        ),
        (
            CONFIG.replace("\"127.0.0.1:0\"", "127.0.0.1:0"),
            secrets.clone(),
            "qbo-relay.toml, line 2: ",
        ),
        (
            CONFIG.into(),
            "verifier-production = d691\n".into(),
            "qbo-relay-secrets.toml, line 1: ",
        ),
        (
            CONFIG.into(),
            "other = \"d691\"\n".into(),
            "qbo-relay.toml, line 7: token cannot be read: there is no file verifier-production",
        ),
        (
            CONFIG.replace(
                "self_signed = true",
                "certificate = \"a.pem\"\nkey = \"b.pem\"",
            ),
            secrets.clone(),
            "a.pem",
        ),
    ];
    for (config, secrets, words) in table {
        let card = Card::new();
        fs::write(card.etc().join("qbo-relay.toml"), "the old one").unwrap();
        card.put("qbo-relay.toml", &config);
        card.put("qbo-relay-secrets.toml", &secrets);
        let done = card.import();
        assert_eq!(done.status.code(), Some(2), "{done:?}");
        let mut held = card.held();
        assert!(
            held.remove("boot-import-refused")
                .unwrap()
                .contains("NOT taken in")
        );
        assert_eq!(held.len(), 1);
        assert_eq!(held["qbo-relay.toml"], "the old one");
        let result = card.result();
        let has_words = result.contains(words)
            || words.starts_with("qbo-relay.toml, line 5")
                && result.contains("qbo-relay.toml, line ");
        assert!(has_words, "{words}\n{result}");
        assert!(
            !result.contains(TOKEN) && !result.contains("d691"),
            "{result}"
        );
        assert!(!result.contains(".new/"), "{result}");
        // The files are still there to be corrected; then it goes in, and the call ends.
        card.put("qbo-relay.toml", CONFIG);
        card.put(
            "qbo-relay-secrets.toml",
            &format!("verifier-production = \"{TOKEN}\"\n"),
        );
        assert_eq!(card.import().status.code(), Some(0));
        assert!(!card.etc().join("boot-import-refused").exists());
    }
}

#[test]
fn a_file_that_an_editor_spoilt_is_explained() {
    let card = Card::new();
    card.put("qbo-relay.toml.txt", CONFIG);
    assert_eq!(card.import().status.code(), Some(2));
    assert!(card.result().contains("rename it to qbo-relay.toml"));
    fs::remove_file(card.boot().join("qbo-relay.toml.txt")).unwrap();
    // As an old editor saves it.
    fs::write(card.boot().join("qbo-relay.toml"), b"# \xe4\n").unwrap();
    assert_eq!(card.import().status.code(), Some(2));
    assert!(card.result().contains("encoding UTF-8"));
    // Whoever takes the file away ends the call for a person.
    fs::remove_file(card.boot().join("qbo-relay.toml")).unwrap();
    assert_eq!(card.import().status.code(), Some(0));
    assert_eq!(card.held().len(), 0);
}

#[test]
fn a_running_relay_calls_for_a_person_when_the_import_was_refused() {
    let mut gateway = Gateway::new("");
    gateway.write("boot-import-refused", "NOT taken in");
    gateway.start();
    let status = gateway.command(&["status", "--json"]);
    assert_eq!(status.status.code(), Some(1));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["condition"], "attention");
    assert_eq!(status["lamp"], "4 short flashes every 4 s");
    assert!(
        status["sentence"]
            .as_str()
            .unwrap()
            .contains("qbo-relay-result.txt")
    );
}

/// What changes something on the disk. The import is cut at the first call of each, at its second, and
/// so on; on other architectures some of these calls do not exist, and others stand in for them.
const STEPS: [&str; 12] = [
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "fsync",
    "write",
    "fchmod",
    "copy_file_range",
];

/// A card whose import is disturbed at this call, in strace's words, and what became of it.
fn disturbed(step: &str, how: &str) -> (Card, Output) {
    let card = Card::new();
    fs::write(card.etc().join("qbo-relay.toml"), "old").unwrap();
    fs::write(card.etc().join("verifier-production"), "old token\n").unwrap();
    card.put("qbo-relay.toml", CONFIG);
    card.put(
        "qbo-relay-secrets.toml",
        &format!("verifier-production = \"{TOKEN}\"\n"),
    );
    let trace = format!("trace=?{step}");
    let inject = format!("inject=?{step}:{how}");
    let strace = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        &trace,
        "-e",
        &inject,
    ];
    let done = card.import_under(&strace);
    (card, done)
}

#[test]
fn an_old_configuration_that_cannot_be_removed_is_no_failure_of_the_new_one() {
    if !has_strace() {
        return;
    }
    let (card, done) = disturbed("unlinkat", "error=EROFS");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.contains("the old configuration is still beside it"),
        "{said}"
    );
    assert!(card.result().contains("was taken in"));
    assert_eq!(card.held()["qbo-relay.toml"], CONFIG);
    card.put("qbo-relay.toml", CONFIG);
    assert_eq!(card.import().status.code(), Some(0));
    assert!(!card.folder.path().join("qbo-relay.new").exists());
}

#[test]
fn a_power_cut_at_any_step_leaves_the_old_or_the_new_and_the_next_start_finishes() {
    if !has_strace() {
        return;
    }
    let (mut old, mut new) = (0, 0);
    for step in STEPS {
        for number in 1..100 {
            let (card, done) = disturbed(step, &format!("signal=KILL:when={number}"));
            let was_cut = done.status.code() != Some(0);
            let held = card.held();
            let is_old =
                held["qbo-relay.toml"] == "old" && held["verifier-production"] == "old token\n";
            let is_new =
                held["qbo-relay.toml"] == CONFIG && held["verifier-production"].trim_end() == TOKEN;
            assert!(
                (is_old || is_new) && held.len() == 2,
                "{step} {number}: {held:?}"
            );
            if !was_cut {
                assert!(is_new);
                break;
            }
            old += u32::from(is_old);
            new += u32::from(is_new);
            let again = card.import();
            assert_eq!(again.status.code(), Some(0), "{step} {number}: {again:?}");
            let held = card.held();
            assert_eq!(
                held["verifier-production"].trim_end(),
                TOKEN,
                "{step} {number}"
            );
            assert_eq!(held.len(), 2, "{step} {number}");
            assert!(
                !card.folder.path().join("qbo-relay.new").exists(),
                "{step} {number}"
            );
            let left = files(&card.boot());
            let leaks = left.values().any(|text| text.contains(TOKEN));
            assert!(!leaks, "{step} {number}: {left:?}");
            assert!(card.result().contains("was taken in"), "{step} {number}");
        }
    }
    assert!(old > 5 && new > 5, "{old} {new}");
}

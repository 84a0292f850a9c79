//! The real binary, run as its user runs it: a configuration file, a process, signals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The verifier token of every test relay.
pub(crate) const TOKEN: &str = "d691402a-9b97-4836-9989-938628cc2927";

/// A folder with a configuration, and the relay that runs from it while there is one.
pub(crate) struct Gateway {
    pub(crate) folder: TempDir,
    child: Option<Child>,
    log: Option<mpsc::Receiver<String>>,
    pub(crate) lines: Vec<String>,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
}

/// Whether system calls can be made to fail here; says so when not.
pub(crate) fn has_strace() -> bool {
    let found = Command::new("strace").arg("--version").output().is_ok();
    if !found {
        super::skip("strace is not installed");
    }
    found
}

/// The binary with these arguments, to its end.
pub(crate) fn qbo_relay(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_qbo-relay"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// Waits until `ready` gives something, at most [`PATIENCE`].
pub(crate) fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Gateway {
    /// A gateway with a self-signed certificate, one verifier, and these further tables.
    pub(crate) fn new(tables: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("qbo-relay-test-")
            .tempdir()
            .unwrap();
        let gateway = Self {
            folder,
            child: None,
            log: None,
            lines: Vec::new(),
            https: None,
            admin: None,
        };
        gateway.write("verifier", TOKEN);
        gateway.configure(tables);
        gateway
    }

    /// Writes the configuration again, with other further tables.
    ///
    /// Nobody sets the clock of a test machine; unless the test is about that, it is not waited for.
    pub(crate) fn configure(&self, tables: &str) {
        let clock = if tables.contains("[clock]") {
            ""
        } else {
            "[clock]\nwait = \"0 s\""
        };
        let text = format!(
            r#"[listen]
https = "127.0.0.1:0"
[tls]
self_signed = true
[[verifier]]
name = "test"
token_file = "verifier"
[journal]
path = "state/journal.db"
[admin]
listen = "127.0.0.1:0"
{tables}
{clock}
"#
        );
        self.write("qbo-relay.toml", &text);
    }

    /// Configures the certificate of `Files` in the folder, for the admin listener too.
    pub(crate) fn serve_tls_everywhere(&self) {
        let config = fs::read_to_string(self.config()).unwrap();
        let files = "certificate = \"fullchain.pem\"\nkey = \"privkey.pem\"";
        let config = config.replace("self_signed = true", files);
        let config = config.replace("[admin]\n", "[admin]\ntls = true\n");
        self.write("qbo-relay.toml", &config);
    }

    /// Writes a file that only its owner reads.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration file, as an argument.
    pub(crate) fn config(&self) -> String {
        self.path("qbo-relay.toml").to_string_lossy().into_owned()
    }

    /// Runs a command of the binary against this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let config = self.config();
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        qbo_relay(&all)
    }

    /// Starts `run` and waits until it serves.
    pub(crate) fn start(&mut self) {
        self.start_under(&[]);
        assert!(
            self.https.is_some(),
            "it does not serve; the log:\n{}",
            self.lines.join("\n")
        );
    }

    /// Starts `run` under another program, and waits until it serves or ends.
    pub(crate) fn start_under(&mut self, program: &[&str]) {
        let config = self.config();
        let mut words = program.to_vec();
        words.extend([env!("CARGO_BIN_EXE_qbo-relay"), "run", "--config", &config]);
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, receiver) = mpsc::sync_channel(100_000);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                _ = sender.try_send(line);
            }
        });
        self.child = Some(child);
        self.log = Some(receiver);
        (self.https, self.admin) = (None, None);
        if let Some(line) = self.next_line_with("serving ") {
            self.https = field(&line, "https=");
            self.admin = field(&line, "admin=");
        }
    }

    /// Waits for a line of the log that has this in it; none when the log ends first.
    fn next_line_with(&mut self, part: &str) -> Option<String> {
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.log.as_ref().unwrap().recv_timeout(left) {
                Ok(line) => self.lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!("no line with {part:?}; the log:\n{}", self.lines.join("\n"))
                }
            }
            if let Some(line) = self.lines.last().filter(|line| line.contains(part)) {
                return Some(line.clone());
            }
        }
    }

    /// The line of the log that has this in it, said already or waited for.
    pub(crate) fn line(&mut self, part: &str) -> String {
        let said = self.lines.iter().find(|line| line.contains(part)).cloned();
        said.unwrap_or_else(|| self.wait_for_line(part))
    }

    /// Waits for a line of the log that has this in it.
    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        let line = self.next_line_with(part);
        line.unwrap_or_else(|| panic!("no line with {part:?}; the log:\n{}", self.lines.join("\n")))
    }

    /// The relay's process id; where another program runs it, that of its child.
    pub(crate) fn pid(&self) -> u32 {
        let own = self.child.as_ref().unwrap().id();
        let children =
            fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        children
            .split_whitespace()
            .next()
            .map_or(own, |child| child.parse().unwrap())
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Sends a signal and waits for the end; the exit status, `None` when a signal ended it.
    pub(crate) fn end_by(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.wait_for_end()
    }

    /// Waits for the end; the exit status, `None` when a signal ended it.
    pub(crate) fn wait_for_end(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let status = eventually("the process ends", || child.try_wait().unwrap());
        if let Some(log) = self.log.take() {
            self.lines.extend(log.iter());
        }
        status.code()
    }

    /// Waits until the journal says that nothing waits any more: what is in a sink's file may not be
    /// settled yet.
    pub(crate) fn until_settled(&self) {
        eventually("everything is settled", || {
            let pending = self.command(&["journal", "list", "--state", "pending"]);
            (pending.status.success() && pending.stdout.is_empty()).then_some(())
        });
    }

    /// The address that takes notifications.
    pub(crate) fn url(&self) -> String {
        format!("https://{}/qbowebhook", self.https.unwrap())
    }

    /// `simulate` against this gateway, with the same payloads in every run of the test.
    pub(crate) fn simulate(&self, arguments: &[&str]) -> Output {
        simulate(self.folder.path(), &self.url(), &seeded(arguments))
    }

    /// The lines of a file sink, as JSON.
    pub(crate) fn json_lines(&self, name: &str) -> Vec<serde_json::Value> {
        read_json_lines(&self.path(name))
    }
}

/// The arguments with a fixed seed, unless they name one.
fn seeded<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    if !arguments.contains(&"--seed") {
        all.extend(["--seed", "1"]);
    }
    all
}

/// `simulate` towards `url`, signing with the verifier token in `folder`; each run with a seed of its
/// own unless the arguments name one.
pub(crate) fn simulate(folder: &Path, url: &str, arguments: &[&str]) -> Output {
    let token = folder.join("verifier").to_string_lossy().into_owned();
    let mut all = vec!["simulate", url, "--insecure", "--token-file", &token];
    all.extend(arguments);
    qbo_relay(&all)
}

/// The complete lines of a file, as JSON; none when there is no file.
pub(crate) fn read_json_lines(path: &Path) -> Vec<serde_json::Value> {
    read_torn_json_lines(path, 0)
}

/// The same of a file whose writer was killed so often, each time perhaps within a line.
pub(crate) fn read_torn_json_lines(path: &Path, kills: usize) -> Vec<serde_json::Value> {
    // A torn line may end within a character.
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let ended = text.rfind('\n').map_or("", |end| &text[..end]);
    let (whole, torn): (Vec<_>, Vec<_>) = ended
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}")))
        .partition(Result::is_ok);
    assert!(torn.len() <= kills, "{torn:#?}");
    whole.into_iter().flatten().collect()
}

fn field(line: &str, name: &str) -> Option<SocketAddr> {
    let rest = &line[line.find(name)? + name.len()..];
    rest.split_whitespace().next()?.parse().ok()
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

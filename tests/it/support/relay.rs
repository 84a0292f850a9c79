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
    pub(crate) fn configure(&self, tables: &str) {
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
"#
        );
        self.write("qbo-relay.toml", &text);
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
        let mut child = Command::new(env!("CARGO_BIN_EXE_qbo-relay"))
            .args(["run", "--config", &self.config()])
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
        let line = self.wait_for_line("serving");
        self.https = field(&line, "https=");
        self.admin = field(&line, "admin=");
    }

    /// Waits for a line of the log that has this in it.
    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.log.as_ref().unwrap().recv_timeout(left) {
                Ok(line) => {
                    self.lines.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!(
                    "no line with {part:?}: {error}; the log:\n{}",
                    self.lines.join("\n")
                ),
            }
        }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
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
        let mut child = self.child.take().unwrap();
        let status = eventually("the process ends", || child.try_wait().unwrap());
        if let Some(log) = self.log.take() {
            self.lines.extend(log.iter());
        }
        status.code()
    }

    /// The address that takes notifications.
    pub(crate) fn url(&self) -> String {
        format!("https://{}/qbowebhook", self.https.unwrap())
    }

    /// `simulate` against this gateway.
    pub(crate) fn simulate(&self, arguments: &[&str]) -> Output {
        simulate(self.folder.path(), &self.url(), arguments)
    }

    /// The lines of a file sink, as JSON.
    pub(crate) fn json_lines(&self, name: &str) -> Vec<serde_json::Value> {
        read_json_lines(&self.path(name))
    }
}

/// `simulate` towards `url`, signing with the verifier token in `folder`.
pub(crate) fn simulate(folder: &Path, url: &str, arguments: &[&str]) -> Output {
    let token = folder.join("verifier").to_string_lossy().into_owned();
    let mut all = vec!["simulate", url, "--insecure", "--token-file", &token];
    all.extend(arguments);
    qbo_relay(&all)
}

/// The complete lines of a file, as JSON; none when there is no file.
pub(crate) fn read_json_lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
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

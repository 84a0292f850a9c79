//! A running `qbo-relay run`, of this build or of another.

use crate::Mishap;
use crate::load::TOKEN;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The process; killed when dropped.
pub(crate) struct Relay(Child);

impl Relay {
    /// Starts `binary` with a fresh journal in `folder`, and a sink where there is a receiver. Returns
    /// it with the address of its public listener.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        receiver: Option<SocketAddr>,
    ) -> Result<(Self, SocketAddr), Mishap> {
        let state = folder.join("state");
        if state.exists() {
            fs::remove_dir_all(&state)?;
        }
        let config = folder.join("relay.toml");
        fs::write(&config, configuration(receiver))?;
        let mut child = Command::new(binary)
            .args(["run", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no log")?;
        let relay = Self(child);
        let mut lines = BufReader::new(stderr).lines();
        for line in lines.by_ref() {
            let line = line?;
            let address = line
                .split("https=")
                .nth(1)
                .and_then(|rest| rest.split(' ').next()?.parse().ok());
            if let Some(address) = address {
                // Read on, so that it never waits for us; what goes wrong is passed on.
                std::thread::spawn(move || {
                    let wrong = |line: &String| line.contains("ERROR") || line.contains("WARN");
                    lines
                        .map_while(Result::ok)
                        .filter(wrong)
                        .for_each(|line| eprintln!("{line}"));
                });
                return Ok((relay, address));
            }
        }
        Err("the relay did not start".into())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn configuration(receiver: Option<SocketAddr>) -> String {
    let sink = receiver.map_or_else(String::new, |receiver| {
        format!(
            r#"
[[sink]]
name = "receiver"
kind = "http"
url = "http://{receiver}/"
signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"#
        )
    });
    format!(
        r#"[listen]
https = "127.0.0.1:0"
[tls]
self_signed = true
[[verifier]]
name = "bench"
token = "{TOKEN}"
[journal]
path = "state/journal.db"
bytes_max = "4 GiB"
[admin]
listen = "127.0.0.1:0"
{sink}"#
    )
}

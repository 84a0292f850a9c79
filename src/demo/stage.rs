//! The demo's stage: a folder with a configuration, the relay that runs from it, and a receiver.

use super::Mishap;
use super::receiver::Receiver;
use super::tale::Tale;
use crate::clock::System;
use crate::config::Config;
use crate::model::{Health, Secret};
use crate::run::Relay;
use crate::simulate::sender::Sender;
use crate::systemd::Inherited;
use crate::terminal::{Tint, say, tinted};
use crate::tls;
use crate::wire::outgoing::standard_webhooks::SigningKey;
use crate::wire::signature;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Everything that the story plays on.
pub(super) struct Stage {
    folder: TempDir,
    https: SocketAddr,
    admin: Option<SocketAddr>,
    health: watch::Receiver<Health>,
    stop: oneshot::Sender<()>,
    relay: JoinHandle<Result<(), crate::run::Failure>>,
    pub(super) receiver: Receiver,
    pub(super) token: Secret,
}

impl Stage {
    /// Writes the configuration, starts the receiver and the relay.
    pub(super) async fn set() -> Result<Self, Mishap> {
        let folder = tempfile::Builder::new()
            .prefix("qbo-relay-demo-")
            .tempdir()?;
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let resolver = tls::Resolver::from_self_signed(&names)?;
        let certificate = pem(&resolver)?;
        let token = random_base64(27)?;
        let secret = format!("whsec_{}", random_base64(32)?);
        let keys = vec![SigningKey::parse(&secret)?];
        let mut receiver_tls = Arc::unwrap_or_clone(tls::server_config(Arc::new(resolver))?);
        // It speaks HTTP/1.1 only, as many small receivers do.
        receiver_tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let receiver = Receiver::start(receiver_tls, keys).await?;
        let config = configuration(receiver.address);
        for (name, text) in [
            ("verifier", token.as_str()),
            ("receiver-secret", secret.as_str()),
            ("receiver.pem", certificate.as_str()),
            ("qbo-relay.toml", config.as_str()),
        ] {
            write_private(&folder.path().join(name), text)?;
        }
        let (config, _) =
            Config::read(&folder.path().join("qbo-relay.toml"), None).map_err(|findings| {
                findings
                    .first()
                    .map_or_else(String::new, ToString::to_string)
            })?;
        let relay = Relay::start(config, Arc::new(System), Inherited::default()).await?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            folder,
            https: relay.https()?,
            admin: relay.admin(),
            health: relay.health(),
            stop,
            receiver,
            token: Secret::new(token),
            relay: tokio::spawn(relay.serve_until(async {
                _ = stopped.await;
            })),
        })
    }

    /// Says what stands where.
    pub(super) fn introduce(&self) {
        say(tinted(
            Tint::Bold,
            "qbo-relay demo: from Intuit's post to your receiver, on this machine",
        ));
        say("");
        say(format_args!(
            "  gateway   https://{}/qbowebhook   TLS, a self-signed certificate for the demo",
            self.https
        ));
        say(format_args!(
            "  journal   {}   SQLite, synced before each answer",
            self.folder.path().join("state/journal.db").display()
        ));
        say(format_args!(
            "  receiver  https://{}/hooks/qbo   verifies each signature",
            self.receiver.address
        ));
        say("");
        say(tinted(
            Tint::Dim,
            "  → posted to the gateway, and its answer, given after the commit   ← arrived at the receiver",
        ));
        say("");
    }

    /// Intuit, as it sends to this relay.
    pub(super) fn intuit(&self) -> Result<Sender, Mishap> {
        let url = format!("https://{}/qbowebhook", self.https).parse()?;
        Ok(Sender::new(url, crate::simulate::insecure_client()))
    }

    /// How the relay is, now and from now on.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Keeps everything running, with what is needed to try it by hand, until Ctrl-C.
    pub(super) async fn stay(&self, tale: &Tale<'_>) -> Result<(), Mishap> {
        let folder = self.folder.path().display();
        write_private(
            &self.folder.path().join("sample.json"),
            &String::from_utf8_lossy(tale.sample()),
        )?;
        let signature = signature::sign(&self.token, tale.sample());
        say("");
        say(tinted(
            Tint::Bold,
            "It keeps running; try it (Ctrl-C ends it):",
        ));
        say(format_args!(
            "  qbo-relay simulate https://{}/qbowebhook --insecure --token-file {folder}/verifier --count 50 --realms 3",
            self.https
        ));
        say(format_args!(
            "  curl -k https://{}/qbowebhook -H 'intuit-signature: {signature}' --data-binary @{folder}/sample.json",
            self.https
        ));
        say(format_args!(
            "  qbo-relay status --config {folder}/qbo-relay.toml"
        ));
        say(format_args!(
            "  qbo-relay journal list --config {folder}/qbo-relay.toml"
        ));
        if let Some(admin) = self.admin {
            say(format_args!("  status page: http://{admin}/"));
        }
        tokio::signal::ctrl_c().await?;
        Ok(())
    }

    /// Stops the relay, and with it ends the folder.
    pub(super) async fn strike(self) -> Result<(), Mishap> {
        _ = self.stop.send(());
        self.relay.await??;
        self.folder.close()?;
        Ok(())
    }
}

fn configuration(receiver: SocketAddr) -> String {
    format!(
        r#"# The demo's configuration: every line of it could stand in a real one, but `self_signed`.
[listen]
https = "127.0.0.1:0"

[tls]
self_signed = true

[[verifier]]
name = "demo"
token_file = "verifier"

[journal]
path = "state/journal.db"

[[sink]]
name = "receiver"
kind = "http"
url = "https://{receiver}/hooks/qbo"
signing_secret_file = "receiver-secret"
ca_file = "receiver.pem"
retry_delays = ["500 ms", "500 ms", "500 ms", "500 ms", "1 s", "1 s"]

[admin]
listen = "127.0.0.1:0"

[clock]
wait = "0 s"

[log]
level = "error"
"#
    )
}

/// The certificate as a file that clients can trust.
fn pem(resolver: &tls::Resolver) -> Result<String, Mishap> {
    let loaded = resolver.current();
    let leaf = loaded.key.cert.first().ok_or("no certificate was made")?;
    Ok(format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(leaf)
    ))
}

fn random_base64(length: usize) -> Result<String, Mishap> {
    let mut bytes = vec![0; length];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "no random bytes to be had")?;
    Ok(STANDARD.encode(bytes))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

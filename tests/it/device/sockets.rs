//! The relay on sockets that it inherits, as systemd would pass them: the test holds the sockets, the
//! relay comes and goes, and whoever connects meanwhile waits in the kernel instead of being refused.

use crate::support::relay::{Gateway, eventually, simulate};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const INHERITED: &str = r#"
[listen]
https = "systemd"
[tls]
self_signed = true
[[verifier]]
name = "test"
token_file = "verifier"
[journal]
path = "state/journal.db"
[clock]
wait = "0 s"
[admin]
listen = "systemd"
[[sink]]
name = "lines"
kind = "file"
path = "out.jsonl"
"#;

/// Starts `run` with these sockets as systemd passes them: descriptors from 3 on, named in the
/// environment of exactly that process.
fn start(gateway: &Gateway, sockets: &[(&str, OwnedFd)]) -> Child {
    let names: Vec<&str> = sockets.iter().map(|(name, _)| *name).collect();
    // The shell gets them at 0 (its own input) and up, moves them, and becomes the relay.
    let [(_, first), rest @ ..] = sockets else {
        panic!("no sockets");
    };
    let mut script = String::from("exec 3<&0 0</dev/null; ");
    let mut command = Command::new("sh");
    command.stdin(Stdio::from(first.try_clone().unwrap()));
    if let [(_, second)] = rest {
        script.push_str("exec 4<&1 1>/dev/null; ");
        command.stdout(Stdio::from(second.try_clone().unwrap()));
    }
    script.push_str("LISTEN_PID=$$ exec \"$0\" run --config \"$1\"");
    command
        .args([
            "-c",
            &script,
            env!("CARGO_BIN_EXE_qbo-relay"),
            &gateway.config(),
        ])
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn inherited(configuration: &str) -> Gateway {
    let gateway = Gateway::new("");
    gateway.write("qbo-relay.toml", configuration);
    gateway
}

fn fd(socket: &impl AsFd) -> OwnedFd {
    socket.as_fd().try_clone_to_owned().unwrap()
}

/// What it wrote to stderr before it ended with this status.
fn ends_with(child: Child, status: i32) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{text}");
    text
}

fn terminate(child: &mut Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = eventually("the relay ends", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
}

#[test]
fn nobody_is_refused_and_nothing_is_lost_while_the_relay_is_restarted_behind_its_sockets() {
    let gateway = inherited(INHERITED);
    let https = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = https.local_addr().unwrap();
    let sockets = [("admin", fd(&admin)), ("https", fd(&https))];
    let url = format!("https://{address}/qbowebhook");
    let mut relay = start(&gateway, &sockets);

    let going_on = Arc::new(AtomicBool::new(true));
    let (folder, goes_on) = (gateway.folder.path().to_owned(), Arc::clone(&going_on));
    let client = std::thread::spawn(move || {
        let mut posts = 0;
        while goes_on.load(Ordering::Relaxed) {
            let seed = (posts + 1).to_string();
            // Every answer has to be the expected one: a refused connection fails it.
            let sent = simulate(&folder, &url, &["--count", "5", "--seed", &seed]);
            let said = String::from_utf8_lossy(&sent.stdout).into_owned();
            let errors = String::from_utf8_lossy(&sent.stderr).into_owned();
            assert!(sent.status.success(), "{said}{errors}");
            posts += 5;
        }
        posts
    });
    for _ in 0..4 {
        let count = gateway.json_lines("out.jsonl").len();
        eventually("deliveries arrive", || {
            (gateway.json_lines("out.jsonl").len() > count).then_some(())
        });
        terminate(&mut relay);
        relay = start(&gateway, &sockets);
    }
    going_on.store(false, Ordering::Relaxed);
    let posts = client.join().unwrap();
    eventually("everything acknowledged is in the file", || {
        let lines = gateway.json_lines("out.jsonl");
        let ids: std::collections::BTreeSet<_> =
            lines.iter().map(|line| line["id"].to_string()).collect();
        (ids.len() >= posts).then_some(())
    });
    terminate(&mut relay);
    // The next one takes what waits in the kernel meanwhile.
    assert!(https.local_addr().is_ok() && admin.local_addr().is_ok());
}

#[test]
fn the_admin_pages_are_served_on_an_inherited_unix_socket_too() {
    let gateway = inherited(INHERITED);
    let https = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = gateway.path("admin.sock");
    let admin = UnixListener::bind(&path).unwrap();
    let mut relay = start(&gateway, &[("https", fd(&https)), ("admin", fd(&admin))]);
    let answer = eventually("it is ready", || {
        let asked = Command::new("curl")
            .args([
                "-s",
                "--unix-socket",
                path.to_str().unwrap(),
                "http://localhost/readyz",
            ])
            .output();
        match asked {
            Ok(output) => output.stdout.starts_with(b"ready").then_some(output.stdout),
            Err(_) => ask(&path),
        }
    });
    assert!(answer.starts_with(b"ready"));
    terminate(&mut relay);
}

/// `curl`, where there is none.
fn ask(socket: &std::path::Path) -> Option<Vec<u8>> {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n")?;
    body.starts_with("ready").then(|| body.as_bytes().to_vec())
}

#[test]
fn a_socket_that_is_missing_or_of_the_wrong_kind_is_named_and_the_status_is_4() {
    let gateway = inherited(INHERITED);
    let https = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = UnixListener::bind(gateway.path("wrong.sock")).unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    let table = [
        (vec![("https", fd(&https))], "no socket named admin"),
        (
            vec![("web", fd(&https))],
            "no socket named https (it passed web)",
        ),
        (
            vec![("https", fd(&unix)), ("admin", fd(&https))],
            "https is not a TCP socket that listens",
        ),
        (
            vec![("https", fd(&datagrams)), ("admin", fd(&https))],
            "https is not a TCP socket that listens",
        ),
        (
            vec![("https", silent), ("admin", fd(&https))],
            "https is not a TCP socket that listens",
        ),
    ];
    for (sockets, words) in table {
        let said = ends_with(start(&gateway, &sockets), 4);
        assert!(said.contains(words), "{said}");
    }
    // Nothing was passed at all, because somebody started it by hand.
    let by_hand = gateway.command(&["run"]);
    assert_eq!(by_hand.status.code(), Some(4));
    let said = String::from_utf8_lossy(&by_hand.stderr).into_owned();
    assert!(
        said.contains("it passed none") && said.contains("socket unit"),
        "{said}"
    );
}

#[test]
fn a_passed_socket_is_used_whatever_the_configuration_says_and_a_difference_is_told() {
    let https = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, pages) = (https.local_addr().unwrap(), admin.local_addr().unwrap());
    for (https_says, admin_says) in [
        ("0.0.0.0:443".to_owned(), "127.0.0.1:8081".to_owned()),
        (address.to_string(), pages.to_string()),
        ("[::1]:8443".to_owned(), "./admin.sock".to_owned()),
        (address.to_string(), "systemd".to_owned()),
    ] {
        let configuration = INHERITED
            .replacen("\"systemd\"", &format!("\"{https_says}\""), 1)
            .replacen(
                "listen = \"systemd\"",
                &format!("listen = \"{admin_says}\""),
                1,
            );
        let gateway = inherited(&configuration);
        let mut relay = start(&gateway, &[("admin", fd(&admin)), ("https", fd(&https))]);
        let url = format!("https://{address}/qbowebhook");
        let sent = simulate(gateway.folder.path(), &url, &["--count", "1"]);
        assert!(sent.status.success(), "{https_says}");
        terminate(&mut relay);
        let said = String::from_utf8(relay.wait_with_output().unwrap().stderr).unwrap();
        let is_told =
            |key: &str| said.contains(&format!("{key} = ")) && said.contains("is not used");
        assert_eq!(
            is_told("[listen] https"),
            https_says != address.to_string(),
            "{said}"
        );
        let admin_is_as_said = admin_says == pages.to_string() || admin_says == "systemd";
        assert_eq!(is_told("[admin] listen"), !admin_is_as_said, "{said}");
    }
}

#[test]
fn a_target_that_is_the_inherited_socket_itself_is_not_dialled() {
    let https = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = https.local_addr().unwrap();
    let looped = format!(
        "{INHERITED}\n[[sink]]\nname = \"loop\"\nkind = \"http\"\nurl = \"http://{address}/qbowebhook\"\nretry_delays = [\"100 ms\"]\n"
    );
    let gateway = inherited(&looped);
    let mut relay = start(&gateway, &[("https", fd(&https)), ("admin", fd(&admin))]);
    let url = format!("https://{address}/qbowebhook");
    assert!(
        simulate(gateway.folder.path(), &url, &["--count", "1"])
            .status
            .success()
    );
    eventually("the loop is refused", || {
        let status = gateway.command(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
        let failure = status["sinks_in_trouble"][0]["failure"]
            .as_str()?
            .to_owned();
        failure.contains("itself").then_some(())
    });
    terminate(&mut relay);
}

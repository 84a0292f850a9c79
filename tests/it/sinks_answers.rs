//! Answers as receivers write them that are not made by an HTTP library: the status counts.

use crate::support::changes::{NOW, change, delivery};
use crate::support::sinks::http;
use qbo_relay::model::{Outcome, Stage};
use qbo_relay::sink::Format;
use qbo_relay::sink::http::HttpSink;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Reads one request to its end, by its length; `None` when there is no further one.
async fn request(tcp: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap().parse().unwrap() {
                return Some(head.to_owned());
            }
        }
        let more = tcp.read_buf(&mut read).await.ok();
        more.filter(|count| *count > 0)?;
    }
}

/// What a sink makes of these bytes, each time that it is asked; and the head of the last request.
async fn outcomes<const N: usize>(path: &str, bytes: Vec<u8>) -> ([Outcome; N], String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let (told, mut heads) = tokio::sync::mpsc::channel(N);
    let server = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            while let Some(head) = request(&mut tcp).await {
                told.send(head).await.unwrap();
                let is_last = bytes.windows(5).any(|part| part == b"close");
                if tcp.write_all(&bytes).await.is_err() || is_last {
                    break;
                }
            }
        }
    });
    let mut settings = http(url, Format::CloudEvents);
    settings.total = Duration::from_secs(10);
    let sink = HttpSink::new(settings).unwrap();
    let mut came = Vec::new();
    let mut last = String::new();
    for _ in 0..N {
        came.push(sink.deliver(&delivery(vec![change(1)]), NOW).await);
        last = heads.recv().await.unwrap();
    }
    server.abort();
    (came.try_into().unwrap(), last)
}

async fn twice(head: &str) -> [Outcome; 2] {
    outcomes("/hook", head.as_bytes().to_vec()).await.0
}

#[tokio::test]
async fn a_delivery_that_was_taken_is_taken_however_the_answer_is_written() {
    let many: String = (0..700)
        .map(|number| format!("X-{number}: 1\r\n"))
        .collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(100_000));
    for fields in [
        // Folded lines, as old CGI scripts and Lotus Domino write them.
        "Content-Type: text/html;\r\n charset=utf-8\r\nX-A: 1\r\n\t2\r\nContent-Length: 0\r\n",
        // A space before the colon: nginx's test suite, embedded web servers.
        "Server : boa\r\nContent-Length : 0\r\n",
        // Lines without a colon: a warning of PHP or a shell that got into the head.
        "PHP Warning  foo in bar\r\nContent-Length: 0\r\n",
        // Line ends without CR: CGI scripts by hand.
        "Content-Type: text/plain\nContent-Length: 0\n",
        // Names and values with bytes that are none of HTTP.
        "X\u{e9}: \u{e9}\u{1}\r\n: nothing\r\nContent-Length: 0\r\n",
        // Lengths that contradict each other or are none.
        "Content-Length: 0\r\nContent-Length: 2\r\nConnection: close\r\n",
        "Content-Length: -1\r\nConnection: close\r\n",
        // Chunks that are none.
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\nnonsense\r\n",
        // A body that is shorter or longer than it says.
        "Content-Length: 0\r\n\r\nmore than was said\r\n",
        &many,
        &long,
    ] {
        let fields = match fields.contains("ength") || fields.contains("chunked") {
            true => fields.to_owned(),
            false => format!("{fields}Content-Length: 0\r\n"),
        };
        let ends = fields.contains("close");
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let came: [Outcome; 1] = outcomes("/hook", answer.clone().into_bytes()).await.0;
        assert_eq!(came, [Outcome::Accepted], "{answer:.200}");
        if !ends {
            let both = [Outcome::Accepted, Outcome::Accepted];
            assert_eq!(twice(&answer).await, both, "{answer:.200}");
        }
    }
}

#[tokio::test]
async fn a_status_line_is_read_with_patience_and_a_wish_is_found_among_nonsense() {
    for line in [
        "HTTP/1.1 200",
        "HTTP/1.0 200 OK",
        "HTTP/1.1  202  Accepted",
        "HTTP/1.1 200 \u{e9}\u{1}",
        "\r\nHTTP/1.1 204 No Content",
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK",
    ] {
        let answer = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        let came: [Outcome; 1] = outcomes("/hook", answer.clone().into_bytes()).await.0;
        assert_eq!(came, [Outcome::Accepted], "{answer:?}");
    }
    let busy = "HTTP/1.1 503 Busy\r\nnonsense\r\nX: a\r\n b\r\nRetry-After : 90\r\nContent-Length: 0\r\n\r\n";
    let retry_after = Some(Duration::from_secs(90));
    let expected = Outcome::Busy {
        status: 503,
        retry_after,
    };
    assert_eq!(twice(busy).await, [expected.clone(), expected]);
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_none() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 << 20));
    for bytes in [
        "hello\r\n\r\n",
        "200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        &endless,
    ] {
        let came: [Outcome; 1] = outcomes("/hook", bytes.as_bytes().to_vec()).await.0;
        let [Outcome::Failed { stage, .. }] = &came else {
            panic!("{came:?}: {bytes:.40}");
        };
        assert_eq!(*stage, Stage::Answer);
    }
}

#[tokio::test]
async fn a_request_line_holds_only_what_may_stand_in_it() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    let path = "/b\u{fc}cher|{1}?q=\u{1f600}|%20";
    let (came, head): ([Outcome; 1], _) = outcomes(path, answer).await;
    assert_eq!(came, [Outcome::Accepted]);
    let line = head.lines().next().unwrap();
    let expected = "POST /b%C3%BCcher%7C%7B1%7D?q=%F0%9F%98%80%7C%20 HTTP/1.1";
    assert_eq!(line, expected);
}

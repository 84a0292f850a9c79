//! The head of an HTTP/1 answer, reduced to what the relay needs of it: the status, `Retry-After`, and
//! where the body ends.
//!
//! Receivers are written by hand, and some write heads that no HTTP library takes: folded lines, a
//! space before a colon, lines without one, two lengths, hundreds of fields. The status was said all
//! the same, and a delivery that was taken must not be sent again for it. So the bytes are read here,
//! by lines, before the HTTP library sees them. Bounded; what does not begin with a status line is
//! handed on as it came, for the library to refuse. HTTP/2 has no such lines and is not touched.

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes of a head that are looked through.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// A connection whose answers are reduced.
pub(super) struct Reduced<T> {
    inner: T,
    is_http1: bool,
    /// Whether what comes next is the head of an answer.
    is_head_due: bool,
    /// What has come of it.
    head: Vec<u8>,
    /// What is to be handed on before anything else, and how far it is.
    ready: Vec<u8>,
    handed: usize,
}

impl<T: Connection> Reduced<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            is_http1: !inner.connected().is_negotiated_h2(),
            inner,
            is_head_due: false,
            head: Vec::new(),
            ready: Vec::new(),
            handed: 0,
        }
    }
}

impl<T> Reduced<T> {
    /// Hands on what is ready; `false` when nothing is.
    fn hand_on(&mut self, buffer: &mut ReadBufCursor<'_>) -> bool {
        let rest = self.ready.get(self.handed..).unwrap_or_default();
        if rest.is_empty() {
            (self.ready, self.handed) = (Vec::new(), 0);
            return false;
        }
        let now = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..now).unwrap_or_default());
        self.handed += now;
        true
    }

    /// Takes more of a head; nothing more means that the connection has ended.
    fn take(&mut self, more: &[u8]) {
        self.head.extend_from_slice(more);
        let is_over = more.is_empty() || self.head.len() > HEAD_BYTES_MAX;
        let Some(end) = end(&self.head) else {
            if is_over {
                self.ready = std::mem::take(&mut self.head);
                self.is_head_due = false;
            }
            return;
        };
        let rest = self.head.split_off(end);
        let head = std::mem::take(&mut self.head);
        match reduce(&head) {
            // Another head follows an interim answer, which nobody asked for.
            Some((100..=199, _)) => self.head = rest,
            Some((_, reduced)) => {
                self.ready = [reduced, rest].concat();
                self.is_head_due = false;
            }
            None => {
                self.ready = [head, rest].concat();
                self.is_head_due = false;
            }
        }
        if self.is_head_due && !self.head.is_empty() {
            self.take_again();
        }
    }

    /// What came together with an interim answer may hold the next head already.
    fn take_again(&mut self) {
        if end(&self.head).is_some() {
            let head = std::mem::take(&mut self.head);
            self.take(&head);
        }
    }
}

impl<T: Read + Unpin> Read for Reduced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.hand_on(&mut buffer) {
                return Poll::Ready(Ok(()));
            }
            if !self.is_head_due {
                return Pin::new(&mut self.inner).poll_read(cx, buffer);
            }
            let mut store = [0; 4096];
            let mut more = ReadBuf::new(&mut store);
            match Pin::new(&mut self.inner).poll_read(cx, more.unfilled()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => self.take(more.filled()),
            }
            if more.filled().is_empty() && self.ready.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: Write + Unpin> Write for Reduced<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_head_due = self.is_http1;
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_head_due = self.is_http1;
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }
}

impl<T: Connection> Connection for Reduced<T> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

/// The end of a head: behind its first empty line that is not its first line.
fn end(head: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut has_text = false;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        match line {
            b"\n" | b"\r\n" if has_text => return Some(at),
            b"\n" | b"\r\n" => {}
            _ => has_text = true,
        }
    }
    None
}

/// The status, and the head with nothing but what is needed; `None` when it is no answer's.
fn reduce(head: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .skip_while(|line| line.is_empty());
    let (is_old, status) = status(lines.next()?)?;
    let mut lengths: Vec<&[u8]> = Vec::new();
    let mut reduced = match is_old {
        true => format!("HTTP/1.0 {status}\r\n"),
        false => format!("HTTP/1.1 {status}\r\n"),
    }
    .into_bytes();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        // A line that begins with a blank goes on with the one before.
        if name.first().is_none_or(u8::is_ascii_whitespace) {
            continue;
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii_end().to_ascii_lowercase();
        let is_plain = value
            .iter()
            .all(|byte| *byte == b' ' || byte.is_ascii_graphic());
        match name.as_slice() {
            b"content-length" => lengths.push(value),
            b"retry-after" | b"transfer-encoding" | b"connection" | b"date" if is_plain => {
                reduced.extend([&*name, b": ", value, b"\r\n"].concat());
            }
            _ => {}
        }
    }
    lengths.dedup();
    match lengths.as_slice() {
        [] => {}
        [length] if length.iter().all(u8::is_ascii_digit) && (1..=18).contains(&length.len()) => {
            reduced.extend([b"content-length: ", *length, b"\r\n"].concat());
        }
        // Nobody knows where such a body ends.
        _ => reduced.extend(b"connection: close\r\n"),
    }
    reduced.extend(b"\r\n");
    Some((status, reduced))
}

/// Of a status line: whether it is of HTTP/1.0, and the code.
fn status(line: &[u8]) -> Option<(bool, u16)> {
    let line = std::str::from_utf8(
        line.get(..line.len().min(64))?
            .split(|byte| !byte.is_ascii())
            .next()?,
    )
    .ok()?;
    let (protocol, rest) = line
        .trim_start()
        .split_once(|c: char| c.is_ascii_whitespace())?;
    let version = protocol
        .get(..5)
        .filter(|word| word.eq_ignore_ascii_case("http/"))?;
    let version = protocol.strip_prefix(version)?;
    let code: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let code = (code.len() == 3).then(|| code.parse::<u16>().ok())??;
    (100..=599)
        .contains(&code)
        .then_some((version == "1.0" || version == "0.9", code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(head: &str) -> Option<String> {
        let (_, reduced) = reduce(head.as_bytes())?;
        Some(String::from_utf8(reduced).unwrap())
    }

    #[test]
    fn what_is_needed_stays_and_everything_else_goes() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200\r\n\r\n"),
            ("\r\nHTTP/1.0 204\n\n", "HTTP/1.0 204\r\n\r\n"),
            (
                "HTTP/1.1  200 \u{e9}t\u{e9}\r\nX: \u{1}\r\nnonsense\r\n\r\n",
                "HTTP/1.1 200\r\n\r\n",
            ),
            (
                "HTTP/1.1 503 x\r\nX-A: 1,\r\n Retry-After: 1\r\nRetry-After : 90\r\n\r\n",
                "HTTP/1.1 503\r\nretry-after: 90\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length:5\r\n\r\n",
                "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                "HTTP/1.1 200\r\nconnection: close\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
                "HTTP/1.1 200\r\nconnection: close\r\n\r\n",
            ),
        ] {
            assert_eq!(reduced(head).as_deref(), Some(expected), "{head:?}");
        }
        for none in [
            "\r\n\r\n",
            "hello\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 ok\r\n\r\n",
            "HTTP/1.1 099\r\n\r\n",
        ] {
            assert_eq!(reduced(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_head_ends_at_its_first_empty_line() {
        for (bytes, at) in [
            ("HTTP/1.1 200\r\n\r\nbody", Some(16)),
            ("\r\nHTTP/1.1 200\r\n\r\n", Some(18)),
            ("HTTP/1.1 200\n\n", Some(14)),
            ("HTTP/1.1 200\r\n", None),
            ("HTTP/1.1 200\r\nA: b\r\n\r", None),
        ] {
            assert_eq!(end(bytes.as_bytes()), at, "{bytes:?}");
        }
    }
}

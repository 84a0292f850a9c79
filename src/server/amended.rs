//! A stream on which every answer forbids storing, hyper's own ones too.
//!
//! hyper refuses a head that it cannot parse by itself (400, 414, 431), before any service is asked,
//! with a head of its own and no body; there is no other place to add a field to it. Called by
//! `connection`, between TLS and hyper, for HTTP/1.1 only. Promises: bytes of an answer that has
//! `Cache-Control` pass unchanged.

use super::answer::{FORBID_STORING, NO_STORE};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that adds the missing field.
#[derive(Debug)]
pub(super) struct Amended<IO> {
    inner: IO,
    progress: Progress,
}

/// How far a head that lacks the field has been written.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// No such head is under way.
    None,
    /// So many bytes of its status line are left.
    StatusLine(usize),
    /// So many bytes of the field are written.
    Field(usize),
}

impl<IO> Amended<IO> {
    /// Amends what is written to `inner`.
    pub(super) fn new(inner: IO) -> Self {
        let progress = Progress::None;
        Self { inner, progress }
    }

    /// The stream itself, once hyper is done with it.
    pub(super) fn into_inner(self) -> IO {
        self.inner
    }
}

/// Length of the status line, where `bytes` begin with the head of a refusal that lacks the field.
fn bare_refusal(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = bytes.get(..head)?.to_ascii_lowercase();
    let name = FORBID_STORING.as_str().as_bytes();
    let has_field = head.windows(name.len()).any(|field| field == name);
    let line = bytes.windows(2).position(|end| end == b"\r\n")? + 2;
    (!has_field).then_some(line)
}

impl<IO: AsyncWrite + Unpin> Amended<IO> {
    fn poll_field(&mut self, context: &mut Context<'_>, mut done: usize) -> Poll<io::Result<()>> {
        let field = format!("{FORBID_STORING}: {NO_STORE}\r\n");
        while let Some(rest @ [_, ..]) = field.as_bytes().get(done..) {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            done += written;
            self.progress = Progress::Field(done);
        }
        self.progress = Progress::None;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Amended<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Progress::Field(done) = this.progress {
            ready!(this.poll_field(context, done))?;
        } else if let (Progress::None, Some(line)) = (this.progress, bare_refusal(bytes)) {
            this.progress = Progress::StatusLine(line);
        }
        let Progress::StatusLine(left) = this.progress else {
            return Pin::new(&mut this.inner).poll_write(context, bytes);
        };
        let line = bytes.get(..left).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut this.inner).poll_write(context, line))?;
        this.progress = match left.saturating_sub(written) {
            0 => Progress::Field(0),
            left => Progress::StatusLine(left),
        };
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Amended<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn through(bytes: &[u8], at_a_time: usize) -> String {
        let (near, mut far) = tokio::io::duplex(at_a_time);
        let mut stream = Amended::new(near);
        let write = async move {
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut arrived = String::new();
        let (read, ()) = tokio::join!(far.read_to_string(&mut arrived), write);
        read.unwrap();
        arrived
    }

    #[tokio::test]
    async fn a_refusal_without_the_field_gets_it_however_small_the_writes() {
        let bare = "HTTP/1.1 431 Too Large\r\ncontent-length: 0\r\n\r\n";
        let amended =
            "HTTP/1.1 431 Too Large\r\ncache-control: no-store\r\ncontent-length: 0\r\n\r\n";
        for at_a_time in [1, 7, 24, 1_000] {
            assert_eq!(through(bare.as_bytes(), at_a_time).await, amended);
        }
    }

    #[tokio::test]
    async fn everything_else_passes_unchanged() {
        for answer in [
            "HTTP/1.1 404 Not Found\r\nCache-Control: no-store\r\n\r\nHTTP/1.1 400",
            "HTTP/1.1 200 OK\r\n\r\nbody",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 400 cut off",
        ] {
            assert_eq!(through(answer.as_bytes(), 5).await, answer);
        }
    }
}

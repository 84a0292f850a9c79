//! Content codings of request bodies (RFC 9110, section 8.4; RFC 7694): gzip, deflate, brotli.
//!
//! Called by `webhook`, where clients of the original listener may compress what they send. Promises:
//! no byte is written beyond the bound, and none before there is room for it; what breaks off, or is
//! followed by something, is damaged.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use std::io::Read as _;

/// The codings that are taken, as `Accept-Encoding` of a refusal tells them.
pub(super) const TAKEN: &str = "gzip, deflate, br";

/// Codings one upon the other in one body.
const CODINGS_MAX: usize = 3;

/// The largest window of a brotli body, in bits: that of every common encoder, and no less than the
/// largest body.
const WINDOW_BITS_MAX: u8 = 22;

/// The first room that is made.
const ROOM_MIN: usize = 4 << 10;

/// One coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coding {
    Gzip,
    /// With zlib's head and tail as the standard says, or without, as some send it.
    Deflate,
    Brotli,
}

/// A coding that is not known, or too many of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unsupported;

/// Why a body cannot be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undecoded {
    /// It is larger than a body may be.
    TooLarge,
    /// There is no memory for it now.
    NoRoom,
    /// What is wrong with it.
    Damaged(&'static str),
}

/// The codings of a body in the order in which they were applied, without `identity`.
pub(super) fn of(headers: &HeaderMap) -> Result<Vec<Coding>, Unsupported> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().map_err(|_| Unsupported)?.split(',') {
            codings.push(match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                _ => return Err(Unsupported),
            });
        }
    }
    match codings.len() {
        0..=CODINGS_MAX => Ok(codings),
        _ => Err(Unsupported),
    }
}

/// What a body was before the codings were applied; `room` is asked for each piece of memory.
pub(super) fn decode(
    codings: &[Coding],
    body: &[u8],
    bytes_max: usize,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, Undecoded> {
    let mut plain = None;
    for coding in codings.iter().rev() {
        let coded = plain.as_deref().unwrap_or(body);
        let mut output = Output {
            bytes: Vec::new(),
            written: 0,
            bytes_max,
            room,
        };
        // A client that has nothing to send compresses nothing.
        if !coded.is_empty() {
            coding.decode(coded, &mut output)?;
        }
        plain = Some(output.close());
    }
    Ok(plain.unwrap_or_default())
}

impl Coding {
    fn decode(self, coded: &[u8], output: &mut Output<'_>) -> Result<(), Undecoded> {
        match self {
            Self::Gzip => gzip(coded, output),
            Self::Brotli => brotli(coded, output),
            Self::Deflate if is_zlib(coded) => match inflate(true, coded, output) {
                // The first bytes of a bare stream may look like zlib's.
                Err(Undecoded::Damaged(why)) => {
                    output.written = 0;
                    let bare = inflate(false, coded, output);
                    bare.map_err(|undecoded| match undecoded {
                        Undecoded::Damaged(_) => Undecoded::Damaged(why),
                        other => other,
                    })
                }
                outcome => outcome,
            },
            Self::Deflate => inflate(false, coded, output),
        }
    }
}

/// What has been decoded so far.
struct Output<'r> {
    /// As long as there is room; of it, `written` bytes count.
    bytes: Vec<u8>,
    written: usize,
    bytes_max: usize,
    room: &'r mut dyn FnMut(usize) -> bool,
}

impl Output<'_> {
    /// Room for at least one more byte.
    fn spare(&mut self) -> Result<&mut [u8], Undecoded> {
        if self.written > self.bytes_max {
            return Err(Undecoded::TooLarge);
        }
        if self.written == self.bytes.len() {
            // One more than is allowed, so that more can be told from exactly so much.
            let doubled = self.bytes.len().saturating_mul(2);
            let length = doubled.max(ROOM_MIN).min(self.bytes_max.saturating_add(1));
            if !(self.room)(length - self.bytes.len()) {
                return Err(Undecoded::NoRoom);
            }
            self.bytes.reserve_exact(length - self.bytes.len());
            self.bytes.resize(length, 0);
        }
        self.bytes
            .get_mut(self.written..)
            .ok_or(Undecoded::TooLarge)
    }

    fn close(mut self) -> Vec<u8> {
        self.bytes.truncate(self.written);
        self.bytes
    }
}

const BREAKS_OFF: Undecoded = Undecoded::Damaged("it breaks off");
const FOLLOWED: Undecoded = Undecoded::Damaged("something follows its end");
const DAMAGED: Undecoded = Undecoded::Damaged("it is damaged");

/// Some members of a gzip file (RFC 1952).
fn gzip(coded: &[u8], output: &mut Output<'_>) -> Result<(), Undecoded> {
    let mut members = MultiGzDecoder::new(coded);
    loop {
        match members.read(output.spare()?) {
            Ok(0) => return Ok(()),
            Ok(read) => output.written += read,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(BREAKS_OFF);
            }
            Err(_) => return Err(DAMAGED),
        }
    }
}

/// Whether a stream begins as zlib's do (RFC 1950, section 2.2).
fn is_zlib(coded: &[u8]) -> bool {
    let [method, flags] = match coded {
        [method, flags, ..] => [*method, *flags],
        _ => return false,
    };
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

fn inflate(is_zlib: bool, coded: &[u8], output: &mut Output<'_>) -> Result<(), Undecoded> {
    let mut stream = Decompress::new(is_zlib);
    let mut rest = coded;
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(rest, output.spare()?, FlushDecompress::None);
        let status = status.map_err(|_| DAMAGED)?;
        let since = |now: u64, before| usize::try_from(now - before).unwrap_or(usize::MAX);
        let read = since(stream.total_in(), read);
        let written = since(stream.total_out(), written);
        rest = rest.get(read..).unwrap_or_default();
        output.written += written;
        match status {
            Status::StreamEnd if output.written > output.bytes_max => {
                return Err(Undecoded::TooLarge);
            }
            Status::StreamEnd if rest.is_empty() => return Ok(()),
            Status::StreamEnd => return Err(FOLLOWED),
            _ if read == 0 && written == 0 => return Err(BREAKS_OFF),
            Status::Ok | Status::BufError => {}
        }
    }
}

fn brotli(coded: &[u8], output: &mut Output<'_>) -> Result<(), Undecoded> {
    if window_bits(coded) > WINDOW_BITS_MAX {
        return Err(Undecoded::TooLarge);
    }
    let allocators = [(); 3].map(|()| StandardAlloc::default());
    let [bytes, words, codes] = allocators;
    let mut state = BrotliState::new_strict(bytes, words, codes);
    let (mut left, mut read, mut total) = (coded.len(), 0, 0);
    loop {
        let spare = output.spare()?;
        let (mut space, mut written) = (spare.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            coded,
            &mut space,
            &mut written,
            spare,
            &mut total,
            &mut state,
        );
        output.written += written;
        match result {
            BrotliResult::ResultSuccess if output.written > output.bytes_max => {
                return Err(Undecoded::TooLarge);
            }
            BrotliResult::ResultSuccess if left == 0 => return Ok(()),
            BrotliResult::ResultSuccess => return Err(FOLLOWED),
            BrotliResult::NeedsMoreInput => return Err(BREAKS_OFF),
            BrotliResult::ResultFailure => return Err(DAMAGED),
            BrotliResult::NeedsMoreOutput => {}
        }
    }
}

/// The window that a brotli stream asks for (RFC 7932, section 9.1); more than any where it is none of
/// the standard's.
fn window_bits(coded: &[u8]) -> u8 {
    let first = coded.first().copied().unwrap_or(0);
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, 1) => u8::MAX,
        (_, 0, bits) => 8 + bits,
        (_, bits, _) => 17 + bits,
    }
}

#[cfg(test)]
mod tests;

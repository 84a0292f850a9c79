//! Bodies compressed by other programs, whole and damaged.

use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;
use proptest::prelude::*;
use std::io::Write as _;

const TEXT: &[u8] = br#"{"eventNotifications":[]}"#;

/// `TEXT` by the reference encoder (`brotli -q 11`), and with something after it.
const BROTLI: &[u8] = include_bytes!("../../../tests/data/servicestack/request.json.br");

const MAX: usize = 1 << 20;

fn named(names: &[&'static str]) -> Result<Vec<Coding>, Unsupported> {
    let mut headers = HeaderMap::new();
    for name in names {
        headers.append(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    of(&headers)
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlibbed(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn decoded(codings: &[Coding], body: &[u8]) -> Result<Vec<u8>, Undecoded> {
    decode(codings, body, MAX, &mut |_| true)
}

#[test]
fn codings_are_known_by_their_names() {
    use Coding::{Brotli, Deflate, Gzip};
    let table: [(&[&str], _); 10] = [
        (&[], Ok(vec![])),
        (&["identity"], Ok(vec![])),
        (&["gzip"], Ok(vec![Gzip])),
        (&["X-GZip"], Ok(vec![Gzip])),
        (&["deflate, identity ,br"], Ok(vec![Deflate, Brotli])),
        (&["gzip", "gzip"], Ok(vec![Gzip, Gzip])),
        (&["gzip,gzip,gzip,gzip"], Err(Unsupported)),
        (&["zstd"], Err(Unsupported)),
        (&["gzip;q=1"], Err(Unsupported)),
        (&["utf-8"], Err(Unsupported)),
    ];
    for (names, expected) in table {
        assert_eq!(named(names), expected, "{names:?}");
    }
}

#[test]
fn every_coding_gives_the_text_back() {
    use Coding::{Brotli, Deflate, Gzip};
    let twice = [gzipped(b"{\"a\""), gzipped(b":1}")].concat();
    let table: [(&[Coding], Vec<u8>, &[u8]); 9] = [
        (&[Gzip], gzipped(TEXT), TEXT),
        (&[Gzip], twice, b"{\"a\":1}"),
        (&[Deflate], zlibbed(TEXT), TEXT),
        (&[Deflate], deflated(TEXT), TEXT),
        (&[Brotli], BROTLI.to_vec(), TEXT),
        (&[Gzip, Gzip], gzipped(&gzipped(TEXT)), TEXT),
        (&[Deflate, Gzip], gzipped(&zlibbed(TEXT)), TEXT),
        (&[Gzip], gzipped(b""), b""),
        (&[Gzip], Vec::new(), b""),
    ];
    for (codings, body, expected) in table {
        assert_eq!(
            decoded(codings, &body).as_deref(),
            Ok(expected),
            "{codings:?}"
        );
    }
}

#[test]
fn what_breaks_off_or_is_followed_is_damaged() {
    let coded = [
        (Coding::Gzip, gzipped(TEXT)),
        (Coding::Deflate, zlibbed(TEXT)),
        (Coding::Deflate, deflated(TEXT)),
        (Coding::Brotli, BROTLI.to_vec()),
    ];
    for (coding, whole) in coded {
        for length in 1..whole.len() {
            let half = decoded(&[coding], &whole[..length]);
            assert!(
                matches!(half, Err(Undecoded::Damaged(_))),
                "{coding:?} {length}: {half:?}"
            );
        }
        let followed = decoded(&[coding], &[&whole[..], b"x"].concat());
        assert!(
            matches!(followed, Err(Undecoded::Damaged(_))),
            "{coding:?}: {followed:?}"
        );
    }
}

#[test]
fn a_bomb_stops_at_the_bound_and_takes_no_more_room_than_it() {
    let zeros = vec![0; MAX * 8];
    let bombs = [
        (Coding::Gzip, gzipped(&zeros)),
        (Coding::Deflate, zlibbed(&zeros)),
        (Coding::Deflate, deflated(&zeros)),
    ];
    for (coding, bomb) in bombs {
        let mut taken = 0;
        let mut room = |bytes| {
            taken += bytes;
            true
        };
        let outcome = decode(&[coding], &bomb, MAX, &mut room);
        assert_eq!(outcome, Err(Undecoded::TooLarge), "{coding:?}");
        // The bare form is tried where the other one is damaged, never where it is too large.
        assert!(taken <= MAX + 1, "{coding:?}: {taken}");
        let mut none = |bytes| bytes <= ROOM_MIN;
        let outcome = decode(&[coding], &bomb, MAX, &mut none);
        assert_eq!(outcome, Err(Undecoded::NoRoom), "{coding:?}");
    }
    for (length, is_taken) in [(MAX, true), (MAX + 1, false)] {
        let body = gzipped(&zeros[..length]);
        assert_eq!(
            decoded(&[Coding::Gzip], &body).is_ok(),
            is_taken,
            "{length}"
        );
    }
}

#[test]
fn a_brotli_window_is_bounded_before_memory_is_taken() {
    // The first bytes for 16, 17, 10, 22, 24 bits, and for a large window.
    let table = [
        (0x00, 16),
        (0x01, 17),
        (0x21, 10),
        (0x0b, 22),
        (0x0f, 24),
        (0x11, 255),
    ];
    for (first, bits) in table {
        assert_eq!(window_bits(&[first]), bits, "{first:#x}");
    }
    for first in [0x0d, 0x0f, 0x11] {
        let outcome = decoded(&[Coding::Brotli], &[first, 0, 0]);
        assert_eq!(outcome, Err(Undecoded::TooLarge));
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let _ = decoded(&[coding], &body);
            let _ = decoded(&[coding, coding], &body);
        }
    }

    #[test]
    fn a_turned_bit_never_panics(at in 0..200_usize, bit in 0..8_u32) {
        for (coding, mut body) in [
            (Coding::Gzip, gzipped(TEXT)),
            (Coding::Deflate, zlibbed(TEXT)),
            (Coding::Brotli, BROTLI.to_vec()),
        ] {
            let at = at % body.len();
            body[at] ^= 1_u8 << bit;
            let _ = decoded(&[coding], &body);
        }
    }
}

//! Frames of HTTP/2 by hand, well-formed or not.

/// The preface of a client, with this initial window for its streams in its SETTINGS.
pub(crate) fn preface(window: u32) -> Vec<u8> {
    let setting = [&[0, 4], &window.to_be_bytes()[..]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    [preface, frame(SETTINGS, 0, 0, &setting)].concat()
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
/// One that nobody knows, and everybody has to pass over.
pub(crate) const UNKNOWN: u8 = 0xee;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A header block: a method and a path for `localhost`, then these fields.
pub(crate) fn block(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    // Index 7 of the static table: `:scheme: https`.
    let mut block = vec![0x87];
    // Names by their index, values as they are: `:method`, `:authority`, `:path`.
    for (name, value) in [(2, method), (1, "localhost"), (4, path)] {
        block.push(name);
        put(&mut block, value);
    }
    for (name, value) in fields {
        block.push(0);
        put(&mut block, name);
        put(&mut block, value);
    }
    block
}

/// `via` without a value: one byte, and as many in a list of headers as 35 of text.
pub(crate) const TINY_FIELD: u8 = 0x80 | 60;

fn put(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length > 127 {
            block.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend_from_slice(text.as_bytes());
}

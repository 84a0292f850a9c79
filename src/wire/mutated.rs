//! Real bodies, damaged: what the tests of hostile input share.

use proptest::prelude::*;

/// One of `bodies` with bytes changed, removed or cut off, in up to five places.
pub(super) fn mutated(bodies: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 0..6);
    (prop::sample::select(bodies), edits).prop_map(|(body, edits)| {
        let mut body = body.to_vec();
        for (index, edit, byte) in edits {
            if body.is_empty() {
                break;
            }
            let at = index.index(body.len());
            match edit {
                0 => body[at] = byte,
                1 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        body
    })
}

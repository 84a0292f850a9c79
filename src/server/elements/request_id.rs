//! The id of a request, by which its refusal is found in the log: 24 lower-case hexadecimal digits.
//!
//! As the platform's are: an ObjectId of BSON (its specification, "ObjectID"), 4 bytes of seconds since
//! 1970, 5 random bytes of the process, 3 bytes that count.

use crate::clock::Clock;
use crate::wire::admin_secrets::hex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes ids, none of them twice.
pub(super) struct RequestIds {
    clock: Arc<dyn Clock>,
    seed: [u8; 5],
    count: AtomicU32,
}

impl RequestIds {
    pub(super) fn new(clock: Arc<dyn Clock>, seed: [u8; 5]) -> Self {
        let count = AtomicU32::default();
        Self { clock, seed, count }
    }

    pub(super) fn next(&self) -> String {
        let [.., s3, s2, s1, s0] = self.clock.now().as_seconds().to_be_bytes();
        let [_, c2, c1, c0] = self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let [a, b, c, d, e] = self.seed;
        hex(&[s3, s2, s1, s0, a, b, c, d, e, c2, c1, c0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Manual;
    use crate::model::Timestamp;

    #[test]
    fn ids_are_the_platforms_in_form_and_all_different() {
        let now = Timestamp::from_ms(0x5966_4ce6_i64 * 1000);
        let ids = RequestIds::new(Arc::new(Manual::new(now)), [0xe4, 0xb0, 0xbb, 0xce, 0x0a]);
        assert_eq!(ids.next(), "59664ce6e4b0bbce0a000000");
        assert_eq!(ids.next(), "59664ce6e4b0bbce0a000001");
    }
}

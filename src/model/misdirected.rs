//! Signed posts to a path that is not configured: the address at Intuit or the configuration is wrong,
//! and what is posted there is lost.

use super::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one verifier's posts did, since one of them arrived where it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misdirected {
    /// The verifier whose token signed them.
    pub verifier: String,
    /// Where the last one went, printable.
    pub path: String,
    /// How many there were.
    pub count: u64,
    /// When the first one came.
    pub since: Timestamp,
}

/// All of them, by verifier; of bounded size, because only who has a verifier's token can add to it.
#[derive(Default, Debug)]
pub struct MisdirectedPosts {
    by_verifier: Mutex<BTreeMap<String, Misdirected>>,
    /// Whether there are any: a look at this is all that they cost a delivery that arrives.
    any: AtomicBool,
}

impl MisdirectedPosts {
    /// One more.
    pub fn note(&self, verifier: &str, path: String, at: Timestamp) {
        let mut all = self.all();
        let posts = all
            .entry(verifier.to_owned())
            .or_insert_with(|| Misdirected {
                verifier: verifier.to_owned(),
                path: String::new(),
                count: 0,
                since: at,
            });
        posts.count += 1;
        posts.path = path;
        self.any.store(true, Ordering::Relaxed);
    }

    /// A post of this verifier arrived where it should: what was said of it before is over.
    pub fn arrived(&self, verifier: &str) {
        if self.any.load(Ordering::Relaxed) {
            let mut all = self.all();
            all.remove(verifier);
            self.any.store(!all.is_empty(), Ordering::Relaxed);
        }
    }

    /// What there is to say.
    pub fn snapshot(&self) -> Vec<Misdirected> {
        match self.any.load(Ordering::Relaxed) {
            true => self.all().values().cloned().collect(),
            false => Vec::new(),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Misdirected>> {
        // The map is whole between any two statements.
        self.by_verifier
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_ends_what_was_said_of_the_same_verifier() {
        let posts = MisdirectedPosts::default();
        let at = Timestamp::from_ms;
        assert_eq!(posts.snapshot(), []);
        posts.note("a", "/x".into(), at(1));
        posts.note("a", "/y".into(), at(2));
        posts.note("b", "/z".into(), at(3));
        let expected = |verifier: &str, path: &str, count, since| Misdirected {
            verifier: verifier.into(),
            path: path.into(),
            count,
            since: at(since),
        };
        let b = expected("b", "/z", 1, 3);
        assert_eq!(posts.snapshot(), [expected("a", "/y", 2, 1), b.clone()]);
        posts.arrived("a");
        posts.arrived("c");
        assert_eq!(posts.snapshot(), [b]);
        posts.arrived("b");
        assert_eq!(posts.snapshot(), []);
    }
}

//! Names of things: companies, sinks, journal numbers, event identities.

use std::fmt;

/// A QuickBooks company, as Intuit names it (`realmId`, `intuitaccountid`): an opaque string,
/// in practice 6 to 19 decimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RealmId(String);

/// The name of a configured sink: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SinkName(String);

/// A record within a company: its kind as Intuit spells it (`Invoice`) and its id, which is opaque
/// (leading zeros are significant).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EntityRef {
    /// Kind of record, CamelCase where it is known (`SalesReceipt`), verbatim where it is not; digits
    /// where a client of the original listener sent a number that stands for several kinds.
    pub kind: String,
    /// Intuit's id of the record; never a number.
    pub id: String,
}

/// Number of a receipt in the journal, from 1, given by the database in order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Seq(pub i64);

/// Number of a change in the journal, from 1, over all companies, in order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChangeSeq(pub i64);

/// What makes two notifications the same one: 128 bits of SHA-256 over the sender's own identity
/// (CloudEvents: `source` and `id`; legacy: company, name, id, operation and `lastUpdated`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub [u8; 16]);

/// The id under which a change leaves the relay: 32 hexadecimal digits, the same over retries and
/// replays.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChangeId(pub String);

impl RealmId {
    /// Bytes that an id may have at most.
    pub const BYTES_MAX: usize = 64;

    /// An id from text; `None` when it is empty, longer than [`Self::BYTES_MAX`] bytes, or has
    /// control characters.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        (fits && !text.chars().any(char::is_control)).then_some(Self(text))
    }

    /// The id as Intuit wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SinkName {
    /// A name from text; `None` when a character or the length is not allowed.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let fits = (1..=64).contains(&text.len());
        (fits && text.chars().all(allowed)).then_some(Self(text))
    }

    /// The name as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Identity {
    /// 32 hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for RealmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChangeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! What Change Data Capture and Query answer.
//!
//! Capture's answer has one block for each kind that was asked for, `{}` where nothing changed; a
//! block is known by its one key that is not reserved. A fault can stand in place of everything, of
//! the blocks, or of one block beside good ones. Not a record is lost for a neighbour that cannot be
//! read: that one is skipped and named, so that it can be said.

use super::fault::Fault;
use super::plain::plain;
use super::record;
use crate::model::{Record, Timestamp};
use crate::wire::incoming::field;
use crate::wire::json::{self, Key};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Objects that one answer of Capture holds at most, of all kinds together.
const OBJECTS_MAX: usize = 1000;

/// Blocks and records that are looked at; an answer of either kind has 1000 at most.
const ELEMENTS_MAX: usize = 10_000;

/// Keys of a block that are no kind.
const RESERVED: [&str; 4] = ["startPosition", "maxResults", "totalCount", "Fault"];

/// What Capture answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaptureAnswer {
    /// The records in order of `LastUpdatedTime`.
    pub records: Vec<Record>,
    /// When, by QuickBooks's clock.
    pub at: Option<Timestamp>,
    /// Whether there are as many objects as fit, so that some may be missing.
    pub saturated: bool,
    /// Kinds of which nothing, or not all, can be said.
    pub failed: Vec<(String, Trouble)>,
    /// Records that cannot be read.
    pub skipped: Vec<Skipped>,
}

/// What a query answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryAnswer {
    /// The records in the order of the answer.
    pub records: Vec<Record>,
    /// When, by QuickBooks's clock.
    pub at: Option<Timestamp>,
    /// Records that cannot be read.
    pub skipped: Vec<Skipped>,
}

/// A record that cannot be read: it has no id, or no ordinary parser would take its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Skipped {
    /// The kind as the API spells it.
    pub kind: String,
    /// `Id`, as far as that can be read.
    pub id: Option<String>,
    /// `MetaData.LastUpdatedTime`, as far as that can be read.
    pub updated: Option<String>,
    /// What is wrong with it, without its content.
    pub why: String,
}

/// Why an answer, or a part of one, says nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It is a fault, or says so.
    Fault(Fault),
    /// QuickBooks never gives such an answer, so something else did, or only a part has come; in
    /// words.
    Foreign(String),
    /// It has another form than the documented ones; in words, without its content.
    NotUnderstood(String),
}

/// Reads Capture's answer to a question for these kinds.
///
/// # Errors
/// When nothing can be said of any kind.
pub fn read_capture(body: &[u8], kinds: &[&str]) -> Result<CaptureAnswer, Trouble> {
    let text = text(body);
    let [fault, answers, time] = envelope(&text, ["fault", "cdcresponse", "time"])?;
    if let Some(fault) = Fault::of_value(fault) {
        return Err(Trouble::Fault(fault));
    }
    if answers.is_none() {
        return Err(Trouble::Foreign("CDCResponse is missing".into()));
    }
    let mut reading = Reading::new(kinds);
    for answer in array(answers, "CDCResponse")? {
        let keys = ["fault", "queryresponse"].map(Key::AnyCase);
        let [fault, blocks] = json::fields(answer.get(), keys).map_err(Trouble::NotUnderstood)?;
        reading.overall = reading.overall.or(Fault::of_value(fault));
        if blocks.is_some_and(|blocks| blocks.get() != "null") {
            for block in array(blocks, "QueryResponse")? {
                reading.add_block(block);
            }
        }
    }
    match reading.overall {
        Some(fault) if reading.records.is_empty() => Err(Trouble::Fault(fault)),
        _ => Ok(reading.close(record::read_time(time))),
    }
}

/// Reads the answer to a query for records of this kind.
///
/// # Errors
/// When the answer is a fault, or is no answer to such a question.
pub fn read_query(body: &[u8], kind: &str) -> Result<QueryAnswer, Trouble> {
    let text = text(body);
    let [fault, answer, time] = envelope(&text, ["fault", "queryresponse", "time"])?;
    let block = answer.map_or("null", RawValue::get);
    let fault = match block {
        "null" => Fault::of_value(fault),
        block => Fault::of_value(fault).or_else(|| {
            let [fault] = json::fields(block, [Key::AnyCase("fault")]).ok()?;
            Fault::of_value(fault)
        }),
    };
    if let Some(fault) = fault {
        return Err(Trouble::Fault(fault));
    }
    if answer.is_none() {
        return Err(Trouble::Foreign("QueryResponse is missing".into()));
    }
    let (mut records, mut skipped) = (Vec::new(), Vec::new());
    for (name, objects) in kinds_of(block)? {
        if !name.eq_ignore_ascii_case(kind) {
            let why = format!("QueryResponse holds something else than {kind}");
            return Err(Trouble::NotUnderstood(why));
        }
        for object in objects {
            match record::read(kind, object.get()) {
                Ok(record) => records.push(record),
                Err(why) => skipped.push(Skipped::new(kind, object.get(), why)),
            }
        }
    }
    Ok(QueryAnswer {
        records,
        at: record::read_time(time),
        skipped,
    })
}

/// Reads the answer to the question for a company's own information: what the company calls itself,
/// empty where it does not say.
///
/// # Errors
/// When the answer is a fault, or not the information of a company.
pub fn read_company_info(body: &[u8]) -> Result<String, Trouble> {
    let text = text(body);
    let [fault, info] = envelope(&text, ["fault", "companyinfo"])?;
    if let Some(fault) = Fault::of_value(fault) {
        return Err(Trouble::Fault(fault));
    }
    let missing = || Trouble::Foreign("CompanyInfo is missing".into());
    let info = info.map(RawValue::get).ok_or_else(missing)?;
    let [name] = json::fields(info, [Key::AnyCase("companyname")]).map_err(|_| missing())?;
    let name = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
    Ok(plain(&name.unwrap_or_default()))
}

/// The blocks of an answer, as far as they have been read.
struct Reading<'k> {
    kinds: &'k [&'k str],
    /// What each block was, in order.
    blocks: Vec<Block>,
    records: Vec<Record>,
    objects: usize,
    overall: Option<Fault>,
    failed: Vec<(String, Trouble)>,
    skipped: Vec<Skipped>,
}

enum Block {
    /// Its kind's place among those asked for; `None` for one that nobody asked for.
    Of(Option<usize>),
    Empty,
    Faulty(Trouble),
}

impl Skipped {
    fn new(kind: &str, text: &str, why: String) -> Self {
        let keys = ["Id", "MetaData"].map(Key::Exact);
        let [id, meta] = json::fields(text, keys).unwrap_or_default();
        let keys = [Key::Exact("LastUpdatedTime")];
        let [updated] = json::fields(meta.map_or("", RawValue::get), keys).unwrap_or_default();
        Self {
            kind: kind.to_owned(),
            id: field::id(id, "Id").ok(),
            updated: field::id(updated, "LastUpdatedTime").ok(),
            why,
        }
    }
}

impl<'k> Reading<'k> {
    fn new(kinds: &'k [&'k str]) -> Self {
        Self {
            kinds,
            blocks: Vec::new(),
            records: Vec::new(),
            objects: 0,
            overall: None,
            failed: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn add_block(&mut self, block: &RawValue) {
        let parts = json::fields(block.get(), [Key::AnyCase("fault")]);
        let parts = parts.map_err(Trouble::NotUnderstood);
        let parts = parts.and_then(|[fault]| Ok((Fault::of_value(fault), kinds_of(block.get())?)));
        let (fault, kinds) = match parts {
            Ok(parts) => parts,
            Err(trouble) => {
                self.blocks.push(Block::Faulty(trouble));
                return;
            }
        };
        let fault = fault.map(Trouble::Fault);
        let mut named = Vec::new();
        for (name, objects) in kinds {
            let wanted = self.place(&name);
            let kind = wanted.and_then(|place| self.kinds.get(place)).copied();
            self.add_records(kind.unwrap_or(&name), &objects);
            if let (Some(fault), Some(kind)) = (&fault, kind) {
                self.failed.push((kind.to_owned(), fault.clone()));
            }
            named.push(Block::Of(wanted));
        }
        match fault {
            _ if !named.is_empty() => self.blocks.append(&mut named),
            Some(fault) => self.blocks.push(Block::Faulty(fault)),
            None => self.blocks.push(Block::Empty),
        }
    }

    fn add_records(&mut self, kind: &str, objects: &[&RawValue]) {
        self.objects += objects.len();
        for object in objects {
            match record::read(kind, object.get()) {
                Ok(record) => self.records.push(record),
                Err(why) => self.skipped.push(Skipped::new(kind, object.get(), why)),
            }
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        let mut kinds = self.kinds.iter();
        kinds.position(|kind| kind.eq_ignore_ascii_case(name))
    }

    fn close(mut self, at: Option<Timestamp>) -> CaptureAnswer {
        for (place, kind) in self.kinds.iter().enumerate() {
            if let Some(doubt) = self.doubt(place, kind) {
                self.failed.push(((*kind).to_owned(), doubt));
            }
        }
        self.records.sort_by_key(|record| record.updated.at);
        CaptureAnswer {
            records: self.records,
            at,
            saturated: self.objects >= OBJECTS_MAX,
            failed: self.failed,
            skipped: self.skipped,
        }
    }

    /// Why nothing can be said of a kind that has no block with its name. Which kind a nameless
    /// block stands for is told by its place, where the named ones agree with theirs; where they do
    /// not, every kind without a name is in doubt as soon as one block is missing or a fault.
    fn doubt(&self, place: usize, kind: &str) -> Option<Trouble> {
        if self.is_named(place) {
            return None;
        }
        let overall = self.overall.clone().map(Trouble::Fault);
        let first_fault = self.blocks.iter().find_map(Block::fault);
        let fault = match (self.blocks.get(place), &overall) {
            (_, Some(overall)) => Some(overall),
            (Some(Block::Faulty(fault)), _) if self.is_in_order() => Some(fault),
            (Some(Block::Empty), _) if self.is_in_order() => return None,
            _ if first_fault.is_none() && self.has_a_block_for_each() => return None,
            _ => first_fault,
        };
        Some(fault.cloned().unwrap_or_else(|| {
            Trouble::NotUnderstood(format!("CDCResponse has no block for {kind}"))
        }))
    }

    fn is_named(&self, place: usize) -> bool {
        let names = |block: &Block| matches!(block, Block::Of(of) if *of == Some(place));
        self.blocks.iter().any(names)
    }

    fn is_in_order(&self) -> bool {
        let fits = |(place, block): (usize, &Block)| match block {
            Block::Of(of) => *of == Some(place),
            Block::Empty | Block::Faulty(_) => true,
        };
        self.blocks.len() == self.kinds.len() && self.blocks.iter().enumerate().all(fits)
    }

    fn has_a_block_for_each(&self) -> bool {
        let nameless = |block: &&Block| !matches!(block, Block::Of(_));
        let unnamed = (0..self.kinds.len()).filter(|place| !self.is_named(*place));
        self.blocks.iter().filter(nameless).count() >= unnamed.count()
    }
}

impl Block {
    fn fault(&self) -> Option<&Trouble> {
        match self {
            Self::Faulty(fault) => Some(fault),
            Self::Of(_) | Self::Empty => None,
        }
    }
}

/// The text of an answer. Bytes that are no text become half a surrogate pair, so that they spoil the
/// record in which they stand and no other.
fn text(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return text.into();
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push_str("\\ud800");
        }
    }
    text.into()
}

/// The values of an answer's outermost keys, in upper or lower case.
fn envelope<'a, const N: usize>(
    text: &'a str,
    keys: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], Trouble> {
    let text = text.trim_ascii();
    match text.as_bytes().first() {
        Some(b'<') => {
            let fault = Fault::read(text.as_bytes()).map(Trouble::Fault);
            let page = || Trouble::Foreign("a page, as of a proxy or firewall".into());
            Err(fault.unwrap_or_else(page))
        }
        None => Err(Trouble::Foreign("nothing".into())),
        Some(_) => json::fields(text, keys.map(Key::AnyCase)).map_err(Trouble::Foreign),
    }
}

/// What stands in a block under keys that are not reserved: kinds and their objects.
fn kinds_of(block: &str) -> Result<Vec<(String, Vec<&RawValue>)>, Trouble> {
    if !block.starts_with('{') {
        let why = "QueryResponse: expected an object";
        return Err(Trouble::NotUnderstood(why.into()));
    }
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(block)
        .map_err(|error| Trouble::NotUnderstood(json::complaint(&error)))?;
    let is_kind = |(name, value): &(String, &RawValue)| {
        let reserved = RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name));
        !reserved && value.get().starts_with('[')
    };
    let entries = entries.into_iter().filter(is_kind);
    entries
        .map(|(name, value)| Ok((name, array(Some(value), "a kind")?)))
        .collect()
}

fn array<'a>(value: Option<&'a RawValue>, name: &str) -> Result<Vec<&'a RawValue>, Trouble> {
    let text = value.map_or("", RawValue::get);
    if !text.starts_with('[') {
        let why = format!("{name}: expected an array");
        return Err(Trouble::NotUnderstood(why));
    }
    let elements = json::elements(text, ELEMENTS_MAX);
    if elements.left > 0 || elements.broken.is_some() {
        let why = format!("{name}: more than {ELEMENTS_MAX} elements");
        return Err(Trouble::NotUnderstood(why));
    }
    Ok(elements.kept)
}

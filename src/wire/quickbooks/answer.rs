//! What Change Data Capture and Query answer.
//!
//! Capture's answer has one block for each kind that was asked for, `{}` where nothing changed; a
//! block is known by its one key that is not reserved. A fault can stand in place of everything, of
//! the blocks, or of one block beside good ones. Not a record is lost for a neighbour that cannot be
//! read: its kind is reported as failed, so that nobody takes it for read.

use super::fault::Fault;
use super::plain::plain;
use super::record;
use crate::model::{Record, Timestamp};
use crate::wire::json::{self, Key};
use serde_json::value::RawValue;
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
}

/// What a query answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryAnswer {
    /// The records in the order of the answer.
    pub records: Vec<Record>,
    /// When, by QuickBooks's clock.
    pub at: Option<Timestamp>,
}

/// Why an answer, or a part of one, says nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It is a fault.
    Fault(Fault),
    /// It has another form than the documented ones; in words, without its content.
    NotUnderstood(String),
}

/// Reads Capture's answer to a question for these kinds.
///
/// # Errors
/// When nothing can be said of any kind.
pub fn read_capture(body: &[u8], kinds: &[&str]) -> Result<CaptureAnswer, Trouble> {
    let [fault, answers, time] = envelope(body, ["fault", "cdcresponse", "time"])?;
    if let Some(fault) = Fault::of_value(fault) {
        return Err(Trouble::Fault(fault));
    }
    let mut reading = Reading::new(kinds);
    for answer in array(answers, "CDCResponse")? {
        let keys = ["fault", "queryresponse"].map(Key::AnyCase);
        let [fault, blocks] = json::fields(answer.get(), keys).map_err(Trouble::NotUnderstood)?;
        reading.overall = reading.overall.or(Fault::of_value(fault));
        if blocks.is_some_and(|blocks| blocks.get() != "null") {
            for block in array(blocks, "QueryResponse")? {
                reading.add_block(block)?;
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
/// When the answer is a fault, or any of it cannot be read.
pub fn read_query(body: &[u8], kind: &str) -> Result<QueryAnswer, Trouble> {
    let [fault, block, time] = envelope(body, ["fault", "queryresponse", "time"])?;
    let block = block.map_or("null", RawValue::get);
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
    let mut records = Vec::new();
    for (name, objects) in kinds_of(block)? {
        if !name.eq_ignore_ascii_case(kind) {
            let why = format!("QueryResponse holds something else than {kind}");
            return Err(Trouble::NotUnderstood(why));
        }
        for (at, object) in objects.iter().enumerate() {
            let record = record::read(kind, object.get());
            records.push(record.map_err(|why| unreadable(kind, at, &why))?);
        }
    }
    let at = record::read_time(time);
    Ok(QueryAnswer { records, at })
}

/// Reads the answer to the question for a company's own information: what the company calls itself,
/// empty where it does not say.
///
/// # Errors
/// When the answer is a fault, or not the information of a company.
pub fn read_company_info(body: &[u8]) -> Result<String, Trouble> {
    let [fault, info] = envelope(body, ["fault", "companyinfo"])?;
    if let Some(fault) = Fault::of_value(fault) {
        return Err(Trouble::Fault(fault));
    }
    let missing = || Trouble::NotUnderstood("CompanyInfo: expected an object".into());
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
}

enum Block {
    /// Its kind's place among those asked for; `None` for one that nobody asked for.
    Of(Option<usize>),
    Empty,
    Faulty(Fault),
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
        }
    }

    fn add_block(&mut self, block: &RawValue) -> Result<(), Trouble> {
        let [fault] =
            json::fields(block.get(), [Key::AnyCase("fault")]).map_err(Trouble::NotUnderstood)?;
        let fault = Fault::of_value(fault);
        let mut named = Vec::new();
        for (name, objects) in kinds_of(block.get())? {
            let wanted = self.place(&name);
            let kind = wanted.and_then(|place| self.kinds.get(place)).copied();
            self.add_records(kind.unwrap_or(&name), &objects);
            if let (Some(fault), Some(kind)) = (&fault, kind) {
                self.failed
                    .push((kind.to_owned(), Trouble::Fault(fault.clone())));
            }
            named.push(Block::Of(wanted));
        }
        match fault {
            _ if !named.is_empty() => self.blocks.append(&mut named),
            Some(fault) => self.blocks.push(Block::Faulty(fault)),
            None => self.blocks.push(Block::Empty),
        }
        Ok(())
    }

    fn add_records(&mut self, kind: &str, objects: &[&RawValue]) {
        self.objects += objects.len();
        let mut trouble = None;
        for (at, object) in objects.iter().enumerate() {
            match record::read(kind, object.get()) {
                Ok(record) => self.records.push(record),
                Err(why) => {
                    trouble.get_or_insert_with(|| unreadable(kind, at, &why));
                }
            }
        }
        self.failed
            .extend(trouble.map(|trouble| (kind.to_owned(), trouble)));
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
        }
    }

    /// Why nothing can be said of a kind that has no block with its name. Which kind a nameless
    /// block stands for is told by its place, where the named ones agree with theirs; where they do
    /// not, every kind without a name is in doubt as soon as one block is missing or a fault.
    fn doubt(&self, place: usize, kind: &str) -> Option<Trouble> {
        if self.is_named(place) {
            return None;
        }
        let first_fault = self.blocks.iter().find_map(Block::fault);
        let fault = match (self.blocks.get(place), &self.overall) {
            (_, Some(overall)) => Some(overall),
            (Some(Block::Faulty(fault)), _) if self.is_in_order() => Some(fault),
            (Some(Block::Empty), _) if self.is_in_order() => return None,
            _ if first_fault.is_none() && self.has_a_block_for_each() => return None,
            _ => first_fault,
        };
        Some(match fault {
            Some(fault) => Trouble::Fault(fault.clone()),
            None => Trouble::NotUnderstood(format!("CDCResponse has no block for {kind}")),
        })
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
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Faulty(fault) => Some(fault),
            Self::Of(_) | Self::Empty => None,
        }
    }
}

/// The values of an answer's outermost keys, in upper or lower case.
fn envelope<'a, const N: usize>(
    body: &'a [u8],
    keys: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], Trouble> {
    let not_understood = |why: &str| Trouble::NotUnderstood(why.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| not_understood("not UTF-8"))?;
    let text = text.trim_ascii();
    if text.starts_with('<') {
        let fault = Fault::read(body).map(Trouble::Fault);
        return Err(fault.unwrap_or_else(|| not_understood("XML or HTML instead of JSON")));
    }
    json::fields(text, keys.map(Key::AnyCase)).map_err(Trouble::NotUnderstood)
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

fn unreadable(kind: &str, at: usize, why: &str) -> Trouble {
    Trouble::NotUnderstood(format!("{kind}[{at}]: {why}"))
}

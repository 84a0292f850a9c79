//! The query language, as far as it is documented: one kind, conditions joined by AND, an order, a
//! page. Read here, answered in `select`.
//!
//! Source: Intuit's page on data queries. Promises: what the page excludes (OR, joins, grouping) and
//! what clients get wrong (positions from 0, pages over 1000) is refused as QuickBooks refuses it.

use super::answer::Complaint;

/// Records of a page when none is asked for, and the most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// What is wanted of each record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    All,
    Count,
    Fields(Vec<String>),
}

/// A query that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    pub(super) wanted: Wanted,
    pub(super) kind: String,
    pub(super) conditions: Vec<Condition>,
    /// Field, and whether it descends.
    pub(super) order: Vec<(String, bool)>,
    /// From 1.
    pub(super) start: usize,
    pub(super) max: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) test: Test,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Test {
    Equal(String),
    Less(String),
    LessOrEqual(String),
    Greater(String),
    GreaterOrEqual(String),
    Like(String),
    In(Vec<String>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Query, Complaint> {
    let tokens = tokens(text)?;
    Reader { tokens: &tokens }.query()
}

fn unreadable(what: &str) -> Complaint {
    let detail = format!("QueryParserError: {what}");
    Complaint::invalid("4000", "Error parsing query", detail)
}

/// A query that can be read and makes no sense.
pub(super) fn invalid(what: &str) -> Complaint {
    let detail = format!("QueryValidationError: {what}");
    Complaint::invalid("4001", "Invalid query", detail)
}

const SIGNS: [&str; 9] = ["<=", ">=", "!=", "<", ">", "=", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token>, Complaint> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
        if first == '\'' {
            let (literal, after) = literal(rest.get(1..).unwrap_or_default())?;
            tokens.push(Token::Text(literal));
            rest = after;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest.get(sign.len()..).unwrap_or_default();
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else {
            let what = format!("Invalid content. Lexical error. Encountered: \"{first}\"");
            return Err(unreadable(&what));
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// The text up to the closing quote, and what follows; `\'` stands for a quote.
fn literal(rest: &str) -> Result<(String, &str), Complaint> {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((text, rest.get(at + 1..).unwrap_or_default())),
            '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => text.push(c),
        }
    }
    Err(unreadable("Encountered \"<EOF>\" within a literal"))
}

struct Reader<'a> {
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn query(&mut self) -> Result<Query, Complaint> {
        self.expect("select")?;
        let wanted = self.wanted()?;
        self.expect("from")?;
        let mut query = Query {
            wanted,
            kind: self.word()?,
            conditions: Vec::new(),
            order: Vec::new(),
            start: 1,
            max: PAGE,
        };
        if self.takes("where") {
            query.conditions.push(self.condition()?);
            while self.takes("and") {
                query.conditions.push(self.condition()?);
            }
        }
        while !self.tokens.is_empty() {
            if self.takes("orderby") || (self.takes("order") && self.takes("by")) {
                query.order.push(self.ordering()?);
                while self.takes_sign(",") {
                    query.order.push(self.ordering()?);
                }
            } else if self.takes("startposition") {
                query.start = self.number(usize::MAX)?;
            } else if self.takes("maxresults") {
                query.max = self.number(PAGE_MAX)?;
            } else {
                return Err(self.surprise());
            }
        }
        Ok(query)
    }

    fn wanted(&mut self) -> Result<Wanted, Complaint> {
        if self.takes("*") {
            return Ok(Wanted::All);
        }
        if self.takes("count") {
            let whole = self.takes_sign("(") && self.takes("*") && self.takes_sign(")");
            return if whole {
                Ok(Wanted::Count)
            } else {
                Err(self.surprise())
            };
        }
        let mut fields = vec![self.word()?];
        while self.takes_sign(",") {
            fields.push(self.word()?);
        }
        Ok(Wanted::Fields(fields))
    }

    fn condition(&mut self) -> Result<Condition, Complaint> {
        let field = self.word()?;
        let test = if self.takes("in") {
            if !self.takes_sign("(") {
                return Err(self.surprise());
            }
            let mut values = vec![self.value()?];
            while self.takes_sign(",") {
                values.push(self.value()?);
            }
            if !self.takes_sign(")") {
                return Err(self.surprise());
            }
            Test::In(values)
        } else if self.takes("like") {
            Test::Like(self.value()?)
        } else if self.takes_sign("=") {
            Test::Equal(self.value()?)
        } else if self.takes_sign("<=") {
            Test::LessOrEqual(self.value()?)
        } else if self.takes_sign(">=") {
            Test::GreaterOrEqual(self.value()?)
        } else if self.takes_sign("<") {
            Test::Less(self.value()?)
        } else if self.takes_sign(">") {
            Test::Greater(self.value()?)
        } else {
            return Err(self.surprise());
        };
        Ok(Condition { field, test })
    }

    fn ordering(&mut self) -> Result<(String, bool), Complaint> {
        let field = self.word()?;
        let descends = self.takes("desc");
        if !descends {
            self.takes("asc");
        }
        Ok((field, descends))
    }

    /// A quoted literal, or one of the words and numbers that need no quotes.
    fn value(&mut self) -> Result<String, Complaint> {
        match self.tokens.split_first() {
            Some((Token::Text(text) | Token::Word(text), rest)) => {
                self.tokens = rest;
                Ok(text.clone())
            }
            _ => Err(self.surprise()),
        }
    }

    fn word(&mut self) -> Result<String, Complaint> {
        match self.tokens.split_first() {
            Some((Token::Word(word), rest)) => {
                self.tokens = rest;
                Ok(word.clone())
            }
            _ => Err(self.surprise()),
        }
    }

    fn number(&mut self, max: usize) -> Result<usize, Complaint> {
        let word = self.word()?;
        match word.parse::<usize>() {
            Ok(0) => Err(invalid("value 0 is too small. Min allowed value is 1")),
            Ok(number) if number > max => Err(invalid(&format!(
                "value {number} is too large. Max allowed value is {max}"
            ))),
            Ok(number) => Ok(number),
            Err(_) => Err(unreadable(&format!("Encountered \"{word}\""))),
        }
    }

    fn expect(&mut self, keyword: &str) -> Result<(), Complaint> {
        if self.takes(keyword) {
            Ok(())
        } else {
            Err(self.surprise())
        }
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let found = match self.tokens.first() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(keyword),
            _ => false,
        };
        self.advance_if(found)
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Sign(found)) if *found == sign);
        self.advance_if(found)
    }

    fn advance_if(&mut self, found: bool) -> bool {
        if found {
            self.tokens = self.tokens.get(1..).unwrap_or_default();
        }
        found
    }

    fn surprise(&self) -> Complaint {
        let seen = match self.tokens.first() {
            None => "<EOF>",
            Some(Token::Word(text) | Token::Text(text)) => text,
            Some(Token::Sign(sign)) => sign,
        };
        unreadable(&format!("Encountered \"{seen}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_is_read() {
        let query = parse(
            "SELECT * FROM TimeActivity WHERE MetaData.LastUpdatedTime >= '2026-01-01T00:00:00Z' \
             ORDERBY MetaData.LastUpdatedTime STARTPOSITION 101 MAXRESULTS 1000",
        );
        assert_eq!(
            query.unwrap(),
            Query {
                wanted: Wanted::All,
                kind: "TimeActivity".into(),
                conditions: vec![Condition {
                    field: "MetaData.LastUpdatedTime".into(),
                    test: Test::GreaterOrEqual("2026-01-01T00:00:00Z".into()),
                }],
                order: vec![("MetaData.LastUpdatedTime".into(), false)],
                start: 101,
                max: 1_000,
            }
        );
        let query = parse(
            "select count(*) from Customer where Id IN ('5', '6') AND Active IN ( true, false ) \
             and DisplayName like 'O\\'Brien%' MAXRESULTS 2 STARTPOSITION 3",
        );
        let query = query.unwrap();
        assert_eq!(query.wanted, Wanted::Count);
        assert_eq!((query.start, query.max), (3, 2));
        let tests: Vec<Test> = query.conditions.into_iter().map(|one| one.test).collect();
        let texts = |values: [&str; 2]| Test::In(values.map(str::to_owned).into());
        assert_eq!(
            tests,
            [
                texts(["5", "6"]),
                texts(["true", "false"]),
                Test::Like("O'Brien%".into())
            ]
        );
        let query = parse("select Id, SyncToken from Bill order by Id desc, TxnDate asc").unwrap();
        assert_eq!(
            query.wanted,
            Wanted::Fields(vec!["Id".into(), "SyncToken".into()])
        );
        assert_eq!(
            query.order,
            [("Id".into(), true), ("TxnDate".into(), false)]
        );
        assert_eq!((query.start, query.max), (1, 100));
    }

    #[test]
    fn what_quickbooks_refuses_is_refused() {
        let table = [
            ("", "4000", "QueryParserError: Encountered \"<EOF>\""),
            (
                "select * from",
                "4000",
                "QueryParserError: Encountered \"<EOF>\"",
            ),
            (
                "select * from A where Id = '1' or Id = '2'",
                "4000",
                "QueryParserError: Encountered \"or\"",
            ),
            (
                "select * from A group by B",
                "4000",
                "QueryParserError: Encountered \"group\"",
            ),
            (
                "select * from A where B = 'c",
                "4000",
                "QueryParserError: Encountered \"<EOF>\" within a literal",
            ),
            (
                "select * from A where B %3D 1",
                "4000",
                "QueryParserError: Invalid content. Lexical error. Encountered: \"%\"",
            ),
            (
                "select * from A startposition 0",
                "4001",
                "QueryValidationError: value 0 is too small. Min allowed value is 1",
            ),
            (
                "select * from A maxresults 1001",
                "4001",
                "QueryValidationError: value 1001 is too large. Max allowed value is 1000",
            ),
        ];
        for (text, code, detail) in table {
            let complaint = parse(text).unwrap_err();
            assert_eq!(
                (complaint.code, complaint.detail.as_str()),
                (code, detail),
                "{text}"
            );
        }
    }
}

//! What a `[[source]]` may do: which companies it may speak of, and how much.

use super::file::{Companies, Source};
use super::reader::Reader;
use crate::model::{RealmId, SourceScope};

pub(super) fn scope(table: &Source, reader: &mut Reader<'_>) -> SourceScope {
    let mut scope = SourceScope::default();
    match table.companies.as_ref().map(|given| (given.get_ref(), given.span())) {
        None => {}
        Some((Companies::Word(word), _)) if word == "any" => scope.any = true,
        Some((Companies::Word(word), span)) => reader.error(
            &span,
            format!("companies = \"{word}\" is neither a list such as [\"9341453908059321\"] nor \"any\""),
        ),
        Some((Companies::Listed(listed), span)) => {
            for company in listed {
                match RealmId::new(company.trim_ascii()) {
                    Some(realm) => drop(scope.listed.insert(realm)),
                    None => reader.error(
                        &span,
                        format!(
                            "\"{company}\" is not the id of a company; write its realmId, such as \
                             \"9341453908059321\""
                        ),
                    ),
                }
            }
        }
    }
    if let Some(max) = &table.companies_max {
        let given = u64::from(*max.get_ref());
        if given == 0 {
            reader.error(&max.span(), "companies_max of a [[source]] is at least 1");
        }
        scope.companies_max = given;
    }
    if let Some(rate) = &table.entries_per_minute {
        if *rate.get_ref() == 0 {
            reader.error(&rate.span(), "entries_per_minute is at least 1");
        }
        scope.entries_per_minute = *rate.get_ref();
    }
    if let Some(share) = &table.journal_share {
        if !(1..=50).contains(share.get_ref()) {
            reader.error(
                &share.span(),
                "journal_share is a part of a hundred of [journal] bytes_max, from 1 to 50",
            );
        }
        scope.journal_share = *share.get_ref();
    }
    scope
}

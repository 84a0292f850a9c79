//! Companies in the tables: who may read which, their sealed tokens, and the calls that it cost.
//!
//! The writer's half carries out an [`Order`]; the reader's half tells what a company's task and a
//! person ask for. A token is only ever an opaque value here: sealed by the caller, with a key that
//! is not in this file, and handed out by [`tokens`] alone.

use super::error::Failure;
use super::rows::{number, strange};
use super::touched::Touched;
use super::{Error, events, gaps, realms, watermarks};
use crate::model::{
    AppName, Company, CompanyView, Ends, EntityRef, Environment, EventTime, Notified, Operation,
    RealmId, Standing, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Months of an app's calls that are kept.
const MONTHS: i64 = 24;

/// What is to change.
pub(super) enum Order {
    /// A person connected a company.
    Connect {
        company: Company,
        sealed: Vec<u8>,
        now: Timestamp,
    },
    /// Its tokens were renewed.
    Tokens {
        realm: RealmId,
        sealed: Vec<u8>,
        ends: Ends,
    },
    /// It may be read, or no longer.
    Stand {
        realm: RealmId,
        standing: Standing,
        now: Timestamp,
    },
    /// Calls were made.
    Spend {
        app: AppName,
        month: String,
        calls: u64,
    },
}

/// A company that is in the table.
pub(super) struct Found {
    pub(super) realm: i64,
    pub(super) company: Company,
    pub(super) told_from: Timestamp,
    pub(super) reconciled: i64,
    pub(super) sequence: i64,
    swept_at: Option<Timestamp>,
}

/// Carries out an order.
pub(super) fn carry_out(
    connection: &Connection,
    touched: &mut Touched,
    order: &Order,
) -> Result<(), Failure> {
    match order {
        Order::Connect {
            company,
            sealed,
            now,
        } => Ok(connect(connection, touched, company, sealed, *now)?),
        Order::Tokens {
            realm,
            sealed,
            ends,
        } => store(connection, realm, sealed, ends),
        Order::Stand {
            realm,
            standing,
            now,
        } => stand(connection, touched, realm, standing, *now),
        Order::Spend { app, month, calls } => Ok(spend(connection, app, month, *calls)?),
    }
}

/// The company can be read from now on with these tokens, or as soon as it is approved: that is asked
/// for only where the operator has not had it connected before.
pub(super) fn connect(
    connection: &Connection,
    touched: &mut Touched,
    company: &Company,
    sealed: &[u8],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let before = find(connection, &company.realm)?;
    let realm = realms::enter(connection, &company.realm)?;
    let is_known = before
        .as_ref()
        .is_some_and(|before| match before.company.standing {
            Standing::Connected | Standing::NeedsAuthorization { .. } => true,
            Standing::AwaitsApproval | Standing::Disconnected => false,
        });
    let awaits_approval = company.standing == Standing::AwaitsApproval && !is_known;
    let standing = match awaits_approval {
        true => Standing::AwaitsApproval,
        false => Standing::Connected,
    };
    // What was notified before the first connecting is not reconciled afterwards: it is older than
    // everything that is read.
    connection
        .prepare_cached(
            "INSERT INTO company (realm, app, environment, connected_at, standing, standing_since, \
             told_from, tokens, access_expires_at, refresh_expires_at, hard_expires_at, reconciled) \
             SELECT ?1, ?2, ?3, ?4, ?9, ?4, ?4, ?5, ?6, ?7, ?8, sequence FROM realm \
             WHERE id = ?1 ON CONFLICT (realm) DO UPDATE SET app = excluded.app, \
             environment = excluded.environment, connected_at = excluded.connected_at, \
             standing = excluded.standing, standing_why = NULL, \
             standing_since = iif(excluded.standing = 'connected', excluded.standing_since, \
             standing_since), \
             tokens = excluded.tokens, access_expires_at = excluded.access_expires_at, \
             refresh_expires_at = excluded.refresh_expires_at, \
             hard_expires_at = excluded.hard_expires_at",
        )?
        .execute(params![
            realm,
            company.app.as_str(),
            company.environment.as_str(),
            now.as_ms(),
            sealed,
            company.access_expires_at.map(Timestamp::as_ms),
            company.refresh_expires_at.map(Timestamp::as_ms),
            company.hard_expires_at.map(Timestamp::as_ms),
            words(&standing).0,
        ])?;
    let text = format!(
        "company {} was connected{} to app {} ({}){}",
        company.realm,
        if before.is_some() { " again" } else { "" },
        company.app,
        company.environment.as_str(),
        if awaits_approval {
            "; it waits for approval"
        } else {
            ""
        }
    );
    events::insert(connection, now, "company", &text)?;
    if let Some(before) = before.filter(|_| !awaits_approval) {
        returned(connection, &before, now)?;
    }
    touched.at(now);
    touched.changed(&company.realm, true);
    Ok(())
}

/// A company can be read again: what it missed is a gap of its own.
fn returned(connection: &Connection, before: &Found, now: Timestamp) -> rusqlite::Result<()> {
    let cause = match before.company.standing {
        Standing::Connected => return Ok(()),
        Standing::AwaitsApproval => "unapproved",
        Standing::NeedsAuthorization { .. } => "unauthorized",
        Standing::Disconnected => "disconnected",
    };
    let since = before.company.standing_since;
    gaps::open_for(connection, before.realm, since, cause, now)
}

fn store(
    connection: &Connection,
    realm: &RealmId,
    sealed: &[u8],
    ends: &Ends,
) -> Result<(), Failure> {
    let stored = connection
        .prepare_cached(
            "UPDATE company SET tokens = ?2, access_expires_at = ?3, refresh_expires_at = ?4, \
             hard_expires_at = ?5 WHERE standing <> 'disconnected' \
             AND realm = (SELECT id FROM realm WHERE name = ?1)",
        )?
        .execute(params![
            realm.as_str(),
            sealed,
            ends.access.as_ms(),
            ends.refresh.as_ms(),
            ends.hard.map(Timestamp::as_ms),
        ])?;
    if stored == 0 {
        return Err(Error::NotConnected(realm.to_string()).into());
    }
    Ok(())
}

fn stand(
    connection: &Connection,
    touched: &mut Touched,
    realm: &RealmId,
    standing: &Standing,
    now: Timestamp,
) -> Result<(), Failure> {
    let found = find(connection, realm)?;
    let Some(before) = found.filter(|found| {
        found.company.standing != Standing::Disconnected || *standing == Standing::Disconnected
    }) else {
        return Err(Error::NotConnected(realm.to_string()).into());
    };
    if before.company.standing == *standing {
        return Ok(());
    }
    let (word, why) = words(standing);
    connection
        .prepare_cached(
            "UPDATE company SET standing = ?2, standing_why = ?3, \
             standing_since = iif(standing = ?2, standing_since, ?4) WHERE realm = ?1",
        )?
        .execute((before.realm, word, why, now.as_ms()))?;
    let text = match standing {
        Standing::Connected if before.company.standing == Standing::AwaitsApproval => {
            format!("company {realm} was approved")
        }
        Standing::Connected => format!("company {realm} can be read again"),
        Standing::AwaitsApproval => format!("company {realm} waits for approval"),
        Standing::NeedsAuthorization { why } => {
            format!("company {realm} has to be connected again: {why}")
        }
        Standing::Disconnected => {
            connection
                .prepare_cached(
                    "UPDATE company SET tokens = NULL, access_expires_at = NULL, \
                     refresh_expires_at = NULL, hard_expires_at = NULL WHERE realm = ?1",
                )?
                .execute([before.realm])?;
            format!("company {realm} was disconnected")
        }
    };
    events::insert(connection, now, "company", &text)?;
    if *standing == Standing::Connected {
        returned(connection, &before, now)?;
    }
    // A gap that waited for this company only is done.
    gaps::close(connection, now)?;
    touched.at(now);
    touched.changed(realm, false);
    Ok(())
}

/// Notified changes are reconciled up to `through`; and beyond, as far as nothing was notified, so
/// that what a reading told is not looked through for ever.
pub(super) fn reconciled(
    connection: &Connection,
    company: &Found,
    through: i64,
    touched: &mut Touched,
) -> rusqlite::Result<()> {
    let through: i64 = connection
        .prepare_cached(
            "SELECT ifnull((SELECT min(sequence) - 1 FROM change WHERE realm = ?1 \
             AND sequence > ?2 AND origin = 'webhook'), sequence) FROM realm WHERE id = ?1",
        )?
        .query_row((company.realm, through), |row| row.get(0))?;
    if through > company.reconciled {
        connection
            .prepare_cached("UPDATE company SET reconciled = ?2 WHERE realm = ?1")?
            .execute((company.realm, through))?;
        touched.changed(&company.company.realm, false);
    }
    Ok(())
}

fn spend(connection: &Connection, app: &AppName, month: &str, calls: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO spent (app, month, calls) VALUES (?1, ?2, ?3) \
             ON CONFLICT (app, month) DO UPDATE SET calls = calls + excluded.calls",
        )?
        .execute((app.as_str(), month, calls.cast_signed()))?;
    connection
        .prepare_cached(
            "DELETE FROM spent WHERE app = ?1 AND month < \
             (SELECT month FROM spent WHERE app = ?1 ORDER BY month DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute((app.as_str(), MONTHS - 1))?;
    Ok(())
}

/// Calls of an app in a month.
pub(super) fn spent(connection: &Connection, app: &AppName, month: &str) -> rusqlite::Result<u64> {
    let calls: Option<i64> = connection
        .prepare_cached("SELECT calls FROM spent WHERE app = ?1 AND month = ?2")?
        .query_row((app.as_str(), month), |row| row.get(0))
        .optional()?;
    Ok(calls.unwrap_or(0).cast_unsigned())
}

/// The sealed tokens of a company.
pub(super) fn tokens(
    connection: &Connection,
    realm: &RealmId,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT c.tokens FROM company c JOIN realm m ON m.id = c.realm WHERE m.name = ?1",
        )?
        .query_row([realm.as_str()], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

/// The columns that [`found`] reads.
const FOUND: &str = "SELECT m.name, c.app, c.environment, c.connected_at, c.standing, \
    c.standing_since, c.standing_why, c.access_expires_at, c.refresh_expires_at, c.hard_expires_at, \
    c.realm, c.told_from, c.reconciled, m.sequence, c.swept_at \
    FROM company c JOIN realm m ON m.id = c.realm";

/// All of them.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Company>> {
    connection
        .prepare_cached(&format!("{FOUND} ORDER BY m.name"))?
        .query_map((), |row| found(row).map(|found| found.company))?
        .collect()
}

/// The one of that name.
pub(super) fn find(connection: &Connection, realm: &RealmId) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(&format!("{FOUND} WHERE m.name = ?1"))?
        .query_row([realm.as_str()], found)
        .optional()
}

/// What its task asks for.
pub(super) fn view(
    connection: &Connection,
    realm: &RealmId,
) -> rusqlite::Result<Option<CompanyView>> {
    let Some(found) = find(connection, realm)? else {
        return Ok(None);
    };
    Ok(Some(CompanyView {
        told_from: found.told_from,
        notified: notified(connection, &found)?,
        newest: found.sequence.cast_unsigned(),
        reconciled: found.reconciled.cast_unsigned(),
        watermarks: watermarks::of(connection, found.realm)?,
        swept_at: found.swept_at,
        gap: gaps::oldest_ahead(connection, found.realm)?,
        company: found.company,
    }))
}

fn notified(connection: &Connection, company: &Found) -> rusqlite::Result<Vec<Notified>> {
    connection
        .prepare_cached(
            "SELECT c.sequence, c.kind, c.entity, c.operation, c.happened, c.happened_at, \
             r.received_at FROM change c JOIN receipt r ON r.seq = c.receipt \
             WHERE c.realm = ?1 AND c.sequence > ?2 AND c.origin = 'webhook' \
             ORDER BY c.sequence LIMIT ?3",
        )?
        .query_map(
            (
                company.realm,
                company.reconciled,
                number(CompanyView::NOTIFIED_MAX),
            ),
            |row| {
                let operation: String = row.get(3)?;
                let received_at = Timestamp::from_ms(row.get(6)?);
                let said = EventTime {
                    text: row.get(4)?,
                    at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_ms),
                };
                Ok(Notified {
                    sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                    entity: EntityRef {
                        kind: row.get(1)?,
                        id: row.get(2)?,
                    },
                    operation: Operation::parse(&operation),
                    happened: EventTime {
                        at: said.likely(received_at),
                        ..said
                    },
                    received_at,
                })
            },
        )?
        .collect()
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let realm: String = row.get(0)?;
    let app: String = row.get(1)?;
    let environment: String = row.get(2)?;
    let standing: String = row.get(4)?;
    let instant = |column| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_ms))
    };
    let company = Company {
        realm: RealmId::new(realm).ok_or_else(|| strange(0, "company"))?,
        app: AppName::new(app).ok_or_else(|| strange(1, "app"))?,
        environment: Environment::parse(&environment).ok_or_else(|| strange(2, "environment"))?,
        connected_at: Timestamp::from_ms(row.get(3)?),
        standing: match standing.as_str() {
            "connected" => Standing::Connected,
            "needs_authorization" => match row.get(6)? {
                Some(why) => Standing::NeedsAuthorization { why },
                None => Standing::AwaitsApproval,
            },
            "disconnected" => Standing::Disconnected,
            _ => return Err(strange(4, "standing")),
        },
        standing_since: Timestamp::from_ms(row.get(5)?),
        access_expires_at: instant(7)?,
        refresh_expires_at: instant(8)?,
        hard_expires_at: instant(9)?,
    };
    Ok(Found {
        company,
        realm: row.get(10)?,
        told_from: Timestamp::from_ms(row.get(11)?),
        reconciled: row.get(12)?,
        sequence: row.get(13)?,
        swept_at: instant(14)?,
    })
}

/// How a standing is written. Who waits for approval needs an authorization that is not Intuit's to
/// give: without a cause, which Intuit's always has.
fn words(standing: &Standing) -> (&'static str, Option<&str>) {
    match standing {
        Standing::Connected => ("connected", None),
        Standing::AwaitsApproval => ("needs_authorization", None),
        Standing::NeedsAuthorization { why } => ("needs_authorization", Some(why)),
        Standing::Disconnected => ("disconnected", None),
    }
}

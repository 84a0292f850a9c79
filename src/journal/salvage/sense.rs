//! Rows that can be read and make no sense: what the relay would stumble over again is not taken over.

use super::{Fields, Rescue};
use crate::journal::incoming::digest;
use crate::journal::rows::seal_of_text;
use crate::journal::{company, instance_rows};
use crate::model::{RealmId, SinkName};
use rusqlite::types::Value;

/// A company with a name that one can have.
pub(super) fn is_company(row: &Fields<'_>) -> bool {
    RealmId::new(row.text("name")).is_some() && row.number("sequence") >= 0
}

/// A sink with a name that one can have.
pub(super) fn is_sink(row: &Fields<'_>) -> bool {
    SinkName::new(row.text("name")).is_some()
}

/// How far a lane is, and how it fares.
pub(super) fn is_lane(row: &Fields<'_>) -> bool {
    row.number("through") >= 0 && row.number("since") >= 0 && has_attempts(row)
}

/// A number of attempts that can be counted.
pub(super) fn has_attempts(row: &Fields<'_>) -> bool {
    u32::try_from(row.number("attempts")).is_ok()
}

/// A receipt whose body is what came, and whose headers can be read.
pub(super) fn is_receipt(row: &Fields<'_>) -> bool {
    let headers: Result<Vec<(String, String)>, _> = serde_json::from_str(row.text("headers"));
    row.blob("digest") == digest(row.blob("body")) && headers.is_ok()
}

/// A record that is what was written, where that is known.
pub(super) fn is_record(row: &Fields<'_>) -> bool {
    let seal = row.number("seal");
    seal == -1 || seal == seal_of_text(row.text("body").as_bytes())
}

impl Fields<'_> {
    /// The bytes in this column; none where there are none.
    fn blob(&self, column: &str) -> &[u8] {
        let at = self.columns.iter().position(|name| name == column);
        match at.and_then(|at| self.values.get(at)) {
            Some(Value::Blob(bytes)) => bytes,
            _ => &[],
        }
    }
}

impl Rescue<'_> {
    /// Takes companies and instances out again that their own readers cannot read.
    pub(super) fn drop_what_cannot_be_read(&self) -> rusqlite::Result<()> {
        let companies: Vec<(i64, String)> = self
            .to
            .prepare("SELECT m.id, m.name FROM company c JOIN realm m ON m.id = c.realm")?
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, name) in companies {
            let found = RealmId::new(name).map(|realm| company::find(self.to, &realm));
            if found.is_none_or(|found| found.is_err()) {
                self.to
                    .execute("DELETE FROM company WHERE realm = ?1", [id])?;
                self.from.skip();
            }
        }
        let instances: Vec<(i64, i64)> = self
            .to
            .prepare("SELECT id, sink FROM instance")?
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, sink) in instances {
            if !instance_rows::is_readable(self.to, id) {
                self.to
                    .execute("DELETE FROM instance WHERE id = ?1", [id])?;
                self.to
                    .execute("UPDATE sink SET configured = 0 WHERE id = ?1", [sink])?;
                self.from.skip();
            }
        }
        Ok(())
    }
}

//! The handle's half of erasing a company: step by step through the writer, then the file, its log,
//! and the damaged files that were set aside.

use super::aside::damaged;
use super::command::Task;
use super::erase::{self, Erased};
use super::open::with_suffix;
use super::{Error, Journal};
use crate::model::{RealmId, Timestamp};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a reader may keep the log from being emptied.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is said where the file is too large to be written anew.
const LARGE: &str = "the journal is larger than 16 MiB, so its pages were overwritten where rows were \
    deleted and not all written anew: copies of single rows may stay in unused parts of pages until \
    these are used again";

/// What became of a company that was to be forgotten.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ForgottenCompany {
    /// What was erased, or would be.
    pub erased: Erased,
    /// Damaged journals that named it and were deleted, or would be: no row of theirs can be relied
    /// upon to be erased.
    pub set_aside: Vec<PathBuf>,
    /// Why something of it may still lie in the file, in one sentence.
    pub warning: Option<String>,
}

impl Journal {
    /// Erases everything that is held of a company; with `dry_run` only says what that is. Whether it
    /// may be read is not looked at: what comes of it afterwards is taken in again.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle): then a part of it may be erased, and asking again goes on.
    pub async fn forget_company(
        &self,
        realm: &RealmId,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<ForgottenCompany, Error> {
        let mut done = ForgottenCompany::default();
        if dry_run {
            let asked = realm.clone();
            done.erased = self
                .read(move |connection| erase::plan(connection, &asked))
                .await?;
        }
        let mut after = Some(0);
        while let Some(from) = after {
            let asked = realm.clone();
            let (found, last) = self
                .read(move |connection| erase::mentions(connection, &asked, from))
                .await?;
            if dry_run {
                done.erased.receipts += u64::try_from(found.len()).unwrap_or(0);
            } else if !found.is_empty() {
                done.erased.add(self.erase(realm, found, now).await?.0);
            }
            after = last;
        }
        let mut is_over = dry_run;
        while !is_over {
            let (erased, is_last) = self.erase(realm, Vec::new(), now).await?;
            done.erased.add(erased);
            is_over = is_last;
        }
        if !dry_run {
            done.warning = self.purge().await?;
        }
        let path = self.0.path.clone();
        let (asked, wanted) = (realm.clone(), !dry_run);
        let aside = tokio::task::spawn_blocking(move || set_aside(&path, &asked, wanted)).await;
        match aside {
            Ok(Ok(files)) => done.set_aside = files,
            Ok(Err(error)) => {
                let why = format!(
                    "the journals that were set aside could not be looked through: {error}"
                );
                done.warning = Some(why);
            }
            Err(error) => done.warning = Some(error.to_string()),
        }
        Ok(done)
    }

    /// One step; true when it was the last.
    async fn erase(
        &self,
        realm: &RealmId,
        mentions: Vec<i64>,
        now: Timestamp,
    ) -> Result<(Erased, bool), Error> {
        let wanted = Box::new((realm.clone(), mentions, now));
        self.command(|answer| Task::Erase(wanted, answer)).await
    }

    /// Gives back every free page, and empties the log: neither holds what was erased afterwards. A
    /// sentence when a reader kept the log.
    async fn purge(&self) -> Result<Option<String>, Error> {
        let log = with_suffix(&self.0.path, "-wal");
        let began = Instant::now();
        loop {
            let (pages, is_small) = self.command(Task::Purge).await?;
            // What is asked next is answered after the log was emptied.
            self.ping().await?;
            let bytes = fs::metadata(&log).map_or(0, |log| log.len());
            if pages == 0 && bytes == 0 {
                return Ok((!is_small).then(|| LARGE.to_owned()));
            }
            if began.elapsed() > PATIENCE {
                return Ok(Some(format!(
                    "somebody reads the journal, so that {} could not be emptied; it will be when the relay stops",
                    log.display()
                )));
            }
            if pages == 0 {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The damaged journals that name a company, deleted where that is wanted.
fn set_aside(journal: &Path, realm: &RealmId, is_wanted: bool) -> io::Result<Vec<PathBuf>> {
    let mut named = Vec::new();
    for file in damaged(journal) {
        let parts: Vec<PathBuf> = ["", "-wal", "-shm"]
            .iter()
            .map(|suffix| with_suffix(&file, suffix))
            .filter(|part| part.exists())
            .collect();
        let mut is_named = false;
        for part in &parts {
            is_named = is_named || is_named_in(part, realm)?;
        }
        if is_named {
            if is_wanted {
                parts.iter().try_for_each(fs::remove_file)?;
            }
            named.push(file);
        }
    }
    Ok(named)
}

/// Looks through a file in pieces that overlap by as much as the id and its edges are long.
fn is_named_in(path: &Path, realm: &RealmId) -> io::Result<bool> {
    const PIECE: usize = 256 << 10;
    let overlap = realm.as_str().len() + 2;
    let mut file = File::open(path)?;
    let (mut piece, mut filled) = (vec![0; PIECE], 0);
    loop {
        let read = file.read(piece.get_mut(filled..).unwrap_or_default())?;
        filled += read;
        if read > 0 && filled < PIECE {
            continue;
        }
        if erase::names(piece.get(..filled).unwrap_or_default(), realm) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        piece.copy_within(filled.saturating_sub(overlap)..filled, 0);
        filled = overlap.min(filled);
    }
}

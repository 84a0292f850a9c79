//! Files beside the journal's own: damaged ones that were set aside, and what was saved of one whose
//! files were taken away while it was in use.

use super::log;
use super::open::{directory_of, sync_directory, with_suffix};
use super::room::{Displaced, Room};
use crate::model::Timestamp;
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The damaged files that were set aside here and that nobody has taken away, oldest first.
pub(super) fn damaged(path: &Path) -> Vec<PathBuf> {
    let prefix = with_suffix(path, BROKEN);
    let entries = fs::read_dir(directory_of(path))
        .into_iter()
        .flatten()
        .flatten();
    let is_one = |found: &PathBuf| {
        let name = found.as_os_str().as_encoded_bytes();
        let is_beside = [&b"-wal"[..], b"-shm"]
            .iter()
            .any(|end| name.ends_with(end));
        name.starts_with(prefix.as_os_str().as_encoded_bytes()) && !is_beside
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    found
}

/// What a damaged file's new name has after the old one, before the time.
const BROKEN: &str = ".broken-";

/// What the mark has behind the file's name by which a running relay says that it met damage, so that
/// the next start does not have to find it again.
pub(super) const DAMAGED: &str = "-damaged";

/// Leaves the mark. Without it the next start checks the file, as far as its time allows.
pub(super) fn mark_as_damaged(path: &Path) {
    let marked = File::create(with_suffix(path, DAMAGED)).and_then(|mark| mark.sync_all());
    let _ = marked.and_then(|()| sync_directory(&directory_of(path)));
}

/// Gives a damaged file another name; returns that.
pub(super) fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let aside = name(path, now);
    fs::rename(path, &aside)?;
    let log = with_suffix(path, "-wal");
    if log.exists() {
        fs::rename(&log, with_suffix(&aside, "-wal"))?;
    }
    for beside in ["-shm", DAMAGED] {
        let beside = with_suffix(path, beside);
        if beside.exists() {
            fs::remove_file(&beside)?;
        }
    }
    sync_directory(&directory_of(path))?;
    Ok(aside)
}

/// A name that nothing has yet.
fn name(path: &Path, now: Timestamp) -> PathBuf {
    let names = (now.as_ms()..).map(|ms| with_suffix(path, &format!("{BROKEN}{ms}")));
    let mut free = names.filter(|name| !name.exists());
    free.next().unwrap_or_else(|| with_suffix(path, BROKEN))
}

/// Saves what a journal in use holds whose files are no longer those at their paths, as far as that
/// can be done; says in a sentence what became of it.
pub(super) fn rescue(
    connection: &Connection,
    path: &Path,
    room: &mut Room,
    displaced: &Displaced,
    now: Timestamp,
) -> String {
    let saved = match displaced {
        Displaced::Beside(_) => complete(connection, path, room).map(|()| path.to_owned()),
        Displaced::Missing(_) => save(connection, path, now).and_then(|copy| {
            // A log of the file that was there must not be read with this one.
            remove_beside(path)?;
            fs::rename(&copy, path)?;
            sync_directory(&directory_of(path))?;
            Ok(path.to_owned())
        }),
        Displaced::Other(_) => save(connection, path, now),
        Displaced::Emptied(_) => Err(io::Error::other("it was read from there")),
    };
    match saved {
        Ok(at) => format!("what the journal holds was saved to {}", at.display()),
        Err(error) => format!("what the journal held could not be saved: {error}"),
    }
}

/// Brings the main file to what the log holds, of which nobody else can see all any more.
fn complete(connection: &Connection, path: &Path, room: &mut Room) -> io::Result<()> {
    let whole = log::copy(connection).map_err(io::Error::other)?;
    room.look();
    if !whole {
        return Err(io::Error::other("somebody reads it"));
    }
    remove_beside(path)?;
    sync_directory(&directory_of(path))
}

fn remove_beside(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(with_suffix(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Copies everything to where a damaged file would be set aside.
fn save(connection: &Connection, path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let aside = name(path, now);
    // SQLite takes an empty file, and this one has the right mode.
    let made = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&aside)?;
    let saved = connection.execute("VACUUM INTO ?1", [aside.to_string_lossy()]);
    let saved = saved.map_err(io::Error::other);
    if let Err(error) = saved.and_then(|_| made.sync_all()) {
        // Half of it would be taken for all of it.
        fs::remove_file(&aside)?;
        return Err(error);
    }
    sync_directory(&directory_of(path))?;
    Ok(aside)
}

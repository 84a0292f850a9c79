//! The sink that appends lines of JSON to a local file.
//!
//! It keeps nothing open: each write opens the file by its name, so that a file that was moved away
//! (logrotate, an importer) is simply begun anew. It promises: what it accepted is on the disk
//! (`fdatasync`), every line is whole or stands alone (a half line that a crash left is ended
//! before the next one begins), mode 0600, at most one write at a time and at most one thread
//! waiting for a disk that hangs. Called by `worker::lane`.

use super::dial::cause;
use super::format::{Appetite, Format};
use crate::files::refuse_what_is_no_file;
use crate::model::{Change, Delivery, Outcome, SinkName, Stage};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What a file sink is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: SinkName,
    /// The file; its directory must exist.
    pub path: PathBuf,
    /// The form of the lines.
    pub format: Format,
    /// Size in bytes past which the file is moved to `<path>.1` before the next write.
    pub rotate_bytes: u64,
    /// Moved files that are kept: `<path>.1` (newest) to `<path>.<keep>`.
    pub keep: NonZeroU32,
    /// How long one write may take.
    pub total: Duration,
}

/// A file sink.
#[derive(Debug)]
pub struct FileSink {
    settings: Arc<Settings>,
    turn: Arc<Mutex<()>>,
}

impl FileSink {
    /// A sink; the file is not touched before the first delivery.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            turn: Arc::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &SinkName {
        &self.settings.name
    }

    /// What one delivery takes.
    pub fn appetite(&self) -> Appetite {
        self.settings.format.appetite_for_lines()
    }

    pub(super) fn fitting(&self, changes: &[Change]) -> usize {
        let format = &self.settings.format;
        format.fitting(changes, self.appetite().max)
    }

    /// One attempt.
    pub async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let lines = self.settings.format.encode_lines(delivery);
        let write = async {
            // The guard goes along with the write: when a disk hangs, later attempts wait here
            // until their deadline instead of each taking a thread.
            let turn = Arc::clone(&self.turn).lock_owned().await;
            let settings = Arc::clone(&self.settings);
            spawn_blocking(move || {
                let _turn = turn;
                append(&settings, &lines)
            })
            .await
        };
        let detail = match timeout(self.settings.total, write).await {
            Ok(Ok(Ok(()))) => return Outcome::Accepted,
            Ok(Ok(Err(error))) => cause(&error),
            Ok(Err(_)) => "the write was broken off".to_owned(),
            Err(_) => format!("not written within {:?}", self.settings.total),
        };
        Outcome::Failed {
            stage: Stage::File,
            detail: format!("{}: {detail}", self.settings.path.display()),
        }
    }
}

fn append(settings: &Settings, lines: &[u8]) -> io::Result<()> {
    let path = &settings.path;
    let mut file = open(path)?;
    let mut length = file.metadata()?.len();
    let longer = length.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
    if length > 0 && longer > settings.rotate_bytes {
        rotate(path, settings.keep.get())?;
        file = open(path)?;
        length = file.metadata()?.len();
    }
    let written = end_half_line(&file, length)
        .and_then(|()| file.write_all(lines))
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        // So that the next attempt does not find half of this one; where that fails too, it ends
        // the half line.
        let _ = file.set_len(length);
        return Err(error);
    }
    if length == 0 {
        sync_directory(path)?;
    }
    Ok(())
}

/// Opens for appending; without waiting, should a pipe have taken the place of the file meanwhile.
fn open(path: &Path) -> io::Result<File> {
    refuse_what_is_no_file(path)?;
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("this is not a regular file"));
    }
    Ok(file)
}

fn end_half_line(mut file: &File, length: u64) -> io::Result<()> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(());
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    if byte == *b"\n" {
        return Ok(());
    }
    file.write_all(b"\n")
}

/// Moves the file and its predecessors on by one; the oldest is overwritten.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    for number in (1..keep).rev() {
        match fs::rename(numbered(path, number), numbered(path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, numbered(path, 1))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

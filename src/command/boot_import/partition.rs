//! The boot partition: what a person put there, and what is left there for them to read.
//!
//! It is a FAT file system: no owners, no modes, and names without case.

use crate::wire::text::decode;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::CONFIG;

/// The file of secrets.
pub(super) const SECRETS: &str = "qbo-relay-secrets.toml";

/// Its name while it is overwritten: under this one it is never read again.
const WIPING: &str = "qbo-relay-secrets.wipe";

/// What became of it, for people.
const RESULT: &str = "qbo-relay-result.txt";

/// No configuration is as long as this.
const BYTES_MAX: u64 = 1 << 20;

/// The boot partition's folder.
pub(super) struct Partition(PathBuf);

impl Partition {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Whether a file is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.join(name).is_file()
    }

    /// The text of a file, or what is wrong with it as a text; `None` when it is not there.
    pub(super) fn text(&self, name: &str) -> io::Result<Option<Result<String, String>>> {
        let path = self.0.join(name);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(facts) if facts.len() > BYTES_MAX => {
                return Ok(Some(Err("is longer than 1 MiB".into())));
            }
            Ok(_) => {}
        }
        let text = decode(&fs::read(&path)?).map(|text| text.to_string());
        Ok(Some(text.map_err(|error| {
            format!("{error} (line {} of it)", error.line)
        })))
    }

    /// Leaves a text for people, with the line ends that every editor understands.
    pub(super) fn tell(&self, text: &str) -> io::Result<()> {
        let fresh = self.0.join(format!("{RESULT}.new"));
        let mut file = File::create(&fresh)?;
        file.write_all(text.replace('\n', "\r\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, self.0.join(RESULT))?;
        self.sync()
    }

    /// Takes away what was taken in; the secrets are overwritten first.
    pub(super) fn remove(&self) -> io::Result<()> {
        there(fs::remove_file(self.0.join(CONFIG)))?;
        there(fs::rename(self.0.join(SECRETS), self.0.join(WIPING)))?;
        self.sync()?;
        self.finish_wiping()
    }

    /// Overwrites and removes secrets that were taken in, now or before a power cut.
    pub(super) fn finish_wiping(&self) -> io::Result<()> {
        let path = self.0.join(WIPING);
        let mut file = match OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let length = usize::try_from(file.metadata()?.len().min(BYTES_MAX)).unwrap_or(0);
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
        drop(file);
        fs::remove_file(&path)?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// It is gone, whether or not it was there.
fn there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

//! The secrets by which callers of the Open Connectors interface are let in.
//!
//! A file beside the journal holds their digests, so whoever reads it has no secret. [`make`] replaces
//! it as a whole, and a running relay goes by what is there at each call. Called by the roof. Promises:
//! compared in constant time; a file that cannot be read lets nobody in; the file is whole or as it was,
//! whatever happens in between, and belongs to whom its folder belongs to.

use crate::files::refuse_what_is_no_file;
use crate::model::{Secret, Timestamp, access};
use crate::wire::admin_secrets::{BadFile, Pair, decode, digest, encode, hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq as _};
use tempfile::NamedTempFile;

/// Pairs that are kept at most: the newest, and those before it that have not ended.
const PAIRS_MAX: usize = 4;

/// Bytes of the file at most; [`PAIRS_MAX`] pairs take less than 2 KiB.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The pairs of secrets that are good, as the file says at each call.
#[derive(Debug)]
pub struct AdminSecrets {
    path: PathBuf,
    last: Mutex<Option<Look>>,
}

/// A new pair, in the only moment in which it can be shown.
#[derive(Debug)]
pub struct Fresh {
    /// 32 random bytes in Base64: 44 characters.
    pub user: Secret,
    /// 16 random bytes as 32 hexadecimal digits.
    pub organization: Secret,
    /// When the last of the pairs before it ends, if one is still good.
    pub others_end_at: Option<Timestamp>,
}

/// Why secrets are not made, or nobody is let in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The file or its folder cannot be used.
    #[error("the admin secrets {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// It does not hold secrets. Take it away and make new ones.
    #[error("the admin secrets {}: {cause}; take the file away and make new ones", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: BadFile,
    },
    /// The system has no random numbers to give; try again.
    #[error("the system has no random numbers to give")]
    Entropy,
}

/// What the file was when it was read last.
#[derive(Clone, Debug)]
struct Look {
    version: Version,
    pairs: Result<Arc<[Pair]>, BadFile>,
}

/// Tells one state of the file from another: device, inode, size, and both times to the nanosecond.
type Version = [i128; 5];

/// The file of the relay whose journal lies there.
pub fn file_beside(journal: &Path) -> PathBuf {
    journal.with_file_name("admin-secrets")
}

impl AdminSecrets {
    /// The secrets in this file, which need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        let last = Mutex::default();
        Self { path, last }
    }

    /// Whether these are secrets that were made together and are good now; without an organization
    /// secret, whether the user secret is.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Bad`] when the file cannot be read.
    pub fn admits(
        &self,
        user: &Secret,
        organization: Option<&Secret>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let user = digest(user.expose());
        let organization = organization.map(|secret| digest(secret.expose()));
        let mut admitted = Choice::from(0);
        // Each pair is compared to its end, so that the time tells nothing about any.
        for pair in self.pairs()?.iter().filter(|pair| pair.is_good(now)) {
            let mut is_it = pair.user.ct_eq(&user);
            if let Some(organization) = &organization {
                is_it &= pair.organization.ct_eq(organization);
            }
            admitted |= is_it;
        }
        Ok(admitted.into())
    }

    /// How many pairs are good now.
    ///
    /// # Errors
    /// As for [`Self::admits`].
    pub fn count(&self, now: Timestamp) -> Result<usize, Error> {
        let pairs = self.pairs()?;
        Ok(pairs.iter().filter(|pair| pair.is_good(now)).count())
    }

    /// What the file holds. It is read again only when it is another than it was, so a call costs one
    /// look at an inode that the system has in memory.
    fn pairs(&self) -> Result<Arc<[Pair]>, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let there = match fs::metadata(&self.path) {
            Ok(facts) => Some(version(&facts)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(file(&self.path, &error)),
        };
        let Some(there) = there else {
            *last = None;
            return Ok(Arc::default());
        };
        let look = match &*last {
            Some(look) if look.version == there => look.clone(),
            _ => read(&self.path)?,
        };
        *last = Some(look.clone());
        look.pairs.map_err(|cause| Error::Bad {
            path: self.path.clone(),
            cause,
        })
    }
}

/// Makes a new pair and puts it into the file. Pairs that are good now end after `overlap`, those that
/// end before that anyhow excepted. Works whether a relay runs or not.
///
/// # Errors
/// [`Error`]: then the file is as it was.
pub fn make(path: &Path, overlap: Duration, now: Timestamp) -> Result<Fresh, Error> {
    let failed = |error| file(path, &error);
    let folder = open_folder(path).map_err(failed)?;
    // Two that are made at once follow one another; the lock ends with the folder's descriptor.
    folder.lock().map_err(failed)?;
    let before = match read(path) {
        Ok(look) => look.pairs.map_err(|cause| Error::Bad {
            path: path.to_owned(),
            cause,
        })?,
        Err(_) if !path.exists() => Arc::default(),
        Err(error) => return Err(error),
    };
    let end = now.plus(overlap);
    let others = before.iter().filter(|pair| pair.is_good(now));
    let mut others: Vec<Pair> = others
        .map(|pair| Pair {
            ends_at: Some(pair.ends_at.map_or(end, |earlier| earlier.min(end))),
            ..pair.clone()
        })
        .filter(|pair| pair.is_good(now))
        .collect();
    others.truncate(PAIRS_MAX - 1);
    let user = Secret::new(STANDARD.encode(random::<32>()?));
    let organization = Secret::new(hex(&random::<16>()?));
    let newest = Pair {
        user: digest(user.expose()),
        organization: digest(organization.expose()),
        made_at: now,
        ends_at: None,
    };
    let others_end_at = others.iter().filter_map(|pair| pair.ends_at).max();
    let pairs = [vec![newest], others].concat();
    replace(path, &folder, &encode(&pairs)).map_err(failed)?;
    Ok(Fresh {
        user,
        organization,
        others_end_at,
    })
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    super::random().map_err(|_| Error::Entropy)
}

fn read(path: &Path) -> Result<Look, Error> {
    let failed = |error| file(path, &error);
    let file = File::open(path).map_err(failed)?;
    let version = version(&file.metadata().map_err(failed)?);
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(failed)?;
    let pairs = decode(&text).map(Arc::from);
    Ok(Look { version, pairs })
}

fn version(facts: &fs::Metadata) -> Version {
    let nanoseconds = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    [
        facts.dev().into(),
        facts.ino().into(),
        facts.size().into(),
        nanoseconds(facts.mtime(), facts.mtime_nsec()),
        nanoseconds(facts.ctime(), facts.ctime_nsec()),
    ]
}

/// The folder of the file; made as the journal makes it where it is missing.
fn open_folder(path: &Path) -> io::Result<File> {
    let folder = folder_of(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let folder = File::open(folder)?;
    let owner = folder.metadata()?.uid();
    if !geteuid().is_root() && geteuid().as_raw() != owner {
        let why = format!("run it as root or as the relay's user (number {owner})");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(folder)
}

/// A file that is the new one or the old one, whatever happens in between.
fn replace(path: &Path, folder: &File, text: &str) -> io::Result<()> {
    refuse_what_is_no_file(path)?;
    // Mode 0600 from the beginning.
    let mut fresh = NamedTempFile::new_in(folder_of(path))?;
    fresh.write_all(text.as_bytes())?;
    if geteuid().is_root() {
        // The relay does not run as root, and has to read it.
        let owner = folder.metadata()?;
        fchown(fresh.as_file(), Some(owner.uid()), Some(owner.gid()))?;
    }
    fresh.as_file().sync_all()?;
    fresh.persist(path).map_err(|failed| failed.error)?;
    folder.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn file(path: &Path, error: &io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        cause: access::cause(error),
    }
}

#[cfg(test)]
mod tests;

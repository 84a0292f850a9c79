//! The copy of the configuration's folder in which a new configuration is put together, and the one
//! step in which it takes the folder's place.

use crate::run::REFUSED;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::geteuid;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// Files of a configuration's folder, with everything below it.
const ENTRIES_MAX: usize = 1000;

/// Mode of a secret, and of the configuration, which the relay's group may read.
const SECRET: u32 = 0o600;
const CONFIG: u32 = 0o640;

/// Who the relay runs as.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The user of that name; static users of the system are in this file.
    pub(super) fn of(name: &str) -> io::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(name);
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            is_it.then_some(Self { uid, gid })
        });
        match found {
            Some(owner) => Ok(Some(owner)),
            None => Err(io::Error::other(format!(
                "there is no user {name}, who has to read the secrets"
            ))),
        }
    }
}

/// The folder, and its copy beside it.
pub(super) struct Stage {
    folder: PathBuf,
    copy: PathBuf,
    parent: PathBuf,
}

impl Stage {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
            return Err(io::Error::other("the folder has no parent"));
        };
        let mut copy = name.to_owned();
        copy.push(".new");
        Ok(Self {
            folder: folder.to_owned(),
            copy: parent.join(copy),
            parent: parent.to_owned(),
        })
    }

    /// Takes the copy away: one that a power cut left behind, or the folder that was replaced.
    pub(super) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.copy) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync(&self.parent)),
        }
    }

    /// Copies the folder and puts these files into the copy: name, contents, whether secret.
    pub(super) fn fill(
        &self,
        files: &[(&Path, &[u8], bool)],
        owner: Option<Owner>,
    ) -> io::Result<()> {
        fs::create_dir(&self.copy)?;
        if self.folder.exists() {
            copy(&self.folder, &self.copy, &mut 0)?;
        }
        there(fs::remove_file(self.file(REFUSED)))?;
        for (name, bytes, secret) in files {
            let path = self.copy.join(name);
            there(fs::remove_file(&path))?;
            let mode = if *secret { SECRET } else { CONFIG };
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(SECRET)
                .open(&path)?;
            file.write_all(bytes)?;
            if let Some(Owner { uid, gid }) = owner {
                // The relay reads its configuration and does not change it.
                chown(&path, secret.then_some(uid), Some(gid))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()?;
        }
        sync(&self.copy)
    }

    /// A file of the copy.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.copy.join(name)
    }

    /// A text without the copy's folder in its paths.
    pub(super) fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.copy.display()), "")
    }

    /// Puts the copy into the folder's place, in one step.
    pub(super) fn swap(&self) -> io::Result<()> {
        if self.folder.exists() {
            renameat_with(CWD, &self.copy, CWD, &self.folder, RenameFlags::EXCHANGE)?;
        } else {
            fs::rename(&self.copy, &self.folder)?;
        }
        sync(&self.parent)
    }

    /// Leaves the mark by which the relay calls for a person.
    pub(super) fn mark(&self, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(REFUSED);
        if fs::read_to_string(&path).is_ok_and(|known| known == text) {
            return Ok(());
        }
        let mut file = File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// Takes that mark away.
    pub(super) fn unmark(&self) -> io::Result<()> {
        there(fs::remove_file(self.folder.join(REFUSED)))
    }
}

/// Copies what is in a folder, with owners and modes; the folder's own, too.
fn copy(from: &Path, to: &Path, count: &mut usize) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        *count += 1;
        if *count > ENTRIES_MAX {
            return Err(io::Error::other(
                "the configuration's folder holds too much",
            ));
        }
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() {
            fs::create_dir(&target)?;
            copy(&source, &target, count)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
            own(&source, &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    own(from, to)?;
    sync(to)
}

fn own(source: &Path, target: &Path) -> io::Result<()> {
    let facts = fs::metadata(source)?;
    if geteuid().is_root() {
        chown(target, Some(facts.uid()), Some(facts.gid()))?;
    }
    fs::set_permissions(target, facts.permissions())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// It is gone, whether or not it was there.
fn there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

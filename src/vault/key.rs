//! The vault's key: a line of Base64 in a file of its own, or a credential.

use super::{Error, random};
use crate::files::refuse_what_is_no_file;
use crate::model::{Secret, access};
use crate::wire::text::{base64_line, decode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::geteuid;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

const BYTES: usize = 32;

/// The key in this file; where there is no file, a new one that is on the disk.
pub(super) fn read_or_make(path: &Path) -> Result<Secret, Error> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path, &encode(&random()?)).map_err(|error| file(path, access::cause(&error)))?;
            // Whichever was there first, should two have been made at once.
            read(path)
        }
        other => other,
    }
    .map_err(|error| file(path, access::cause(&error)))
}

/// The key in this file.
pub(super) fn read_existing(path: &Path) -> Result<Secret, Error> {
    read(path).map_err(|error| file(path, error.to_string()))
}

/// The key to which a change of the one in this file was begun.
pub(super) fn begun(path: &Path) -> Result<Option<Secret>, Error> {
    let new = beside(path);
    match read(&new) {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(&new, error.to_string())),
    }
}

/// Begins a change of the key in this file: a random one that lies beside it, on the disk.
pub(super) fn begin(path: &Path) -> Result<Secret, Error> {
    let new = beside(path);
    let made = make(&new, &encode(&random()?)).and_then(|()| {
        // Made by root, it has to be readable for whoever reads the old one.
        if geteuid().is_root() {
            let old = fs::metadata(path)?;
            chown(&new, Some(old.uid()), Some(old.gid()))?;
        }
        read(&new)
    });
    made.map_err(|error| file(&new, error.to_string()))
}

/// Ends the change: the new key takes the place of the old one.
pub(super) fn finish(path: &Path) -> Result<(), Error> {
    let renamed = fs::rename(beside(path), path).and_then(|()| sync_folder(path));
    renamed.map_err(|error| file(path, error.to_string()))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// The bytes of a key.
pub(super) fn bytes(key: &Secret) -> Result<Secret, Error> {
    let text = decode(key.expose())
        .ok()
        .and_then(|text| base64_line(&text).ok());
    let line = text.ok_or(Error::Key)?;
    let bytes = STANDARD.decode(line.expose());
    let bytes = Secret::new(bytes.map_err(|_| Error::Key)?);
    match bytes.expose().len() {
        BYTES => Ok(bytes),
        _ => Err(Error::Key),
    }
}

fn encode(bytes: &[u8; BYTES]) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", STANDARD.encode(bytes)))
}

fn read(path: &Path) -> io::Result<Secret> {
    refuse_what_is_no_file(path)?;
    let facts = fs::metadata(path)?;
    if facts.mode() & 0o007 != 0 {
        let cause =
            "others may read it; take that away with chmod 600, and make a new key if they have";
        return Err(io::Error::other(cause));
    }
    fs::read(path).map(Secret::new)
}

/// A file that is whole or not there, whatever happens in between.
fn make(path: &Path, key: &str) -> io::Result<()> {
    let directory = folder(path);
    // Mode 0600 from the beginning.
    let mut fresh = NamedTempFile::new_in(directory)?;
    fresh.write_all(key.as_bytes())?;
    fresh.as_file().sync_all()?;
    match fresh.persist_noclobber(path) {
        Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed.error);
        }
        _ => {}
    }
    sync_folder(path)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn file(path: &Path, cause: String) -> Error {
    Error::File {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Vault;
    use super::*;
    use proptest::prelude::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let made = read_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&path).unwrap(), made);
        assert_eq!(bytes(&made).unwrap().expose().len(), BYTES);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        let other = read_or_make(&folder.path().join("other.key")).unwrap();
        assert_ne!(other, made);
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        fs::write(&path, "hunter2").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
        let error = Vault::open_or_make(&path).unwrap_err().to_string();
        assert!(
            error.contains("vault.key") && error.contains("chmod 600"),
            "{error}"
        );
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        let error = Vault::open_or_make(&path).unwrap_err();
        assert_eq!(error, Error::Key);
        let nowhere = Vault::open_or_make(&folder.path().join("none/vault.key"));
        assert!(matches!(nowhere, Err(Error::File { .. })));
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_and_nothing_else() {
        let key = format!("{}=", "A".repeat(43));
        for good in [key.clone(), format!(" {key}\r\n")] {
            assert!(Vault::from_key(&Secret::new(good)).is_ok());
        }
        for bad in [
            "",
            "AAAA",
            &key[1..],
            &format!("{key}{key}"),
            &"0".repeat(64),
        ] {
            assert_eq!(
                Vault::from_key(&Secret::new(bad)).unwrap_err(),
                Error::Key,
                "{bad}"
            );
        }
    }

    /// Ways in which people save a line.
    fn saved(line: &str) -> Vec<Vec<u8>> {
        let texts = [
            format!("{line}\n"),
            format!("{line}\r\n"),
            format!("\n  {line} \t\r\n\r\n"),
            format!("\"{line}\"\n"),
            format!("'{line}' \n"),
        ];
        let of = |text: &String| {
            let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
                text.encode_utf16().flat_map(bytes).collect()
            };
            [
                text.clone().into_bytes(),
                [b"\xef\xbb\xbf", text.as_bytes()].concat(),
                [b"\xff\xfe".to_vec(), wide(u16::to_le_bytes)].concat(),
                [b"\xfe\xff".to_vec(), wide(u16::to_be_bytes)].concat(),
                wide(u16::to_le_bytes),
                wide(u16::to_be_bytes),
            ]
        };
        texts.iter().flat_map(of).collect()
    }

    proptest! {
        /// Random bytes never have these words in them where nobody puts them there.
        #[test]
        fn every_key_is_read_in_every_form_in_which_it_is_saved(
            random in any::<[u8; BYTES]>(),
            word in "(changeme|YOURKEY|yourtoken|Placeholder|key|token/|secret\\+|bearer|here|)",
            at in 0_usize..30,
        ) {
            let mut line = STANDARD.encode(random);
            line.replace_range(at..at + word.len(), &word);
            let meant = STANDARD.decode(&line).unwrap();
            for file in saved(&line) {
                let read = bytes(&Secret::new(file.clone()));
                let read = read.map(|key| key.expose().to_vec());
                prop_assert_eq!(read, Ok(meant.clone()), "{}", String::from_utf8_lossy(&file));
            }
        }
    }
}

//! What lies at a path before something is written there.
//!
//! Every path that the relay writes to comes from a configuration, and a wrong one must not cost a
//! device, a pipe or somebody's directory. Looked at before anything is opened: opening a device can
//! do something already. A path at which nothing lies yet is fine.

use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Refuses a path at which something lies that is no regular file.
///
/// # Errors
/// What lies there, or that it cannot be looked at.
pub fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    refuse(path, FileType::is_file, "a file")
}

/// Refuses a path at which something lies that is no Unix socket.
///
/// # Errors
/// As for a file.
pub fn refuse_what_is_no_socket(path: &Path) -> io::Result<()> {
    refuse(path, FileType::is_socket, "a socket")
}

fn refuse(path: &Path, is_right: fn(&FileType) -> bool, wanted: &str) -> io::Result<()> {
    let kind = match fs::metadata(path) {
        Ok(facts) => facts.file_type(),
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if is_right(&kind) {
        return Ok(());
    }
    let found = what(kind);
    let path = path.display();
    Err(io::Error::other(format!(
        "{path} is {found}, not {wanted}; it is left as it is: name another path"
    )))
}

fn what(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_file() => "a file",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_file_or_nothing_is_fine_and_anything_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        std::os::unix::fs::symlink("/dev/null", at("link")).unwrap();
        assert!(refuse_what_is_no_file(&at("file")).is_ok());
        assert!(refuse_what_is_no_file(&at("none")).is_ok());
        assert!(refuse_what_is_no_socket(&at("socket")).is_ok());
        for (path, found) in [
            (folder.path().to_owned(), "a directory"),
            (at("pipe"), "a pipe"),
            (at("socket"), "a socket"),
            (at("link"), "a device"),
            ("/dev/null".into(), "a device"),
        ] {
            let error = refuse_what_is_no_file(&path).unwrap_err().to_string();
            assert!(error.contains(found), "{error}");
        }
        assert!(refuse_what_is_no_socket(&at("file")).is_err());
    }
}

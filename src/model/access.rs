//! Why a file was not to be had, in a sentence with the cure.

use std::io::{Error, ErrorKind};
use std::path::Path;

/// Says why `path` could not be opened. A file that may not be looked at is not a file that is not
/// there.
pub fn not_opened(path: &Path, error: &Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::PermissionDenied => format!("{path} {}", cause(error)),
        ErrorKind::NotFound => format!("there is no file {path}"),
        ErrorKind::IsADirectory => format!("{path} is a folder, not a file"),
        _ => format!("{path} cannot be opened: {error}"),
    }
}

/// The same for a sentence that has named the file already.
pub fn cause(error: &Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::PermissionDenied, Some(_)) => {
            "may not be opened by this user; try as root".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_opened_is_not_called_absent() {
        let said = |kind: i32| not_opened(Path::new("/x/y"), &Error::from_raw_os_error(kind));
        let denied = said(13);
        assert_eq!(denied, "/x/y may not be opened by this user; try as root");
        assert_eq!(said(2), "there is no file /x/y");
        assert!(said(21).contains("folder"));
    }
}

//! Admin secrets: made, rotated, compared, and what becomes of a file that was edited.

use super::*;
use std::os::unix::fs::chown;

const NOW: Timestamp = Timestamp::from_ms(1_795_237_475_120);
const HOUR: Duration = Duration::from_hours(1);

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        file_beside(&self.0.path().join("state/journal.db"))
    }

    fn make(&self, overlap: Duration, now: Timestamp) -> Fresh {
        make(&self.path(), overlap, now).unwrap()
    }

    fn secrets(&self) -> AdminSecrets {
        AdminSecrets::new(self.path())
    }
}

fn admits(secrets: &AdminSecrets, fresh: &Fresh, now: Timestamp) -> bool {
    let both = secrets.admits(&fresh.user, Some(&fresh.organization), now);
    let user = secrets.admits(&fresh.user, None, now);
    assert_eq!(both, user);
    both.unwrap()
}

#[test]
fn secrets_are_made_for_their_owner_alone_and_are_not_in_the_file() {
    let folder = Folder::new();
    let fresh = folder.make(HOUR, NOW);
    let facts = fs::metadata(folder.path()).unwrap();
    assert_eq!(facts.mode() & 0o777, 0o600);
    let text = fs::read_to_string(folder.path()).unwrap();
    for secret in [&fresh.user, &fresh.organization] {
        let secret = std::str::from_utf8(secret.expose()).unwrap();
        assert!(!text.contains(secret), "{text}");
    }
    let user = std::str::from_utf8(fresh.user.expose()).unwrap();
    assert!(user.len() == 44 && user.ends_with('='), "{user}");
    let organization = fresh.organization.expose();
    assert!(organization.len() == 32 && organization.iter().all(u8::is_ascii_hexdigit));
    let left = fs::read_dir(folder.path().parent().unwrap()).unwrap();
    assert_eq!(left.count(), 1, "nothing else is left there");
}

#[test]
fn only_the_secrets_that_were_made_are_let_in_and_only_together() {
    let folder = Folder::new();
    let (one, other) = (folder.make(HOUR, NOW), folder.make(HOUR, NOW));
    let secrets = folder.secrets();
    assert!(admits(&secrets, &one, NOW) && admits(&secrets, &other, NOW));
    let mixed = secrets.admits(&one.user, Some(&other.organization), NOW);
    assert_eq!(mixed, Ok(false));
    let text = String::from_utf8(one.user.expose().to_vec()).unwrap();
    for wrong in ["", &text[1..], &text.to_lowercase(), &format!("{text} ")] {
        assert_eq!(secrets.admits(&Secret::new(wrong), None, NOW), Ok(false));
    }
}

#[test]
fn new_secrets_end_the_old_ones_after_the_overlap() {
    let folder = Folder::new();
    let secrets = folder.secrets();
    assert_eq!(secrets.count(NOW), Ok(0));
    let first = folder.make(HOUR, NOW);
    assert_eq!(first.others_end_at, None);
    assert!(
        admits(&secrets, &first, NOW.plus(1_000 * HOUR)),
        "until they are replaced"
    );
    let second = folder.make(HOUR, NOW);
    let end = NOW.plus(HOUR);
    assert_eq!(second.others_end_at, Some(end));
    let before_end = Timestamp::from_ms(end.as_ms() - 1);
    assert!(admits(&secrets, &first, before_end) && !admits(&secrets, &first, end));
    let third = folder.make(Duration::ZERO, NOW);
    assert_eq!(third.others_end_at, None);
    for ended in [&first, &second] {
        assert!(!admits(&secrets, ended, NOW));
    }
    assert!(admits(&secrets, &third, end));
    assert_eq!(secrets.count(NOW), Ok(1));
}

#[test]
fn a_longer_overlap_does_not_lengthen_an_end_that_was_set() {
    let folder = Folder::new();
    let first = folder.make(HOUR, NOW);
    let _second = folder.make(HOUR, NOW);
    let _third = folder.make(10 * HOUR, NOW);
    assert!(!admits(&folder.secrets(), &first, NOW.plus(HOUR)));
    for _ in 0..10 {
        folder.make(HOUR, NOW);
    }
    assert_eq!(
        folder.secrets().count(NOW),
        Ok(PAIRS_MAX),
        "it does not grow for ever"
    );
}

#[test]
fn a_file_that_cannot_be_read_lets_nobody_in_and_is_not_written_over() {
    let folder = Folder::new();
    let secrets = folder.secrets();
    let fresh = folder.make(HOUR, NOW);
    assert!(admits(&secrets, &fresh, NOW));
    fs::write(folder.path(), "{").unwrap();
    let error = secrets.admits(&fresh.user, None, NOW).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("admin-secrets") && text.contains("line 1"),
        "{text}"
    );
    assert_eq!(make(&folder.path(), HOUR, NOW).unwrap_err(), error);
    assert_eq!(fs::read_to_string(folder.path()).unwrap(), "{");
    fs::remove_file(folder.path()).unwrap();
    assert!(
        !admits(&secrets, &fresh, NOW),
        "without a file nobody is let in"
    );
    assert!(admits(&secrets, &folder.make(HOUR, NOW), NOW));
}

#[test]
fn what_root_makes_belongs_to_whom_the_folder_belongs_to() {
    if !geteuid().is_root() {
        return;
    }
    let folder = Folder::new();
    let path = folder.path();
    let parent = path.parent().unwrap();
    fs::create_dir(parent).unwrap();
    chown(parent, Some(65_534), Some(65_533)).unwrap();
    folder.make(HOUR, NOW);
    let facts = fs::metadata(&path).unwrap();
    assert_eq!((facts.uid(), facts.gid()), (65_534, 65_533));
}

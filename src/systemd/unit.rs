//! What the installed units say, as far as the relay has to know it: where its sockets listen.

use std::fs;
use std::path::{Path, PathBuf};

/// Where units lie, the strongest first (systemd.unit(5)).
const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Whether this machine was started by systemd (sd_booted(3)).
pub fn is_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Where a socket unit listens (`ListenStream=`, its drop-ins included); `None` where there is no such
/// unit, where it is masked, or where there is no systemd.
pub fn streams(unit: &str) -> Option<Vec<String>> {
    if !is_systemd() {
        return None;
    }
    streams_in(&FOLDERS.map(PathBuf::from), unit)
}

fn streams_in(folders: &[PathBuf], unit: &str) -> Option<Vec<String>> {
    let file = folders
        .iter()
        .map(|folder| folder.join(unit))
        .find(|file| file.exists())?;
    let mut streams = Vec::new();
    read(&fs::read_to_string(file).ok()?, &mut streams);
    let folders = folders
        .iter()
        .rev()
        .map(|folder| folder.join(format!("{unit}.d")));
    for folder in folders {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
            .collect();
        files.sort();
        for file in files {
            read(&fs::read_to_string(file).unwrap_or_default(), &mut streams);
        }
    }
    // A masked unit is an empty file.
    (!streams.is_empty()).then_some(streams)
}

/// Adds what a file sets; an empty value begins anew.
fn read(text: &str, streams: &mut Vec<String>) {
    for line in text.lines() {
        match line.trim().strip_prefix("ListenStream=").map(str::trim) {
            Some("") => streams.clear(),
            Some(stream) => streams.push(stream.to_owned()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_streams_are_those_of_its_file_and_its_drop_ins() {
        let directory = tempfile::tempdir().unwrap();
        let folders = ["etc", "lib"].map(|name| directory.path().join(name));
        let unit = "qbo-relay-https.socket";
        assert_eq!(streams_in(&folders, unit), None);
        fs::create_dir_all(&folders[1]).unwrap();
        fs::write(folders[1].join(unit), "[Socket]\nListenStream=443\n").unwrap();
        assert_eq!(streams_in(&folders, unit).unwrap(), ["443"]);
        let drop_in = folders[0].join(format!("{unit}.d"));
        fs::create_dir_all(&drop_in).unwrap();
        fs::write(
            drop_in.join("port.conf"),
            "[Socket]\nListenStream=\nListenStream=8443\n",
        )
        .unwrap();
        assert_eq!(streams_in(&folders, unit).unwrap(), ["8443"]);
        // Masked.
        fs::remove_dir_all(&drop_in).unwrap();
        fs::write(folders[0].join(unit), "").unwrap();
        assert_eq!(streams_in(&folders, unit), None);
    }
}

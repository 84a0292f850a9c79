//! A control group with a bound on memory, of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";

/// A group of processes that share so much memory; it goes with this value, after its processes.
pub(crate) struct Cgroup {
    folder: PathBuf,
    is_unified: bool,
}

impl Cgroup {
    /// A group with this many bytes, and no swap.
    pub(crate) fn of(bytes: u64) -> Result<Self, String> {
        let is_unified = Path::new(ROOT).join("cgroup.controllers").exists();
        let name = format!("qbo-relay-test-{}", std::process::id());
        let parent = Path::new(ROOT).join(if is_unified { "" } else { "memory" });
        let folder = parent.join(name);
        let said = |error| format!("no control group {} can be made: {error}", folder.display());
        if is_unified {
            fs::write(parent.join("cgroup.subtree_control"), "+memory").map_err(said)?;
        }
        fs::create_dir(&folder).map_err(said)?;
        let bounds: &[(&str, u64)] = if is_unified {
            &[("memory.max", bytes), ("memory.swap.max", 0)]
        } else {
            // With a bound, the memory of sockets is counted; apart, in this version.
            &[
                ("memory.limit_in_bytes", bytes),
                ("memory.swappiness", 0),
                ("memory.kmem.tcp.limit_in_bytes", bytes),
            ]
        };
        let group = Self {
            folder: folder.clone(),
            is_unified,
        };
        for (file, value) in bounds {
            fs::write(folder.join(file), value.to_string()).map_err(said)?;
        }
        Ok(group)
    }

    /// The words of a program that enters the group and becomes the program named after them.
    pub(crate) fn enter(&self) -> [String; 4] {
        let procs = self.folder.join("cgroup.procs");
        let script = r#"echo $$ > "$0" && exec "$@""#;
        [
            "sh".into(),
            "-c".into(),
            script.into(),
            procs.to_string_lossy().into_owned(),
        ]
    }

    /// The most bytes of sockets that were counted apart from the processes' own memory.
    pub(crate) fn sockets_apart(&self) -> u64 {
        if self.is_unified {
            return 0;
        }
        let file = self.folder.join("memory.kmem.tcp.max_usage_in_bytes");
        fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its last process was told to end, and may not quite have.
        let began = Instant::now();
        while fs::remove_dir(&self.folder).is_err() && began.elapsed() < Duration::from_secs(5) {
            std::thread::yield_now();
        }
    }
}

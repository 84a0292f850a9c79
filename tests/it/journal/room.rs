//! Full, and room again: an append is refused before a promise is made, and nothing else stops.

use super::child::is_root;
use super::support::*;
use qbo_relay::journal::{Error, Inspection, Journal, Settings};
use qbo_relay::model::{JournalHealth, Kept, Outcome, Receipt, Settlement};
use std::fs::File;
use std::io::Write;
use std::process::Command;

fn big(number: u64) -> Receipt {
    Receipt {
        body: vec![b'x'; 50_000].into(),
        ..single("1", number)
    }
}

async fn fill(journal: &Journal) -> u64 {
    for number in 0..10_000 {
        match journal.append(big(number)).await {
            Ok(_) => {}
            Err(Error::Full) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never fills up");
}

#[tokio::test]
async fn a_used_up_budget_refuses_appends_until_deliveries_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let budget = 8 << 20;
    let small = Settings {
        bytes_max: budget,
        ..settings(directory.path())
    };
    let path = small.path.clone();
    let journal = Journal::open(small, START).unwrap();
    let kept = fill(&journal).await;
    assert_eq!(journal.health(), JournalHealth::Full);
    assert!(kept > 100, "{kept}");
    let sizes = ["", "-wal"].map(|suffix| {
        let file = format!("{}{suffix}", path.display());
        std::fs::metadata(file).unwrap().len()
    });
    assert!(sizes.iter().sum::<u64>() <= budget, "{sizes:?}");

    // Nothing settled can go, so it stays full; settling itself goes on, on the reserve.
    assert_eq!(journal.tidy(START).await.unwrap().receipts, 0);
    assert_eq!(journal.append(big(kept)).await, Err(Error::Full));
    drain(&journal, &lane("erp", "1")).await;
    let room_again = async {
        while journal.health() == JournalHealth::Full {
            journal.tidy(START).await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), room_again)
        .await
        .unwrap();
    let next = journal.append(big(kept)).await.unwrap();
    assert!(
        matches!(next, Kept::New { seq, .. } if seq.0 == i64::try_from(kept).unwrap() + 1),
        "{next:?}"
    );
    assert_eq!(
        Inspection::open(&path).unwrap().verify().unwrap().findings,
        [""; 0]
    );
}

/// A file system in memory that holds 48 MiB.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(directory.path())
            .status();
        assert!(mounted.unwrap().success());
        Self(directory)
    }

    /// Takes what is left of the room, up to so many bytes.
    fn take(&self, name: &str, bytes: usize) {
        let mut file = File::create(self.0.path().join(name)).unwrap();
        for _ in 0..bytes / 4096 {
            if file.write_all(&[b'x'; 4096]).is_err() {
                return;
            }
        }
    }

    fn give_back(&self, name: &str) {
        std::fs::remove_file(self.0.path().join(name)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_appends_loses_nothing_and_there_is_room_again_without_a_restart() {
    if !is_root() {
        return;
    }
    let disk = Disk::new();
    disk.take("something else", 16 << 20);
    let journal = open(disk.0.path());
    let kept = fill(&journal).await;
    assert_eq!(journal.health(), JournalHealth::Full);

    // Somebody else takes all that is left. What was promised is finished all the same.
    disk.take("the rest", 48 << 20);
    let ours = lane("erp", "1");
    let accepted = attempt(Outcome::Accepted);
    let settled = kept / 2;
    for number in 1..=settled {
        let view = journal.lane_view(&ours, ONE).await.unwrap();
        assert_eq!(view.head[0].sequence, number);
        let done = delivery(&ours, &view);
        let recorded = journal.settle(&done, &accepted, &Settlement::Delivered);
        assert_eq!(recorded.await, Ok(()), "{number} of {kept}");
    }
    // A restart works on a full disk too.
    journal.close().await.unwrap();
    let journal = open(disk.0.path());
    assert_eq!(journal.append(big(kept)).await, Err(Error::Full));

    disk.give_back("the rest");
    disk.give_back("something else");
    assert_eq!(
        new_seq(journal.append(big(kept)).await.unwrap()),
        i64::try_from(kept).unwrap() + 1
    );
    assert_eq!(journal.health(), JournalHealth::Working);
    let rest = drain(&journal, &ours).await;
    assert_eq!(rest, (settled + 1..=kept + 1).collect::<Vec<_>>());
    let inspection = Inspection::open(&settings(disk.0.path()).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

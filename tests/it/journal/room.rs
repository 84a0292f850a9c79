//! Full, and room again: an append is refused before a promise is made, and nothing else stops.

use super::support::*;
use qbo_relay::journal::{Error, Inspection, Journal, Settings};
use qbo_relay::model::{JournalHealth, Kept, Receipt};

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

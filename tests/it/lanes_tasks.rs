//! Which lanes have a task: those that have something to do, in turns where they are many.

use crate::support::house::{House, to};
use crate::support::receiver::{Answer, PATIENCE, Receiver, event};
use qbo_relay::sink::Format;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

/// More than the lanes of one sink that have a task at a time.
const COMPANIES: usize = 300;

async fn arrive_all(house: &House, number: u8) {
    for company in 0..COMPANIES {
        house.arrive(&format!("company-{company}"), number).await;
    }
}

#[tokio::test]
async fn a_lane_without_work_has_no_task_and_gets_one_when_something_comes() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    house.arrive("company-0", 1).await;
    house.until_delivered(1).await;
    for round in 2..=3 {
        arrive_all(&house, round).await;
        house
            .until_delivered(1 + u64::from(round - 1) * COMPANIES as u64)
            .await;
        let few = async {
            while tasks() > 40 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = timeout(PATIENCE, few).await;
        ended.unwrap_or_else(|_| panic!("{} tasks", tasks()));
    }
    house.close().await;

    // What was delivered needs no task after a restart either.
    let before = tasks();
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("other", 1).await;
    house.until_delivered(1).await;
    assert!(tasks() < before + 20, "{} tasks after {before}", tasks());
    house.close().await;
}

#[tokio::test]
async fn lanes_that_wait_for_their_next_attempt_keep_no_other_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, request| {
        let refused = event(request).0.starts_with("company-");
        Answer::Status(if refused { 500 } else { 200 })
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    arrive_all(&house, 1).await;
    house
        .until(|health| {
            health
                .troubles
                .first()
                .is_some_and(|t| t.waiting >= COMPANIES as u64)
        })
        .await;
    house.arrive("zebra", 1).await;
    house.until_accepted(1).await;
    // And each of them is tried again when its time has come.
    let before = house.tally.attempts.value();
    house.pass(Duration::from_secs(5));
    let again = async {
        while house.tally.attempts.value() < before + COMPANIES as u64 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    house.close().await;
}

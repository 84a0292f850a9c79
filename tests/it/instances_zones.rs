//! Time zones of polling instances, from the call that sets them to what QuickBooks is asked.

use crate::support::office::Office;
use crate::support::receiver::{Answer, PATIENCE};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn polling(configuration: &Value) -> Value {
    json!({
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": "1",
        "event.poller.configuration": configuration,
    })
}

#[tokio::test]
async fn dates_of_polls_are_written_in_the_zone_that_was_configured() {
    let office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let zone = json!({ "updatedDateTimezone": "GMT-09:30" });
    let configuration = json!({ "invoices": zone, "customers": { "datesConfiguration": zone } });
    let made = office.create(polling(&configuration)).await;
    assert!(
        !made["warnings"].to_string().contains("time zone"),
        "{made}"
    );
    let began = Instant::now();
    let asked = loop {
        let calls = office.intuit.calls();
        let targets = calls.log.iter().map(|asked| asked.target.clone());
        let found: Vec<String> = targets
            .filter(|target| target.contains("09%3A30"))
            .collect();
        if !found.is_empty() {
            break found;
        }
        assert!(began.elapsed() < PATIENCE, "{:#?}", calls.log);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for target in asked {
        assert!(
            target.contains("Invoice") || target.contains("Customer"),
            "{target}"
        );
        assert!(target.contains("-09%3A30"), "{target}");
    }
}

#[tokio::test]
async fn what_is_no_time_zone_is_refused_and_nothing_changes() {
    let office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let good = json!({ "invoices": { "updatedDateTimezone": "America/Los_Angeles" } });
    let made = office.create(polling(&good)).await;
    for (zone, place) in [
        (
            json!({ "updatedDateTimezone": "Mars/Olympus" }),
            "updatedDateTimezone",
        ),
        (
            json!({ "datesConfiguration": { "createdDateTimezone": "GMT+99" } }),
            "createdDateTimezone",
        ),
        (
            json!({ "url": "/invoices?where=x > '${dateTimeZone:XST:yyyy-MM-dd}'" }),
            "url",
        ),
    ] {
        let body = json!({ "configuration": polling(&json!({ "invoices": zone })) });
        let came = office.call("PATCH", "/instances/1", &body).await;
        assert_eq!(came.status, 400, "{}", came.text);
        for part in [
            "event.poller.configuration: invoices",
            place,
            "is no time zone",
        ] {
            assert!(came.text.contains(part), "{}", came.text);
        }
        let item = json!({ "propertyValue": { "invoices": zone } });
        let came = office
            .call("PATCH", "/instances/1/configuration/26", &item)
            .await;
        assert_eq!(came.status, 400, "{}", came.text);
    }
    let read = office.call("GET", "/instances/1", &Value::Null).await;
    assert_eq!(read.json(), made);
}

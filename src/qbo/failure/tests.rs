//! What answers of every status and kind come to.

use super::*;

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../tests/data/quickbooks/", $name))
    };
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        retry_after: None,
        body: body.into(),
    }
}

fn refused(status: u16, code: Option<&str>, why: &str) -> Failure {
    Failure::Refused {
        status,
        code: code.map(str::to_owned),
        why: why.into(),
    }
}

/// The variant's name and what it says.
fn shown(failure: &Failure) -> String {
    let name = format!("{failure:?}");
    let end = name.find([' ', '{']).unwrap_or(name.len());
    name[..end].to_owned()
}

#[test]
fn the_code_decides_before_the_status() {
    let fault = |code, text| {
        format!(r#"{{"Fault":{{"Error":[{{"Message":"{text}","code":"{code}"}}],"type":"x"}}}}"#)
    };
    let table = [
        (
            401,
            data!("fault-gateway-401.json").to_owned(),
            "Unauthorized",
        ),
        (403, data!("fault-gateway-403.json").to_owned(), "Forbidden"),
        (429, data!("fault-throttled.xml").to_owned(), "Throttled"),
        (403, data!("fault-throttled.xml").to_owned(), "Throttled"),
        (200, data!("fault-throttled.xml").to_owned(), "Throttled"),
        (400, data!("fault-too-old.json").to_owned(), "TooOld"),
        (200, data!("fault-too-old.json").to_owned(), "TooOld"),
        (400, data!("fault-lapsed.json").to_owned(), "Lapsed"),
        (403, data!("fault-lapsed.json").to_owned(), "Lapsed"),
        (400, data!("fault-validation.json").to_owned(), "Refused"),
        (400, data!("fault-not-found.json").to_owned(), "Refused"),
        (401, fault("120", "Authorization Failure"), "Forbidden"),
        (400, fault("500", "Unsupported Operation"), "Unsupported"),
        (500, fault("10000", "System Failure"), "Unavailable"),
        (
            429,
            fault("", "The monthly limit was reached"),
            "CapReached",
        ),
        (
            429,
            fault("3001", "ThrottleExceeded for this month"),
            "CapReached",
        ),
        (429, fault("", ""), "Throttled"),
        (418, fault("4001", "QueryParserError"), "Refused"),
    ];
    for (status, body, expected) in table {
        let failure = Failure::of_answer(&answer(status, &body));
        assert_eq!(shown(&failure), expected, "{status} {body}");
    }
    let inside = r#"{"Fault":{"Error":[{"code":"10000"}],"type":"SystemFault"}}"#;
    let failure = Failure::of_answer(&answer(200, inside));
    assert_eq!(shown(&failure), "Unavailable");
    assert_eq!(
        Failure::of_answer(&answer(400, data!("fault-validation.json"))),
        refused(
            400,
            Some("2030"),
            "Invalid ID (Id should be a valid number. Supplied value:1.5)"
        )
    );
}

/// What proxies, firewalls, login pages and broken connections answer.
const FOREIGN: [&str; 20] = [
    "",
    " \r\n",
    "\u{0}",
    "Not Found",
    "<html>nginx</html>",
    "<!DOCTYPE html><html><body><form action=\"/login\"><input></form></body></html>",
    "<Error><Code>AccessDenied</Code><Message>Forbidden</Message></Error>",
    "<s:Envelope xmlns:s='x'><s:Body><s:Fault><faultcode>3100</faultcode></s:Fault></s:Body></s:Envelope>",
    "<IntuitResponse><Fault type=\"AuthorizationFault\"></Fault></IntuitResponse>",
    "<IntuitResponse><Fault type=\"AuthenticationFault\"><Error code=\"3200\">",
    "{}",
    "[]",
    "\"3100\"",
    r#"{"message":"Forbidden"}"#,
    r#"{"error":"Forbidden","code":3100}"#,
    r#"{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"oauth.v2.InvalidApiKey"}}}"#,
    r#"{"Fault":"3200"}"#,
    r#"{"Fault":null}"#,
    r#"{"Fault":{"type":"AuthorizationFault","Error":[]}}"#,
    r#"{"Fault":{"Error":[{"Message":"ApplicationAuthorizationFailed","code":"3100"}],"ty"#,
];

fn is_unavailable(failure: &Failure) -> bool {
    matches!(failure, Failure::Unavailable { .. })
}

#[test]
fn what_did_not_come_from_intuit_says_only_that_it_cannot_be_reached() {
    for status in (100..=599).filter(|status| *status != 429) {
        for body in FOREIGN {
            let answer = answer(status, body);
            for failure in [Failure::of_answer(&answer), Failure::of_refusal(&answer)] {
                assert!(is_unavailable(&failure), "{status} {body}: {failure:?}");
                let said = failure.to_string();
                assert!(said.contains(&format!("status {status}")), "{said}");
            }
        }
    }
    for body in FOREIGN {
        let wait = Failure::Throttled { wait: THROTTLE };
        let answer = answer(429, body);
        assert_eq!(Failure::of_answer(&answer), wait);
        assert_eq!(Failure::of_refusal(&answer), wait);
    }
}

#[test]
fn a_server_error_is_no_refusal_whatever_comes_with_it() {
    let json = |outer: &str, list: &str, code: &str, class: &str| {
        format!(
            r#"{{"{outer}":{{"{list}":[{{"Message":"no","code":"{code}"}}],"type":"{class}"}}}}"#
        )
    };
    let codes = [
        "120", "3100", "3200", "003200", "3001", "6190", "500", "610", "10000", "",
    ];
    let classes = [
        "AuthorizationFault",
        "AUTHENTICATION",
        "ValidationFault",
        "SystemFault",
    ];
    for status in 500..=599 {
        for code in codes {
            for class in classes {
                let xml = format!(
                    "<IntuitResponse><Fault type=\"{class}\"><Error code=\"{code}\">\
                     <Message>no</Message></Error></Fault></IntuitResponse>"
                );
                let service = json("Fault", "Error", code, class);
                let gateway = json("fault", "error", code, class);
                for body in [service, gateway, xml] {
                    let answer = answer(status, &body);
                    let failure = Failure::of_answer(&answer);
                    assert!(is_unavailable(&failure), "{status} {body}: {failure:?}");
                    let failure = Failure::of_refusal(&answer);
                    assert!(is_unavailable(&failure), "{status} {body}: {failure:?}");
                }
            }
        }
        for error in ["invalid_grant", "invalid_client", "invalid_request"] {
            let body = format!(r#"{{"error":"{error}","error_description":"no"}}"#);
            let failure = Failure::of_refusal(&answer(status, &body));
            assert!(is_unavailable(&failure), "{status} {body}: {failure:?}");
        }
    }
}

#[test]
fn a_part_of_a_good_answer_fails_by_intuits_fault_only() {
    let good = answer(200, "{}");
    let foreign = Trouble::Foreign("nothing".into());
    assert!(is_unavailable(&Failure::of_trouble(&good, foreign)));
    let nobodys = Trouble::Fault(Fault::default());
    assert!(is_unavailable(&Failure::of_trouble(&good, nobodys)));
    let fault = Fault::read(data!("fault-lapsed.json").as_bytes()).unwrap();
    let lapsed = Failure::of_trouble(&good, Trouble::Fault(fault));
    assert_eq!(lapsed, Failure::Lapsed);
}

#[test]
fn a_wait_that_is_asked_for_is_never_shorter_than_the_relays_own() {
    for (asked, seconds) in [(0, 60), (7, 60), (90, 90), (u64::MAX, 3_600)] {
        let wait = Duration::from_secs(seconds);
        let asked = Answer {
            retry_after: Some(Duration::from_secs(asked)),
            ..answer(429, data!("fault-throttled.xml"))
        };
        assert_eq!(Failure::of_answer(&asked), Failure::Throttled { wait });
        assert_eq!(Failure::of_refusal(&asked), Failure::Throttled { wait });
    }
}

#[test]
fn a_refusal_of_tokens_says_who_has_to_act() {
    let grant = |error: &str| format!(r#"{{"error":"{error}","error_description":"Because"}}"#);
    let because = || "Because".to_owned();
    let table = [
        (
            400,
            grant("invalid_grant"),
            Failure::InvalidGrant { why: because() },
        ),
        (
            401,
            grant("invalid_client"),
            Failure::InvalidClient { why: because() },
        ),
        (
            200,
            grant("invalid_grant"),
            Failure::InvalidGrant { why: because() },
        ),
        (
            400,
            grant("invalid_request"),
            refused(400, Some("invalid_request"), "Because"),
        ),
        (
            503,
            grant("temporarily_unavailable"),
            Failure::Unavailable {
                why: "status 503: Because".into(),
            },
        ),
        (
            400,
            data!("fault-gateway-401.json").to_owned(),
            refused(
                400,
                Some("3200"),
                "message=AuthenticationFailed; errorCode=003200; statusCode=401 (Token expired: …)",
            ),
        ),
        (
            502,
            "<html>".into(),
            Failure::Unavailable {
                why: "status 502".into(),
            },
        ),
    ];
    for (status, body, expected) in table {
        assert_eq!(
            Failure::of_refusal(&answer(status, &body)),
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn no_failure_quotes_a_token() {
    let token = "AB01601390262eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0";
    assert!(data!("fault-gateway-401.json").contains(token));
    for code in ["3200", "3100", "610", "500", "10000"] {
        let body = data!("fault-gateway-401.json").replace("3200", code);
        for status in [200, 400, 401, 403, 500] {
            let failure = Failure::of_answer(&answer(status, &body));
            assert!(
                !format!("{failure:?} {failure}").contains("AB016"),
                "{failure:?}"
            );
        }
    }
}

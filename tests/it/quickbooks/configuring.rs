//! Mistakes in `[[app]]`, `[poll]`, `[reconcile]` and `[tokens]`, each named with its line.

use crate::support::relay::Gateway;

const APP: &str = "[[app]]\nname = \"books\"\nclient_id = \"ABw4\"\nclient_secret = \"s\"\nredirect_uri = \"https://gw.example/oauth/callback\"\n";

/// The findings of `check`, and whether it can be used.
fn check(tables: &str) -> (bool, String) {
    let gateway = Gateway::new(tables);
    let output = gateway.command(&["check"]);
    let told = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), told)
}

#[test]
fn an_app_is_explained() {
    let (usable, told) = check(&format!(
        "{APP}[poll]\nresources = [\"customers\", \"time-activities\"]\nintervals = {{ customers = \"5 min\" }}\n"
    ));
    assert!(usable, "{told}");
    for part in [
        "[[app]] books",
        "production",
        "customers every 5 min",
        "time-activities every 15 min",
    ] {
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
    assert!(!told.contains("\"s\""), "{told}");
}

#[test]
fn a_mistake_is_named_with_its_line_and_key() {
    let with = |line: &str| format!("{APP}{line}\n");
    let without = |key: &str| {
        let kept = APP.lines().filter(|line| !line.starts_with(key));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    let replaced = |from: &str, to: &str| APP.replace(from, to);
    for (tables, parts) in [
        (
            with("environment = \"live\""),
            &[":17", "environment", "sandbox"][..],
        ),
        (with("calls_per_month = -1"), &[":17"]),
        (with("api_url = \"ftp://x\""), &["api"]),
        (with("api_url = \"http://api.example\""), &["api"]),
        (with("timeout = \"10 min\""), &[":17", "timeout"]),
        (without("client_secret"), &[":13", "client_secret_file"]),
        (replaced("\"ABw4\"", "\" \""), &[":14", "client_id"]),
        (
            replaced("/oauth/callback", "/callback"),
            &[":16", "/oauth/callback"],
        ),
        (replaced("https://gw", "http://gw"), &[":16", "https"]),
        (replaced("\"books\"", "\"my books\""), &[":13", "name"]),
        (format!("{APP}{APP}"), &[":18", "two apps"]),
        (
            "[poll]\nresources = [\"customers\"]\n".into(),
            &[":13", "[[app]]"],
        ),
        (
            with("[poll]\nresources = [\"tax-customers\"]"),
            &[":18", "tax-customers"],
        ),
        (
            with("[poll]\nresources = [\"bills\"]\ninterval = \"10 s\""),
            &[":19", "1 min"],
        ),
        (
            with("[poll]\nintervals = { bills = \"5 min\" }"),
            &[":18", "bills"],
        ),
        (
            with("[reconcile]\nsweep_at = \"24:00\""),
            &[":18", "sweep_at"],
        ),
        (with("[reconcile]\nsettle = \"1 h\""), &[":18", "settle"]),
        (with("[tokens]\nkey = \"short\""), &["[tokens]", "32 bytes"]),
        (
            "[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"o\"\nrelay = \"later\"\n".into(),
            &[":16", "when-reconciled"],
        ),
        (
            "[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"o\"\nrelay_within = \"5 s\"\n"
                .into(),
            &[":16", "when-reconciled"],
        ),
    ] {
        let (usable, told) = check(&tables);
        assert!(!usable, "{tables}\n{told}");
        for part in parts {
            assert!(
                told.contains(part),
                "no {part:?} for:\n{tables}\nin: {told}"
            );
        }
    }
}

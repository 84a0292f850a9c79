//! The shipped configuration, `systemd/qbo-relay.toml`, is the code's: every key, every default.

use super::*;

const SHIPPED: &str = include_str!("../../systemd/qbo-relay.toml");

/// What a line of the shipped file sets: `#key = value`, without the mark.
fn setting(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?;
    rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '[')
        .then_some(rest)
}

/// The shipped file with everything in it set.
fn all_set() -> String {
    let lines = SHIPPED.lines().map(|line| setting(line).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The keys that the reader knows in a table, by its own words about one that it does not know.
fn known_keys(table: &str) -> Vec<String> {
    let text = format!("{table}\nno-such-key = 1\n");
    let error = toml::from_str::<file::File>(&text).unwrap_err();
    let (_, expected) = error.message().split_once("expected ").unwrap();
    let quoted = expected.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

#[test]
fn the_shipped_configuration_lacks_only_what_nobody_can_know() {
    let findings = Config::parse(Path::new("qbo-relay.toml"), SHIPPED, None).unwrap_err();
    let errors: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.text.split([':', ' ']).nth(1).unwrap())
        .collect();
    assert_eq!(errors, ["is", "[[verifier]]"], "{findings:?}");
}

#[test]
fn every_key_of_the_code_is_in_the_shipped_configuration_and_no_other() {
    let all = all_set();
    // No unknown key, and each value of the right type.
    if let Err(error) = toml::from_str::<file::File>(&all) {
        panic!("{error}");
    }
    let shipped: toml::Table = toml::from_str(&all).unwrap();
    let mut missing = Vec::new();
    for name in known_keys("") {
        let Some(value) = shipped.get(&name) else {
            missing.push(format!("the table {name}"));
            continue;
        };
        let (header, table) = match value {
            toml::Value::Array(tables) => (format!("[[{name}]]"), tables[0].as_table()),
            other => (format!("[{name}]"), other.as_table()),
        };
        let keys = known_keys(&header);
        let absent = keys
            .into_iter()
            .filter(|key| !table.unwrap().contains_key(key));
        missing.extend(absent.map(|key| format!("{header} {key}")));
    }
    assert!(
        missing.is_empty(),
        "systemd/qbo-relay.toml lacks: {}",
        missing.join(", ")
    );
}

/// Configurations that can be used, in which a further line of some table can be put.
fn bases() -> [String; 2] {
    let kinds = [
        ("kind = \"http\"\nurl = \"http://erp.example/\"", ""),
        ("kind = \"file\"\npath = \"out\"", "line = \"GPIO17\"\n"),
    ];
    kinds.map(|(sink, led)| {
        format!(
            "[listen]\n[tls]\n[[verifier]]\nname = \"a\"\ntoken = \"b\"\n[journal]\n\
             [[sink]]\nname = \"c\"\n{sink}\n[servicestack]\n[[source]]\nname = \"d\"\npath = \"/d\"\n\
             bearer_token = \"e\"\n[[app]]\nname = \"f\"\nclient_id = \"g\"\nclient_secret = \"h\"\n\
             redirect_uri = \"https://i.example/oauth/callback\"\n[reconcile]\n[poll]\n[tokens]\n\
             [instances]\n[admin]\n[led]\n{led}[clock]\n[log]\n"
        )
    })
}

/// The configuration that a text makes, in words.
fn told(text: &str) -> Option<String> {
    let text = if text.contains("self_signed") {
        // Instead of files that would have to be there; `false` is what it is without the line.
        text.replacen("[tls]\nself_signed = false", "[tls]\nself_signed = true", 1)
    } else {
        text.replacen("[tls]\n", "[tls]\nself_signed = true\n", 1)
    };
    let config = Config::parse(Path::new("/etc/q.toml"), &text, None);
    config.ok().map(|(config, _)| format!("{config:?}"))
}

#[test]
fn every_default_in_the_shipped_configuration_is_what_the_code_does_without_it() {
    let (mut table, mut wrong, mut checked) = (String::new(), Vec::new(), 0);
    for (number, line) in (1..).zip(SHIPPED.lines()) {
        let set = setting(line).unwrap_or(line);
        if set.starts_with('[') {
            set.clone_into(&mut table);
        } else if setting(line).is_some() && !set.ends_with("# example") {
            checked += 1;
            let is_default = bases().iter().any(|base| {
                let with = base.replacen(&format!("{table}\n"), &format!("{table}\n{set}\n"), 1);
                assert_ne!(*base, with, "line {number}: {table} is in no base");
                told(base).is_some() && told(base) == told(&with)
            });
            if !is_default {
                wrong.push(format!("line {number}: {table} {set}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not the defaults of the code:\n{}",
        wrong.join("\n")
    );
    assert!(checked > 20);
}

#[test]
fn what_is_said_about_the_pauses_of_callbacks_is_what_the_key_means() {
    let readme = include_str!("../../README.md");
    let key = "[instances] retry_delays";
    let spans = |text: &str| -> Vec<u64> {
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        numbers.filter_map(|number| number.parse().ok()).collect()
    };
    let shipped: toml::Table = toml::from_str(&all_set()).unwrap();
    let shipped = shipped["instances"]["retry_delays"].to_string();
    let expected = spans(&shipped);
    let told: Vec<&str> = readme.lines().filter(|line| line.contains(key)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for line in told {
        let line = match line.split_once("after pauses of") {
            Some((_, list)) => list.split(" s (").next().unwrap(),
            None => line.split('|').nth(2).unwrap(),
        };
        assert_eq!(spans(line), expected, "{line}");
    }
    assert_eq!(instances::DEFAULT_RETRY_DELAYS_S.to_vec(), expected);
}

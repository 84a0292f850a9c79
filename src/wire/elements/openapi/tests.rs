//! The description against the router and against what is answered.

use super::*;
use crate::wire::elements::hostile::PATHS;
use serde_json::Map;
use std::collections::BTreeSet;

fn description() -> Value {
    serde_json::from_slice(&document()).unwrap()
}

fn upper(methods: &Map<String, Value>) -> BTreeSet<String> {
    let named = methods.keys().filter(|key| *key != "parameters");
    named.map(|method| method.to_ascii_uppercase()).collect()
}

/// The path with something for each of its segments.
fn filled(path: &str) -> String {
    [
        ("{id}", "7"),
        ("{item}", "15"),
        ("{event}", "AXBooiL_qrZEur0mJV08"),
        ("{element}", "quickbooks"),
        ("{account}", "1"),
    ]
    .into_iter()
    .fold(path.to_owned(), |path, (segment, value)| {
        path.replace(segment, value)
    })
}

#[test]
fn the_description_has_every_path_and_method_of_the_router_and_no_others() {
    let description = description();
    let described = description["paths"].as_object().unwrap();
    let described: BTreeSet<(String, BTreeSet<String>)> = described
        .iter()
        .map(|(path, methods)| (filled(path), upper(methods.as_object().unwrap())))
        .collect();
    let routed = PATHS.iter().map(|(path, methods)| {
        let path = path
            .split('?')
            .next()
            .unwrap()
            .replace("/39/", "/quickbooks/");
        let methods = methods.split(", ").filter(|method| *method != "HEAD");
        (path, methods.map(str::to_owned).collect())
    });
    assert_eq!(
        described,
        routed.filter(|(path, _)| !path.ends_with('/')).collect()
    );
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_used() {
    let description = description();
    let mut used = BTreeSet::new();
    collect(&description, &mut used);
    let there = description["components"].as_object().unwrap();
    let kinds = ["schemas", "parameters", "headers", "responses"];
    let there = kinds
        .iter()
        .flat_map(|kind| there[*kind].as_object().unwrap().keys());
    assert_eq!(used, there.cloned().collect());
}

fn collect(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                used.insert(reference.rsplit('/').next().unwrap().to_owned());
            }
            object.values().for_each(|value| collect(value, used));
        }
        Value::Array(array) => array.iter().for_each(|value| collect(value, used)),
        _ => {}
    }
}

#[test]
fn every_key_of_a_configuration_is_described() {
    let description = description();
    let described = &description["components"]["schemas"]["Configuration"]["properties"];
    for known in keys::KEYS {
        assert_eq!(described[known.key]["description"], known.description);
    }
}

#[test]
fn every_segment_of_a_path_is_described() {
    for (path, item) in description()["paths"].as_object().unwrap() {
        let named: Vec<&str> = path
            .split('/')
            .filter(|segment| segment.starts_with('{'))
            .collect();
        let named: Vec<String> = named
            .iter()
            .map(|segment| {
                format!(
                    "#/components/parameters/{}",
                    segment.trim_matches(['{', '}'])
                )
            })
            .collect();
        let described = item["parameters"].as_array().into_iter().flatten();
        let described: Vec<&str> = described.filter_map(|item| item["$ref"].as_str()).collect();
        assert_eq!(described, named, "{path}");
    }
}

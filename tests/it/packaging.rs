//! What is installed around the binary: the units, the package, the cross build's configuration.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table(path: &str) -> toml::Table {
    text(path).parse().unwrap()
}

/// By itself `cross` reads `Cross.toml`, and finds none without a word.
#[test]
fn every_documented_cross_command_names_its_configuration() {
    let mut commands = 0;
    for path in ["README.md", "cross.toml", ".ci/run", "board/build-deb"] {
        for line in text(path)
            .lines()
            .filter(|line| line.contains("cross build"))
        {
            let named = line.find("CROSS_CONFIG=cross.toml");
            assert!(
                named.is_some() && named < line.find("cross build"),
                "{path}: {line}"
            );
            commands += 1;
        }
    }
    assert!(commands >= 2, "the README and cross.toml show the command");
    let twin = fs::read_dir(root())
        .unwrap()
        .any(|entry| entry.unwrap().file_name() == "Cross.toml");
    assert!(!twin, "one of the two would hide the other");
}

#[test]
fn cross_toml_has_both_targets_and_passes_on_what_a_build_depends_on() {
    let cross = table("cross.toml");
    let passed = cross["build"]["env"]["passthrough"].as_array().unwrap();
    for name in ["LIBSQLITE3_FLAGS", "SOURCE_DATE_EPOCH"] {
        assert!(passed.iter().any(|value| value.as_str() == Some(name)));
    }
    let targets = cross["target"].as_table().unwrap();
    for target in ["aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"] {
        assert!(targets.contains_key(target), "{target}");
    }
}

#[test]
fn the_service_never_gives_up_and_keeps_its_bounds() {
    let unit = text("systemd/qbo-relay.service");
    for line in [
        "Type=notify",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "WatchdogSec=30",
        "ExecReload=/usr/bin/qbo-relay reload --pid $MAINPID",
        "ExecStopPost=-/usr/bin/qbo-relay led stopped",
        "Sockets=qbo-relay-https.socket qbo-relay-admin.socket",
        "MemoryMax=128M",
        "TasksMax=64",
        "StateDirectory=qbo-relay",
        "DeviceAllow=char-gpiochip rw",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let holding_back = unit
        .lines()
        .find(|line| line.starts_with("After=") && line.contains("time-sync"));
    assert_eq!(holding_back, None, "a listener needs no clock");
}

#[test]
fn the_sockets_have_the_names_that_the_relay_looks_for() {
    for (unit, name) in [
        ("systemd/qbo-relay-https.socket", "https"),
        ("systemd/qbo-relay-admin.socket", "admin"),
    ] {
        let unit = text(unit);
        let line = format!("FileDescriptorName={name}");
        assert!(unit.lines().any(|found| found == line), "{line}");
        assert!(unit.contains("\nService=qbo-relay.service\n"));
    }
}

/// Whether a path, whose last part may be `*.ending`, names something.
fn exists(pattern: &str) -> bool {
    let path = root().join(pattern);
    match pattern.rsplit_once("/*") {
        None => path.exists(),
        Some((folder, ending)) => fs::read_dir(root().join(folder)).unwrap().any(|entry| {
            let name = entry.unwrap().file_name();
            name.to_string_lossy().ends_with(ending)
        }),
    }
}

#[test]
fn the_package_takes_files_that_exist_and_leaves_no_unit_out() {
    let manifest = table("Cargo.toml");
    let package = &manifest["package"]["metadata"]["deb"];
    let mut targets = Vec::new();
    for asset in package["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        assert!(
            source.starts_with("target/release/") || exists(source),
            "{source}"
        );
        targets.push(asset[1].as_str().unwrap());
    }
    for file in package["conf-files"].as_array().unwrap() {
        let folder = Path::new(file.as_str().unwrap()).parent().unwrap();
        let folder = format!("{}/", folder.to_str().unwrap().trim_start_matches('/'));
        assert!(targets.contains(&folder.as_str()), "{file}");
    }
    let units = package["systemd-units"].as_array().unwrap();
    for entry in fs::read_dir(root().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        if !path
            .extension()
            .is_some_and(|ending| ending == "service" || ending == "socket")
        {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let mut named = units
            .iter()
            .filter(|unit| unit["unit-name"].as_str() == Some(stem));
        assert!(named.next().is_some(), "{stem}");
    }
}

/// Secrets may stand in the configuration: only root and the relay read it.
#[test]
fn the_packaged_configuration_is_readable_by_root_and_the_relay_only() {
    let manifest = table("Cargo.toml");
    let assets = manifest["package"]["metadata"]["deb"]["assets"]
        .as_array()
        .unwrap();
    let mode = assets
        .iter()
        .find(|asset| asset[0].as_str() == Some("systemd/qbo-relay.toml"))
        .map(|asset| asset[2].as_str().unwrap());
    assert_eq!(mode, Some("640"));
    // Before the service is started by what takes the place of the marker.
    let script = text("systemd/debian/postinst");
    let (before, _) = script.split_once("#DEBHELPER#").unwrap();
    let user = before.find("systemd-sysusers qbo-relay.conf");
    assert!(
        user.is_some() && user < before.find("chgrp qbo-relay"),
        "{before}"
    );
    assert!(before.contains("chmod u=rw,g=r,o="), "{before}");
}

/// A connection that comes during an upgrade waits in a socket that nobody closes.
#[test]
fn an_upgrade_restarts_the_service_and_leaves_the_sockets() {
    let manifest = table("Cargo.toml");
    let units = manifest["package"]["metadata"]["deb"]["systemd-units"]
        .as_array()
        .unwrap();
    for unit in units {
        let name = unit["unit-name"].as_str().unwrap();
        let restarts = unit["restart-after-upgrade"].as_bool().unwrap();
        assert_eq!(restarts, name == "qbo-relay", "{name}");
        if !restarts {
            assert_eq!(unit["stop-on-upgrade"].as_bool(), Some(false), "{name}");
        }
    }
}

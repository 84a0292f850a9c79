//! Man pages and shell completions are made from the same definitions as `--help`, and are what lies in
//! `systemd/`. With QBO_RELAY_BLESS=1 in the environment they are written instead of compared.

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use qbo_relay::cli::Cli;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The section of commands for the system's administrator.
const SECTION: &str = "8";

fn systemd() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

fn definition() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Compares, or writes.
fn expect(place: &str, made: &[u8], wrong: &mut Vec<String>) {
    let path = systemd().join(place);
    if std::env::var_os("QBO_RELAY_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    if fs::read(&path).ok().as_deref() != Some(made) {
        wrong.push(place.to_owned());
    }
}

#[track_caller]
fn none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "not what the definitions say: {wrong:?}; write them with: QBO_RELAY_BLESS=1 cargo test papers"
    );
}

/// A page for this command and one for each below it.
fn pages(command: &clap::Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) {
    let mut page = Vec::new();
    // The definitions hold names for as long as the program runs.
    let lasting: &'static str = name.to_owned().leak();
    let named = command.clone().name(lasting).display_name(lasting);
    Man::new(named)
        .title(name.to_uppercase())
        .section(SECTION)
        .manual("qbo-relay")
        .render(&mut page)
        .unwrap();
    pages.push((format!("man/{name}.{SECTION}"), page));
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        self::pages(below, &format!("{name}-{}", below.get_name()), pages);
    }
}

#[test]
fn the_man_pages_are_the_help_and_no_other_lies_there() {
    let mut made = Vec::new();
    pages(&definition(), "qbo-relay", &mut made);
    made.push(("man/qbo-relay.toml.5".into(), configuration_page()));
    let mut wrong = Vec::new();
    for (place, page) in &made {
        expect(place, page, &mut wrong);
    }
    for entry in fs::read_dir(systemd().join("man")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !made
            .iter()
            .any(|(place, _)| *place == format!("man/{name}"))
        {
            wrong.push(format!("man/{name} (of no command)"));
        }
    }
    none(&wrong);
}

/// The shipped configuration as a page: it explains every key.
fn configuration_page() -> Vec<u8> {
    let text = fs::read_to_string(systemd().join("qbo-relay.toml")).unwrap();
    let mut page = String::from(
        ".TH QBO-RELAY.TOML 5 \"\" qbo-relay qbo-relay\n.SH NAME\nqbo-relay.toml \\- the configuration of qbo-relay\n\
         .SH DESCRIPTION\n/etc/qbo-relay/qbo-relay.toml, as it is shipped:\n.PP\n.nf\n",
    );
    for line in text.lines() {
        // Nothing in it may be taken for a request of the formatter.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        page.push_str(&format!("\\&{line}\n"));
    }
    page.push_str(".fi\n.SH SEE ALSO\n.BR qbo\\-relay (8)\n");
    page.into_bytes()
}

#[test]
fn the_shell_completions_are_made_from_the_definitions() {
    let mut wrong = Vec::new();
    for (shell, name) in [
        (Shell::Bash, "completions/qbo-relay.bash"),
        (Shell::Zsh, "completions/_qbo-relay"),
        (Shell::Fish, "completions/qbo-relay.fish"),
    ] {
        let mut made = Vec::new();
        generate(shell, &mut definition(), "qbo-relay", &mut made);
        if shell == Shell::Bash {
            made = agreeing(&made);
        }
        expect(name, &made, &mut wrong);
    }
    none(&wrong);
}

/// The generator takes the hyphen in the program's name for the beginning of a command, in the labels
/// and not in what is compared with them (clap-rs/clap#6421), so that nothing is completed.
fn agreeing(script: &[u8]) -> Vec<u8> {
    let script = std::str::from_utf8(script).unwrap();
    script
        .replace("qbo__subcmd__relay", "qbo__relay")
        .into_bytes()
}

#[test]
fn bash_completes_commands_options_and_values_below_the_first_word() {
    if Command::new("bash").arg("--version").output().is_err() {
        return passed_over("bash");
    }
    let script = systemd().join("completions/qbo-relay.bash");
    let asked = |words: &[&str]| {
        let ask = "source \"$1\"; shift; function=$(complete -p qbo-relay); \
            function=${function##*-F }; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); \
            ${function%% *} \"$1\" \"${!#}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[*]}\"";
        let output = Command::new("bash")
            .args([
                "--norc",
                "-c",
                ask,
                "bash",
                script.to_str().unwrap(),
                "qbo-relay",
            ])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (words, expected) in [
        (&["sta"][..], "status"),
        (&["dead"], "dead-letter"),
        (&["journal", "li"], "list"),
        (&["journal", "list", "--lim"], "--limit"),
        (&["journal", "list", "--state", "pen"], "pending"),
        (&["dead-letter", "dis"], "discard"),
        (&["dead-letter", "discard", "--dry"], "--dry-run"),
        (&["led", "te"], "test"),
        (&["sink", "enable", "--conf"], "--config"),
        (&["simulate", "--insec"], "--insecure"),
    ] {
        let completed = asked(words);
        let completed: Vec<&str> = completed.split_whitespace().collect();
        assert_eq!(completed, [expected], "{words:?}");
    }
}

/// Every command of the definitions can be completed from the one above it, in every shell's script.
#[test]
fn every_command_has_its_label_in_the_completions() {
    fn commands(command: &clap::Command, label: &str, all: &mut Vec<String>) {
        all.push(label.to_owned());
        for below in command.get_subcommands() {
            let name = below.get_name().replace('-', "__subcmd__");
            commands(below, &format!("{label}__subcmd__{name}"), all);
        }
    }
    let mut all = Vec::new();
    commands(&definition(), "qbo__relay", &mut all);
    let script = fs::read_to_string(systemd().join("completions/qbo-relay.bash")).unwrap();
    for label in all {
        let is_reached = script.contains(&format!("cmd=\"{label}\""));
        let is_answered = script
            .lines()
            .any(|line| line.trim() == format!("{label})"));
        assert!(is_reached && is_answered, "{label}");
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test that passes itself over has to say so"
)]
fn passed_over(program: &str) {
    eprintln!("passed over: {program} is not installed");
}

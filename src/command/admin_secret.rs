//! `admin-secret`: makes the secrets by which callers of the Open Connectors interface are let in.

use super::{ask, direct, journal_path};
use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock as _, System};
use crate::config;
use crate::run::control_socket;
use crate::terminal::{Tint, complain, say, tinted};
use crate::vault::admin_secrets;
use clap::Args;
use http::Method;
use std::path::Path;
use std::time::Duration;

/// How it is done.
#[derive(Args, Debug)]
pub struct Options {
    /// How long the secrets before them stay good; `0 s` ends them at once.
    #[arg(long, value_name = "SPAN", default_value = "1 d", value_parser = config::span)]
    overlap: Duration,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let journal = match journal_path(&options.config) {
        Ok(journal) => journal,
        Err(exit) => return exit,
    };
    let path = admin_secrets::file_beside(&journal);
    let fresh = match admin_secrets::make(&path, options.overlap, System.now()) {
        Ok(fresh) => fresh,
        Err(error) => {
            complain(error);
            return Exit::Failure;
        }
    };
    tell(&journal);
    let [user, organization] = [&fresh.user, &fresh.organization]
        .map(|secret| String::from_utf8_lossy(secret.expose()).into_owned());
    say(tinted(
        Tint::Bold,
        "Secrets of the interface under /elements/api-v2, shown this once:",
    ));
    say("");
    say(format_args!("User          {user}"));
    say(format_args!("Organization  {organization}"));
    say("");
    say(format_args!(
        "Authorization: User {user}, Organization {organization}"
    ));
    say("");
    say(match fresh.others_end_at {
        Some(end) => format!("The ones before stay good until {end}."),
        None => "No others are good.".to_owned(),
    });
    say(format_args!(
        "Digests of them are in {}; a running relay goes by it from now on.",
        path.display()
    ));
    Exit::Success
}

/// A running relay goes by the file; it is told, so that it writes down that they were made. Where none
/// runs, it is written down here: of the settings only the path is known, and needed.
fn tell(path: &Path) {
    let socket = control_socket(path);
    let told = ask::ask(&socket, Method::POST, "/admin-secrets", Vec::new());
    if let Ok(Err(ask::Error::NotRunning { .. })) = super::block_on(told) {
        direct::record(path, "admin-secret", None);
    }
}

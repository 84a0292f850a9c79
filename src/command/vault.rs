//! `vault rekey`: another key for the tokens, and everything sealed with it.

use super::{configuration, direct};
use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock as _, System};
use crate::config::{Config, TokenKey};
use crate::journal::{self, Journal, Sealed};
use crate::run::journal_settings;
use crate::terminal::{complain, say};
use crate::vault::{self, KeyChange, Vault};
use clap::Args;
use std::path::PathBuf;

/// How it is done.
#[derive(Args, Debug)]
pub struct RekeyOptions {
    /// A file with the new key, where the old one is given as a credential or inline; make one with
    /// `openssl rand -base64 32`. A key in a file of its own is replaced by a random one.
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Why the change is not done.
#[derive(thiserror::Error, Debug)]
enum Failure {
    #[error("the journal: {0}; the key was not changed")]
    Journal(#[from] journal::Error),
    #[error("what is sealed about company {0}: {1}; the key was not changed")]
    Sealed(String, vault::Error),
    #[error("{0}; the key was not changed")]
    Vault(#[from] vault::Error),
    #[error("{0}; the key was not changed")]
    Options(&'static str),
    #[error(
        "{0} sealed values are sealed with the new key, but another process reads the journal, and its log \
         still holds what the old key opens; end that process, and run the same command again"
    )]
    Read(u64),
}

/// Runs the command.
pub fn rekey(options: &RekeyOptions) -> Exit {
    let config = match configuration(&options.config.config) {
        Ok((config, _)) => config,
        Err(exit) => return exit,
    };
    let changed = change(&config, options.new_key_file.as_deref());
    // Where the journal could not be opened, nothing was changed, and nothing can be written there.
    if !matches!(changed, Err(Failure::Journal(_))) {
        let why = changed.as_ref().err().map(ToString::to_string);
        direct::record(&config.journal, "vault rekey", why.as_deref());
    }
    match changed {
        Ok(count) => {
            say(format_args!(
                "{count} sealed values are sealed with the new key; none can be read with the old one."
            ));
            if matches!(config.quickbooks.key, TokenKey::Given(_)) {
                say(
                    "Now put the new key in the place of the old credential, before the relay starts.",
                );
            }
            say(
                "A key that is changed does not undo what a thief has read: see \"The card was stolen\" in the manual.",
            );
            Exit::Success
        }
        Err(failure) => {
            complain(&failure);
            match failure {
                Failure::Journal(_) | Failure::Read(_) => Exit::Journal,
                Failure::Options(_) => Exit::Configuration,
                Failure::Sealed(..) | Failure::Vault(_) => Exit::Failure,
            }
        }
    }
}

fn change(config: &Config, new_key: Option<&std::path::Path>) -> Result<u64, Failure> {
    let change = match (&config.quickbooks.key, new_key) {
        (TokenKey::File(path), None) => KeyChange::of_file(path)?,
        (TokenKey::Given(key), Some(new)) => KeyChange::between(key, new)?,
        (TokenKey::File(_), Some(_)) => {
            return Err(Failure::Options(
                "the key lies in a file, which gets a random one; leave --new-key-file away",
            ));
        }
        (TokenKey::Given(_), None) => {
            return Err(Failure::Options(
                "the key is given as a credential or inline: give the new one with --new-key-file",
            ));
        }
    };
    let settings = journal_settings(config);
    let resealed = Journal::reseal(&settings, System.now(), |what, company, sealed| {
        again(&change.from, &change.to, what, company, sealed)
            .map_err(|error| Failure::Sealed(company.to_owned(), error))
    })?;
    if !resealed.old_are_gone {
        // A change of a file is not finished, so that the same command again goes on with this one.
        return Err(Failure::Read(resealed.count));
    }
    change.finish()?;
    Ok(resealed.count)
}

fn again(
    from: &Vault,
    to: &Vault,
    what: Sealed,
    company: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, vault::Error> {
    match what {
        Sealed::Tokens => to.seal(company, &from.unseal(company, sealed)?),
        Sealed::Instance => to.seal_instance(company, &from.unseal_instance(company, sealed)?),
    }
}

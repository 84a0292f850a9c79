//! `boot-import`: takes in the configuration that a person put onto the boot partition.
//!
//! Runs once at every start of the machine, before the relay. Both files are checked together with
//! what is there already, by the reader that `run` uses, in a copy of the configuration's folder; then
//! the copy and the folder change places in one step. So a cut at any moment leaves the old
//! configuration or the new one, and the next start finishes what was begun. A mistake changes
//! nothing: it is named with its line in a text beside the files, and the lamp calls for a person.

mod partition;
mod report;
mod secrets;
mod stage;

use super::credentials;
use crate::cli::Exit;
use crate::config::{Certificate, Config, Finding, Severity};
use crate::terminal::{complain, say};
use crate::tls;
use partition::Partition;
use report::{Report, Verdict};
use secrets::Entry;
use stage::{Owner, Stage};
use std::io;
use std::path::{Path, PathBuf};

/// The configuration's name, there and here.
const CONFIG: &str = "qbo-relay.toml";

/// What to take in, and where to.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The boot partition.
    #[arg(long, value_name = "FOLDER", default_value = "/boot/firmware")]
    from: PathBuf,
    /// The configuration's folder.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/qbo-relay")]
    to: PathBuf,
    /// The user that the relay runs as; the secrets become its files.
    #[arg(long, value_name = "USER", default_value = "qbo-relay")]
    owner: String,
}

/// What lies on the boot partition, understood.
#[derive(Default)]
struct Offer {
    config: Option<String>,
    secrets: Option<Vec<Entry>>,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    match import(options) {
        Ok(exit) => exit,
        Err(error) => {
            let from = options.from.display();
            complain(format_args!(
                "taking in the configuration on {from} was not finished, the next start tries it again: {error}"
            ));
            let text = format!(
                "qbo-relay: taking in the configuration was not finished: {error}\nThe next start tries it again.\n"
            );
            // Where nothing can be written, the log has to do.
            _ = Partition::new(&options.from).tell(&text);
            Exit::Failure
        }
    }
}

fn import(options: &Options) -> io::Result<Exit> {
    let partition = Partition::new(&options.from);
    partition.finish_wiping()?;
    let stage = Stage::new(&options.to)?;
    stage.clear()?;
    let (offer, mistakes) = understand(&partition)?;
    if offer.config.is_none() && offer.secrets.is_none() && mistakes.is_empty() {
        // Whoever took the refused files away has no use for the call any more.
        stage.unmark()?;
        return Ok(Exit::Success);
    }
    let taken = offer.names();
    let verdict = if mistakes.is_empty() {
        let owner = Owner::of(&options.owner)?;
        stage.fill(&offer.files(), owner)?;
        judge(&stage)
    } else {
        Verdict::Refused(mistakes)
    };
    let report = Report {
        taken: &taken,
        verdict: &verdict,
    };
    match &verdict {
        Verdict::Fine(_) => {
            stage.swap()?;
            partition.tell(&report.to_string())?;
            partition.remove()?;
            say(format_args!("taken in: {}", taken.join(", ")));
            // The configuration serves already, and the next import clears before it begins.
            if let Err(error) = stage.clear() {
                complain(format_args!(
                    "the old configuration is still beside it: {error}"
                ));
            }
            Ok(Exit::Success)
        }
        Verdict::Refused(findings) => {
            stage.clear()?;
            stage.mark(&report.to_string())?;
            partition.tell(&report.to_string())?;
            for finding in findings {
                complain(finding);
            }
            Ok(Exit::Configuration)
        }
    }
}

/// Reads the files, and says what is wrong with them before anybody else sees them.
fn understand(partition: &Partition) -> io::Result<(Offer, Vec<Finding>)> {
    let (mut offer, mut mistakes) = (Offer::default(), Vec::new());
    for name in [CONFIG, partition::SECRETS] {
        if partition.has(&format!("{name}.txt")) {
            mistakes.push(Finding::new(
                Severity::Error,
                format!("{name}.txt"),
                format!("rename it to {name}: the editor has added .txt"),
            ));
        }
        let text = match partition.text(name)? {
            None => continue,
            Some(Ok(text)) => text,
            Some(Err(why)) => {
                mistakes.push(Finding::new(Severity::Error, name, why));
                continue;
            }
        };
        if name == CONFIG {
            offer.config = Some(text);
        } else {
            match secrets::read(name, &text) {
                Ok(entries) => offer.secrets = Some(entries),
                Err(findings) => mistakes.extend(findings),
            }
        }
    }
    Ok((offer, mistakes))
}

/// Whether the relay could run with what is staged: the configuration, every secret that it names,
/// and the certificate with its key.
fn judge(stage: &Stage) -> Verdict {
    let plain = |mut finding: Finding| {
        finding.place = stage.plain(&finding.place);
        finding.text = stage.plain(&finding.text);
        finding
    };
    let read = Config::read(&stage.file(CONFIG), credentials().as_deref());
    let (config, findings) = match read {
        Ok(read) => read,
        Err(findings) => return Verdict::Refused(findings.into_iter().map(plain).collect()),
    };
    if let Certificate::Files { certificate, key } = &config.certificate
        && let Err(error) = tls::load(certificate, key)
    {
        let finding = Finding::new(Severity::Error, "[tls]", error.to_string());
        return Verdict::Refused(vec![plain(finding)]);
    }
    Verdict::Fine(findings.into_iter().map(plain).collect())
}

impl Offer {
    /// What is taken in, as a person calls it.
    fn names(&self) -> Vec<String> {
        let config = self.config.iter().map(|_| CONFIG.to_owned());
        let secrets = self.secrets.iter().flatten();
        config
            .chain(secrets.map(|entry| entry.name.clone()))
            .collect()
    }

    /// The files that it becomes, and whether they are secret.
    fn files(&self) -> Vec<(&Path, &[u8], bool)> {
        let config = self.config.iter();
        let config = config.map(|text| (Path::new(CONFIG), text.as_bytes(), false));
        let secrets = self.secrets.iter().flatten();
        let secrets = secrets.map(|entry| (Path::new(&entry.name), entry.secret.expose(), true));
        config.chain(secrets).collect()
    }
}

//! The command line: definitions only. What a command does stands in `run`, `demo`, `simulate` and
//! `command`.

use crate::{command, config, demo, run, simulate};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All is well.
    Success,
    /// It did not work out; also: the relay is degraded.
    Failure,
    /// The command line or the configuration cannot be used.
    Configuration,
    /// The journal cannot be used; for `status`: the relay is not running.
    Journal,
    /// It cannot listen.
    Listen,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Configuration => 2,
            Self::Journal => 3,
            Self::Listen => 4,
        }
    }
}

/// Receives QuickBooks Online notifications, journals them before it answers, and relays them
/// onward, signed and in order.
#[derive(Parser, Debug)]
#[command(
    name = "qbo-relay",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit status: 0 success, 1 failure, 2 bad configuration, 3 journal cannot be used, 4 cannot listen.

Examples:
  qbo-relay demo                       see the whole thing work on this machine
  qbo-relay check --config relay.toml  explain a configuration
  qbo-relay run --config relay.toml    run the gateway
  qbo-relay status                     how is it?"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the gateway until SIGTERM or SIGINT; SIGHUP re-reads certificates, secrets and log level.
    #[command(
        after_help = "Exit status: 0 stopped as asked, 2 bad configuration, 3 journal cannot be used, 4 cannot listen, 1 anything else.

Example:
  qbo-relay run --config /etc/qbo-relay/qbo-relay.toml"
    )]
    Run(ConfigArgs),

    /// Have the running relay read certificates, secrets and log level again.
    #[command(
        after_help = "Exit status: 0 reloaded, 1 refused (everything stays as it was, and is said until a reload succeeds),
2 bad configuration, 3 the relay is not running.

Examples:
  qbo-relay reload
  systemctl reload qbo-relay     the same, as root"
    )]
    Reload(command::reload::Options),

    /// Read and explain the configuration, certificate chain, journal, board and sinks.
    #[command(
        after_help = "One line for each finding, worst last. Exit status: 0 usable (warnings allowed), 2 not.

Example:
  qbo-relay check --config /etc/qbo-relay/qbo-relay.toml"
    )]
    Check(ConfigArgs),

    /// Show the whole main job on this machine, without any configuration.
    #[command(after_help = "Exit status: 0 when everything sent arrived, 1 when not.

Examples:
  qbo-relay demo
  qbo-relay demo --stay    keep it running, with the addresses to try it yourself")]
    Demo(demo::Options),

    /// Act as Intuit: sign and post payloads to a relay; or, with --company, be an Intuit to try it with.
    #[command(
        after_help = "Exit status: 0 when every answer was the expected one; with --company when it was ended.

Examples:
  qbo-relay simulate https://localhost:8443/qbowebhook --token-file verifier --insecure
  qbo-relay simulate https://gw.example/webhooks --token-file verifier --count 1000 --rate 50 --realms 3
  qbo-relay simulate https://gw.example/webhooks --token-file verifier --format mixed --repeat 10 --forge 5
  qbo-relay simulate --company --realms 3 --notify https://localhost:8443/qbowebhook --token-file verifier --insecure"
    )]
    Simulate(Box<simulate::Options>),

    /// Ask the running relay how it is.
    #[command(after_help = "Exit status: 0 healthy, 1 degraded, 3 not running.

Examples:
  qbo-relay status
  qbo-relay status --json")]
    Status(StatusArgs),

    /// Read the journal, whether the relay runs or not.
    #[command(subcommand)]
    Journal(JournalCommand),

    /// Send changes again: one, those of a receipt, a range, a filter, or the dead letters.
    #[command(
        after_help = "The numbers and ids are those that `journal list` and `journal show` print. Replayed events keep
their id and say so. More than 100 deliveries are asked about first (--yes); --cancel ends what is not
done. Exit status: 0 done, 1 not: also where no receipt, event or company is meant by what was given.

Examples:
  qbo-relay replay --receipt 1207
  qbo-relay replay --event 3f2a51c0d5e14b7f9a0c1d2e3f405162 --sink erp
  qbo-relay replay --company 9341455841580195 --from 1200 --to 1300
  qbo-relay replay --company 9341455841580195 --entity Invoice --since 2026-11-20T00:00:00Z
  qbo-relay replay --dead-letters --dry-run
  qbo-relay replay --cancel"
    )]
    Replay(command::replay::Options),

    /// List, send again or put aside what sinks did not take in the end.
    #[command(subcommand)]
    DeadLetter(DeadLetterCommand),

    /// Drive the lamp by hand.
    #[command(subcommand)]
    Led(LedCommand),

    /// Take in the configuration that lies on the boot partition.
    #[command(hide = true)]
    BootImport(command::boot_import::Options),

    /// Switch a sink on again that answered 410.
    #[command(subcommand)]
    Sink(SinkCommand),

    /// Ask for the consent by which the relay may read a QuickBooks company.
    #[command(
        after_help = "Prints the address at Intuit to open, and waits until the company is connected.
Exit status: 0 connected, 1 not, 3 the relay is not running.

Examples:
  qbo-relay connect
  qbo-relay connect --app sandbox --no-wait
  qbo-relay connect --paste 'https://gateway.example/oauth/callback?code=...&state=...&realmId=...'"
    )]
    Connect(command::connect::Options),

    /// Make the secrets by which callers of the Open Connectors interface are let in.
    #[command(
        after_help = "They are shown once; the relay keeps digests only. Works whether it runs or not, as root and as
the relay's user. Exit status: 0 made, 1 not, 2 bad configuration.

Examples:
  qbo-relay admin-secret
  qbo-relay admin-secret --overlap '7 d'    the ones before stay good for a week
  qbo-relay admin-secret --overlap '0 s'    they end at once"
    )]
    AdminSecret(command::admin_secret::Options),

    /// Show the companies that the relay may read, or end that.
    #[command(subcommand)]
    Company(CompanyCommand),

    /// Change the key that seals tokens in the journal.
    #[command(subcommand)]
    Vault(VaultCommand),
}

#[derive(Subcommand, Debug)]
enum VaultCommand {
    /// Make another key, and seal everything with it that lies sealed in the journal.
    #[command(
        after_help = "The relay must not run meanwhile. Whatever interrupts it, everything stays readable: run it again.
Run it as root or as the relay's user. Exit status: 0 changed, 1 not, 2 bad configuration, 3 journal cannot be used.

Examples:
  systemctl stop qbo-relay && qbo-relay vault rekey; systemctl start qbo-relay
  qbo-relay vault rekey --new-key-file /etc/qbo-relay/tokens.key.new    the old key is a credential"
    )]
    Rekey(command::vault::RekeyOptions),
}

#[derive(Subcommand, Debug)]
enum DeadLetterCommand {
    /// List the dead letters that nobody has looked after, those of removed sinks included.
    #[command(after_help = "Examples:
  qbo-relay dead-letter list
  qbo-relay dead-letter list --sink erp --company 9341455841580195 --json")]
    List(command::dead_letter::ListOptions),
    /// Show one: what it is, and why it was given up.
    #[command(after_help = "Example:
  qbo-relay dead-letter show 3f2a51c0d5e14b7f9a0c1d2e3f405162")]
    Show(command::dead_letter::ShowOptions),
    /// Send them again to the sinks that did not take them.
    #[command(after_help = "Examples:
  qbo-relay dead-letter replay --sink erp --dry-run
  qbo-relay dead-letter replay --sink erp --yes")]
    Replay(command::dead_letter::ReplayOptions),
    /// Put them aside: they stay in the journal, and call for nobody any more.
    #[command(after_help = "Examples:
  qbo-relay dead-letter discard --sink old-erp
  qbo-relay dead-letter discard --event 3f2a51c0d5e14b7f9a0c1d2e3f405162")]
    Discard(command::dead_letter::DiscardOptions),
}

#[derive(Subcommand, Debug)]
enum CompanyCommand {
    /// List the companies and whether they can be read.
    #[command(after_help = "Examples:
  qbo-relay company list
  qbo-relay company list --json")]
    List(command::company::ListOptions),
    /// End a connection: the tokens are revoked at Intuit and forgotten here.
    #[command(after_help = "Example:
  qbo-relay company disconnect 9341455841580195")]
    Disconnect(command::company::DisconnectOptions),
    /// Let a company be read that was connected in a browser, without a shell on the gateway.
    #[command(after_help = "Example:
  qbo-relay company approve 9341455841580195")]
    Approve(command::company::ApproveOptions),
    /// Erase everything that is kept of a company: deliveries, changes, records, instances, and
    /// damaged journals that name it. What has left is not called back.
    #[command(
        after_help = "Exit status: 0 erased, 1 it is connected or nothing is kept of it.

Examples:
  qbo-relay company forget 9341455841580195 --dry-run
  qbo-relay company forget 9341455841580195 --disconnect"
    )]
    Forget(command::forget::Options),
}

#[derive(Subcommand, Debug)]
enum LedCommand {
    /// Show every pattern in turn, and what it means.
    #[command(
        after_help = "Exit status: 0 shown, 1 the lamp cannot be driven, 2 bad configuration.

Example:
  systemctl stop qbo-relay && qbo-relay led test; systemctl start qbo-relay"
    )]
    Test(command::led::TestOptions),
    /// Make the lamp say that no relay runs; for ExecStopPost=, never fails.
    #[command(hide = true)]
    Stopped(ConfigArgs),
}

#[derive(Subcommand, Debug)]
enum SinkCommand {
    /// Deliver to it again; what waited for it goes out in order.
    #[command(after_help = "Example:
  qbo-relay sink enable erp")]
    Enable(command::sink::EnableOptions),
}

/// Which configuration.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    pub config: PathBuf,
}

#[derive(Args, Debug)]
struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum JournalCommand {
    /// List receipts, newest last.
    #[command(after_help = "Examples:
  qbo-relay journal list
  qbo-relay journal list --company 9341455841580195 --state pending --json")]
    List(command::journal::ListOptions),
    /// Show one receipt: what arrived, what was understood, what became of it.
    #[command(after_help = "Example:
  qbo-relay journal show 1207")]
    Show(command::journal::ShowOptions),
    /// List what happened to the relay, newest last: starts and ends, reloads, certificates, the clock.
    #[command(after_help = "Example:
  qbo-relay journal events --limit 20")]
    Events(command::journal::EventsOptions),
    /// Check the journal: the database, every digest, every company's sequence.
    #[command(after_help = "Exit status: 0 sound, 1 findings, 3 cannot be read.

Example:
  qbo-relay journal verify")]
    Verify(command::journal::VerifyOptions),
    /// Acknowledge entries that were not understood: they stay, and are not counted any more.
    #[command(after_help = "Examples:
  qbo-relay journal list --state not-understood
  qbo-relay journal discard 1207
  qbo-relay journal discard --all --dry-run")]
    Discard(command::dead_letter::AcknowledgeOptions),
    /// Write every receipt as JSON lines to stdout.
    #[command(after_help = "Example:
  qbo-relay journal export > receipts.jsonl")]
    Export(command::journal::ExportOptions),
}

fn dead_letter(command: &DeadLetterCommand) -> Exit {
    match command {
        DeadLetterCommand::List(options) => command::dead_letter::list(options),
        DeadLetterCommand::Show(options) => command::dead_letter::show(options),
        DeadLetterCommand::Replay(options) => command::dead_letter::replay(options),
        DeadLetterCommand::Discard(options) => command::dead_letter::discard(options),
    }
}

/// Reads the command line and does what it says.
pub fn main() -> Exit {
    let cli = Cli::parse();
    match cli.command {
        Command::Run(args) => run::command(&args),
        Command::Reload(options) => command::reload::command(&options),
        Command::Check(args) => command::check::command(&args),
        Command::Demo(options) => demo::command(&options),
        Command::Simulate(options) => simulate::command(&options),
        Command::Status(args) => command::status::command(&args.config, args.json),
        Command::Journal(JournalCommand::List(options)) => command::journal::list(&options),
        Command::Journal(JournalCommand::Show(options)) => command::journal::show(&options),
        Command::Journal(JournalCommand::Events(options)) => command::journal::events(&options),
        Command::Journal(JournalCommand::Verify(options)) => command::journal::verify(&options),
        Command::Journal(JournalCommand::Export(options)) => command::journal::export(&options),
        Command::Journal(JournalCommand::Discard(options)) => {
            command::dead_letter::acknowledge(&options)
        }
        Command::DeadLetter(command) => dead_letter(&command),
        Command::Replay(options) => command::replay::command(&options),
        Command::Led(LedCommand::Test(options)) => command::led::test(&options),
        Command::Led(LedCommand::Stopped(args)) => command::led::stopped(&args.config),
        Command::BootImport(options) => command::boot_import::command(&options),
        Command::Sink(SinkCommand::Enable(options)) => command::sink::enable(&options),
        Command::Connect(options) => command::connect::command(&options),
        Command::AdminSecret(options) => command::admin_secret::command(&options),
        Command::Vault(VaultCommand::Rekey(options)) => command::vault::rekey(&options),
        Command::Company(CompanyCommand::List(options)) => command::company::list(&options),
        Command::Company(CompanyCommand::Approve(options)) => command::company::approve(&options),
        Command::Company(CompanyCommand::Disconnect(options)) => {
            command::company::disconnect(&options)
        }
        Command::Company(CompanyCommand::Forget(options)) => command::forget::command(&options),
    }
}

//! `demo`: the whole main job on this machine, so that a newcomer understands it in half a minute.
//!
//! Nothing is pretended: it writes a configuration, starts the relay from it as `run` does, plays
//! Intuit over TLS, and has a receiver of its own that verifies what arrives.

mod lamp;
mod receiver;
mod samples;
mod stage;
mod tale;

use crate::cli::Exit;
use crate::logging;
use crate::terminal::{Tint, complain, say, tinted};
use clap::Args;
use stage::Stage;
use tale::Tale;

/// How the demo runs.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Keep it running afterwards, with everything printed that is needed to try it by hand.
    #[arg(long)]
    stay: bool,
}

/// What went wrong in a demo that could not even be told to its end.
type Mishap = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let _level = logging::start(tracing::Level::ERROR, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(tell(*options)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => Exit::Success,
        Ok(false) => {
            say(tinted(Tint::Red, "not everything arrived as it should"));
            Exit::Failure
        }
        Err(mishap) => {
            complain(format_args!("the demo broke off: {mishap}"));
            Exit::Failure
        }
    }
}

async fn tell(options: Options) -> Result<bool, Mishap> {
    let stage = Stage::set().await?;
    stage.introduce();
    let mut tale = Tale::new(&stage)?;
    tale.samples().await?;
    tale.generated().await?;
    tale.trouble().await?;
    tale.outage().await?;
    let good = tale.summary();
    if options.stay {
        stage.stay(&tale).await?;
    }
    stage.strike().await?;
    Ok(good)
}

#![doc = include_str!("../README.md")]

pub mod check;
pub mod cli;
pub mod config;
pub mod convert;
pub mod run;
pub mod source;
pub mod swb;

use std::io::{self, Write};

use audit_bridge::check::Report;
use audit_bridge::cli::{Command, Settings};
use audit_bridge::config::WithoutReceiver;
use audit_bridge::deliver::HttpReceiver;
use audit_bridge::{checkpoint, command};
use audit_service::exit::Failure;
use audit_service::shutdown::Shutdown;
use audit_service::{client, config as layers, logging};

use cli::{Cli, Flags};
use config::Config;
use config::swb::Swb;
use convert::LogEntries;
use source::Google;
use swb::Tapped;

/// The binary's name.
pub const NAME: &str = "stackdriver-bridge";
/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what the command line says.
///
/// # Errors
/// [`Failure`] with the exit code: 2 for flags and configuration, 1 for everything else.
pub async fn main(cli: Cli, shutdown: Shutdown) -> Result<(), Failure> {
    match &cli.command {
        None | Some(Command::Run) => run(&cli.settings, cli.once, shutdown).await,
        Some(Command::Check(args)) => {
            let (config, _) = load(&cli.settings)?;
            let (receiver, google) = (HttpReceiver::open(NAME, VERSION, &config.receiver)?, google(&config)?);
            let mut report = Report::new(io::stdout().lock(), args.format);
            check::run(&config, &google, &receiver, args.offline, &mut report).await?.end()
        }
        Some(Command::Convert(args)) => command::run(&LogEntries, args),
        Some(Command::Checkpoint { command }) => {
            let (file, flags) = (cli.settings.config.as_deref(), cli.settings.keys());
            let WithoutReceiver(config) =
                layers::load(WithoutReceiver(defaults(&cli.settings)?.0), file, flags)?;
            let units = units(&config).await?;
            let store = checkpoint::open(&config.checkpoint)?;
            let (plan, mut out) = (config.plan(false), Vec::new());
            checkpoint::run(command, &store, &units, |text| plan.position(text), &mut out).await?;
            Ok(io::stdout().write_all(&out)?)
        }
    }
}

async fn run(settings: &Settings<Flags>, once: bool, shutdown: Shutdown) -> Result<(), Failure> {
    let (config, swb) = load(settings)?;
    let (receiver, google) = (HttpReceiver::open(NAME, VERSION, &config.receiver)?, google(&config)?);
    let daemon = run::daemon(&config, receiver, &shutdown)?;
    let Some(swb) = swb else {
        if !once {
            daemon.serve_admin(&config.admin).await?;
        }
        return run::run(config, google, LogEntries, daemon, once, shutdown).await;
    };
    for note in swb.notes() {
        tracing::info!("swb-config: {note}");
    }
    if !once {
        daemon.serve_admin(&config.admin).await?;
        swb::serve(&swb, daemon.registry(), &shutdown).await?;
    }
    run::run(config, google, Tapped::open(&swb)?, daemon, once, shutdown).await
}

/// The configuration, and the old bridge's file if there is one.
fn load(settings: &Settings<Flags>) -> Result<(Config, Option<Swb>), Failure> {
    let (defaults, swb) = defaults(settings)?;
    let config = layers::load(defaults, settings.config.as_deref(), settings.keys())?;
    logging::apply(&config.log);
    Ok((config, swb))
}

fn defaults(settings: &Settings<Flags>) -> Result<(Config, Option<Swb>), Failure> {
    let Some(path) = &settings.own.swb_config else { return Ok((Config::default(), None)) };
    let swb = Swb::load(path)?;
    Ok((swb.config(), Some(swb)))
}

fn google(config: &Config) -> Result<Google, Failure> {
    let client = client::Client::new(&format!("{NAME}/{VERSION}"), &client::Options::default())?;
    Ok(Google::new(config, client.get())?)
}

/// The units that have checkpoints.
async fn units(config: &Config) -> Result<Vec<String>, Failure> {
    let google = google(config)?;
    let mut units = Vec::new();
    for source in config.sources() {
        units.push(google.metadata.complete(source).await?.unit());
    }
    Ok(units)
}

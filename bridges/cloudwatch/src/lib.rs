#![doc = include_str!("../README.md")]

pub mod check;
pub mod cli;
pub mod config;
pub mod convert;
pub mod run;
pub mod source;

use std::io::{self, Write};

use audit_bridge::check::Report;
use audit_bridge::cli::Command;
use audit_bridge::config::{Unchecked, WithoutReceiver};
use audit_bridge::deliver::HttpReceiver;
use audit_bridge::{checkpoint, command};
use audit_service::exit::Failure;
use audit_service::shutdown::Shutdown;
use audit_service::{config as layers, logging};

use cli::Cli;
use config::Config;
use convert::Cluster;

/// The binary's name.
pub const NAME: &str = "cloudwatch-bridge";
/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what the command line says.
///
/// # Errors
/// [`Failure`] with the exit code: 2 for flags and configuration, 1 for everything else.
pub async fn main(cli: Cli, shutdown: Shutdown) -> Result<(), Failure> {
    let (file, flags) = (cli.settings.config.as_deref(), cli.settings.keys());
    let load = || {
        let config = layers::load(Config::default(), file, flags.clone())?;
        logging::apply(&config.log);
        Ok::<_, Failure>(config)
    };
    match &cli.command {
        None | Some(Command::Run) => {
            let config = load()?;
            let receiver = HttpReceiver::open(NAME, VERSION, &config.receiver)?;
            run::run(config, receiver, cli.once, shutdown).await
        }
        Some(Command::Check(args)) => {
            let config = load()?;
            let receiver = HttpReceiver::open(NAME, VERSION, &config.receiver)?;
            let mut report = Report::new(io::stdout().lock(), args.format);
            check::run(&config, &receiver, args.offline, &mut report).await?.end()
        }
        Some(Command::Convert(args)) => {
            let Unchecked(config) = layers::load(Unchecked(Config::default()), file, flags)?;
            let cluster = converter(&config);
            command::run(&cluster, args)
        }
        Some(Command::Checkpoint { command }) => {
            let WithoutReceiver(config) = layers::load(WithoutReceiver(Config::default()), file, flags)?;
            let units: Vec<String> = config.logs().into_iter().map(|log| log.unit).collect();
            let store = checkpoint::open(&config.checkpoint)?;
            let (plan, mut out) = (config.plan(false), Vec::new());
            checkpoint::run(command, &store, &units, |text| plan.position(text), &mut out).await?;
            Ok(io::stdout().write_all(&out)?)
        }
    }
}

/// Converts for the cluster that the configuration names, if it names one.
fn converter(config: &Config) -> Cluster {
    match &config.logs()[..] {
        [log] => Cluster::of(log, None),
        _ => Cluster::default(),
    }
}

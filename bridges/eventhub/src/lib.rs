#![doc = include_str!("../README.md")]

pub mod amqp;
pub mod blob;
pub mod check;
pub mod cli;
pub mod config;
pub mod convert;
pub mod credentials;
pub mod hub;
pub mod run;
pub mod source;

use std::io::{self, Write};

use audit_bridge::check::Report;
use audit_bridge::cli::Command;
use audit_bridge::config::{Unchecked, WithoutReceiver};
use audit_bridge::deliver::HttpReceiver;
use audit_bridge::{checkpoint, command};
use audit_service::config as layers;
use audit_service::exit::Failure;
use audit_service::logging;
use audit_service::shutdown::Shutdown;

use cli::Cli;
use config::{Config, Forwarder};
use convert::Diagnostics;
use hub::Hub;
use source::Position;

/// The binary's name.
pub const NAME: &str = "eventhub-bridge";
/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what the command line says.
///
/// # Errors
/// [`Failure`] with the exit code: 2 for flags and configuration, 1 for everything else.
pub async fn main(cli: Cli, shutdown: Shutdown) -> Result<(), Failure> {
    let (file, flags) = (cli.settings.config.as_deref(), cli.settings.keys());
    let mut defaults = Config::default();
    let forwarder = Forwarder::adopt(&mut defaults, config::variable);
    match &cli.command {
        None | Some(Command::Run) => {
            let config = layers::load(defaults, file, flags).map_err(|wrong| forwarder.explain(wrong))?;
            logging::apply(&config.log);
            forwarder.notes.iter().for_each(|note| tracing::info!("{note}"));
            let receiver = HttpReceiver::open(NAME, VERSION, &config.receiver)?;
            run::run(config, receiver, cli.once, shutdown).await
        }
        Some(Command::Check(args)) => {
            let config = layers::load(defaults, file, flags).map_err(|wrong| forwarder.explain(wrong))?;
            let receiver = HttpReceiver::open(NAME, VERSION, &config.receiver)?;
            let mut report = Report::new(io::stdout().lock(), args.format);
            check::run(&config, &receiver, args.offline, &mut report).await?.end()
        }
        Some(Command::Convert(args)) => {
            let Unchecked(_) = layers::load(Unchecked(defaults), file, flags)?;
            command::run(&Diagnostics, args)
        }
        Some(Command::Checkpoint { command }) => {
            let WithoutReceiver(config) = layers::load(WithoutReceiver(defaults), file, flags)?;
            let target = config.target()?;
            let hub = Hub::new(run::settings(&config, &target), target.credentials.clone());
            let partitions = hub.partitions().await?;
            hub.close().await;
            let units: Vec<String> =
                partitions.iter().map(|id| run::unit(&target, &config.consumer_group, id)).collect();
            let store = checkpoint::open(&config.checkpoint)?;
            let position = |text: &str| {
                let position = Position::given(text)?;
                serde_json::to_value(position).map_err(|error| error.to_string())
            };
            let mut out = Vec::new();
            checkpoint::run(command, &store, &units, position, &mut out).await?;
            Ok(io::stdout().write_all(&out)?)
        }
    }
}

//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use audit_service::config::Listen;
use audit_service::exit::Failure;
use audit_service::{config, exit, logging};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::config::{Match, Startable};
use crate::{commands, serve};

/// Takes Kubernetes audit events, holds them against Falco rules, keeps and passes on the alerts.
#[derive(Debug, Parser)]
#[command(name = "audit-receiver", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the receiver (the default command)
    Serve(Serve),
    /// Hold recorded events against rules; alerts as JSON lines on stdout, a summary on stderr
    Replay(commands::replay::Replay),
    /// Print stored alerts as JSON lines
    Alerts(commands::alerts::Alerts),
    /// Print who was inside what: commands in pods, tunnels, debug containers, proxied requests
    Activity(commands::activity::Activity),
    /// List, show and evaluate once more the records that could not be evaluated
    #[command(subcommand)]
    Quarantine(commands::quarantine::Quarantine),
    /// Remove the stored alerts about a user
    Erase(commands::erase::Erase),
    /// Keep alerts from the outputs for a while
    #[command(subcommand)]
    Silences(commands::silences::Silences),
    /// Print how outputs stand, and let refused alerts wait again
    #[command(subcommand)]
    Outputs(commands::outputs::Outputs),
    /// Send an alert through every output, to see whether it arrives
    TestAlert(commands::test_alert::TestAlert),
    /// Make a certificate and a token, as secrets of the cluster that this runs in, where there are none
    Provision(commands::provision::Provision),
    /// Check and list rules
    #[command(subcommand)]
    Rules(commands::rules::Rules),
}

/// Flags of `serve`; each is a key of the configuration as well.
#[derive(Debug, Args, Serialize)]
struct Serve {
    /// YAML file with the configuration
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Where audit events are posted to [default: 127.0.0.1:6443]
    #[arg(long, value_name = "ADDR")]
    listen: Option<Listen>,
    /// Where probes and scrapes go [default: 127.0.0.1:8080]
    #[arg(long = "admin-listen", value_name = "ADDR")]
    #[serde(serialize_with = "admin")]
    admin: Option<Listen>,
    /// Where alerts are kept: sqlite:PATH or a URL of PostgreSQL [default: sqlite:audit-receiver.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Rule files and folders of them [default: the built-in rules]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Whether the first matching rule raises an alert or all of them [default: first]
    #[arg(long = "match", value_name = "WHICH")]
    #[serde(rename = "match")]
    matching: Option<Match>,
}

/// `--admin-listen` is the key `admin.listen`.
fn admin<S: serde::Serializer>(listen: &Option<Listen>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Admin<'a> {
        listen: &'a Option<Listen>,
    }
    Admin { listen }.serialize(serializer)
}

/// What `main` does.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => daemon(cli.serve),
        Some(Command::Serve(serve)) => daemon(serve),
        Some(Command::Replay(replay)) => commands::finish(replay.run()),
        Some(Command::Alerts(alerts)) => commands::finish(alerts.run()),
        Some(Command::Activity(activity)) => commands::finish(activity.run()),
        Some(Command::Quarantine(quarantine)) => commands::finish(quarantine.run()),
        Some(Command::Erase(erase)) => commands::finish(erase.run()),
        Some(Command::Silences(silences)) => commands::finish(silences.run()),
        Some(Command::Outputs(outputs)) => commands::finish(outputs.run()),
        Some(Command::TestAlert(test)) => commands::finish(test.run()),
        Some(Command::Provision(provision)) => commands::finish(provision.run()),
        Some(Command::Rules(rules)) => commands::finish(rules.run()),
    }
}

fn daemon(flags: Serve) -> ExitCode {
    exit::main("audit-receiver", |shutdown| async move {
        let Startable(config) = config::load(Startable::default(), flags.config.as_deref(), &flags)?;
        logging::apply(&config.log);
        serve::run(config, shutdown).await?;
        Ok::<(), Failure>(())
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_are_configuration() {
        let cli = Cli::try_parse_from([
            "audit-receiver",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:1",
            "--store=sqlite:x",
            "--rules",
            "a",
            "b",
            "--match=all",
        ])
        .unwrap();
        let none: [(std::ffi::OsString, std::ffi::OsString); 0] = [];
        let config = config::load_from(Config::default(), None, none, &cli.serve).unwrap();
        assert_eq!(config.admin.listen.0.port(), 1);
        assert_eq!((config.rules.len(), config.matching), (2, Match::All));
    }
}

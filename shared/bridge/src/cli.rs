//! The command line that all bridges have; a bridge adds the flags that say what it reads.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

use crate::{check, checkpoint, command};

/// What a bridge has of its own.
pub trait Flags: Args {
    /// The binary's name.
    const NAME: &str;
    /// Its version.
    const VERSION: &str;
    /// What it is, in a line.
    const ABOUT: &str;
    /// What `convert` does, with the records named that it takes.
    const CONVERT: &str;
    /// What `checkpoint` does.
    const CHECKPOINT: &str = "Show or set checkpoints";
    /// What `--from` takes.
    const FROM: &str =
        "Where to begin without a checkpoint (`from`): a time, a span ago as `-1h`, or `beginning`";

    /// The flags as keys of the configuration; what was not given is null or empty.
    fn keys(&self) -> Value;
}

/// The command line of a bridge.
#[derive(Clone, Debug, Parser)]
#[command(
    name = F::NAME,
    version = F::VERSION,
    about = F::ABOUT,
    mut_subcommand("convert", |command| command.about(F::CONVERT)),
    mut_subcommand("checkpoint", |command| command.about(F::CHECKPOINT)),
)]
pub struct Cli<F: Flags> {
    /// What to do; `run` when left out
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings that every first try needs
    #[command(flatten)]
    pub settings: Settings<F>,
    /// With `run`: read up to now, deliver, commit, and end
    #[arg(long, global = true, display_order = 30)]
    pub once: bool,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Read and deliver until told to stop
    Run,
    /// Say whether it would work, and if not, what mends it
    Check(check::Args),
    /// Convert raw records to audit events
    Convert(command::ConvertArgs),
    /// Show or set checkpoints
    Checkpoint {
        /// Which
        #[command(subcommand)]
        command: checkpoint::Command,
    },
}

/// Flags that stand for keys of the configuration and win over it.
#[derive(Clone, Debug, Args)]
pub struct Settings<F: Flags> {
    /// The configuration file (YAML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What says what is read
    #[command(flatten)]
    pub own: F,
    /// Where events go (`receiver.url`); `/k8s_audit` unless it has a path
    #[arg(long, global = true, value_name = "URL")]
    receiver_url: Option<String>,
    /// The store of checkpoints (`checkpoint`), such as `file:FOLDER`
    #[arg(long, global = true, value_name = "URL")]
    checkpoint: Option<String>,
    /// The admin port (`admin.listen`)
    #[arg(long, global = true, value_name = "ADDR")]
    admin_listen: Option<String>,
    #[arg(long, global = true, value_name = "WHEN", allow_hyphen_values = true, help = F::FROM)]
    from: Option<String>,
}

/// Flags of bridges that read a log by time.
#[derive(Clone, Debug, Default, Args)]
pub struct Sweeping {
    /// How often to look for new events (`poll_interval`)
    #[arg(long, global = true, value_name = "SPAN", display_order = 20)]
    poll_interval: Option<String>,
    /// The ages at which each slice of time is read (`sweeps`), such as `5s,1m,10m,1h`
    #[arg(long, global = true, value_name = "SPANS", display_order = 21)]
    sweeps: Option<String>,
}

impl<F: Flags> Settings<F> {
    /// The same as keys of the configuration; what was not given is null or empty.
    pub fn keys(&self) -> Value {
        let common = json!({
            "receiver": {"url": self.receiver_url},
            "checkpoint": self.checkpoint,
            "admin": {"listen": self.admin_listen},
            "from": self.from,
        });
        joined(self.own.keys(), common)
    }
}

impl Sweeping {
    /// `keys` and these.
    pub fn beside(&self, keys: Value) -> Value {
        joined(keys, json!({"poll_interval": self.poll_interval, "sweeps": self.sweeps}))
    }
}

/// The keys of both.
fn joined(mut keys: Value, more: Value) -> Value {
    if let (Value::Object(keys), Value::Object(more)) = (&mut keys, more) {
        keys.extend(more);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Args)]
    struct Tape {
        /// The tape
        #[arg(long, global = true)]
        tape: Option<String>,
        #[command(flatten)]
        sweeping: Sweeping,
    }

    impl Flags for Tape {
        const NAME: &str = "tape-bridge";
        const VERSION: &str = "1.2.3";
        const ABOUT: &str = "Carries tapes.";
        const CONVERT: &str = "Convert tapes";

        fn keys(&self) -> Value {
            self.sweeping.beside(json!({"tape": self.tape}))
        }
    }

    #[test]
    fn a_bridges_flags_stand_beside_those_of_all() {
        use clap::CommandFactory;
        Cli::<Tape>::command().debug_assert();
        let line = "tape-bridge check --tape A --from -1h --sweeps 5s --receiver-url http://r --once";
        let cli = Cli::<Tape>::try_parse_from(line.split(' ')).unwrap();
        assert!(matches!(cli.command, Some(Command::Check(_))) && cli.once);
        assert_eq!(
            cli.settings.keys(),
            json!({"tape": "A", "receiver": {"url": "http://r"}, "checkpoint": null, "admin": {"listen": null},
                "from": "-1h", "poll_interval": null, "sweeps": "5s"})
        );
        let help = Cli::<Tape>::command().render_help().to_string();
        assert!(help.starts_with("Carries tapes.") && help.contains("Convert tapes"), "{help}");
    }
}

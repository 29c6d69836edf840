//! Logs: to stderr, always; JSON unless a person reads along.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Layer, Registry, fmt as lines};

use crate::config::unknown;

/// The section `log` of every configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What is logged.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `info`, or levels by module: `info,audit_receiver=debug`. Errors are logged whatever module they are of, unless
/// `off` is given for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Level {
    text: String,
    targets: Targets,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Default for Level {
    fn default() -> Self {
        let targets = calmed(Targets::new().with_default(tracing::Level::INFO));
        Self { text: "info".to_owned(), targets }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        for part in &parts {
            let level = part.rsplit_once('=').map_or(*part, |(_, level)| level);
            // A word that is no level would be taken for a module, of which alone all is logged then.
            if level.parse::<LevelFilter>().is_err() {
                return Err(format!(
                    "{}, also by module as in `info,hyper=warn`",
                    unknown("level", level, &LEVELS)
                ));
            }
        }
        let targets: Targets =
            parts.join(",").parse().map_err(|_| "expected levels as in `info,hyper=warn`".to_owned())?;
        let is_for_all = parts.iter().any(|part| !part.contains('='));
        let targets = if is_for_all { targets } else { targets.with_default(tracing::Level::ERROR) };
        Ok(Self { text: text.to_owned(), targets: calmed(targets) })
    }
}

/// Modules that print whole answers where their callers tell the same in a line; heard when they are named.
const LOUD: [&str; 1] = ["aws_config"];

fn calmed(targets: Targets) -> Targets {
    let unnamed = |module: &&&str| !targets.iter().any(|(target, _)| target.starts_with(**module));
    let loud: Vec<_> = LOUD.iter().filter(unnamed).map(|module| (*module, LevelFilter::OFF)).collect();
    targets.with_targets(loud)
}

impl TryFrom<String> for Level {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Level> for String {
    fn from(level: Level) -> Self {
        level.text
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

struct Handles {
    lines: Handle<Lines, Registry>,
    targets: Handle<Targets, tracing_subscriber::layer::Layered<reload::Layer<Lines, Registry>, Registry>>,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

/// Starts logging with the defaults, before any configuration is read. Again does nothing.
pub fn init() {
    HANDLES.get_or_init(|| {
        let options = Options::default();
        let (lines, lines_handle) = reload::Layer::new(layer(options.format));
        let (targets, targets_handle) = reload::Layer::new(options.level.targets);
        // In a test that has its own subscriber, that one stays.
        let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
        Handles { lines: lines_handle, targets: targets_handle }
    });
}

/// Logs from now on as configured.
pub fn apply(options: &Options) {
    init();
    if let Some(handles) = HANDLES.get() {
        // Fails only when the subscriber is gone: in a test that has its own.
        let _ = handles.lines.reload(layer(options.format));
        let _ = handles.targets.reload(options.level.targets.clone());
    }
}

fn layer(format: Format) -> Lines {
    let text = match format {
        Format::Auto => io::stderr().is_terminal(),
        Format::Json => false,
        Format::Text => true,
    };
    let layer = lines::layer().with_writer(io::stderr);
    if text {
        layer.with_ansi(io::stderr().is_terminal()).boxed()
    } else {
        layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, apply, init};

    #[test]
    fn a_level_says_what_is_allowed() {
        assert_eq!("info,hyper=warn".parse::<Level>().unwrap().to_string(), "info,hyper=warn");
        for (wrong, said) in [
            ("inof", "did you mean `info`?"),
            ("info,hyper=loud", "`trace`"),
            ("info,hyper", "unknown level `hyper`"),
            ("hyper=inof", "did you mean `info`?"),
        ] {
            let refused = wrong.parse::<Level>().unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        let of = |text: &str| text.parse::<Level>().unwrap().targets;
        assert!(of("hyper=debug").would_enable("other", &tracing::Level::ERROR));
        assert!(!of("off, hyper=debug").would_enable("other", &tracing::Level::ERROR));
        assert!(of("off, hyper=debug").would_enable("hyper", &tracing::Level::DEBUG));
    }

    #[test]
    fn loud_modules_are_heard_when_named() {
        let warns = |level: &str| {
            level.parse::<Level>().unwrap().targets.would_enable("aws_config::meta", &tracing::Level::WARN)
        };
        assert!(!warns("debug"));
        assert!(warns("info,aws_config=warn"));
    }

    #[test]
    fn starting_twice_and_changing_is_harmless() {
        init();
        init();
        apply(&super::Options { level: "debug".parse().unwrap(), format: super::Format::Json });
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        apply(&super::Options::default());
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
    }
}

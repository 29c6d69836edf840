//! `rules`: check and list.

use std::io::{self, Write};
use std::path::PathBuf;

use audit_rules::{Options, Rule, diagnostic, load};
use clap::{Subcommand, ValueEnum};

use super::{Done, Stopped};
use crate::rules::{Unusable, read};

/// Subcommands of `rules`.
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Load rules files and report every error and warning; exit 1 on errors
    Check {
        /// Files and folders, in order
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How to report
        #[arg(long, value_enum, default_value = "text")]
        format: CheckFormat,
    },
    /// Print the rules in the order in which they are tried
    List {
        /// Rule files and folders of them, once for each [default: the built-in rules]
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
    },
}

/// How `check` reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum CheckFormat {
    /// For people
    Text,
    /// Every finding with its place
    Json,
    /// The document that `falco --validate` prints
    FalcoJson,
}

/// How `list` prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ListFormat {
    /// A line each: priority, name, tags, `off` if it is
    Text,
    /// A JSON object each
    Json,
}

impl Rules {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// When files can't be read, rules to be listed don't load, or stdout can't be written.
    pub fn run(self) -> Result<Done, Stopped> {
        match self {
            Self::Check { files, format } => check(&files, format),
            Self::List { rules, format } => list(&rules, format),
        }
    }
}

fn check(files: &[PathBuf], format: CheckFormat) -> Result<Done, Stopped> {
    let loaded = load(&read(files).map_err(stopped)?, &Options::default());
    let report = match format {
        CheckFormat::Text => diagnostic::text(&loaded),
        CheckFormat::Json => format!("{}\n", diagnostic::json(&loaded)),
        CheckFormat::FalcoJson => format!("{}\n", diagnostic::falco_json(&loaded)),
    };
    write(&report)?;
    Ok(if loaded.is_ok() { Done::Well } else { Done::Badly })
}

fn list(paths: &[PathBuf], format: ListFormat) -> Result<Done, Stopped> {
    let loaded = load(&read(paths).map_err(stopped)?, &Options::default());
    let Some(rules) = &loaded.rules else {
        return Err(stopped(Unusable::Faulty(diagnostic::text(&loaded))));
    };
    let line = match format {
        ListFormat::Text => as_text,
        ListFormat::Json => as_json,
    };
    write(&rules.rules.iter().map(line).collect::<String>())?;
    Ok(Done::Well)
}

fn as_text(rule: &Rule) -> String {
    let off = if rule.enabled { "" } else { "  off" };
    format!("{:<13}  {}  [{}]{off}\n", rule.priority, rule.name, rule.tags.join(", "))
}

fn as_json(rule: &Rule) -> String {
    let document = serde_json::json!({
        "rule": rule.name,
        "desc": rule.desc,
        "priority": rule.priority.as_str(),
        "tags": rule.tags,
        "source": rule.source,
        "enabled": rule.enabled,
        "file": rule.place.file,
        "line": rule.place.line,
    });
    format!("{document}\n")
}

fn stopped(error: Unusable) -> Stopped {
    Stopped::failed(&error)
}

fn write(text: &str) -> Result<(), Stopped> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| Stopped::writing(&error))
}

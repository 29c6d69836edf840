//! `rules`: check, list, test, explain, fields.

use std::io::{self, Write};
use std::path::PathBuf;

use audit_rules::fields::{self, Provider};
use audit_rules::{Options, Rule, RuleSet, diagnostic, load};
use clap::{Subcommand, ValueEnum};

use super::{Done, Stopped};
use crate::rules::{Unusable, read};

mod exception;
mod explain;
mod reach;
mod test;
#[cfg(test)]
mod tests;

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
        /// Also tell which rules lack something in the events of gke, eks, aks, aks-admin-only or admission
        #[arg(long, value_name = "NAME")]
        provider: Option<Provider>,
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
    /// Run cases of rules: events in, expected alerts out; exit 1 when one fails
    Test {
        /// Files of cases and folders of them
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Rules for the files that name none, once for each [default: the built-in rules]
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Show why a rule did or did not match: its condition with the value and verdict of each check
    Explain {
        /// Rule files and folders of them, once for each [default: the built-in rules]
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
        /// Name of the rule
        #[arg(long, value_name = "NAME")]
        rule: String,
        /// The events, in any shape that the intake takes
        file: PathBuf,
    },
    /// Print a rules file that excepts what is like an alert, to be loaded behind its rule
    Exception {
        /// The alert: a file with its JSON, - for stdin, or the uuid of a stored one
        #[arg(long, value_name = "ALERT")]
        from: String,
        /// Where stored alerts are: sqlite:PATH or a URL of PostgreSQL
        #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
        store: crate::store::Location,
        /// What is compared, once for each [default: user, namespace and resource, as far as the alert has them]
        #[arg(long, value_name = "FIELD")]
        field: Vec<String>,
    },
    /// Print every field that conditions and outputs can use
    Fields {
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
            Self::Check { files, format, provider } => check(&files, format, provider),
            Self::List { rules, format } => list(&rules, format),
            Self::Test { files, rules } => test::test(&files, &rules),
            Self::Explain { rules, rule, file } => explain::explain(&rules, &rule, &file),
            Self::Exception { from, store, field } => exception::exception(&from, &store, &field),
            Self::Fields { format } => {
                let fields = match format {
                    ListFormat::Text => fields::text(),
                    ListFormat::Json => format!("{:#}\n", fields::json()),
                };
                write(&fields).map(|()| Done::Well)
            }
        }
    }
}

fn check(files: &[PathBuf], format: CheckFormat, provider: Option<Provider>) -> Result<Done, Stopped> {
    let (mut sources, mut unread) = (Vec::new(), Vec::new());
    for path in files {
        match read(std::slice::from_ref(path)) {
            Ok(files) => sources.extend(files),
            Err(error @ Unusable::Unread { .. }) => {
                unread.push((path.display().to_string(), error.to_string()))
            }
            Err(Unusable::NoFile(_)) => {}
            Err(error) => return Err(stopped(error)),
        }
    }
    if sources.is_empty() && unread.is_empty() {
        // None of them is named like a rules file.
        read(files).map_err(stopped)?;
    }
    let loaded = load(&sources, &Options::default());
    let loaded = unread.into_iter().rev().fold(loaded, |loaded, (name, why)| loaded.with_unread(name, why));
    let report = match format {
        CheckFormat::Text => diagnostic::text(&loaded),
        CheckFormat::Json => format!("{}\n", diagnostic::json(&loaded)),
        CheckFormat::FalcoJson => format!("{}\n", diagnostic::falco_json(&loaded)),
    };
    write(&report)?;
    if let (Some(provider), Some(rules)) = (provider, &loaded.rules) {
        write(&reach::report(rules, provider))?;
    }
    Ok(if loaded.is_ok() { Done::Well } else { Done::Badly })
}

fn list(paths: &[PathBuf], format: ListFormat) -> Result<Done, Stopped> {
    let rules = loaded(paths)?;
    let line = match format {
        ListFormat::Text => as_text,
        ListFormat::Json => as_json,
    };
    write(&rules.rules.iter().map(line).collect::<String>())?;
    Ok(Done::Well)
}

/// The rules at `paths`, the built-in ones when there are none.
fn loaded(paths: &[PathBuf]) -> Result<RuleSet, Stopped> {
    let loaded = load(&read(paths).map_err(stopped)?, &Options::default());
    let report = || stopped(Unusable::Faulty(diagnostic::text(&loaded)));
    loaded.rules.clone().ok_or_else(report)
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

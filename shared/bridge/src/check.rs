//! `check`: what stands between this configuration and a running bridge, one line each.

mod probes;

use std::fmt;
use std::io::{self, Write};

use audit_service::exit::Failure;
use serde::Serialize;

pub use probes::{canary, checkpoints, place, receiver};

/// How a check came out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works; somebody should look.
    Warn,
    /// The bridge can't work.
    Fail,
}

/// One line of the report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What was checked.
    pub name: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// The grant or command that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Outcome {
    /// How the process ends whose report came out like this; the report has told why.
    ///
    /// # Errors
    /// [`Outcome::Fail`].
    pub fn end(self) -> Result<(), Failure> {
        match self {
            Self::Fail => Err(Failure::told()),
            Self::Ok | Self::Warn => Ok(()),
        }
    }
}

impl Finding {
    /// As it should be.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Ok, found: found.into(), hint: None }
    }

    /// It works; somebody should look.
    pub fn warn(name: impl Into<String>, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warn, hint: Some(hint.into()), ..Self::ok(name, found) }
    }

    /// The bridge can't work.
    pub fn fail(name: impl Into<String>, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, hint: Some(hint.into()), ..Self::ok(name, found) }
    }
}

/// How a report is printed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, clap::ValueEnum)]
pub enum Format {
    /// A line each, for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Flags of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Check the configuration only; nothing is asked of anybody
    #[arg(long)]
    pub offline: bool,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// A report that prints each finding as it comes.
#[derive(Debug)]
pub struct Report<W> {
    out: W,
    format: Format,
    worst: Outcome,
}

impl<W: Write> Report<W> {
    /// An empty report.
    pub fn new(out: W, format: Format) -> Self {
        Self { out, format, worst: Outcome::Ok }
    }

    /// Prints a finding.
    ///
    /// # Errors
    /// When `out` can't be written.
    pub fn add(&mut self, finding: &Finding) -> io::Result<()> {
        self.worst = self.worst.max(finding.outcome);
        match self.format {
            Format::Text => writeln!(self.out, "{finding}")?,
            Format::Json => writeln!(self.out, "{}", serde_json::to_string(finding)?)?,
        }
        self.out.flush()
    }

    /// The worst there was: a bridge with a [`Outcome::Fail`] can't work.
    pub fn worst(&self) -> Outcome {
        self.worst
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Ok => "[ok]  ",
            Outcome::Warn => "[warn]",
            Outcome::Fail => "[fail]",
        };
        write!(f, "{outcome} {}: {}", self.name, self.found)?;
        match &self.hint {
            Some(hint) => write!(f, "\n       -> {}", hint.replace('\n', "\n          ")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_in_both_forms() {
        let findings = [
            Finding::ok("credentials", "arn:aws:iam::1:role/a"),
            Finding::fail("log group", "it does not exist", "turn audit logging on"),
            Finding::warn("quota", "used", "ask less"),
        ];
        let print = |format| {
            let mut out = Vec::new();
            let mut report = Report::new(&mut out, format);
            findings.iter().for_each(|finding| report.add(finding).unwrap());
            assert_eq!(report.worst(), Outcome::Fail);
            String::from_utf8(out).unwrap()
        };
        let text = print(Format::Text);
        assert!(
            text.starts_with("[ok]   credentials: arn:aws:iam::1:role/a\n[fail] log group: it does"),
            "{text}"
        );
        assert!(text.contains("\n       -> turn audit logging on\n"), "{text}");
        let first = print(Format::Json);
        assert_eq!(
            first.lines().next().unwrap(),
            r#"{"name":"credentials","outcome":"ok","found":"arn:aws:iam::1:role/a"}"#
        );
    }
}

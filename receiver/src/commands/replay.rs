//! `replay`: recorded events through the rules.
//!
//! One thread reads, some evaluate, this one writes what they find in the order of the input. Only a few chunks are in
//! memory at a time, however long the input is.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Done, Stopped, tell};
use crate::config::Match;
use crate::evaluate::Evaluator;
use crate::rules::Rules;
use pipeline::Finding;
use select::Select;

mod input;
mod pipeline;
mod select;
#[cfg(test)]
mod tests;

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Rule files and folders of them, once for each [default: the built-in rules]
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Whether the first matching rule raises an alert or all of them
    #[arg(long = "match", value_name = "WHICH", default_value = "first")]
    matching: Match,
    #[command(flatten)]
    select: Select,
    /// Raise the receiver's own alerts as well, for events cut short and entries that can't be read; Falco has none
    #[arg(long)]
    native: bool,
    /// JSON lines, or one JSON document, of anything that the intake takes; - is stdin [default: stdin]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What was seen.
#[derive(Default, Debug)]
struct Summary {
    received: usize,
    evaluated: usize,
    ignored: usize,
    quarantined: usize,
    alerts: BTreeMap<String, usize>,
}

impl Replay {
    /// Writes the alerts to stdout, problems and a summary to stderr.
    ///
    /// # Errors
    /// When rules or files can't be read or stdout not be written.
    pub fn run(self) -> Result<Done, Stopped> {
        let Self { rules, matching, select, native, files } = self;
        let settings = select.settings(matching);
        let rules = Rules::load(&rules, settings).map_err(|error| Stopped::failed(&error))?;
        rules.remarks().iter().for_each(|remark| tell(remark));
        let evaluator = Evaluator::new(rules, crate::serve::hostname()).with_zone(crate::serve::zone(tell));
        let evaluator = Arc::new(evaluator.with_native(native));
        let files = if files.is_empty() { vec![PathBuf::from("-")] } else { files };
        let mut stdout = BufWriter::new(io::stdout().lock());
        let bar = progress(&files);
        let begun = Instant::now();
        let mut summary = Summary::default();
        for finding in pipeline::start(files, evaluator) {
            let finding = finding.map_err(|error| Stopped::failed(&error))?;
            bar.inc(finding.bytes as u64);
            for problem in &finding.problems {
                bar.suspend(|| tell(problem));
            }
            summary.add(&finding);
            for alert in &finding.alerts {
                writeln!(stdout, "{}", alert.document).map_err(|error| Stopped::writing(&error))?;
            }
        }
        stdout.flush().map_err(|error| Stopped::writing(&error))?;
        bar.finish_and_clear();
        summary.tell(begun.elapsed().as_secs_f64());
        Ok(if summary.quarantined == 0 { Done::Well } else { Done::Badly })
    }
}

/// A bar when a person waits and sees nothing else.
fn progress(files: &[PathBuf]) -> ProgressBar {
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes: Option<u64> =
        files.iter().map(|file| std::fs::metadata(file).ok().map(|file| file.len())).sum();
    let template = "{bar:30} {bytes} of {total_bytes} ({bytes_per_sec}, {eta} left)";
    match (sizes, ProgressStyle::with_template(template)) {
        (Some(all), Ok(style)) => ProgressBar::new(all).with_style(style),
        _ => ProgressBar::new_spinner(),
    }
}

impl Summary {
    fn add(&mut self, finding: &Finding) {
        self.received += finding.received;
        self.evaluated += finding.evaluated;
        self.ignored += finding.ignored;
        self.quarantined += finding.quarantined;
        for alert in &finding.alerts {
            match self.alerts.get_mut(&alert.rule) {
                Some(count) => *count += 1,
                None => drop(self.alerts.insert(alert.rule.clone(), 1)),
            }
        }
    }

    fn tell(&self, seconds: f64) {
        let Self { received, evaluated, ignored, quarantined, alerts } = self;
        debug_assert_eq!(*received, evaluated + ignored + quarantined, "an entry was lost");
        tell(&format!(
            "received {received} = evaluated {evaluated} + ignored {ignored} + quarantined {quarantined}; \
             {seconds:.2} s, {:.0} events/s",
            *evaluated as f64 / seconds.max(1e-9)
        ));
        tell(&format!("alerts {}", alerts.values().sum::<usize>()));
        let mut rules: Vec<_> = alerts.iter().collect();
        rules.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (rule, count) in rules {
            tell(&format!("{count:>9}  {}", rule.escape_debug()));
        }
    }
}

//! Diagnostics for people.

use std::fmt::Write as _;

use super::{Code, Diagnostic, Excerpt};
use crate::load::{AUDIT, Loaded};

/// All diagnostics of a load in the order of their places, each with its line and what is wrong there, and a summary.
///
/// Rules of other sources are one line together.
pub fn text(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut told: Vec<_> =
        loaded.diagnostics().filter(|diagnostic| !diagnostic.is_of_other_source()).collect();
    let file = |name: &str| loaded.results.iter().position(|result| result.name == name);
    told.sort_by_key(|said| (file(&said.file), said.line, said.column));
    for diagnostic in told {
        one(&mut text, diagnostic);
    }
    for result in &loaded.results {
        for (source, count) in result.skipped_sources() {
            let rules = if count == 1 { "rule" } else { "rules" };
            line(&mut text, format_args!("{}: {count} {rules} of source `{source}` skipped", result.name));
        }
    }
    for result in &loaded.results {
        line(&mut text, format_args!("{}: {}", result.name, result.summary()));
    }
    if loaded.rules.as_ref().is_some_and(|rules| rules.rules.is_empty()) {
        line(
            &mut text,
            format_args!("no rule is for events of source `{AUDIT}`: nothing would raise an alert"),
        );
    }
    text
}

fn one(text: &mut String, diagnostic: &Diagnostic) {
    let Diagnostic { code, message, file, line: at, column, excerpt, .. } = diagnostic;
    line(text, format_args!("{}[{}]: {message}", code.severity().as_str(), code.as_str()));
    if *code == Code::FileRead {
        // There is no line to show.
        text.push('\n');
        return;
    }
    let number = at.to_string();
    let gutter = " ".repeat(number.len());
    line(text, format_args!("{gutter}--> {file}:{at}:{column}"));
    marked(text, &gutter, &number, excerpt);
    if let Some(expanded) = &diagnostic.expanded {
        line(text, format_args!("{gutter} = with its lists and exceptions the condition reads"));
        marked(text, &gutter, &gutter, expanded);
    }
    if let Some(help) = &diagnostic.help {
        line(text, format_args!("{gutter} = help: {help}"));
    }
    text.push('\n');
}

fn marked(text: &mut String, gutter: &str, number: &str, excerpt: &Excerpt) {
    let Excerpt { text: written, start, len } = excerpt.shortened(100);
    // One column for each character, whatever it is: control characters and tabs would shift the caret.
    let shown: String = written.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    line(text, format_args!("{number} | {shown}"));
    line(text, format_args!("{gutter} | {}{}", " ".repeat(start), "^".repeat(len)));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

impl Excerpt {
    /// The part around the mark, with `...` for what was cut away.
    fn shortened(&self, width: usize) -> Self {
        let total = self.text.chars().count();
        if total <= width {
            return self.clone();
        }
        let first = self.start.saturating_sub(width / 2).min(total - width);
        let mut text: String = self.text.chars().skip(first).take(width).collect();
        let mut start = self.start - first;
        if first > 0 {
            text.insert_str(0, "...");
            start += 3;
        }
        if first + width < total {
            text.push_str("...");
        }
        Self { text, start, len: self.len.min(width) }
    }
}

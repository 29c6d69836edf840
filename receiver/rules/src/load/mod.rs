//! Rules files to rules.
//!
//! Files share one collection. After each file all that has been collected is compiled anew, so a file must be sound
//! with itself and those before it, and what a later file redefines is redefined everywhere. Loading ends with the
//! first file that has an error; of that file every error is told.

mod collection;
mod compile;
mod context;
mod exceptions;
mod fault;
mod lists;
mod macros;
mod options;
mod overrides;
mod read;
mod rule_item;
mod schema;
mod source;
mod texts;
mod values;
mod version;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use options::{AppendOutput, ExtraValue, Options};

use crate::RuleSet;
use crate::diagnostic::{Code, Diagnostic, Excerpt, Severity};
use crate::document::Source;
use collection::{Collection, Requirement};
use fault::Fault;
pub(crate) use source::AUDIT;

/// A rules file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// What diagnostics call it; its path.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What came of loading files.
#[derive(Debug)]
pub struct Loaded {
    /// Of each file that was read, in their order: all, or those up to the first with an error.
    pub results: Vec<FileResult>,
    /// Required plugins that are not provided.
    pub unmet: Vec<Diagnostic>,
    /// The rules, if nothing was wrong.
    pub rules: Option<RuleSet>,
}

/// What is said about one file.
#[derive(Debug)]
pub struct FileResult {
    /// As given.
    pub name: String,
    /// In the order in which they were found.
    pub diagnostics: Vec<Diagnostic>,
    /// What differs from the plain shape of rules files. Never an error.
    pub schema: Vec<String>,
    skipped: BTreeMap<String, usize>,
}

/// Loads rules files, in this order.
pub fn load(files: &[SourceFile], options: &Options) -> Loaded {
    let mut sources: Vec<Source> = Vec::new();
    let mut collection = Collection::default();
    let mut results = Vec::new();
    let mut rules = Some(Vec::new());
    for file in files {
        sources.push(Source::new(file.name.clone(), file.text.clone()));
        let (result, compiled) = one(&sources, &mut collection, options);
        results.push(result);
        rules = compiled;
        if rules.is_none() {
            break;
        }
    }
    let unmet: Vec<_> = collection
        .requirements
        .iter()
        .filter_map(unmet)
        .map(|fault| fault.into_diagnostic(&sources))
        .collect();
    let rules = rules.filter(|_| unmet.is_empty()).map(|rules| RuleSet { rules });
    Loaded { results, unmet, rules }
}

/// Loads the last of the files.
fn one(
    sources: &[Source],
    collection: &mut Collection,
    options: &Options,
) -> (FileResult, Option<Vec<crate::Rule>>) {
    let mut faults = Vec::new();
    let mut rules = Vec::new();
    let mut schema = Vec::new();
    let mut name = String::new();
    if let Some(source) = sources.last() {
        name.clone_from(&source.name);
        let mut broken = BTreeSet::new();
        let mut reader = read::Reader {
            source,
            file: sources.len() - 1,
            collection,
            faults: Vec::new(),
            broken: &mut broken,
        };
        reader.file();
        faults = reader.faults;
        schema = schema::check(&source.text);
        // What is compiled is of use even after errors: it shows those in the rest of the file.
        rules = compile::compile(collection, sources, options, &broken, &mut faults);
    }
    let mut skipped = BTreeMap::new();
    for rule in collection.rules.0.iter().filter(|rule| rule.source != source::AUDIT) {
        *skipped.entry(rule.source.clone()).or_default() +=
            usize::from(rule.context.at().0 + 1 == sources.len());
    }
    skipped.retain(|_, count| *count > 0);
    let diagnostics: Vec<_> = faults.into_iter().map(|fault| fault.into_diagnostic(sources)).collect();
    let result = FileResult { name, diagnostics, schema, skipped };
    let rules = result.is_ok().then_some(rules);
    (result, rules)
}

/// A requirement is met by the first alternative that is provided at all.
fn unmet(requirement: &Requirement) -> Option<Fault> {
    let provided =
        |name: &str| version::PLUGINS.iter().find(|(plugin, _)| *plugin == name).map(|(_, version)| *version);
    let first =
        requirement.alternatives.iter().find_map(|(name, version)| Some((name, version, provided(name)?)));
    let wanted: Vec<_> =
        requirement.alternatives.iter().map(|(name, version)| format!("`{name}` {version}")).collect();
    let message = match first {
        Some((_, required, provided)) if provided.satisfies(*required) => return None,
        Some((name, required, provided)) => {
            format!("plugin `{name}` {required} is required, {provided} is provided")
        }
        None => format!("plugin {} is required and not provided", wanted.join(" or ")),
    };
    Some(Fault::new(Code::UnmetPlugin, message, &requirement.context))
}

impl Loaded {
    /// The same where another file could not be read. It comes first: all are read before one is loaded.
    #[must_use]
    pub fn with_unread(mut self, name: String, why: String) -> Self {
        let diagnostic = Diagnostic {
            code: Code::FileRead,
            message: why,
            help: None,
            file: name.clone(),
            line: 1,
            column: 1,
            excerpt: Excerpt::default(),
            expanded: None,
            locations: Vec::new(),
            snippet: String::new(),
            deprecated_field: None,
        };
        let result =
            FileResult { name, diagnostics: vec![diagnostic], schema: Vec::new(), skipped: BTreeMap::new() };
        self.results.insert(0, result);
        self.rules = None;
        self
    }

    /// Whether there are rules.
    pub fn is_ok(&self) -> bool {
        self.rules.is_some()
    }

    /// All that is said, file by file, each once. Everything is compiled anew after each file, so the results repeat
    /// themselves, and call unused what a later file uses.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let last = self.results.last().map_or(&[][..], |result| &result.diagnostics);
        let mut told: Vec<&Diagnostic> = Vec::new();
        let all = self.results.iter().flat_map(|result| &result.diagnostics).chain(&self.unmet);
        all.filter(move |said| {
            let unused = matches!(said.code, Code::UnusedMacro | Code::UnusedList);
            let news = !told.contains(said) && (!unused || last.contains(said));
            if news {
                told.push(said);
            }
            news
        })
    }
}

impl FileResult {
    /// Whether the file has no error.
    pub fn is_ok(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// How many rules it has for each source that is not evaluated.
    pub fn skipped_sources(&self) -> impl Iterator<Item = (&str, usize)> {
        self.skipped.iter().map(|(source, count)| (source.as_str(), *count))
    }

    pub(crate) fn summary(&self) -> String {
        let counted = |severity: Severity| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {}", severity.as_str())),
            count => Some(format!("{count} {}s", severity.as_str())),
        };
        let counts: Vec<_> =
            [Severity::Error, Severity::Warning, Severity::Note].into_iter().filter_map(counted).collect();
        if counts.is_empty() { "ok".to_owned() } else { counts.join(", ") }
    }

    fn count(&self, severity: Severity) -> usize {
        let told = self.diagnostics.iter().filter(|diagnostic| !diagnostic.is_of_other_source());
        told.filter(|diagnostic| diagnostic.severity() == severity).count()
    }
}

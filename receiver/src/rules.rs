//! The rules in use, and the alerts that they raise.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use audit_event::{Event, Field};
use audit_rules::{Code, Context, Engine, Loaded, Rule, SourceFile, alert, diagnostic, nearest, select};
use serde_json::Value as Json;

use crate::evaluate::{Located, nanoseconds};
use crate::identity;
use crate::native;
use crate::redact::Redact;
use crate::store::{Alert, Subject};

mod cut;
pub mod reload;
mod settings;

pub use settings::Settings;

pub(crate) use cut::{cut, cut_text};

/// The rules that are used when none are given, in the order in which they are loaded.
const BUILT_IN: &[(&str, &str)] = &[
    ("built-in/00-words.yaml", include_str!("../rules/builtin/00-words.yaml")),
    ("built-in/10-access.yaml", include_str!("../rules/builtin/10-access.yaml")),
    ("built-in/20-workloads.yaml", include_str!("../rules/builtin/20-workloads.yaml")),
    ("built-in/30-secrets.yaml", include_str!("../rules/builtin/30-secrets.yaml")),
    ("built-in/40-rights.yaml", include_str!("../rules/builtin/40-rights.yaml")),
    ("built-in/50-identity.yaml", include_str!("../rules/builtin/50-identity.yaml")),
    ("built-in/60-cluster.yaml", include_str!("../rules/builtin/60-cluster.yaml")),
    ("built-in/70-activity.yaml", include_str!("../rules/builtin/70-activity.yaml")),
];

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A path that can't be read.
    #[error("can't read the rules `{path}`: {cause}")]
    Unread {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Paths without a rules file.
    #[error("no rules file in {0}: rules files are named `*.yaml` or `*.yml`")]
    NoFile(String),
    /// Files with errors.
    #[error("the rules don't load\n{0}")]
    Faulty(String),
}

/// Reads rules files in the order given; the built-in rules when there are none. A folder stands for its files, not those
/// in folders below, in the order of their names. Only files named `*.yaml` or `*.yml` count, as in Falco.
///
/// # Errors
/// When a path can't be read, or none of them is or has a rules file.
pub fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Unusable> {
    if paths.is_empty() {
        let file =
            |(name, text): &(&str, &str)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() };
        return Ok(BUILT_IN.iter().map(file).collect());
    }
    let mut files = Vec::new();
    for path in paths {
        let unread = |cause| Unusable::Unread { path: path.clone(), cause };
        for file in rules_files(path).map_err(unread)? {
            let text = std::fs::read(&file).map_err(unread)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            files.push(SourceFile { name: file.display().to_string(), text });
        }
    }
    if files.is_empty() {
        let paths: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(Unusable::NoFile(paths.join(", ")));
    }
    Ok(files)
}

/// The rules files at a path: itself, or those in a folder.
pub(crate) fn rules_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if path.metadata()?.is_dir() {
        for entry in path.read_dir()? {
            let file = entry?.path();
            if file.is_file() {
                files.push(file);
            }
        }
        files.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    } else {
        files.push(path.to_owned());
    }
    files.retain(|file| {
        let counts = select::is_rules_file(&file.to_string_lossy());
        if !counts {
            tracing::warn!(file = %file.display(), "not named `*.yaml` or `*.yml`, so no rules file: passed over");
        }
        counts
    });
    Ok(files)
}

/// Rules ready to be held against events.
#[derive(Debug)]
pub struct Rules {
    engine: Engine,
    remarks: Vec<String>,
}

impl Rules {
    /// Loads files and folders as [`read`] does.
    ///
    /// # Errors
    /// When there are no files, or one has an error.
    pub fn load(paths: &[PathBuf], settings: impl Into<Settings>) -> Result<Self, Unusable> {
        let settings = settings.into();
        Self::of(audit_rules::load(&read(paths)?, &settings.options), settings)
    }

    /// The rules that were loaded.
    ///
    /// # Errors
    /// When there was an error in loading.
    pub fn of(loaded: Loaded, settings: impl Into<Settings>) -> Result<Self, Unusable> {
        let mut remarks = skipped(&loaded);
        let Some(rules) = loaded.rules else {
            return Err(Unusable::Faulty(diagnostic::text(&loaded).trim_end().to_owned()));
        };
        let Settings { matching, least, select, .. } = settings.into();
        for idle in select.iter().filter(|selection| !rules.rules.iter().any(|rule| selection.concerns(rule)))
        {
            let name = idle.rule.iter().map(|name| format!("the name `{name}`"));
            let tag = idle.tag.iter().map(|tag| format!("the tag `{tag}`"));
            let both = name.chain(tag).collect::<Vec<_>>().join(" or ");
            remarks.push(format!("no rule has {both}, so there is nothing to switch"));
        }
        let engine = Engine::with_threshold(select::select(rules, &select), matching, least);
        if engine.tried().is_empty() {
            remarks.push("no rule is in use: no event will raise an alert".to_owned());
        }
        Ok(Self { engine, remarks })
    }

    /// What those who rely on the rules should know: which were skipped, and whether any is left.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What to say of the name of a rule that there is not, nor an alert of the receiver's own of that name.
    pub fn unknown(&self, name: &str) -> Option<String> {
        let names = || self.all().iter().map(|rule| rule.name.as_str()).chain(native::NAMES);
        if names().any(|known| known == name) {
            return None;
        }
        let meant = nearest(name, names()).map(|meant| format!(", did you mean `{meant}`?"));
        Some(format!("no rule is named `{name}`{}", meant.unwrap_or_default()))
    }

    /// All of them, in the order in which they are tried.
    pub fn all(&self) -> &[Rule] {
        self.engine.rules()
    }

    /// Adds the alerts that `event` raises to `alerts`: evaluated as it came, shown without what is not to be kept.
    pub fn raise(
        &self,
        event: &Located<'_>,
        context: &mut Context,
        redact: &Redact,
        alerts: &mut Vec<Alert>,
    ) {
        event.with_event(|seen| {
            let matching = self.engine.evaluate(seen, context);
            if matching.is_empty() {
                return;
            }
            let rules = matching.into_iter().filter_map(|at| self.engine.rule(at));
            redact.event(seen, |kept| {
                alerts.extend(rules.map(|rule| self.alert(rule, event, kept, context)));
            });
        });
    }

    fn alert(&self, rule: &Rule, event: &Located<'_>, kept: &Event<'_>, context: &Context) -> Alert {
        let id = identity::alert(event.id(), &rule.name, self.engine.matching());
        let mut document = alert::render(rule, kept, context, &alert::Options::default());
        let text = |field| kept.text(field).map_or(Json::Null, |text| text.into());
        document.extend([
            ("uuid".to_owned(), id.to_string().into()),
            ("audit_id".to_owned(), text(Field::AuditId)),
            ("stage".to_owned(), text(Field::Stage)),
            ("cluster".to_owned(), event.cluster.as_ref().into()),
        ]);
        let mut document: Json = document.into_iter().collect();
        cut(&mut document);
        Alert {
            id,
            time: nanoseconds(kept),
            rule: rule.name.clone(),
            priority: rule.priority,
            tags: rule.tags.clone(),
            subject: subject(event.event),
            cluster: event.cluster.clone().into_owned(),
            document: document.to_string(),
        }
    }
}

/// What was said about rules that were skipped.
fn skipped(loaded: &Loaded) -> Vec<String> {
    let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
    for (source, count) in loaded.results.iter().flat_map(|result| result.skipped_sources()) {
        *sources.entry(source).or_default() += count;
    }
    let sources = sources.into_iter().map(|(source, count)| {
        let rules = if count == 1 { "1 rule".to_owned() } else { format!("{count} rules") };
        format!("{rules} of source `{source}` skipped: only events of source `k8s_audit` come here")
    });
    let single = loaded.diagnostics().filter(|said| match said.code {
        Code::UnknownSource => said.help.is_some(),
        Code::UnknownFilter => true,
        _ => false,
    });
    let single = single.map(|said| {
        let help = said.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("rule skipped, {}:{}:{}: {}{help}", said.file, said.line, said.column, said.message)
    });
    sources.chain(single).collect()
}

/// Whom and what an event is about.
pub(crate) fn subject(event: &Event<'_>) -> Subject {
    let of = |field, key| {
        let text = event.get(field).and_then(|field| field.get(key)).and_then(|text| text.string());
        let mut text = text.map(Cow::into_owned).unwrap_or_default();
        cut_text(&mut text);
        text
    };
    let target = |key| of(Field::ObjectRef, key);
    let namespace = target("namespace");
    let place = [target("resource"), target("subresource"), namespace.clone(), target("name")].join("/");
    Subject { user: of(Field::User, "username"), namespace, target: place }
}

#[cfg(test)]
mod tests;

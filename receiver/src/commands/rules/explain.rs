//! `rules explain`: why a rule did or did not match.

use std::path::{Path, PathBuf};

use audit_event::{Event, Field, Item, split};
use audit_rules::explain::explain as explanation;
use audit_rules::{Engine, Matching};

use super::{Done, Stopped, loaded, test::text, write};

/// Writes, for each event in `file`, the condition of the rule with the value and verdict of each of its checks.
pub(super) fn explain(rules: &[PathBuf], name: &str, file: &Path) -> Result<Done, Stopped> {
    let engine = Engine::new(loaded(rules)?, Matching::All);
    let Some(rule) = engine.rules().iter().find(|rule| rule.name == name) else {
        return Err(Stopped::Usage(format!(
            "there is no rule `{name}`; `audit-receiver rules list` shows them"
        )));
    };
    let payload = text(file)?;
    let unusable = |why: &dyn std::fmt::Display| Stopped::Failed(format!("`{}`: {why}", file.display()));
    let mut context = audit_rules::Context::new(crate::serve::hostname())
        .in_zone(crate::serve::zone(crate::commands::tell));
    for item in split(&payload).map_err(|broken| unusable(&broken))? {
        let event = match &item {
            Item::Event(event) => event,
            Item::Ignored(reason) | Item::Quarantined(_, reason) => return Err(unusable(reason)),
        };
        // Steps the context on to this event, as `serve` does.
        let matches = engine.evaluate(event, &mut context);
        let matched = matches.iter().any(|at| engine.rule(*at).is_some_and(|rule| rule.name == name));
        let verdict = match (matched, rule.enabled) {
            (true, _) => "matches",
            (false, true) => "does not match",
            (false, false) => "is off, so it does not match",
        };
        write(&format!("`{name}` {verdict} {}\n{}\n", called(event), explanation(rule, event, &context)))?;
    }
    Ok(Done::Well)
}

fn called(event: &Event<'_>) -> String {
    let text = |field| event.text(field).unwrap_or_default().escape_debug().to_string();
    format!(
        "{} ({} {}, {})",
        text(Field::AuditId),
        text(Field::Verb),
        text(Field::RequestUri),
        text(Field::Stage)
    )
}

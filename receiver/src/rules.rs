//! The rules in use, and the alerts that they raise.

use std::path::PathBuf;

use audit_event::{Event, Field};
use audit_rules::{Context, Engine, Matching, Rule, RuleSet, alert};
use serde_json::Value as Json;

use crate::evaluate::{Located, nanoseconds};
use crate::identity;
use crate::store::Alert;

/// Rules ready to be held against events.
#[derive(Debug)]
pub struct Rules {
    engine: Engine,
}

impl Rules {
    /// Loads files and folders, the built-in rules when there are none.
    pub fn load(paths: &[PathBuf], matching: Matching) -> Result<Self, std::io::Error> {
        let _ = paths;
        Ok(Self { engine: Engine::new(RuleSet::default(), matching) })
    }

    /// All of them, in the order in which they are tried.
    pub fn all(&self) -> &[Rule] {
        self.engine.rules()
    }

    /// Adds the alerts that `event` raises to `alerts`.
    pub fn raise(&self, event: &Located<'_>, context: &mut Context, alerts: &mut Vec<Alert>) {
        event.with_event(|seen| {
            let matching = self.engine.evaluate(seen, context);
            let rules = matching.into_iter().filter_map(|at| self.engine.rule(at));
            alerts.extend(rules.map(|rule| self.alert(rule, event, seen, context)));
        });
    }

    fn alert(&self, rule: &Rule, event: &Located<'_>, seen: &Event<'_>, context: &Context) -> Alert {
        let id = identity::alert(event.id, &rule.name, self.engine.matching());
        let mut document = alert::render(rule, seen, context, &alert::Options::default());
        let text = |field| seen.text(field).map_or(Json::Null, |text| text.into());
        document.extend([
            ("uuid".to_owned(), id.to_string().into()),
            ("audit_id".to_owned(), text(Field::AuditId)),
            ("stage".to_owned(), text(Field::Stage)),
            ("cluster".to_owned(), event.cluster.as_ref().into()),
        ]);
        Alert {
            id,
            time: nanoseconds(seen),
            rule: rule.name.clone(),
            priority: rule.priority,
            cluster: event.cluster.clone().into_owned(),
            document: document.into_iter().collect::<Json>().to_string(),
        }
    }
}

//! Items that change a rule that is there already.

use super::{complete, other_source, priority, tags};
use crate::Priority;
use crate::diagnostic::Code;
use crate::document::Traced;
use crate::load::collection::Rule;
use crate::load::exceptions::Exception;
use crate::load::fault::{Checked, Fault};
use crate::load::overrides::Overrides;
use crate::load::read::Reader;
use crate::load::source::AUDIT;
use crate::load::values::Keys;

pub(super) const APPENDABLE: &[&str] = &["condition", "output", "desc", "tags", "exceptions"];
pub(super) const REPLACEABLE: &[&str] = &[
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "priority",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

/// New values of keys of a rule that is there already.
#[derive(Default)]
pub(super) struct Update {
    condition: Option<Traced>,
    output: Option<Traced>,
    desc: Option<String>,
    tags: Option<Vec<String>>,
    exceptions: Option<Vec<Exception>>,
    priority: Option<Priority>,
    enabled: Option<bool>,
    warn_evttypes: Option<bool>,
    skip_if_unknown_filter: Option<bool>,
}

impl Reader<'_> {
    /// First all that is appended, then all that is replaced.
    pub(super) fn overridden(&mut self, name: &str, keys: Keys<'_>, overrides: &Overrides) -> Checked<()> {
        let wanted = |keys: &[String]| -> Vec<&'static str> {
            REPLACEABLE.iter().filter(|key| keys.iter().any(|other| other == *key)).copied().collect()
        };
        if !overrides.append.is_empty() {
            let update = self.update(keys, &wanted(&overrides.append), true)?;
            self.append(name, keys, update)?;
        }
        if !overrides.replace.is_empty() {
            let update = self.update(keys, &wanted(&overrides.replace), false)?;
            self.replace(name, keys, update)?;
        }
        let mut left: Vec<_> = REPLACEABLE
            .iter()
            .filter(|key| !overrides.append.iter().chain(&overrides.replace).any(|other| other == *key))
            .filter_map(|key| Some((key, keys.node.get(key)?)))
            .collect();
        left.sort_unstable_by_key(|(key, _)| **key);
        match left.first() {
            None => Ok(()),
            Some((key, node)) => {
                let context = keys.context.node(self.source, node, "overrides", key);
                let message = format!("`{key}` is given, but `override` does not say what to do with it");
                Err(Fault::new(Code::YamlValidate, message, &context)
                    .help(format!("add `{key}: replace` to `override`, or remove `{key}`")))
            }
        }
    }

    pub(super) fn update(&mut self, keys: Keys<'_>, wanted: &[&str], is_append: bool) -> Checked<Update> {
        let wants = |key| -> Checked<bool> {
            match wanted.contains(&key) {
                true if !keys.has(key) => {
                    keys.refuse(format!("`{key}` is overridden, but the item has no `{key}`"))
                }
                wants => Ok(wants),
            }
        };
        let mut update = Update::default();
        if wants("condition")? {
            update.condition = Some(self.traced(keys.text("condition")?.1));
        }
        if wants("exceptions")? {
            update.exceptions = Some(self.exceptions(keys, is_append)?);
        }
        if wants("output")? {
            update.output = Some(self.traced(keys.text("output")?.1));
        }
        if wants("desc")? {
            update.desc = Some(keys.text("desc")?.0.to_owned());
        }
        if wants("tags")? {
            update.tags = Some(tags(keys)?);
        }
        if wants("priority")? {
            update.priority = Some(priority(keys)?);
        }
        if wants("enabled")? {
            update.enabled = Some(keys.boolean("enabled")?);
        }
        if wants("capture")? {
            keys.boolean("capture")?;
        }
        if wants("capture_duration")? {
            keys.unsigned("capture_duration")?;
        }
        if wants("warn_evttypes")? {
            update.warn_evttypes = Some(keys.boolean("warn_evttypes")?);
        }
        if wants("skip-if-unknown-filter")? {
            update.skip_if_unknown_filter = Some(keys.boolean("skip-if-unknown-filter")?);
        }
        Ok(update)
    }

    /// The rule that an item updates. None if there would be one, had it been readable.
    fn previous(&mut self, name: &str, keys: Keys<'_>) -> Checked<Option<&mut Rule>> {
        if self.collection.rules.get(name).is_none() {
            return self.no_previous(keys, "rule", name).map(|()| None);
        }
        let previous = self.collection.rules.get_mut(name);
        // Null or empty is as if not given here.
        let source = keys.node.get("source").and_then(|node| node.text()).filter(|source| !source.is_empty());
        if let (Some(source), Some(rule)) = (source, &previous)
            && *source != rule.source
        {
            return Err(other_source(keys, &rule.source));
        }
        Ok(previous)
    }

    pub(super) fn append(&mut self, name: &str, keys: Keys<'_>, update: Update) -> Checked<()> {
        let number = self.collection.number();
        let Some(rule) = self.previous(name, keys)? else { return Ok(()) };
        let Update { condition, output, desc, tags, exceptions, .. } = update;
        if condition.is_none() && output.is_none() && desc.is_none() && tags.is_none() && exceptions.is_none()
        {
            let message = "an appending rule needs `condition` or `exceptions`";
            return Err(Fault::new(Code::Validate, message, keys.context));
        }
        if let Some(condition) = condition {
            rule.condition.append(&condition);
        }
        if let Some(output) = output {
            rule.output.append(&output);
        }
        if let Some(desc) = desc {
            rule.desc = format!("{} {desc}", rule.desc);
        }
        rule.tags.extend(tags.into_iter().flatten());
        for exception in exceptions.into_iter().flatten() {
            append_exception(rule, exception)?;
        }
        rule.order.visibility = number;
        Ok(())
    }

    fn replace(&mut self, name: &str, keys: Keys<'_>, update: Update) -> Checked<()> {
        let number = self.collection.number();
        let Some(rule) = self.previous(name, keys)? else { return Ok(()) };
        let checks_fields = rule.source == AUDIT;
        if let Some(mut exceptions) = update.exceptions {
            for exception in &mut exceptions {
                complete(exception, checks_fields)?;
            }
            rule.exceptions = exceptions;
        }
        set(&mut rule.condition, update.condition);
        set(&mut rule.output, update.output);
        set(&mut rule.desc, update.desc);
        set(&mut rule.tags, update.tags.map(|tags| tags.into_iter().collect()));
        set(&mut rule.priority, update.priority);
        set(&mut rule.enabled, update.enabled);
        set(&mut rule.warn_evttypes, update.warn_evttypes);
        set(&mut rule.skip_if_unknown_filter, update.skip_if_unknown_filter);
        rule.order.visibility = number;
        Ok(())
    }
}

fn set<T>(old: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *old = new;
    }
}

/// Of an exception that is there only values can be appended to; a new one must be whole.
fn append_exception(rule: &mut Rule, mut exception: Exception) -> Checked<()> {
    let refuse = |message: &str| Err(Fault::new(Code::Validate, message, &exception.context));
    match rule.exceptions.iter_mut().find(|previous| previous.name == exception.name) {
        Some(_) if !exception.fields.is_empty() || !exception.comps.is_empty() => refuse(
            "`fields` and `comps` of an exception that is defined already can not be changed, only `values` added",
        ),
        Some(previous) => {
            previous.values.extend(exception.values);
            Ok(())
        }
        None if exception.fields.is_empty() => refuse("a new exception needs `fields`"),
        None if exception.values.is_empty() => refuse("a new exception that is appended needs `values`"),
        None => {
            exception.complete(rule.source == AUDIT)?;
            rule.exceptions.push(exception);
            Ok(())
        }
    }
}

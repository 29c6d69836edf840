//! Rule items: definitions, updates and switches.

mod update;

use super::collection::{Order, Rule};
use super::exceptions;
use super::fault::{Checked, Fault};
use super::overrides;
use super::read::Reader;
use super::source::{AUDIT, SYSCALL, is_known};
use super::values::Keys;
use crate::Priority;
use crate::diagnostic::{Code, did_you_mean, nearest};
use crate::document::Node;
use update::{APPENDABLE, REPLACEABLE};

const KEYS: &[&str] = &[
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "append",
    "override",
];
impl Reader<'_> {
    pub(super) fn rule(&mut self, name: &str, keys: Keys<'_>) -> Checked<()> {
        let is_append = self.append_flag(keys)?;
        let overrides = overrides::read(keys, APPENDABLE, REPLACEABLE)?;
        if is_append && !overrides.is_empty() {
            return keys.refuse("`append` and `override` exclude each other");
        }
        if !overrides.is_empty() {
            self.overridden(name, keys, &overrides)?;
        } else if is_append {
            let wanted: Vec<_> =
                ["condition", "exceptions"].into_iter().filter(|key| keys.has(key)).collect();
            let update = self.update(keys, &wanted, true)?;
            self.append(name, keys, update)?;
        } else if ["condition", "output", "desc", "priority"].into_iter().any(|key| keys.has(key)) {
            self.definition(name, keys)?;
        } else {
            self.switch(name, keys)?;
        }
        self.unknown_keys(keys, KEYS);
        Ok(())
    }

    fn exceptions(&mut self, keys: Keys<'_>, is_append: bool) -> Checked<Vec<exceptions::Exception>> {
        exceptions::read(keys, is_append, &mut |fault| self.faults.push(fault))
    }

    fn switch(&mut self, name: &str, keys: Keys<'_>) -> Checked<()> {
        let enabled = keys.boolean("enabled")?;
        let fault =
            Fault::new(Code::DeprecatedItem, "an item with `enabled` alone is deprecated", keys.context);
        self.faults.push(fault.help("add `override: {enabled: replace}`"));
        match self.collection.rules.get_mut(name) {
            Some(rule) => rule.enabled = enabled,
            None => self.no_previous(keys, "rule", name)?,
        }
        Ok(())
    }

    fn definition(&mut self, name: &str, keys: Keys<'_>) -> Checked<()> {
        let context = keys.context;
        let (_, condition) = keys.text("condition")?;
        let (_, output) = keys.text("output")?;
        // What is wrong from here on does not keep the condition and output from being looked at.
        let desc = keys.text("desc").map(|(desc, _)| desc.to_owned());
        let desc = self.kept(desc).unwrap_or_default();
        let priority = self.kept(priority(keys)).unwrap_or(Priority::Debug);
        let source = keys.optional_text("source");
        let source = self.kept(source).flatten().unwrap_or(SYSCALL).to_owned();
        let mut boolean = |key| self.kept(keys.optional_boolean(key)).flatten();
        let enabled = boolean("enabled").unwrap_or(true);
        let warn_evttypes = boolean("warn_evttypes").unwrap_or(true);
        let skip_if_unknown_filter = boolean("skip-if-unknown-filter").unwrap_or_default();
        boolean("capture");
        if keys.has("capture_duration") {
            self.kept(keys.unsigned("capture_duration"));
        }
        let tags = if keys.has("tags") { self.kept(tags(keys)) } else { None };
        let mut exceptions = self.exceptions(keys, false)?;

        if let Some(previous) = self.collection.rules.get(name).filter(|previous| previous.source != source) {
            return Err(other_source(keys, &previous.source));
        }
        if !is_known(&source) {
            let message = format!("events of source `{source}` do not come here; the rule is skipped");
            let written = keys.node.get("source").map(|node| self.traced(node)).unwrap_or_default();
            let part = 0..written.as_str().len();
            let mut fault = Fault::new(Code::UnknownSource, message, context).part(&written, part);
            fault.0.help = nearest(&source, [AUDIT]).map(did_you_mean);
            self.faults.push(fault);
        }
        for exception in &mut exceptions {
            complete(exception, source == AUDIT)?;
        }
        let rule = Rule {
            name: name.to_owned(),
            desc,
            condition: self.traced(condition),
            condition_context: context.node(self.source, condition, "rule condition", ""),
            output: self.traced(output).trimmed(),
            output_context: context.node(self.source, output, "rule output", ""),
            context: context.clone(),
            source,
            priority,
            tags: tags.into_iter().flatten().collect(),
            exceptions,
            enabled,
            warn_evttypes,
            skip_if_unknown_filter,
            order: Order::default(),
        };
        let number = self.collection.number();
        self.collection.rules.define(rule, number);
        Ok(())
    }
}

fn tags(keys: Keys<'_>) -> Checked<Vec<String>> {
    Ok(keys.texts("tags")?.into_iter().filter_map(Node::text).map(str::to_owned).collect())
}

fn priority(keys: Keys<'_>) -> Checked<Priority> {
    let (text, node) = keys.text("priority")?;
    text.parse().map_err(|error: crate::UnknownPriority| {
        let context = keys.context.node(keys.source, node, "rule priority", "");
        let fault = Fault::new(Code::YamlValidate, error.to_string(), &context);
        match nearest(text, Priority::ALL.map(Priority::as_str)) {
            Some(meant) => fault.help(did_you_mean(meant)),
            None => fault,
        }
    })
}

fn other_source(keys: Keys<'_>, source: &str) -> Fault {
    let message = format!("the rule is defined already, for source `{source}`");
    let help = format!(
        "add `source: {source}`, or use another name; a definition without `source` is for `{SYSCALL}`"
    );
    Fault::new(Code::Validate, message, keys.context).help(help)
}

fn complete(exception: &mut exceptions::Exception, checks_fields: bool) -> Checked<()> {
    if exception.fields.is_empty() {
        return Err(Fault::new(Code::Validate, "an exception needs `fields`", &exception.context));
    }
    exception.complete(checks_fields)
}

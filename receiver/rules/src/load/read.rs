//! Items of files, read into the collection in their order.

use std::collections::BTreeSet;

use super::collection::{Collection, List, Macro, Order, Requirement};
use super::context::Context;
use super::fault::{Checked, Fault};
use super::values::{Keys, unsigned};
use super::version::{ENGINE, Version};
use crate::diagnostic::{Code, did_you_mean, nearest};
use crate::document::{Node, Source, Traced, read};
use crate::parse::{bare_len, identifier_len};

const ENGINE_KEYS: &[&str] = &["required_engine_version"];
const PLUGIN_KEYS: &[&str] = &["required_plugin_versions"];
const LIST_KEYS: &[&str] = &["list", "items", "append", "override"];
const MACRO_KEYS: &[&str] = &["macro", "condition", "append", "override"];

/// Reads one file.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) file: usize,
    pub(super) collection: &'a mut Collection,
    /// What is said, in the order in which it is found.
    pub(super) faults: Vec<Fault>,
    /// Names of what could not be read. What else is wrong with these is not worth saying.
    pub(super) broken: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    /// Reads all items. One that is wrong does not keep the others from being read.
    pub(super) fn file(&mut self) {
        let context = Context::file(self.file, self.source);
        let documents = match read(&self.source.text) {
            Ok(documents) => documents,
            Err(malformed) => {
                let context = context.at_offset(self.source, malformed.offset, "value for", "");
                return self.faults.push(Fault::new(Code::YamlParse, malformed.message, &context));
            }
        };
        for document in documents.iter().filter(|document| !document.is_null()) {
            let Some(items) = document.sequence() else {
                let message = "a rules file is a list of rules, macros and lists, each beginning with `- `";
                self.faults.push(Fault::new(Code::YamlValidate, message, &context));
                continue;
            };
            for item in items.iter().filter(|item| !item.is_null()) {
                if let Err(fault) = self.item(item, &context) {
                    self.broken.extend(
                        ["rule", "macro", "list"]
                            .iter()
                            .filter_map(|kind| item.get(kind)?.text())
                            .map(str::to_owned),
                    );
                    self.faults.push(fault);
                }
            }
        }
    }

    fn item(&mut self, node: &Node, file: &Context) -> Checked<()> {
        let source = self.source;
        let context = |item_type| file.node(source, node, item_type, "");
        if !node.is_mapping() {
            let message = "an item must be a mapping with `rule`, `macro`, `list` or a requirement";
            return Err(Fault::new(Code::YamlValidate, message, &context("rules content item")));
        }
        let has = |key| node.get(key).is_some();
        let named = |kind| -> Checked<(&str, Context)> {
            Keys { source, node, context: &context(kind) }.text(kind)?;
            let name = node.get(kind).and_then(|name| name.text()).unwrap_or_default();
            Ok((name, file.node(source, node, kind, name)))
        };
        if has("required_engine_version") {
            self.engine_version(Keys { source, node, context: &context("required_engine_version") })
        } else if let Some(entries) = node.get("required_plugin_versions") {
            let context = file.node(source, entries, "required plugin versions", "");
            self.plugin_versions(entries, Keys { source, node, context: &context })
        } else if has("list") {
            let (name, context) = named("list")?;
            self.list(name, Keys { source, node, context: &context })
        } else if has("macro") {
            let (name, context) = named("macro")?;
            self.condition(name, Keys { source, node, context: &context })
        } else if has("rule") {
            let (name, context) = named("rule")?;
            self.rule(name, Keys { source, node, context: &context })
        } else {
            let fault = Fault::new(
                Code::UnknownItem,
                "this is no rule, macro, list or requirement",
                &context("rules content item"),
            );
            self.faults.push(fault.help("it is ignored"));
            Ok(())
        }
    }

    fn engine_version(&mut self, keys: Keys<'_>) -> Checked<()> {
        let text = keys.text("required_engine_version")?.0;
        let version = unsigned(text).map(Version::of_engine).or_else(|| Version::parse(text));
        let Some(version) = version else {
            return keys.refuse(format!("`{text}` is no version, such as `0.31.0`"));
        };
        self.unknown_keys(keys, ENGINE_KEYS);
        if ENGINE.satisfies(version) {
            return Ok(());
        }
        let message = format!("engine version {version} is required, {ENGINE} is provided");
        Err(Fault::new(Code::Validate, message, keys.context))
    }

    fn plugin_versions(&mut self, entries: &Node, keys: Keys<'_>) -> Checked<()> {
        let Keys { source, context, .. } = keys;
        let Some(entries) = entries.sequence() else {
            return keys.refuse("`required_plugin_versions` must be a list");
        };
        for entry in entries {
            let unnamed = context.node(source, entry, "required plugin versions entry", "");
            let (name, version) = plugin(source, entry, &unnamed, context, "required plugin versions entry")?;
            let context = context.node(source, entry, "required plugin versions entry", &name);
            let mut alternatives = vec![(name, version)];
            if let Some(others) = entry.get("alternatives") {
                let Some(others) = others.sequence() else {
                    return Err(Fault::new(Code::YamlValidate, "`alternatives` must be a list", &context));
                };
                for other in others {
                    let item_type = "required plugin versions alternative";
                    let unnamed = context.node(source, other, item_type, "");
                    alternatives.push(plugin(source, other, &unnamed, &context, item_type)?);
                }
            }
            self.require(alternatives, context)?;
        }
        self.unknown_keys(keys, PLUGIN_KEYS);
        Ok(())
    }

    fn require(&mut self, alternatives: Vec<(String, String)>, context: Context) -> Checked<()> {
        let mut known: Vec<(String, Version)> = Vec::new();
        for (name, version) in alternatives {
            let Some(version) = Version::parse(&version) else {
                let message = format!("`{version}` is no version of plugin `{name}`, such as `0.7.0`");
                return Err(Fault::new(Code::Validate, message, &context));
            };
            if known.iter().any(|(other, _)| *other == name) {
                let message = format!("plugin `{name}` is required in several versions at once");
                return Err(Fault::new(Code::Validate, message, &context));
            }
            known.push((name, version));
        }
        self.collection.requirements.push(Requirement { alternatives: known, context });
        Ok(())
    }

    fn list(&mut self, name: &str, keys: Keys<'_>) -> Checked<()> {
        if bare_len(name) != name.len() {
            let message = "conditions can not refer safely to a list with blanks, quotes, parentheses, commas or equal signs in its name";
            self.faults.push(Fault::new(Code::InvalidListName, message, keys.context));
        }
        let items = keys.texts("items")?.into_iter().filter_map(Node::text).map(str::to_owned).collect();
        let is_append = self.is_append(keys, "items")?;
        let number = self.collection.number();
        if is_append {
            let Some(list) = self.collection.lists.get_mut(name) else {
                return self.no_previous(keys, "list", name);
            };
            list.items.extend::<Vec<_>>(items);
            list.order.visibility = number;
        } else {
            let (context, order) = (keys.context.clone(), Order::default());
            self.collection.lists.define(List { name: name.to_owned(), items, context, order }, number);
        }
        self.unknown_keys(keys, LIST_KEYS);
        Ok(())
    }

    fn condition(&mut self, name: &str, keys: Keys<'_>) -> Checked<()> {
        if name.is_empty() || identifier_len(name) != name.len() {
            let message = "conditions can not refer to a macro whose name is not letters, digits and `_`, a letter first";
            self.faults.push(Fault::new(Code::InvalidMacroName, message, keys.context));
        }
        let (_, node) = keys.text("condition")?;
        let condition = self.traced(node);
        let is_append = self.is_append(keys, "condition")?;
        let number = self.collection.number();
        if is_append {
            let Some(previous) = self.collection.macros.get_mut(name) else {
                return self.no_previous(keys, "macro", name);
            };
            previous.condition.append(&condition);
            previous.order.visibility = number;
        } else {
            let context = keys.context.clone();
            let condition_context = context.node(self.source, node, "macro condition", "");
            let (name, order) = (name.to_owned(), Order::default());
            self.collection
                .macros
                .define(Macro { name, condition, condition_context, context, order }, number);
        }
        self.unknown_keys(keys, MACRO_KEYS);
        Ok(())
    }

    /// Whether a list or macro is appended to, by either of the two ways to say so.
    fn is_append(&mut self, keys: Keys<'_>, key: &str) -> Checked<bool> {
        let is_append = self.append_flag(keys)?;
        let overrides = super::overrides::read(keys, &[key], &[key])?;
        if is_append && !overrides.is_empty() {
            return keys.refuse("`append` and `override` exclude each other");
        }
        Ok(is_append || overrides.append.iter().any(|other| other == key))
    }

    pub(super) fn append_flag(&mut self, keys: Keys<'_>) -> Checked<bool> {
        let is_append = keys.optional_boolean("append")?.unwrap_or_default();
        if is_append {
            let fault = Fault::new(Code::DeprecatedItem, "`append` is deprecated", keys.context);
            self.faults.push(fault.help("write `override:` with each key and `append` instead"));
        }
        Ok(is_append)
    }

    /// Nothing is said if there would be one, had it been readable.
    pub(super) fn no_previous(&self, keys: Keys<'_>, kind: &str, name: &str) -> Checked<()> {
        if self.broken.contains(name) {
            return Ok(());
        }
        let names: Vec<&str> = match kind {
            "list" => self.collection.lists.0.iter().map(|list| list.name.as_str()).collect(),
            "macro" => self.collection.macros.0.iter().map(|other| other.name.as_str()).collect(),
            _ => self.collection.rules.0.iter().map(|rule| rule.name.as_str()).collect(),
        };
        let fault =
            Fault::new(Code::Validate, format!("no {kind} `{name}` is defined before this"), keys.context);
        Err(match nearest(name, names) {
            Some(meant) => fault.help(did_you_mean(meant)),
            None => fault,
        })
    }

    pub(super) fn unknown_keys(&mut self, keys: Keys<'_>, known: &[&'static str]) {
        for (key, _) in keys.node.entries() {
            let name = key.text().unwrap_or_default();
            if known.contains(&name) {
                continue;
            }
            let fault =
                Fault::new(Code::UnknownKey, format!("`{name}` is no key of this item"), keys.context);
            let written = self.traced(key);
            let fault = fault.part(&written, 0..written.as_str().len());
            self.faults.push(match nearest(name, known.iter().copied()) {
                Some(meant) => fault.help(did_you_mean(meant)),
                None => fault.help("it is ignored"),
            });
        }
    }

    /// None, and the fault noted, if it is one.
    pub(super) fn kept<T>(&mut self, checked: Checked<T>) -> Option<T> {
        checked.map_err(|fault| self.faults.push(fault)).ok()
    }

    pub(super) fn traced(&self, node: &Node) -> Traced {
        node.scalar().map(|scalar| Traced::scalar(self.file, self.source, scalar)).unwrap_or_default()
    }
}

fn plugin(
    source: &Source,
    node: &Node,
    unnamed: &Context,
    parent: &Context,
    item_type: &'static str,
) -> Checked<(String, String)> {
    if !node.is_mapping() {
        return Err(Fault::new(
            Code::YamlValidate,
            "a required plugin is a mapping with `name` and `version`",
            unnamed,
        ));
    }
    let name = Keys { source, node, context: unnamed }.text("name")?.0;
    let context = parent.node(source, node, item_type, name);
    let version = Keys { source, node, context: &context }.text("version")?.0;
    Ok((name.to_owned(), version.to_owned()))
}

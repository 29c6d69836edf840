//! `override`: which keys of an earlier item are appended to or replaced.

use super::fault::{Checked, Fault};
use super::values::Keys;
use crate::diagnostic::Code;

#[derive(Default, Debug)]
pub(super) struct Overrides {
    pub(super) append: Vec<String>,
    pub(super) replace: Vec<String>,
}

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }
}

/// Reads what is overridden; `appendable` and `replaceable` are the keys that can be.
pub(super) fn read(keys: Keys<'_>, appendable: &[&str], replaceable: &[&str]) -> Checked<Overrides> {
    let mut overrides = Overrides::default();
    let Some(node) = keys.node.get("override") else { return Ok(overrides) };
    let context = keys.context.node(keys.source, keys.node, "overrides", "");
    if node.sequence().is_some_and(|items| !items.is_empty()) {
        return Err(Fault::new(Code::Validate, "`override` must be a mapping", &keys.context.root()));
    }
    for (key, operation) in node.entries() {
        let name = key.text().unwrap_or_default();
        let at_key = context.node(keys.source, key, "overrides", name);
        if [key, operation].iter().any(|node| node.is_mapping() || node.sequence().is_some()) {
            // Falco stumbles over these and tells no better place.
            let message = "`override` must give `append` or `replace` for each key";
            return Err(Fault::new(Code::Validate, message, &keys.context.root()));
        }
        let refuse = |message: String| Err(Fault::new(Code::YamlValidate, message, &at_key));
        match operation.text() {
            Some("append") if appendable.contains(&name) => overrides.append.push(name.to_owned()),
            Some("append") => return refuse(format!("`{name}` can not be appended to")),
            Some("replace") if replaceable.contains(&name) => overrides.replace.push(name.to_owned()),
            Some("replace") => return refuse(format!("`{name}` can not be replaced")),
            _ => {
                let at_operation = context.node(keys.source, operation, "value for", name);
                let message = format!("`{name}` can be overridden by `append` or `replace` only");
                return Err(Fault::new(Code::YamlValidate, message, &at_operation));
            }
        }
    }
    Ok(overrides)
}

//! Values of keys, as the language reads them.

use std::rc::Rc;

use super::context::Context;
use super::fault::{Checked, Fault};
use crate::diagnostic::{Code, nearest};
use crate::document::{Node, Source};

/// An item or a part of one, with the way to it.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub(super) source: &'a Source,
    pub(super) node: &'a Node,
    pub(super) context: &'a Context,
}

impl<'a> Keys<'a> {
    pub(super) fn has(self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// A value that must be there: its text, never empty, and its node.
    pub(super) fn text(self, key: &str) -> Checked<(&'a str, &'a Rc<Node>)> {
        let Some(node) = self.node.get(key) else { return self.missing(key) };
        if node.is_null() {
            return self.refuse(format!("the key `{key}` has no value"));
        }
        match node.text() {
            Some("") => self.refuse_value(key, node, "must not be empty"),
            Some(text) => Ok((text, node)),
            None => self.refuse_value(key, node, "must be a single value, not a list or mapping"),
        }
    }

    /// A value that may be left out, but not left empty.
    pub(super) fn optional_text(self, key: &str) -> Checked<Option<&'a str>> {
        if self.has(key) { self.text(key).map(|(text, _)| Some(text)) } else { Ok(None) }
    }

    pub(super) fn boolean(self, key: &str) -> Checked<bool> {
        let (text, node) = self.text(key)?;
        match boolean(text) {
            Some(value) => Ok(value),
            None => self.refuse_value(key, node, "must be `true` or `false`"),
        }
    }

    pub(super) fn optional_boolean(self, key: &str) -> Checked<Option<bool>> {
        if self.has(key) { self.boolean(key).map(Some) } else { Ok(None) }
    }

    pub(super) fn unsigned(self, key: &str) -> Checked<u32> {
        let (text, node) = self.text(key)?;
        match unsigned(text) {
            Some(value) => Ok(value),
            None => self.refuse_value(key, node, "must be a whole number, not negative"),
        }
    }

    /// A sequence of single values.
    pub(super) fn texts(self, key: &str) -> Checked<Vec<&'a Node>> {
        let Some(node) = self.node.get(key) else { return self.missing(key) };
        let context = self.context.node(self.source, node, "value for", key);
        let Some(items) = node.sequence() else {
            return Err(Fault::new(
                Code::YamlValidate,
                format!("`{key}` must be a list of values"),
                &context,
            ));
        };
        if let Some(item) = items.iter().find(|item| item.text().is_none()) {
            let context = context.node(self.source, item, "list item", "");
            let message = format!("each of `{key}` must be a single value");
            return Err(Fault::new(Code::YamlValidate, message, &context));
        }
        Ok(items.iter().map(Rc::as_ref).collect())
    }

    fn missing<T>(self, key: &str) -> Checked<T> {
        let mut fault = Fault::new(Code::YamlValidate, format!("the key `{key}` is missing"), self.context);
        let mut written = self.node.entries().iter().filter_map(|(written, _)| written.text());
        let meant = written.find(|written| nearest(written, [key]).or(nearest(key, [*written])).is_some());
        fault.0.help = meant.map(|written| format!("did you mean `{key}` where it says `{written}`?"));
        Err(fault)
    }

    /// An error about the item.
    pub(super) fn refuse<T>(self, message: impl Into<String>) -> Checked<T> {
        Err(Fault::new(Code::YamlValidate, message, self.context))
    }

    fn refuse_value<T>(self, key: &str, node: &Node, message: &str) -> Checked<T> {
        let context = self.context.node(self.source, node, "value for", key);
        Err(Fault::new(Code::YamlValidate, format!("`{key}` {message}"), &context))
    }
}

/// Yes and no in their spellings, all lower case, all upper case or capitalised.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let capitalised = lower.chars().next().map(|first| first.to_ascii_uppercase()).into_iter();
    let capitalised: String = capitalised.chain(lower.chars().skip(1)).collect();
    if text != lower && text != text.to_ascii_uppercase() && text != capitalised {
        return None;
    }
    match lower.as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// Decimal, `0x` hexadecimal or `0` octal.
pub(super) fn unsigned(text: &str) -> Option<u32> {
    let text = text.trim_end();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.starts_with('+') { None } else { u32::from_str_radix(digits, radix).ok() }
}

#[cfg(test)]
mod tests {
    use super::{boolean, unsigned};

    #[test]
    fn booleans_have_many_spellings() {
        for text in ["y", "Yes", "TRUE", "on", "On"] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["n", "NO", "false", "Off"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["1", "maybe", "tRUE", "yES", ""] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_have_three_bases() {
        assert_eq!(
            ["7", "+7", "0x1F", "010", "0"].map(unsigned),
            [Some(7), Some(7), Some(31), Some(8), Some(0)]
        );
        assert_eq!(["-1", "1.0", "x", "4294967296", "++1", "08"].map(unsigned), [None; 6]);
    }
}

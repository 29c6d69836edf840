//! What exceptions add to a condition's text.

use super::{Entry, Exception, takes_list};
use crate::document::{Origin, Traced};
use crate::load::fault::Checked;

/// A rule's condition with what its exceptions exclude.
pub(in crate::load) fn with_exceptions(condition: &Traced, exceptions: &[Exception]) -> Checked<Traced> {
    let Some(start) = condition.origin(0).filter(|_| !exceptions.is_empty()) else {
        return Ok(condition.clone());
    };
    let start = Origin { derived: true, ..start };
    let mut text = Traced::default();
    text.push("(", start);
    text.push_part(condition, 0..condition.as_str().len());
    text.push(")", start);
    for exception in exceptions {
        let excluded = exception.condition()?;
        if let Some(origin) = excluded.origin(0) {
            text.push(" and not ", origin);
            text.push_part(&excluded, 0..excluded.as_str().len());
        }
    }
    Ok(text)
}

/// In double quotes if it has a blank and no quote at its start. Nothing inside is escaped.
pub(in crate::load) fn quoted(text: &str) -> String {
    if text.contains(' ') && !text.starts_with(['"', '\'']) { format!("\"{text}\"") } else { text.to_owned() }
}

impl Exception {
    /// What the exception excludes, as condition text; empty without values.
    fn condition(&self) -> Checked<Traced> {
        match &self.fields {
            Entry::Text(field) => self.one_list(field),
            Entry::List(fields) => self.alternatives(fields),
        }
    }

    /// `(field comp (value, value))`
    fn one_list(&self, field: &str) -> Checked<Traced> {
        let mut text = Traced::default();
        for (value, origin) in &self.values {
            let Entry::Text(value) = value else {
                return self.refuse("each of `values` must be a single value, as `fields` is");
            };
            let lead = if text.as_str().is_empty() {
                format!("({field} {} (", self.comps.text())
            } else {
                ", ".to_owned()
            };
            text.push(&lead, *origin);
            text.push(&quoted(value), *origin);
        }
        if let Some((_, origin)) = self.values.last() {
            text.push("))", *origin);
        }
        Ok(text)
    }

    /// `((field comp value and field comp value) or (...))`
    fn alternatives(&self, fields: &[Entry]) -> Checked<Traced> {
        let mut text = Traced::default();
        for (value, origin) in &self.values {
            if value.items().len() != fields.len() {
                return self.refuse("each of `values` must be a list as long as `fields`");
            }
            let each =
                fields.iter().zip(self.comps.items()).zip(value.items()).map(|((field, comp), value)| {
                    let comp = comp.text();
                    let value = match value {
                        Entry::List(values) => {
                            let values: Vec<_> = values.iter().map(|value| quoted(value.text())).collect();
                            format!("({})", values.join(", "))
                        }
                        Entry::Text(value) if !takes_list(comp) => quoted(value),
                        Entry::Text(value) if value.starts_with('(') => value.clone(),
                        Entry::Text(value) => format!("({value})"),
                    };
                    format!(" {} {comp} {value}", field.text())
                });
            let each: Vec<_> = each.collect();
            text.push(if text.as_str().is_empty() { "((" } else { " or (" }, *origin);
            text.push(&format!("{})", each.join(" and ")), *origin);
        }
        if let Some((_, origin)) = self.values.last() {
            text.push(")", *origin);
        }
        Ok(text)
    }
}

//! The table as documents: for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{Argument, Carried, Field, Origin, Provider, all};

/// All fields as lines of text: name with argument, type, what it is; below it what to know about it.
pub fn text() -> String {
    let width = all().iter().map(|field| field.spelled().len()).max().unwrap_or_default();
    let mut out = String::new();
    for field in all() {
        let kind = if field.list { format!("{} list", field.r#type) } else { field.r#type.to_string() };
        // Writing to a string does not fail.
        let _ = write!(out, "{:width$}  {kind:<13}  {}", field.spelled(), field.doc);
        if field.origin == Origin::Ours {
            out.push_str(" (not in Falco)");
        }
        out.push('\n');
        if let Some(quirk) = field.quirk {
            let _ = writeln!(out, "{:width$}  {:13}  ! {}; use {}", "", "", quirk.what, quirk.instead);
        }
    }
    out
}

/// All fields as a JSON array, with what each provider leaves out.
pub fn json() -> Json {
    all().iter().map(Field::json).collect()
}

impl Field {
    /// The name with the argument it takes: `ka.uri.param[key]`, `ka.req.role.rules.verbs[index]?`.
    pub fn spelled(&self) -> String {
        match self.argument {
            Argument::None => self.name.to_owned(),
            Argument::Key => format!("{}[key]", self.name),
            Argument::Index => format!("{}[index]?", self.name),
        }
    }

    fn json(&self) -> Json {
        let argument = match self.argument {
            Argument::None => Json::Null,
            Argument::Key => json!({ "kind": "key", "required": true }),
            Argument::Index => json!({ "kind": "index", "required": false }),
        };
        let provider = |provider: Provider| {
            let (carried, reason) = match provider.carries(self) {
                Carried::Fully => return None,
                Carried::Partly(reason) => ("partly", reason),
                Carried::Never(reason) => ("never", reason),
            };
            Some((provider.to_string(), json!({ "carried": carried, "reason": reason })))
        };
        json!({
            "name": self.name,
            "type": self.r#type.to_string(),
            "list": self.list,
            "argument": argument,
            "path": self.path,
            "doc": self.doc,
            "origin": if self.origin == Origin::Ours { "ours" } else { "falco" },
            "quirk": self.quirk.map(|quirk| json!({ "what": quirk.what, "instead": quirk.instead })),
            "providers": Provider::ALL.into_iter().filter_map(provider).collect::<Json>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_listed_with_what_there_is_to_know() {
        let text = text();
        assert!(text.lines().any(|line| line.starts_with("ka.verb ") && line.contains("string")));
        assert!(text.contains("ka.uri.param[key]") && text.contains("! it reads the rules of a role"));
        let json = json();
        let fields = json.as_array().unwrap();
        assert_eq!(fields.len(), all().len());
        let groups = fields.iter().find(|field| field["name"] == "ka.user.groups").unwrap();
        assert_eq!(groups["list"], true);
        assert_eq!(groups["providers"]["gke"]["carried"], "never");
        assert_eq!(groups["providers"].as_object().unwrap().len(), 1);
    }
}

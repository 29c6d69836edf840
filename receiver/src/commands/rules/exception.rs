use std::path::Path;

use serde_json::Value as Json;
use uuid::Uuid;

use super::{Done, Stopped, write};
use crate::commands::block_on;
use crate::redact::REDACTED;
use crate::store::{self, Filter, Location};

/// The fields that an exception compares unless others are asked for: who, and where.
const FIELDS: [&str; 3] = ["ka.user.name", "ka.target.namespace", "ka.target.resource"];

/// Prints a rules file that excepts what is like the alert `from`: a file, `-`, or the uuid of a stored one.
pub(super) fn exception(from: &str, store: &Location, fields: &[String]) -> Result<Done, Stopped> {
    let document = document(from, store)?;
    let alert: Json = serde_json::from_str(&document)
        .map_err(|error| Stopped::Failed(format!("`{from}` is no alert: {error}")))?;
    write(&text(&alert, fields).map_err(Stopped::Failed)?).map(|()| Done::Well)
}

fn document(from: &str, store: &Location) -> Result<String, Stopped> {
    if from == "-" {
        return std::io::read_to_string(std::io::stdin()).map_err(|error| Stopped::failed(&error));
    }
    let Ok(id) = from.parse::<Uuid>() else {
        let read = std::fs::read_to_string(Path::new(from));
        return read.map_err(|error| Stopped::Failed(format!("can't read the alert `{from}`: {error}")));
    };
    let mut found = None;
    let filter = Filter { id: Some(id), ..Filter::default() };
    let each = |document| {
        found = Some(document);
        false
    };
    block_on(store::read_alerts(store, &filter, each))?;
    found.ok_or_else(|| Stopped::Failed(format!("there is no alert `{id}` in the store `{store}`")))
}

/// JSON strings are YAML strings too.
fn text(alert: &Json, asked: &[String]) -> Result<String, String> {
    let quoted = |text: &str| Json::from(text).to_string();
    let rule = alert.get("rule").and_then(Json::as_str).ok_or("the alert names no rule")?;
    let given = alert.get("output_fields").unwrap_or(&Json::Null);
    let value = |field: &str| given.get(field).and_then(Json::as_str).map(str::to_owned);
    let compared: Vec<(String, String)> = if asked.is_empty() {
        FIELDS.iter().filter_map(|field| Some(((*field).to_owned(), value(field)?))).collect()
    } else {
        let one = |field: &String| {
            let value = value(field)
                .ok_or(format!("the alert has no text in `{field}`: name a field of its `output_fields`"))?;
            Ok((field.clone(), value))
        };
        asked.iter().map(one).collect::<Result<_, String>>()?
    };
    if compared.is_empty() {
        return Err(format!(
            "the alert has none of {}: name fields of its `output_fields` with --field",
            FIELDS.join(", ")
        ));
    }
    let values = compared.iter().map(|(_, value)| word(value)).collect::<Result<Vec<_>, _>>()?;
    let name: String = alert.get("uuid").and_then(Json::as_str).unwrap_or("alert").chars().take(8).collect();
    let list = |items: Vec<String>| items.join(", ");
    Ok(format!(
        "- rule: {}\n  exceptions:\n    - name: {}\n      fields: [{}]\n      comps: [{}]\n      values:\n        - [{}]\n  override:\n    exceptions: append\n",
        quoted(rule),
        quoted(&format!("like_{name}")),
        list(compared.iter().map(|(field, _)| field.clone()).collect()),
        list(compared.iter().map(|_| "\"=\"".to_owned()).collect()),
        list(values.iter().map(|value| quoted(value)).collect()),
    ))
}

/// A value as it stands in a condition, which is what Falco makes of exceptions: it knows no way to write some.
fn word(value: &str) -> Result<String, String> {
    if value.contains(REDACTED) {
        return Err(
            "what is left out of alerts can't be compared: compare other fields, with --field".to_owned()
        );
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/@".contains(&byte);
    let quote = match value {
        "" => '"',
        _ if value.bytes().all(plain) => return Ok(value.to_owned()),
        _ if !value.contains(['"', '\\']) => '"',
        _ if !value.contains(['\'', '\\']) => '\'',
        _ => {
            return Err(format!(
                "`{}` can't be written in an exception: compare other fields, with --field",
                value.escape_debug()
            ));
        }
    };
    Ok(format!("{quote}{value}{quote}"))
}

#[cfg(test)]
mod tests {
    use audit_rules::{Options, SourceFile, diagnostic, load};

    use super::*;

    const RULE: &str = "- rule: \"Who: me\"\n  desc: d\n  condition: ka.verb exists\n  output: \"%ka.user.name %ka.verb\"\n  priority: NOTICE\n  source: k8s_audit\n";

    #[test]
    fn the_exception_loads_behind_its_rule_and_excepts_the_alert() {
        let alert = serde_json::json!({"rule": "Who: me", "uuid": "0123456789",
            "output_fields": {"ka.user.name": "e \"v\" e", "ka.verb": "get", "evt.time": 1, "ka.target.namespace": null}});
        let files = [("rules.yaml", RULE.to_owned()), ("exception.yaml", text(&alert, &[]).unwrap())];
        let files = files.map(|(name, text)| SourceFile { name: name.to_owned(), text });
        let loaded = load(&files, &Options::default());
        assert!(loaded.is_ok(), "{}", diagnostic::text(&loaded));
        let rules = crate::rules::Rules::of(loaded, audit_rules::Matching::First).unwrap();
        let evaluator = crate::evaluate::Evaluator::new(rules, String::new());
        let alerts = |user: &str| {
            let event = serde_json::json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "1", "verb": "get",
                "user": {"username": user}, "stageTimestamp": "2026-01-02T03:04:05Z"});
            evaluator.evaluate(&event.to_string(), None, 1).unwrap().alerts.len()
        };
        assert_eq!((alerts("e \"v\" e"), alerts("eve")), (0, 1));
        assert!(text(&alert, &["ka.verb".to_owned()]).unwrap().contains("fields: [ka.verb]"));
        assert!(text(&alert, &["ka.target.namespace".to_owned()]).is_err());
        let without = serde_json::json!({"rule": "r", "output_fields": {"ka.user.name": "a", "ka.uri": "/x?token=[redacted]"}});
        assert!(text(&without, &[]).is_ok() && text(&without, &["ka.uri".to_owned()]).is_err());
    }
}

//! Alerts as Falco writes them.

use std::collections::BTreeMap;

use audit_event::Event;
use serde_json::Value as Json;

use crate::Rule;
use crate::eval::{Context, Subject};
use crate::fields::{self, Reference, Source, Type};
use crate::value::{Bytes, Value, cut_at_nul};

#[cfg(test)]
mod tests;

/// An alert's JSON document: keys sorted, as Falco writes them.
pub type Document = BTreeMap<String, Json>;

/// Which keys an alert has, named after Falco's settings (`json_include_..._property`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Times in the text as UTC with date (`evt.time.iso8601`) instead of local time of day (`evt.time`).
    pub iso8601: bool,
    /// `output`: the line as [`line`] writes it.
    pub output: bool,
    /// `message`: the same without time and priority.
    pub message: bool,
    /// `output_fields`: the fields that the output names, with their values.
    pub output_fields: bool,
    /// `tags`: the rule's.
    pub tags: bool,
}

impl Default for Options {
    /// Falco's defaults.
    fn default() -> Self {
        Self { iso8601: false, output: true, message: false, output_fields: true, tags: true }
    }
}

/// The JSON document of one alert: the event matched the rule. `context` is what the event was evaluated in.
pub fn render(rule: &Rule, event: &Event<'_>, context: &Context, options: &Options) -> Document {
    let subject = Subject::new(event, context);
    let message = rule.output.message(&subject);
    let mut document = Document::new();
    let mut put = |key: &str, value: Json| drop(document.insert(key.to_owned(), value));
    put("hostname", context.hostname().into());
    put("priority", rule.priority.as_str().into());
    put("rule", rule.name.as_str().into());
    put("source", rule.source.as_str().into());
    put("time", fields::utc(event.stage_timestamp(), "Z").into());
    if options.output {
        put("output", line(rule, &message, &subject, options).into());
    }
    if options.output_fields {
        put("output_fields", output_fields(rule, &subject, options));
    }
    if options.tags {
        put("tags", rule.tags.iter().map(String::as_str).collect());
    }
    if options.message {
        put("message", message.into());
    }
    document
}

/// One alert as a line: `TIME: Priority MESSAGE`.
fn line(rule: &Rule, message: &str, subject: &Subject<'_>, options: &Options) -> String {
    let time = fields::lookup(time_field(options)).and_then(|field| field.with(None).ok());
    let time = time.as_ref().and_then(|time| time.value(subject));
    let time = time.as_ref().and_then(Value::as_text).unwrap_or_default();
    format!("{}: {} {message}", String::from_utf8_lossy(time), rule.priority)
}

fn time_field(options: &Options) -> &'static str {
    if options.iso8601 { "evt.time.iso8601" } else { "evt.time" }
}

fn output_fields(rule: &Rule, subject: &Subject<'_>, options: &Options) -> Json {
    let mut fields: BTreeMap<String, Json> =
        rule.output.fields().into_iter().map(|field| (field.to_string(), json(field, subject))).collect();
    for extra in &rule.extra_fields {
        let value = match extra.template.fields().first() {
            Some(field) if extra.is_raw => json(field, subject),
            _ => extra.template.message(subject).into(),
        };
        fields.insert(extra.name.clone(), value);
    }
    fields
        .insert(time_field(options).to_owned(), fields::nanoseconds(subject.event.stage_timestamp()).into());
    fields.into_iter().collect()
}

/// A field's value as JSON; every form of the event's time that is text is the time in nanoseconds.
fn json(reference: &Reference, subject: &Subject<'_>) -> Json {
    if let (Source::Time(_), Type::String) = (reference.field.source, reference.field.r#type) {
        return fields::nanoseconds(subject.event.stage_timestamp()).into();
    }
    let text = |text: Bytes<'_>| Json::from(String::from_utf8_lossy(&text));
    match reference.value(subject) {
        None => Json::Null,
        Some(Value::Text(value)) => text(value),
        Some(Value::List(elements)) => {
            elements.into_iter().map(|element| text(cut_at_nul(element))).collect()
        }
        Some(Value::Number(number)) => number.into(),
        Some(Value::Bool(truth)) => truth.into(),
    }
}

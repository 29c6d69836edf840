//! A rule's output.

use super::Compiler;
use crate::diagnostic::{Code, did_you_mean};
use crate::load::collection::Rule;
use crate::load::context::Context;
use crate::load::fault::{Checked, Fault};
use crate::load::options::Options;
use crate::load::source::{AUDIT, meant_field};
use crate::{format, rule};

const CONTAINER_INFO: &str = "%container.info";
pub(super) const DEPRECATED_FIELDS: [&str; 6] =
    ["evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.latency.human", "evt.wait_latency"];

impl Compiler<'_> {
    /// The template, none for rules that are never evaluated; nothing at all if the rule is to be dropped.
    #[expect(clippy::type_complexity, reason = "used once")]
    pub(super) fn output(
        &mut self,
        rule: &Rule,
        options: &Options,
    ) -> Checked<Option<Option<(format::Output, Vec<rule::ExtraField>)>>> {
        let mut text = rule.output.as_str().to_owned();
        let extra =
            options.append_output.iter().filter(|extra| extra.matches(&rule.name, &rule.source, &rule.tags));
        let extra: Vec<_> = extra.collect();
        for extra in &extra {
            if let Some(more) = &extra.output {
                text = format!("{text} {more}");
            }
        }
        if text.contains(CONTAINER_INFO) {
            let fault =
                Fault::new(Code::DeprecatedItem, format!("`{CONTAINER_INFO}` is deprecated"), &rule.context);
            self.faults.push(fault.help("remove it; it prints nothing"));
            text = text.replace(CONTAINER_INFO, "");
        }
        let mut parsed = None;
        if rule.source == AUDIT {
            let context = &rule.output_context;
            match format::Output::parse(&text) {
                Ok(output) => parsed = Some(output),
                Err(error) => {
                    let part = error.offset
                        ..error.offset + 1 + token_len(text.get(error.offset + 1..).unwrap_or_default());
                    let meant = text.get(error.offset + 1..).and_then(meant_in_output);
                    let help = meant.map(|meant| did_you_mean(&format!("%{meant}")));
                    let is_skipped = error.unknown_field && rule.skip_if_unknown_filter;
                    let code = if is_skipped { Code::UnknownFilter } else { Code::CompileOutput };
                    let mut fault = Fault::new(code, error.message, context);
                    fault.0.help = help;
                    if part.start >= rule.output.as_str().len() && !extra.is_empty() {
                        fault.0.message = format!("in what the configuration appends: {}", fault.0.message);
                    } else if text.starts_with(rule.output.as_str()) {
                        fault = fault.part(&rule.output, part);
                    }
                    if is_skipped {
                        self.faults.push(fault);
                        return Ok(None);
                    }
                    return Err(fault);
                }
            }
        }
        self.deprecated_in_output(&text, &rule.output_context);
        let mut fields = Vec::new();
        for (name, value) in extra.iter().flat_map(|extra| &extra.fields) {
            let template = format::Output::parse(&value.template(name)).map_err(|error| {
                let message = format!("extra field `{name}`: {}", error.message);
                Fault::new(Code::CompileOutput, message, &rule.output_context)
            });
            if rule.source == AUDIT {
                fields.push(rule::ExtraField {
                    name: name.clone(),
                    is_raw: value.is_raw(),
                    template: template?,
                });
            }
        }
        Ok(Some(parsed.map(|output| (output, fields))))
    }

    fn deprecated_in_output(&mut self, text: &str, context: &Context) {
        for field in DEPRECATED_FIELDS.into_iter().filter(|field| text.contains(field)) {
            let message = format!("`{field}` in the output is deprecated");
            self.faults.push(Fault::new(Code::DeprecatedItem, message, context).deprecated_field(field));
        }
    }
}

/// The field that was probably meant by what follows a `%`.
fn meant_in_output(text: &str) -> Option<&'static str> {
    meant_field(text.get(..token_len(text))?.trim_end_matches('.'))
}

/// Bytes of the name that the text starts with.
fn token_len(text: &str) -> usize {
    text.find(|char: char| !char.is_ascii_alphanumeric() && !"._".contains(char)).unwrap_or(text.len())
}

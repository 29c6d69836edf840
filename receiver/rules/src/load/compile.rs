//! The collection made into rules: lists, then macros, then rules, each in the order of definition.

use std::collections::BTreeSet;

use super::collection::{Collection, Macro, Rule};
use super::exceptions::with_exceptions;
use super::fault::{Checked, Context, Fault};
use super::lists::{self, Expansion, MAX_TEXT};
use super::macros::{Definition, Problem, resolve};
use super::options::Options;
use super::source::{AUDIT, SYSCALL, is_known, limits_event_types, meant_field};
use super::texts::Texts;
use crate::ast::{Check, Expr, Operand, Span};
use crate::check::{self, HintKind, Kind, Unsound};
use crate::diagnostic::{Code, nearest};
use crate::document::{Source, Traced};
use crate::{Place, format, parse, rule};

const CONTAINER_INFO: &str = "%container.info";
const DEPRECATED_FIELDS: [&str; 6] =
    ["evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.latency.human", "evt.wait_latency"];

/// Compiles all that was collected; what is wrong, or looks so, is added to `faults`.
pub(super) fn compile(
    collection: &Collection,
    sources: &[Source],
    options: &Options,
    broken: &BTreeSet<String>,
    faults: &mut Vec<Fault>,
) -> Vec<rule::Rule> {
    let lists = lists::expand(collection);
    let mut compiler =
        Compiler { collection, broken, lists, macros: Vec::new(), texts: Texts::default(), faults };
    compiler.macros();
    let rules = collection.rules.0.iter().filter(|rule| is_known(&rule.source));
    let rules = rules.filter_map(|rule| compiler.rule(rule, sources, options)).collect();
    compiler.unused();
    rules
}

struct Compiler<'a> {
    collection: &'a Collection,
    broken: &'a BTreeSet<String>,
    lists: Vec<Expansion>,
    macros: Vec<Definition>,
    texts: Texts,
    faults: &'a mut Vec<Fault>,
}

impl Compiler<'_> {
    fn macros(&mut self) {
        let collection = self.collection;
        for definition in &collection.macros.0 {
            let parsed = self.parse(&definition.condition, &definition.condition_context);
            let expr = self.keep(parsed);
            self.macros.push(Definition::new(definition, expr));
        }
        for (at, definition) in collection.macros.0.iter().enumerate() {
            let Some(expr) = self.macros.get(at).and_then(|compiled| compiled.expr.clone()) else { continue };
            let resolved =
                self.resolve(&expr, definition.order.visibility, &definition.condition, &definition.context);
            let resolved = self.keep(resolved).flatten();
            if let Some(compiled) = self.macros.get_mut(at) {
                compiled.expr = resolved;
            }
        }
    }

    /// None, and the fault noted, if it is one.
    fn keep<T>(&mut self, checked: Checked<T>) -> Option<T> {
        checked.map_err(|fault| self.faults.push(fault)).ok()
    }

    fn parse(&mut self, condition: &Traced, context: &Context) -> Checked<Expr> {
        let Some(text) = lists::replace(condition, &mut self.lists) else {
            let message = format!("with its lists the condition is longer than {MAX_TEXT} bytes");
            return Err(Fault::new(Code::CompileCondition, message, context));
        };
        match parse::condition(text.as_str()) {
            Ok(mut expr) => {
                self.texts.add(text, &mut expr);
                Ok(expr)
            }
            Err(error) => {
                let context = context.condition(text.as_str(), error.reached);
                let word = text.as_str().get(error.offset..).unwrap_or_default();
                let len = word
                    .find(|char: char| char.is_whitespace() || "()=,".contains(char))
                    .unwrap_or(word.len());
                let part = error.offset..error.offset + len.max(1);
                Err(Fault::new(Code::CompileCondition, error.to_string(), &context).part(&text, part))
            }
        }
    }

    /// Nothing if what is wrong has been said already.
    fn resolve(
        &mut self,
        expr: &Expr,
        visibility: usize,
        condition: &Traced,
        context: &Context,
    ) -> Checked<Option<Expr>> {
        let problem = match resolve(expr, &mut self.macros, visibility) {
            Ok(resolved) => return Ok(Some(resolved)),
            Err(problem) => problem,
        };
        let fault = |name: &crate::ast::Text, message: String| {
            self.at(Code::Validate, message, &name.span, condition, context)
        };
        Err(match &problem {
            Problem::Broken => return Ok(None),
            Problem::Undefined(name) if self.broken.contains(&name.text) => return Ok(None),
            Problem::Undefined(name) => {
                let fault = fault(name, format!("macro `{}` is not defined", name.text));
                match self.meant(&name.text) {
                    Some(help) => fault.help(help),
                    None => fault,
                }
            }
            Problem::Loop(name) => fault(name, format!("macro `{}` refers to itself", name.text)),
            Problem::TooBig(name) => {
                fault(name, format!("with macro `{}` the condition is too big", name.text))
            }
        })
    }

    fn meant(&self, name: &str) -> Option<String> {
        if self.collection.lists.get(name).is_some() {
            return Some(format!("`{name}` is a list; compare a field with it: `FIELD in ({name})`"));
        }
        let macros = self.macros.iter().map(|definition| definition.name.as_str());
        let later = self.macros.iter().any(|definition| definition.name == name);
        if later {
            return Some(format!("`{name}` is defined later; macros see those defined before them only"));
        }
        nearest(name, macros).map(|meant| format!("did you mean `{meant}`?"))
    }

    /// A fault at a place of a tree, told as one in the text of a condition.
    fn at(
        &self,
        code: Code,
        message: impl Into<String>,
        span: &Span,
        condition: &Traced,
        context: &Context,
    ) -> Fault {
        match self.texts.find(span) {
            Some((text, part)) => {
                let context = context.condition(condition.as_str(), part.start);
                Fault::new(code, message, &context).part(text, part)
            }
            None => Fault::new(code, message, context),
        }
    }

    fn rule(&mut self, rule: &Rule, sources: &[Source], options: &Options) -> Option<rule::Rule> {
        let condition = with_exceptions(&rule.condition, &rule.exceptions);
        let condition = self.keep(condition)?;
        // Both are looked at, whatever is wrong with the first; a field that may be unknown drops the rule at once.
        let output = match self.output(rule, options) {
            Ok(Some(output)) => Some(output),
            Ok(None) => return None,
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        };
        let expr = self.parse(&condition, &rule.condition_context);
        let expr = self.keep(expr)?;
        let expr = self.resolve(&expr, usize::MAX, &condition, &rule.context);
        let expr = self.keep(expr).flatten()?;
        self.deprecated_in_condition(&expr, rule);
        if rule.source == SYSCALL {
            if rule.warn_evttypes && !limits_event_types(&expr) {
                let message = "the condition is not limited to some values of `evt.type`";
                self.faults.push(Fault::new(Code::NoEventType, message, &rule.context));
            }
            return None;
        }
        let checked = self.check(&expr, &condition, rule)?;
        let (output, extra_fields) = output.flatten()?;
        let (file, offset) = rule.context.at();
        let source = sources.get(file)?;
        Some(rule::Rule {
            name: rule.name.clone(),
            desc: rule.desc.clone(),
            priority: rule.priority,
            tags: rule.tags.iter().cloned().collect(),
            source: rule.source.clone(),
            enabled: rule.enabled,
            condition: checked,
            output,
            extra_fields,
            exception_fields: rule
                .exceptions
                .iter()
                .flat_map(super::exceptions::Exception::field_names)
                .collect(),
            place: Place { file: source.name.clone(), line: source.position(offset).0 + 1 },
        })
    }

    /// The template, none for rules that are never evaluated; nothing at all if the rule is to be dropped.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn output(
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
                    let part = error.offset..error.offset + 1;
                    let meant = text.get(error.offset + 1..).and_then(meant_in_output);
                    let help = meant.map(|meant| format!("did you mean `%{meant}`?"));
                    let is_skipped = error.unknown_field && rule.skip_if_unknown_filter;
                    let code = if is_skipped { Code::UnknownFilter } else { Code::CompileOutput };
                    let mut fault = Fault::new(code, error.message, context);
                    fault.0.help = help;
                    if text.starts_with(rule.output.as_str()) {
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

    fn deprecated_in_condition(&mut self, expr: &Expr, rule: &Rule) {
        let mut found = BTreeSet::new();
        fields_of(expr, &mut |name| {
            found.insert(name);
        });
        for field in DEPRECATED_FIELDS.into_iter().filter(|field| found.contains(field)) {
            let message = format!("`{field}` in the condition is deprecated");
            let fault = Fault::new(Code::DeprecatedItem, message, &rule.condition_context);
            self.faults.push(fault.deprecated_field(field));
        }
    }

    fn check(&mut self, expr: &Expr, condition: &Traced, rule: &Rule) -> Option<check::Condition> {
        let context = &rule.condition_context;
        let hints = check::warnings(expr);
        if let Some(hint) = hints.iter().find(|hint| hint.kind == HintKind::UnsafeNa) {
            let mut fault = Fault::new(Code::UnsafeNa, &hint.message, context);
            fault.0.part = self.texts.find(&hint.span).map(|(text, part)| (text.clone(), part));
            self.faults.push(fault);
        }
        let checked = match check::condition(expr) {
            Ok(checked) => checked,
            Err(unsound) => {
                let fault = self.unsound(&unsound, expr, condition, rule);
                self.faults.push(fault);
                return None;
            }
        };
        for hint in hints {
            let code = match hint.kind {
                HintKind::UnsafeNa => continue,
                HintKind::Compile => Code::CompileWarning,
                HintKind::Quirk => Code::Quirk,
            };
            let fault = self.at(code, hint.message, &hint.span, condition, context);
            self.faults.push(fault);
        }
        Some(checked)
    }

    fn unsound(&self, unsound: &Unsound, expr: &Expr, condition: &Traced, rule: &Rule) -> Fault {
        let Unsound { span, kind, message } = unsound;
        let is_unknown = matches!(kind, Kind::UnknownField { .. });
        let code = if is_unknown && rule.skip_if_unknown_filter {
            Code::UnknownFilter
        } else {
            Code::CompileCondition
        };
        let mut fault = self.at(code, message, span, condition, &rule.condition_context);
        if !is_unknown && let Some(check) = check_at(expr, span) {
            // Falco tells the start of the check.
            fault.0.context = self.at(code, "", &check.span, condition, &rule.condition_context).0.context;
        }
        if let Kind::UnknownField { name } = kind
            && let Some(meant) = meant_field(name)
        {
            fault.0.help = Some(format!("did you mean `{meant}`?"));
        }
        fault
    }

    /// Said only if nothing is wrong, for else the references may just not have been reached.
    fn unused(&mut self) {
        if self.faults.iter().any(|fault| fault.0.code.severity() == crate::Severity::Error) {
            return;
        }
        let unused = |definition: &Macro, macros: &[Definition]| {
            macros.iter().any(|compiled| compiled.name == definition.name && !compiled.is_used)
        };
        for definition in
            self.collection.macros.0.iter().filter(|definition| unused(definition, &self.macros))
        {
            let message = format!("nothing refers to macro `{}`", definition.name);
            self.faults.push(Fault::new(Code::UnusedMacro, message, &definition.context));
        }
        for (list, expansion) in self.collection.lists.0.iter().zip(&self.lists) {
            if !expansion.is_used {
                let message = format!("nothing refers to list `{}`", list.name);
                self.faults.push(Fault::new(Code::UnusedList, message, &list.context));
            }
        }
    }
}

/// The field that was probably meant by what follows a `%`.
fn meant_in_output(text: &str) -> Option<&'static str> {
    let end =
        text.find(|char: char| !char.is_ascii_alphanumeric() && !"._".contains(char)).unwrap_or(text.len());
    meant_field(text.get(..end)?.trim_end_matches('.'))
}

/// The check that a place is in.
fn check_at<'e>(expr: &'e Expr, span: &Span) -> Option<&'e Check> {
    match expr {
        Expr::And(members) | Expr::Or(members) => members.iter().find_map(|member| check_at(member, span)),
        Expr::Not(inner) => check_at(inner, span),
        Expr::Macro(_) => None,
        Expr::Check(check) => {
            (check.span.start <= span.start && span.start < check.span.end).then_some(check)
        }
    }
}

/// Names of the fields that checks have on their left.
fn fields_of<'e>(expr: &'e Expr, found: &mut impl FnMut(&'e str)) {
    match expr {
        Expr::And(members) | Expr::Or(members) => members.iter().for_each(|member| fields_of(member, found)),
        Expr::Not(inner) => fields_of(inner, found),
        Expr::Macro(_) => {}
        Expr::Check(check) => {
            if let Operand::Field(field) = &check.left {
                found(&field.name.text);
            }
        }
    }
}

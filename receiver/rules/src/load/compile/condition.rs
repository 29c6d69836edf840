//! A rule with its condition checked.

use std::collections::BTreeSet;

use super::Compiler;
use super::output::DEPRECATED_FIELDS;
use crate::ast::{Check, Expr, FieldRef, Operand, Span};
use crate::check::{self, HintKind, Kind, Unsound};
use crate::diagnostic::{Code, did_you_mean};
use crate::document::{Source, Traced};
use crate::load::collection::Rule;
use crate::load::exceptions::{Exception, with_exceptions};
use crate::load::fault::Fault;
use crate::load::macros::resolve;
use crate::load::options::Options;
use crate::load::source::{AUDIT, SYSCALL, is_audit_field, limits_event_types, meant_field};
use crate::{Place, rule};

impl Compiler<'_> {
    pub(super) fn rule(&mut self, rule: &Rule, sources: &[Source], options: &Options) -> Option<rule::Rule> {
        let condition = with_exceptions(&rule.condition, &rule.exceptions);
        let condition = self.kept(condition)?;
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
        let expr = self.kept(expr)?;
        let (expr, problems) = resolve(&expr, &mut self.macros, usize::MAX);
        self.tell(&problems, &condition, &rule.context);
        let expr = expr?;
        self.deprecated_in_condition(&expr, rule);
        if rule.source == SYSCALL {
            if let Some(fault) = self.audit_field(&expr, &condition, rule) {
                self.faults.push(fault);
                return None;
            }
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
            exception_fields: rule.exceptions.iter().flat_map(Exception::field_names).collect(),
            place: Place { file: source.name.clone(), line: source.position(offset).0 + 1 },
        })
    }

    /// Fields of audit events do not exist for other sources.
    fn audit_field(&self, expr: &Expr, condition: &Traced, rule: &Rule) -> Option<Fault> {
        let mut found = None;
        fields_of(expr, &mut |field| {
            if found.is_none() && is_audit_field(&field.name.text) {
                found = Some(&field.name);
            }
        });
        let name = found?;
        let skips = rule.skip_if_unknown_filter;
        let code = if skips { Code::UnknownFilter } else { Code::CompileCondition };
        let message = format!("events of source `{SYSCALL}` have no field `{}`", name.text);
        let fault = self.at(code, message, &name.span, condition, &rule.condition_context);
        Some(fault.help(format!("add `source: {AUDIT}` to the rule; without it the source is `{SYSCALL}`")))
    }

    fn deprecated_in_condition(&mut self, expr: &Expr, rule: &Rule) {
        let mut found = BTreeSet::new();
        fields_of(expr, &mut |field| {
            found.insert(field.name.text.as_str());
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
            Err(all) => {
                // Of macros that are not known it has been said.
                for unsound in all.iter().filter(|unsound| unsound.kind != Kind::Macro) {
                    let fault = self.unsound(unsound, expr, condition, rule);
                    self.faults.push(fault);
                }
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
            fault.0.help = Some(did_you_mean(meant));
        }
        fault
    }
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
fn fields_of<'e>(expr: &'e Expr, found: &mut impl FnMut(&'e FieldRef)) {
    match expr {
        Expr::And(members) | Expr::Or(members) => members.iter().for_each(|member| fields_of(member, found)),
        Expr::Not(inner) => fields_of(inner, found),
        Expr::Macro(_) => {}
        Expr::Check(check) => {
            if let Operand::Field(field) = &check.left {
                found(field);
            }
        }
    }
}

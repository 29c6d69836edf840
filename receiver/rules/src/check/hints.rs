//! Remarks on conditions that load but may not mean what they seem to.

use super::operand::span;
use crate::ast::{self, Expr, FieldRef, Op, Operand, SetOp, Span, Test, Text};
use crate::fields::{self, Type};
use crate::matching::is_special;

/// A remark on a sound condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The part it is about.
    pub span: Span,
    /// Which remark.
    pub kind: HintKind,
    /// In words.
    pub message: String,
}

/// Kinds of remarks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HintKind {
    /// `LOAD_UNSAFE_NA_CHECK`
    UnsafeNa,
    /// `LOAD_COMPILE_CONDITION`
    Compile,
    /// The rule leans on a quirk kept for compatibility; ours only.
    Quirk,
}

/// Names that, with a parenthesis behind, look like a transformer.
const TRANSFORMERS: [&str; 9] =
    ["tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt", "val"];

/// Remarks on a condition, in the order of reading.
pub fn warnings(expr: &Expr) -> Vec<Hint> {
    let mut hints = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => open.extend(parts.iter().rev()),
            Expr::Not(inner) => open.push(inner),
            Expr::Macro(_) => {}
            Expr::Check(check) => one(check, &mut hints),
        }
    }
    hints
}

fn one(check: &ast::Check, hints: &mut Vec<Hint>) {
    let mut hint = |span: &Span, kind, message| hints.push(Hint { span: span.clone(), kind, message });
    for (span, quirk) in quirks(&check.left) {
        hint(&span, HintKind::Quirk, quirk);
    }
    let (values, operator, right) = match &check.test {
        Test::Exists => return,
        Test::Compare(op, value) => (std::slice::from_ref(value), Ok(*op), None),
        Test::Each(op, _, values) => (values.as_slice(), Ok(*op), None),
        Test::Set(op, values) => (values.as_slice(), Err(*op), None),
        Test::CompareWith(op, right) => (&[][..], Ok(*op), Some(right)),
        Test::SetWith(op, right) => (&[][..], Err(*op), Some(right)),
    };
    if let Some(right) = right {
        for (span, quirk) in quirks(right) {
            hint(&span, HintKind::Quirk, quirk);
        }
    }
    if operator.is_err() && maps_a_list(&check.left) {
        let message = "elements of a transformed list never equal anything here (Falco's bug is kept): name the \
                       elements as they are, or transform `join(...)` of them";
        hint(&span(&check.left), HintKind::Quirk, message.to_owned());
    }
    if let Ok(Op::Lt | Op::Le | Op::Gt | Op::Ge) = operator
        && let Operand::Field(field) = &check.left
        && fields::lookup(&field.name.text).is_some_and(|field| field.r#type == Type::String)
    {
        let message =
            format!("`{}` is compared as text, byte by byte: \"403\" is less than \"50\"", field.name.text);
        hint(&check.span, HintKind::Quirk, message);
    }
    let guarded =
        matches!(operator, Ok(Op::Eq | Op::Ne) | Err(SetOp::In | SetOp::Intersects | SetOp::PMatch));
    for value in values {
        if guarded && value.text == "<NA>" && reads_plugin_field(&check.left) {
            let message = "a missing field is not equal to `<NA>`; test it with `exists`".to_owned();
            hint(&value.span, HintKind::UnsafeNa, message);
        }
        if let Some(message) = looks_like_an_expression(value) {
            hint(&value.span, HintKind::Compile, message);
        }
        // Falco says nothing of the members of a list.
        if matches!(check.test, Test::Compare(Op::Regex, _)) && plain_inside(&value.text) {
            let message = format!(
                "`{}` needs no regular expression: `=`, `startswith`, `endswith` or `contains` do",
                value.text
            );
            hint(&value.span, HintKind::Compile, message);
        }
    }
}

fn looks_like_an_expression(value: &Text) -> Option<String> {
    let text = value.text.trim();
    let name = text.split('[').next().unwrap_or(text);
    if fields::lookup(name).is_some() && (name.len() == text.len() || text.ends_with(']')) {
        return Some(format!("`{text}` is taken as a text; for the value of that field write `val({text})`"));
    }
    let called = text.split_once('(').map(|(name, _)| name.trim_end());
    called.filter(|name| TRANSFORMERS.contains(name)).map(|_| {
        format!("`{text}` is taken as a text; a transformer is written without quotes and outside of lists")
    })
}

/// A pattern that has special characters at its ends at most.
fn plain_inside(pattern: &str) -> bool {
    !pattern.trim_matches(is_special).contains(is_special)
}

fn fields_of(operand: &Operand) -> Vec<&FieldRef> {
    let mut found = Vec::new();
    let mut open = vec![operand];
    while let Some(operand) = open.pop() {
        match operand {
            Operand::Field(field) => found.push(field),
            Operand::Transform(transform) => open.extend(transform.args.iter().rev()),
            Operand::List(items) => open.extend(items.iter().rev()),
            Operand::Literal(_) => {}
        }
    }
    found
}

fn reads_plugin_field(operand: &Operand) -> bool {
    fields_of(operand)
        .iter()
        .any(|field| field.name.text.starts_with("ka.") || field.name.text.starts_with("jevt."))
}

fn quirks(operand: &Operand) -> Vec<(Span, String)> {
    let quirk = |field: &FieldRef| {
        let known = fields::lookup(&field.name.text)?;
        let quirk = known.quirk?;
        let message =
            format!("`{}`: {} (kept as Falco has it); use `{}`", known.name, quirk.what, quirk.instead);
        Some((field.name.span.clone(), message))
    };
    fields_of(operand).into_iter().filter_map(quirk).collect()
}

/// Whether each element of a list field goes through a transformer.
fn maps_a_list(operand: &Operand) -> bool {
    let Operand::Transform(transform) = operand else { return false };
    let maps = matches!(transform.name.text.as_str(), "tolower" | "toupper" | "b64" | "basename");
    let is_list = |arg: &Operand| match arg {
        Operand::Field(field) => fields::lookup(&field.name.text).is_some_and(|field| field.list),
        other => maps_a_list(other),
    };
    maps && transform.args.iter().any(is_list)
}

//! Sources of events.

use crate::ast::{Check, Expr, Operand, Test};
use crate::{check, fields, parse};

/// The source whose rules are evaluated.
pub(crate) const AUDIT: &str = "k8s_audit";
/// The source of a rule that names none. Falco always knows it, so its rules are read, but nothing ever matches them
/// here.
pub(super) const SYSCALL: &str = "syscall";

pub(super) fn is_known(source: &str) -> bool {
    matches!(source, AUDIT | SYSCALL)
}

/// Whether the text is a field, with or without argument or transformers around it, that audit events have.
pub(super) fn is_known_field(text: &str) -> bool {
    let Ok(left) = parse::operand(text) else { return false };
    let span = 0..text.len();
    check::condition(&Expr::Check(Check { left, test: Test::Exists, span })).is_ok()
}

/// Whether a field exists for audit events alone, going by the start of its name.
pub(super) fn is_audit_field(name: &str) -> bool {
    name.starts_with("ka.")
}

/// The field that was probably meant.
pub(super) fn meant_field(name: &str) -> Option<&'static str> {
    crate::diagnostic::nearest(name, fields::names())
}

/// Whether a condition can only hold for events of some types: `evt.type` is compared in every way to make it true.
pub(super) fn limits_event_types(expr: &Expr) -> bool {
    match expr {
        Expr::And(members) => members.iter().any(limits_event_types),
        Expr::Or(members) => members.iter().all(limits_event_types),
        Expr::Not(_) | Expr::Macro(_) => false,
        Expr::Check(check) => is_event_type(check),
    }
}

fn is_event_type(check: &Check) -> bool {
    let is_field = matches!(&check.left, Operand::Field(field) if field.name.text == "evt.type");
    is_field && matches!(check.test, Test::Compare(..) | Test::Set(..) | Test::Each(..))
}

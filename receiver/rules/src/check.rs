//! Conditions made sound: every field known, every operator fit for its type, every value readable, every pattern
//! compiled. What passes here never fails on an event.

mod hints;
mod operand;
mod reach;
#[cfg(test)]
mod tests;
mod values;

pub use hints::{Hint, HintKind, warnings};
pub(crate) use operand::operand;
pub use reach::Reach;

use crate::ast::{self, Expr, Modifier, SetOp, Span};
use crate::fields::{Reference, Type};
use crate::matching::{Networks, Pattern};

/// A condition that can be evaluated.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// Any of them.
    Or(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A test of one value.
    Check(Box<Check>),
}

/// A sound test of one value.
#[derive(Clone, Debug)]
pub struct Check {
    /// As written.
    pub source: ast::Check,
    pub(crate) left: Operand,
    pub(crate) test: Test,
}

/// Something that has a value at run time.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Field(Reference),
    Text(Vec<u8>),
    Number(u64),
    /// Several texts as one list.
    List(Vec<Operand>),
    Transform(Box<Transform>),
}

/// A transformer with operands of types that it takes.
#[derive(Clone, Debug)]
pub(crate) enum Transform {
    /// The text, or each element of the list, changed.
    Map(Change, Operand),
    /// How long a text or a list is.
    Length(Operand),
    /// The elements of the second with the first between.
    Join(Operand, Operand),
    Concat(Vec<Operand>),
    /// Arguments, option letters, and the one option that is asked for.
    Options(Operand, Operand, Option<String>),
}

/// A change of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    LowerCase,
    UpperCase,
    Base64Decoded,
    BaseName,
}

/// What an operand's values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) r#type: Type,
    pub(crate) list: bool,
}

impl Shape {
    pub(crate) const TEXT: Self = Self { r#type: Type::String, list: false };
    pub(crate) const TEXTS: Self = Self { r#type: Type::String, list: true };
    pub(crate) const NUMBER: Self = Self { r#type: Type::Number, list: false };
}

/// What must hold for a value that is present.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Exists,
    Text(Pattern),
    EachText(Modifier, Vec<Pattern>),
    Number(Relation, u64),
    EachNumber(Modifier, Vec<(Relation, u64)>),
    NumberIn(Vec<u64>),
    Bool(Relation, bool),
    EachBool(Modifier, Vec<(Relation, bool)>),
    BoolIn(Vec<bool>),
    /// Every element of a list is one of these.
    Every(Members),
    /// At least one element of a list is one of these.
    Some(Members),
    /// Compared with a value of the same shape.
    Against(Comparison, Operand),
}

/// Members that the elements of a list can be.
#[derive(Clone, Debug)]
pub(crate) enum Members {
    Texts(Pattern),
    Networks(Networks),
}

/// How two numbers or truths compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Relation {
    Equal,
    Differs,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Relation {
    pub(crate) fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Differs => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// How a value compares with another one from the event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparison {
    Relation(Relation),
    Contains,
    ContainsAnyCase,
    StartsWith,
    EndsWith,
    Glob,
    GlobAnyCase,
    Every,
    Some,
}

/// Why a condition that parses can not be evaluated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unsound {
    /// The part at fault.
    pub span: Span,
    /// What kind of fault.
    pub kind: Kind,
    /// In words.
    pub message: String,
}

/// What can be wrong with a condition that parses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No such field.
    UnknownField {
        /// As written.
        name: String,
    },
    /// Argument missing, unwanted or of the wrong form.
    BadArgument,
    /// Operator not for this type.
    Operator,
    /// Value not for this type.
    Value,
    /// A macro in the place of a check: only conditions whose macros are resolved can be evaluated.
    Macro,
}

/// Checks a condition whose macros are resolved.
///
/// # Errors
/// The first fault of each check, in the order of reading.
pub fn condition(expr: &Expr) -> Result<Condition, Vec<Unsound>> {
    let mut faults = Vec::new();
    match sound(expr, DEEPEST, &mut faults) {
        Some(condition) if faults.is_empty() => Ok(condition),
        _ => Err(faults),
    }
}

/// How deep parts of a condition may lie within one another, its macros included; every walk over it is that deep.
const DEEPEST: usize = 500;

/// Nothing, and why among the faults, if a part of it is wrong.
fn sound(expr: &Expr, deeper: usize, faults: &mut Vec<Unsound>) -> Option<Condition> {
    let Some(deeper) = deeper.checked_sub(1) else {
        let message = format!("conditions nest at most {DEEPEST} levels deep, macros included");
        faults.push(Unsound { span: 0..0, kind: Kind::Value, message });
        return None;
    };
    let mut all = |parts: &[Expr]| {
        // All are looked at, also behind one that is wrong.
        let parts: Vec<_> = parts.iter().map(|part| sound(part, deeper, faults)).collect();
        parts.into_iter().collect::<Option<_>>()
    };
    Some(match expr {
        Expr::And(parts) => Condition::And(all(parts)?),
        Expr::Or(parts) => Condition::Or(all(parts)?),
        Expr::Not(inner) => Condition::Not(Box::new(sound(inner, deeper, faults)?)),
        Expr::Macro(name) => {
            let message = format!("macro `{}` is not resolved", name.text);
            faults.push(Unsound { span: name.span.clone(), kind: Kind::Macro, message });
            return None;
        }
        Expr::Check(check) => {
            Condition::Check(Box::new(one(check).map_err(|fault| faults.push(fault)).ok()?))
        }
    })
}

fn one(check: &ast::Check) -> Result<Check, Unsound> {
    let (left, shape) = operand::operand(&check.left)?;
    let checker = values::Checker { span: &check.span, shape };
    let test = match &check.test {
        ast::Test::Exists => Test::Exists,
        ast::Test::Compare(op, value) => checker.compare(*op, value)?,
        ast::Test::Each(op, modifier, list) => checker.each(*op, *modifier, list)?,
        ast::Test::Set(op, list) => checker.set(*op, list)?,
        ast::Test::CompareWith(op, right) => {
            let comparison = checker.comparison(*op)?;
            Test::Against(comparison, checker.right(right)?)
        }
        ast::Test::SetWith(op, right) => {
            let comparison = match op {
                SetOp::In => Comparison::Every,
                SetOp::Intersects => Comparison::Some,
                SetOp::PMatch => return Err(checker.unfit(op, " with a value from the event")),
            };
            Test::Against(comparison, checker.right(right)?)
        }
    };
    Ok(Check { source: check.clone(), left, test })
}

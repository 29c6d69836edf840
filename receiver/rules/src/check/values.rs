//! Operators and values against the shape of what they test.

use std::fmt::Display;

use super::{Comparison, Kind, Members, Operand, Relation, Shape, Test, Unsound, operand};
use crate::ast::{self, Modifier, Op, SetOp, Span, Text};
use crate::fields::Type;
use crate::matching::{Glob, Networks, Paths, Pattern, Regex};

/// What is tested, and where errors about it point.
pub(super) struct Checker<'a> {
    pub(super) span: &'a Span,
    pub(super) shape: Shape,
}

impl Checker<'_> {
    /// An operator and one value.
    pub(super) fn compare(&self, op: Op, value: &Text) -> Result<Test, Unsound> {
        self.scalar(op)?;
        Ok(match self.shape.r#type {
            Type::String | Type::Address => Test::Text(self.pattern(op, value)?),
            Type::Bool => Test::Bool(self.relation(op)?, truth(value)?),
            _ => Test::Number(self.relation(op)?, read_number(value)?),
        })
    }

    /// An operator, a modifier and values.
    pub(super) fn each(&self, op: Op, modifier: Modifier, list: &[Text]) -> Result<Test, Unsound> {
        self.scalar(op)?;
        Ok(match self.shape.r#type {
            Type::String | Type::Address => {
                // Without values the operator must be fit all the same.
                self.comparable(op)?;
                Test::EachText(modifier, all(list, |value| self.pattern(op, value))?)
            }
            Type::Bool => {
                let relation = self.relation(op)?;
                Test::EachBool(modifier, all(list, |value| Ok((relation, truth(value)?)))?)
            }
            _ => {
                let relation = self.relation(op)?;
                Test::EachNumber(modifier, all(list, |value| Ok((relation, read_number(value)?)))?)
            }
        })
    }

    /// A set operator and values.
    pub(super) fn set(&self, op: SetOp, list: &[Text]) -> Result<Test, Unsound> {
        let texts = || list.iter().map(|value| value.text.as_str());
        let one_of = || Pattern::OneOf(texts().map(|text| text.as_bytes().to_vec()).collect());
        let networks = || {
            Networks::new(texts()).map_err(|bad| {
                let at = list.iter().find(|value| Networks::new([value.text.as_str()]).is_err());
                self.bad_value(at.map_or(self.span, |value| &value.span), bad.to_string())
            })
        };
        Ok(match (op, self.shape) {
            (SetOp::PMatch, Shape::TEXT) => Test::Text(Pattern::UnderAny(Paths::new(texts()))),
            (SetOp::PMatch, _) => return Err(self.unfit(op, "")),
            (op, Shape { r#type: Type::Address, .. }) => wanted(op, Members::Networks(networks()?)),
            (op, Shape { list: true, .. }) => wanted(op, Members::Texts(one_of())),
            (_, Shape { r#type: Type::String, .. }) => Test::Text(one_of()),
            (_, Shape { r#type: Type::Bool, .. }) => Test::BoolIn(all(list, truth)?),
            _ => Test::NumberIn(all(list, read_number)?),
        })
    }

    /// The comparison with a value from the event.
    pub(super) fn comparison(&self, op: Op) -> Result<Comparison, Unsound> {
        self.scalar(op)?;
        if !matches!(self.shape.r#type, Type::String | Type::Address) {
            return Ok(Comparison::Relation(self.relation(op)?));
        }
        self.comparable(op)?;
        Ok(match op {
            Op::Contains => Comparison::Contains,
            Op::IContains => Comparison::ContainsAnyCase,
            Op::StartsWith => Comparison::StartsWith,
            Op::EndsWith => Comparison::EndsWith,
            Op::Glob => Comparison::Glob,
            Op::IGlob => Comparison::GlobAnyCase,
            Op::Regex => return Err(self.unfit(op, " with a value from the event")),
            other => Comparison::Relation(self.relation(other)?),
        })
    }

    /// The operand on the right, which must have the shape of the left one.
    pub(super) fn right(&self, right: &ast::Operand) -> Result<Operand, Unsound> {
        let (operand, shape) = operand::right(right)?;
        if shape == self.shape {
            return Ok(operand);
        }
        let message = format!("a {} can not be compared with a {}", name(self.shape), name(shape));
        Err(Unsound { span: operand::span(right), kind: Kind::Operator, message })
    }

    fn pattern(&self, op: Op, value: &Text) -> Result<Pattern, Unsound> {
        self.comparable(op)?;
        let text = || value.text.clone().into_bytes();
        Ok(match op {
            Op::Eq => Pattern::Equal(text()),
            Op::Ne => Pattern::Differs(text()),
            Op::Lt => Pattern::Less(text()),
            Op::Le => Pattern::AtMost(text()),
            Op::Gt => Pattern::Greater(text()),
            Op::Ge => Pattern::AtLeast(text()),
            Op::Contains | Op::BContains => Pattern::Contains(text()),
            Op::IContains => Pattern::ContainsAnyCase(text().to_ascii_lowercase()),
            Op::StartsWith | Op::BStartsWith => Pattern::StartsWith(text()),
            Op::EndsWith => Pattern::EndsWith(text()),
            Op::Glob => Pattern::Glob(Glob::new(value.text.as_bytes(), false)),
            Op::IGlob => Pattern::Glob(Glob::new(value.text.as_bytes(), true)),
            Op::Regex => Pattern::Regex(Regex::new(&value.text).map_err(|bad| {
                self.bad_value(&value.span, format!("`{}` is no regular expression: {bad}", value.text))
            })?),
        })
    }

    /// Operators that compare a text.
    fn comparable(&self, op: Op) -> Result<(), Unsound> {
        match op {
            Op::BContains | Op::BStartsWith => Err(self.unfit(op, "")),
            _ => Ok(()),
        }
    }

    /// Operators that compare single values stand with those only.
    fn scalar(&self, op: Op) -> Result<(), Unsound> {
        if self.shape.list {
            return Err(self.unfit(op, ""));
        }
        Ok(())
    }

    fn relation(&self, op: Op) -> Result<Relation, Unsound> {
        let truth = self.shape.r#type == Type::Bool;
        Ok(match op {
            Op::Eq => Relation::Equal,
            Op::Ne => Relation::Differs,
            Op::Lt if !truth => Relation::Less,
            Op::Le if !truth => Relation::AtMost,
            Op::Gt if !truth => Relation::Greater,
            Op::Ge if !truth => Relation::AtLeast,
            _ => return Err(self.unfit(op, "")),
        })
    }

    /// An operator that does not go with what it tests.
    pub(super) fn unfit(&self, op: impl Display, how: &str) -> Unsound {
        let allowed = match (self.shape.list, self.shape.r#type) {
            (true, _) => "`in`, `intersects` and `exists`",
            (_, Type::String | Type::Address) => {
                "`=`, `!=`, `<`, `<=`, `>`, `>=`, `contains`, `icontains`, `startswith`, `endswith`, `glob`, `iglob`, \
                 `regex`, `in`, `intersects`, `pmatch` and `exists`"
            }
            (_, Type::Bool) => "`=`, `!=`, `in`, `intersects` and `exists`",
            _ => "`=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `intersects` and `exists`",
        };
        let message = format!("`{op}` does not go with a {}{how}; {allowed} do", name(self.shape));
        Unsound { span: self.span.clone(), kind: Kind::Operator, message }
    }

    fn bad_value(&self, span: &Span, message: String) -> Unsound {
        Unsound { span: span.clone(), kind: Kind::Value, message }
    }
}

fn wanted(op: SetOp, members: Members) -> Test {
    match op {
        SetOp::Intersects => Test::Some(members),
        _ => Test::Every(members),
    }
}

fn all<T>(list: &[Text], read: impl Fn(&Text) -> Result<T, Unsound>) -> Result<Vec<T>, Unsound> {
    list.iter().map(read).collect()
}

fn name(shape: Shape) -> String {
    if shape.list { format!("list of {}s", shape.r#type) } else { shape.r#type.to_string() }
}

fn truth(value: &Text) -> Result<bool, Unsound> {
    value.text.parse().map_err(|_| Unsound {
        span: value.span.clone(),
        kind: Kind::Value,
        message: format!("expected `true` or `false`, found `{}`", value.text),
    })
}

fn read_number(value: &Text) -> Result<u64, Unsound> {
    number(&value.text).map_err(|message| Unsound { span: value.span.clone(), kind: Kind::Value, message })
}

/// A decimal integer. What is negative wraps around, as C's `strtoul` does.
pub(super) fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| decimal);
    let number = number.ok_or_else(|| format!("expected a decimal integer, found `{text}`"))?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

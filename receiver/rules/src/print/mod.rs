//! Syntax tree to condition text, such that reading the text gives the tree again.

use std::fmt::{self, Display, Formatter};

use crate::ast::{Check, Expr, FieldRef, Modifier, Op, Operand, SetOp, Test, Text, Transform};
use crate::parse::{bare_len, field_arg_len};

#[cfg(test)]
mod tests;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(members) => joined(f, members, " and "),
            Self::Or(members) => joined(f, members, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                member(f, inner)
            }
            Self::Macro(name) => f.write_str(&name.text),
            Self::Check(check) => check.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, members: &[Expr], word: &str) -> fmt::Result {
    separated(f, members, word, member)
}

fn member(f: &mut Formatter<'_>, expr: &Expr) -> fmt::Result {
    match expr {
        Expr::Macro(_) | Expr::Check(_) => expr.fmt(f),
        Expr::And(_) | Expr::Or(_) | Expr::Not(_) => write!(f, "({expr})"),
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.left)?;
        match &self.test {
            Test::Exists => f.write_str("exists"),
            Test::Compare(op, text) => {
                write!(f, "{op} ")?;
                string(f, text)
            }
            Test::Each(op, modifier, items) => {
                write!(f, "{op} {modifier} ")?;
                list(f, items)
            }
            Test::Set(op, items) => {
                write!(f, "{op} ")?;
                list(f, items)
            }
            Test::CompareWith(op, right) => write!(f, "{op} {right}"),
            Test::SetWith(op, right) => write!(f, "{op} {right}"),
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Transform(transform) => transform.fmt(f),
            Self::Literal(text) => quoted(f, &text.text),
            Self::List(items) => {
                f.write_str("(")?;
                separated(f, items, ", ", |f, item| item.fmt(f))?;
                f.write_str(")")
            }
        }
    }
}

impl Display for FieldRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name.text)?;
        index(f, self.arg.as_ref())
    }
}

impl Display for Transform {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name.text)?;
        separated(f, &self.args, ", ", |f, arg| arg.fmt(f))?;
        f.write_str(")")?;
        index(f, self.index.as_ref())
    }
}

fn index(f: &mut Formatter<'_>, arg: Option<&Text>) -> fmt::Result {
    let Some(Text { text, .. }) = arg else { return Ok(()) };
    f.write_str("[")?;
    if !text.is_empty() && field_arg_len(text) == text.len() {
        f.write_str(text)?;
    } else {
        quoted(f, text)?;
    }
    f.write_str("]")
}

fn list(f: &mut Formatter<'_>, items: &[Text]) -> fmt::Result {
    f.write_str("(")?;
    separated(f, items, ", ", string)?;
    f.write_str(")")
}

fn string(f: &mut Formatter<'_>, Text { text, .. }: &Text) -> fmt::Result {
    let is_modifier = matches!(text.as_str(), "oneof" | "anyof" | "allof");
    // A backspace is part of a bare string, but passed over as a blank where one begins.
    let is_bare = !text.is_empty() && bare_len(text) == text.len() && !text.starts_with('\x08');
    if is_bare && !is_modifier { f.write_str(text) } else { quoted(f, text) }
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => f.write_str("\\\"")?,
            // A quote behind a backslash would not close the string, however that backslash is written.
            '\\' if chars.peek().is_none() => f.write_str("\\ ")?,
            '\\' => f.write_str("\\\\")?,
            '\x08' => f.write_str("\\b")?,
            '\x0c' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            char => write!(f, "{char}")?,
        }
    }
    f.write_str("\"")
}

fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    separator: &str,
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Contains => "contains",
            Self::IContains => "icontains",
            Self::BContains => "bcontains",
            Self::StartsWith => "startswith",
            Self::BStartsWith => "bstartswith",
            Self::EndsWith => "endswith",
            Self::Glob => "glob",
            Self::IGlob => "iglob",
            Self::Regex => "regex",
        })
    }
}

impl Display for SetOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Intersects => "intersects",
            Self::PMatch => "pmatch",
        })
    }
}

impl Display for Modifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneOf => "oneof",
            Self::AnyOf => "anyof",
            Self::AllOf => "allof",
        })
    }
}

//! Moving every place of a tree at once.

use super::{Check, Expr, FieldRef, Operand, Span, Test, Text, Transform};

impl Expr {
    /// Gives every place of the tree a new value.
    pub fn map_spans(&mut self, map: &mut impl FnMut(&mut Span)) {
        match self {
            Self::And(children) | Self::Or(children) => {
                children.iter_mut().for_each(|child| child.map_spans(map));
            }
            Self::Not(child) => child.map_spans(map),
            Self::Macro(name) => map(&mut name.span),
            Self::Check(check) => check.map_spans(map),
        }
    }
}

impl Check {
    fn map_spans(&mut self, map: &mut impl FnMut(&mut Span)) {
        map(&mut self.span);
        self.left.map_spans(map);
        match &mut self.test {
            Test::Exists => {}
            Test::Compare(_, text) => map(&mut text.span),
            Test::Each(_, _, texts) | Test::Set(_, texts) => all(texts, map),
            Test::CompareWith(_, operand) | Test::SetWith(_, operand) => operand.map_spans(map),
        }
    }
}

impl Operand {
    /// Gives every place of the operand a new value.
    pub fn map_spans(&mut self, map: &mut impl FnMut(&mut Span)) {
        match self {
            Self::Field(FieldRef { name, arg }) => {
                map(&mut name.span);
                all(arg, map);
            }
            Self::Transform(Transform { name, args, index }) => {
                map(&mut name.span);
                args.iter_mut().for_each(|arg| arg.map_spans(map));
                all(index, map);
            }
            Self::Literal(text) => map(&mut text.span),
            Self::List(items) => items.iter_mut().for_each(|item| item.map_spans(map)),
        }
    }
}

fn all<'t>(texts: impl IntoIterator<Item = &'t mut Text>, map: &mut impl FnMut(&mut Span)) {
    texts.into_iter().for_each(|text| map(&mut text.span));
}

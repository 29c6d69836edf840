//! Operands: fields and transformers, and the shapes of their values.

use super::{Change, Kind, Operand, Shape, Transform, Unsound};
use crate::ast::{self, FieldRef, Span, Text};
use crate::fields::{self, Type};

/// Checks the left side of a check, an expression in an output, or an argument of a transformer.
pub(crate) fn operand(operand: &ast::Operand) -> Result<(Operand, Shape), Unsound> {
    match operand {
        ast::Operand::Field(field) => reference(field),
        ast::Operand::Transform(transform) => transformed(transform),
        ast::Operand::Literal(literal) => self::literal(literal),
        ast::Operand::List(items) => {
            let item = |item: &ast::Operand| match self::operand(item)? {
                (operand, Shape::TEXT) => Ok(operand),
                _ => Err(unfit(&span(item), "a list in parentheses holds texts only".into())),
            };
            let items = items.iter().map(item).collect::<Result<_, _>>()?;
            Ok((Operand::List(items), Shape::TEXTS))
        }
    }
}

/// The operand on the right of an operator: `val(field)` or a transformer.
pub(super) fn right(operand: &ast::Operand) -> Result<(Operand, Shape), Unsound> {
    match operand {
        ast::Operand::Transform(transform) if transform.name.text == "val" => {
            let [field @ (ast::Operand::Field(_) | ast::Operand::Transform(_))] = transform.args.as_slice()
            else {
                return Err(unfit(&transform.name.span, "`val` takes one field".into()));
            };
            self::operand(field)
        }
        other => self::operand(other),
    }
}

fn reference(field: &FieldRef) -> Result<(Operand, Shape), Unsound> {
    let name = &field.name;
    let Some(known) = fields::lookup(&name.text) else {
        let message = format!("there is no field `{}`", name.text);
        let kind = Kind::UnknownField { name: name.text.clone() };
        return Err(Unsound { span: name.span.clone(), kind, message });
    };
    let reference = known.with(field.arg.as_ref().map(|arg| arg.text.as_str())).map_err(|bad| {
        let span = field.arg.as_ref().map_or(&name.span, |arg| &arg.span).clone();
        Unsound { span, kind: Kind::BadArgument, message: bad.to_string() }
    })?;
    Ok((Operand::Field(reference), Shape { r#type: known.r#type, list: known.list }))
}

/// A literal argument of a transformer. Only a quoted text is longer in its place than in its content.
fn literal(literal: &Text) -> Result<(Operand, Shape), Unsound> {
    if literal.span.len() > literal.text.len() {
        return Ok((Operand::Text(literal.text.clone().into_bytes()), Shape::TEXT));
    }
    let number = super::values::number(&literal.text).map_err(|message| Unsound {
        span: literal.span.clone(),
        kind: Kind::Value,
        message,
    })?;
    Ok((Operand::Number(number), Shape::NUMBER))
}

fn transformed(transform: &ast::Transform) -> Result<(Operand, Shape), Unsound> {
    let name = &transform.name;
    let wrong = |what: &str| Err(unfit(&name.span, format!("`{}` {what}", name.text)));
    let args: Vec<_> = transform.args.iter().map(operand).collect::<Result<_, _>>()?;
    let change = match name.text.as_str() {
        "tolower" => Some(Change::LowerCase),
        "toupper" => Some(Change::UpperCase),
        "b64" => Some(Change::Base64Decoded),
        "basename" => Some(Change::BaseName),
        _ => None,
    };
    let is_text = |shape: Shape| matches!(shape.r#type, Type::String | Type::Address);
    let (made, shape) = match (name.text.as_str(), change, take(args)) {
        (_, Some(change), Args::One(inner, shape)) if is_text(shape) => {
            (Transform::Map(change, inner), Shape { r#type: Type::String, ..shape })
        }
        (_, Some(_), Args::One(..)) => return wrong("takes a text or a list of texts"),
        ("len", _, Args::One(inner, shape)) if shape.list || is_text(shape) => {
            (Transform::Length(inner), Shape::NUMBER)
        }
        ("len", _, Args::One(..)) => return wrong("takes a text or a list"),
        (_, Some(_), _) | ("len", ..) => return wrong("takes one argument"),
        ("join", _, Args::Two((separator, Shape::TEXT), (list, shape))) if shape.list => {
            (Transform::Join(separator, list), Shape::TEXT)
        }
        ("join", ..) => return wrong("takes a text to put between and a list"),
        ("concat", _, args) => match args.texts() {
            Some(texts) if texts.len() >= 2 => (Transform::Concat(texts), Shape::TEXT),
            _ => return wrong("takes two texts or more"),
        },
        ("getopt", _, Args::Two((list, shape), (letters, Shape::TEXT))) if shape.list => {
            let option = transform.index.as_ref().map(|option| option.text.clone());
            let shape = if option.is_some() { Shape::TEXT } else { Shape::TEXTS };
            (Transform::Options(list, letters, option), shape)
        }
        ("getopt", ..) => return wrong("takes a list of arguments and a text of option letters"),
        ("val", ..) => return wrong("stands only on the right of an operator"),
        _ => return wrong("is no transformer"),
    };
    Ok((Operand::Transform(Box::new(made)), shape))
}

/// Arguments by their number.
enum Args {
    One(Operand, Shape),
    Two((Operand, Shape), (Operand, Shape)),
    More(Vec<(Operand, Shape)>),
}

fn take(args: Vec<(Operand, Shape)>) -> Args {
    match <[_; 1]>::try_from(args) {
        Ok([(operand, shape)]) => Args::One(operand, shape),
        Err(args) => match <[_; 2]>::try_from(args) {
            Ok([first, second]) => Args::Two(first, second),
            Err(args) => Args::More(args),
        },
    }
}

impl Args {
    fn texts(self) -> Option<Vec<Operand>> {
        let all = match self {
            Self::One(operand, shape) => vec![(operand, shape)],
            Self::Two(first, second) => vec![first, second],
            Self::More(all) => all,
        };
        all.into_iter().map(|(operand, shape)| (shape == Shape::TEXT).then_some(operand)).collect()
    }
}

fn unfit(span: &Span, message: String) -> Unsound {
    Unsound { span: span.clone(), kind: Kind::Operator, message }
}

pub(super) fn span(operand: &ast::Operand) -> Span {
    match operand {
        ast::Operand::Field(field) => {
            field.name.span.start..field.arg.as_ref().map_or(field.name.span.end, |arg| arg.span.end + 1)
        }
        ast::Operand::Transform(transform) => {
            let end = transform.args.last().map_or(transform.name.span.end, |last| span(last).end + 1);
            transform.name.span.start..end
        }
        ast::Operand::Literal(literal) => literal.span.clone(),
        ast::Operand::List(items) => {
            let first = items.first().map_or(0, |first| span(first).start);
            first..items.last().map_or(first, |last| span(last).end)
        }
    }
}

//! Fields and transformers.

use super::grammar::{Parsed, Parser};
use crate::ast::{FieldRef, Operand, Text, Transform};

const TRANSFORMERS: [&str; 8] =
    ["tolower(", "toupper(", "b64(", "basename(", "len(", "join(", "concat(", "getopt("];

impl Parser<'_> {
    pub(super) fn field_or_transformer(&mut self) -> Parsed<Operand> {
        match self.try_field_or_transformer()? {
            Some(operand) => Ok(operand),
            None => self.expected("a field or a transformer"),
        }
    }

    pub(super) fn try_field_or_transformer(&mut self) -> Parsed<Option<Operand>> {
        match self.lexer.field_name() {
            Some(name) => self.field(name).map(Some),
            None => self.try_transformer(),
        }
    }

    /// The right side of a check that is computed: `val(field)` or another transformer.
    pub(super) fn try_right_side(&mut self) -> Parsed<Option<Operand>> {
        let Some(name) = self.transformer_name(&["val("]) else { return self.try_transformer() };
        self.lexer.blanks();
        let Some(field) = self.lexer.field_name() else { return self.expected("a field") };
        let field = self.field(field)?;
        self.lexer.blanks();
        self.token(")", "`)`")?;
        Ok(Some(Operand::Transform(Transform { name, args: vec![field], index: None })))
    }

    /// The rest behind the name.
    fn field(&mut self, name: Text) -> Parsed<Operand> {
        Ok(Operand::Field(FieldRef { name, arg: self.index()? }))
    }

    fn index(&mut self) -> Parsed<Option<Text>> {
        if !self.lexer.eat("[") {
            return Ok(None);
        }
        match self.lexer.quoted()?.or_else(|| self.lexer.field_arg()) {
            Some(arg) => self.token("]", "`]`").map(|()| Some(arg)),
            None => self.expected("an argument, quoted if it holds a blank or a bracket"),
        }
    }

    fn try_transformer(&mut self) -> Parsed<Option<Operand>> {
        match self.transformer_name(&TRANSFORMERS) {
            Some(name) => self.transformer(name).map(Some),
            None => Ok(None),
        }
    }

    fn transformer_name(&mut self, names: &[&str]) -> Option<Text> {
        let start = self.lexer.at();
        let name = names.iter().find(|name| self.lexer.eat(name))?.trim_end_matches('(');
        Some(Text { text: name.to_owned(), span: start..start + name.len() })
    }

    /// The rest behind the `(`.
    fn transformer(&mut self, name: Text) -> Parsed<Operand> {
        self.enter()?;
        let args = self.separated(Self::argument)?;
        let index = if name.text == "getopt" { self.index()? } else { None };
        self.leave(Operand::Transform(Transform { name, args, index }))
    }

    /// One or more up to the `)`.
    fn separated(&mut self, argument: fn(&mut Self) -> Parsed<Operand>) -> Parsed<Vec<Operand>> {
        let mut args = Vec::new();
        loop {
            self.lexer.blanks();
            args.push(argument(self)?);
            self.lexer.blanks();
            if !self.lexer.eat(",") {
                break;
            }
        }
        self.token(")", "`,` or `)`")?;
        Ok(args)
    }

    fn argument(&mut self) -> Parsed<Operand> {
        self.enter()?;
        let argument = if self.lexer.eat("(") {
            Operand::List(self.list_of_arguments()?)
        } else {
            self.simple_argument()?
        };
        self.leave(argument)
    }

    fn list_of_arguments(&mut self) -> Parsed<Vec<Operand>> {
        self.lexer.blanks();
        if self.lexer.eat(")") { Ok(Vec::new()) } else { self.separated(Self::simple_argument) }
    }

    fn simple_argument(&mut self) -> Parsed<Operand> {
        if let Some(literal) = self.lexer.number() {
            return Ok(Operand::Literal(literal));
        }
        if let Some(literal) = self.lexer.quoted()? {
            return Ok(Operand::Literal(literal));
        }
        match self.try_field_or_transformer()? {
            Some(operand) => Ok(operand),
            None => self.expected("a field, a transformer, a quoted string or a number"),
        }
    }
}

//! Expressions and checks.

use super::lexer::Lexer;
use super::{MAX_DEPTH, ParseError};
use crate::ast::{Check, Expr, Modifier, Op, SetOp, Test, Text};

/// Boxed, as are trees below: small frames let the nesting be deep.
pub(super) type Parsed<T> = Result<T, Box<ParseError>>;

pub(super) struct Parser<'t> {
    pub(super) lexer: Lexer<'t>,
    depth: usize,
}

/// In the order in which they are tried; the words need a blank behind them.
const TEXT_OPERATORS: [(&str, Op); 12] = [
    ("==", Op::Eq),
    ("=", Op::Eq),
    ("!=", Op::Ne),
    ("glob", Op::Glob),
    ("iglob", Op::IGlob),
    ("contains", Op::Contains),
    ("icontains", Op::IContains),
    ("bcontains", Op::BContains),
    ("startswith", Op::StartsWith),
    ("bstartswith", Op::BStartsWith),
    ("endswith", Op::EndsWith),
    ("regex", Op::Regex),
];
const NUMBER_OPERATORS: [(&str, Op); 4] = [("<=", Op::Le), ("<", Op::Lt), (">=", Op::Ge), (">", Op::Gt)];
/// These need no blank: `internal` is `in` and `ternal`.
const SET_OPERATORS: [(&str, SetOp); 3] =
    [("intersects", SetOp::Intersects), ("in", SetOp::In), ("pmatch", SetOp::PMatch)];
const MODIFIERS: [(&str, Modifier); 3] =
    [("oneof", Modifier::OneOf), ("anyof", Modifier::AnyOf), ("allof", Modifier::AllOf)];

pub(crate) const OPERATOR: &str = "an operator (`=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `intersects`, `pmatch`, `exists`, or with \
     a blank behind it `contains`, `icontains`, `startswith`, `endswith`, `glob`, `iglob`, `regex`)";

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { lexer: Lexer::new(text), depth: 0 }
    }

    pub(super) fn whole<T>(
        mut self,
        production: impl FnOnce(&mut Self) -> Parsed<T>,
        end: &'static str,
    ) -> Parsed<T> {
        let parsed = production(&mut self)?;
        if self.lexer.is_done() { Ok(parsed) } else { self.expected(end) }
    }

    pub(super) fn or(&mut self) -> Parsed<Box<Expr>> {
        self.enter()?;
        let members = self.joined("or", Self::and)?;
        self.leave(Box::new(one_or(members, Expr::Or)))
    }

    fn and(&mut self) -> Parsed<Box<Expr>> {
        self.enter()?;
        let members = self.joined("and", Self::not)?;
        self.leave(Box::new(one_or(members, Expr::And)))
    }

    /// What `word` joins. Behind it stands a blank, or a parenthesis that is then all of the member.
    fn joined(&mut self, word: &str, member: fn(&mut Self) -> Parsed<Box<Expr>>) -> Parsed<Vec<Expr>> {
        self.lexer.blanks();
        let mut members = vec![*member(self)?];
        self.lexer.blanks();
        while self.lexer.eat(word) {
            let next = if self.lexer.blanks() {
                member(self)?
            } else if self.lexer.eat("(") {
                self.parenthesised()?
            } else {
                return self.expected("a blank or `(`");
            };
            members.push(*next);
            self.lexer.blanks();
        }
        Ok(members)
    }

    fn not(&mut self) -> Parsed<Box<Expr>> {
        self.enter()?;
        self.lexer.blanks();
        let mut inverted = false;
        while self.lexer.not() {
            inverted = !inverted;
        }
        let inner = if self.lexer.eat("not(") {
            inverted = !inverted;
            self.parenthesised()?
        } else {
            self.check()?
        };
        self.leave(if inverted { Box::new(Expr::Not(inner)) } else { inner })
    }

    /// The rest behind a `(`.
    fn parenthesised(&mut self) -> Parsed<Box<Expr>> {
        self.enter()?;
        let inner = self.or()?;
        self.lexer.blanks();
        self.token(")", "`)`")?;
        self.leave(inner)
    }

    fn check(&mut self) -> Parsed<Box<Expr>> {
        self.enter()?;
        self.lexer.blanks();
        let check = if self.lexer.eat("(") { self.parenthesised()? } else { self.plain_check()? };
        self.leave(check)
    }

    fn plain_check(&mut self) -> Parsed<Box<Expr>> {
        let start = self.lexer.at();
        if let Some(left) = self.try_field_or_transformer()? {
            let test = self.test()?;
            return Ok(Box::new(Expr::Check(Check { left, test, span: start..self.lexer.at() })));
        }
        match self.lexer.identifier() {
            Some(name) => Ok(Box::new(Expr::Macro(name))),
            None => self.expected("`(`, a field or the name of a macro"),
        }
    }

    fn test(&mut self) -> Parsed<Test> {
        self.lexer.blanks();
        if self.lexer.eat("exists") {
            return Ok(Test::Exists);
        }
        if let Some(op) = self.one_of(&NUMBER_OPERATORS) {
            return self.number_or_transformer(op);
        }
        if let Some((op, blank)) = self.text_operator() {
            return self.text_or_transformer(op, blank);
        }
        match self.one_of(&SET_OPERATORS) {
            Some(op) => self.list_or_transformer(op),
            None => self.expected(OPERATOR),
        }
    }

    fn one_of<T: Copy>(&mut self, operators: &[(&str, T)]) -> Option<T> {
        operators.iter().find(|(token, _)| self.lexer.eat(token)).map(|(_, op)| *op)
    }

    /// The operator, and whether a blank followed.
    fn text_operator(&mut self) -> Option<(Op, bool)> {
        for (token, op) in TEXT_OPERATORS {
            let Some(behind) = self.lexer.rest().strip_prefix(token) else { continue };
            let blank = behind.starts_with([' ', '\t', '\x08', '\r', '\n']);
            let is_word = token.starts_with(|first: char| first.is_ascii_alphabetic());
            if is_word && !blank {
                continue;
            }
            self.lexer.eat(token);
            self.lexer.blanks();
            return Some((op, blank));
        }
        None
    }

    fn number_or_transformer(&mut self, op: Op) -> Parsed<Test> {
        self.lexer.blanks();
        if let Some(right) = self.try_right_side()? {
            return Ok(Test::CompareWith(op, right));
        }
        match self.lexer.number() {
            Some(number) => Ok(Test::Compare(op, number)),
            None => self.expected("a number or a transformer"),
        }
    }

    fn text_or_transformer(&mut self, op: Op, blank: bool) -> Parsed<Test> {
        if let Some(modifier) = self.modifier(blank) {
            return Ok(Test::Each(op, modifier, self.list("a list or the name of one")?));
        }
        if let Some(right) = self.try_right_side()? {
            return Ok(Test::CompareWith(op, right));
        }
        self.string("a string or a transformer").map(|text| Test::Compare(op, text))
    }

    /// `oneof`, `anyof`, `allof` are values unless a blank stands on both sides and a list follows.
    fn modifier(&mut self, blank: bool) -> Option<Modifier> {
        if !blank {
            return None;
        }
        let rest = self.lexer.rest();
        let (word, modifier) = MODIFIERS.into_iter().find(|(word, _)| rest.starts_with(word))?;
        let mut behind = Lexer::new(rest.strip_prefix(word)?);
        if !behind.blanks() {
            return None;
        }
        let is_list = behind.rest().starts_with('(')
            || behind.identifier().is_some_and(|name| !matches!(name.text.as_str(), "and" | "or" | "not"));
        is_list.then(|| {
            self.lexer.eat(word);
            self.lexer.blanks();
            modifier
        })
    }

    fn list_or_transformer(&mut self, op: SetOp) -> Parsed<Test> {
        self.lexer.blanks();
        if !self.lexer.rest().starts_with('(')
            && let Some(right) = self.try_right_side()?
        {
            return Ok(Test::SetWith(op, right));
        }
        self.list("a list, the name of one, or a transformer").map(|items| Test::Set(op, items))
    }

    fn list(&mut self, expected: &'static str) -> Parsed<Vec<Text>> {
        if !self.lexer.eat("(") {
            return match self.lexer.identifier() {
                Some(name) => Ok(vec![name]),
                None => self.expected(expected),
            };
        }
        self.lexer.blanks();
        if self.lexer.eat(")") {
            return Ok(Vec::new());
        }
        let mut items = vec![self.string("a string or `)`")?];
        self.lexer.blanks();
        while self.lexer.eat(",") {
            self.lexer.blanks();
            items.push(self.string("a string")?);
            self.lexer.blanks();
        }
        self.token(")", "`,` or `)`")?;
        Ok(items)
    }

    fn string(&mut self, expected: &'static str) -> Parsed<Text> {
        match self.lexer.quoted()?.or_else(|| self.lexer.bare()) {
            Some(text) => Ok(text),
            None if self.lexer.rest().starts_with(['"', '\'']) => {
                self.expected("a string whose quote is closed")
            }
            None => self.expected(expected),
        }
    }

    pub(super) fn token(&mut self, token: &str, expected: &'static str) -> Parsed<()> {
        if self.lexer.eat(token) { Ok(()) } else { self.expected(expected) }
    }

    /// Begins a production that may hold itself.
    pub(super) fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth < MAX_DEPTH { Ok(()) } else { self.expected("fewer parentheses inside one another") }
    }

    /// Ends it. An error ends all of the reading, so it needs no leaving.
    pub(super) fn leave<T>(&mut self, parsed: T) -> Parsed<T> {
        self.depth -= 1;
        Ok(parsed)
    }

    pub(super) fn expected<T>(&self, expected: &'static str) -> Parsed<T> {
        let offset = self.lexer.at();
        Err(Box::new(ParseError { offset, reached: offset, expected, found: found(self.lexer.rest()) }))
    }
}

fn one_or(mut members: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match members.pop() {
        Some(only) if members.is_empty() => only,
        last => {
            members.extend(last);
            join(members)
        }
    }
}

/// The next word or sign, for people.
fn found(rest: &str) -> String {
    let word =
        rest.split(|char: char| char.is_whitespace() || "()=,".contains(char)).next().unwrap_or_default();
    let shown = |text: String| format!("`{}`", text.replace(|char: char| char.is_control(), "\u{fffd}"));
    match (word, rest.chars().next()) {
        (_, None) => "the end".to_owned(),
        ("", Some(sign)) => shown(sign.to_string()),
        (word, _) => shown(word.chars().take(40).collect()),
    }
}

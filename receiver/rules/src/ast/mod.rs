//! Conditions as written: the syntax tree, with the place of every part in the condition's text.

use std::ops::Range;

/// Bytes of the condition text.
pub type Span = Range<usize>;

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expr {
    /// All of them; two or more.
    And(Vec<Expr>),
    /// Any of them; two or more.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// A macro by name; gone once references are resolved.
    Macro(Text),
    /// A test of one value.
    Check(Check),
}

/// `LEFT TEST`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What is tested.
    pub left: Operand,
    /// How.
    pub test: Test,
    /// From the first byte of the left side to the last of the right.
    pub span: Span,
}

/// A text with its place. For a quoted string, the content decoded and the place with its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The content.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// Something that has a value at run time, or a literal argument of a transformer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// `ka.verb`, `ka.uri.param[command]`
    Field(FieldRef),
    /// `tolower(ka.verb)`, `join(",", ka.user.groups)`; `val(f)` is a transformer named `val`.
    Transform(Transform),
    /// A quoted string or number as an argument of a transformer.
    Literal(Text),
    /// A parenthesised list of operands as an argument of a transformer.
    List(Vec<Operand>),
}

/// A field by name, with the text between `[` and `]` if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldRef {
    /// Dotted name.
    pub name: Text,
    /// Argument, quotes removed.
    pub arg: Option<Text>,
}

/// A transformer applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transform {
    /// Name, one that the grammar knows.
    pub name: Text,
    /// Arguments in order; at least one.
    pub args: Vec<Operand>,
    /// `[c]` behind `getopt(...)`.
    pub index: Option<Text>,
}

/// The right part of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    /// `exists`
    Exists,
    /// A comparison with one text (a string or a number as written).
    Compare(Op, Text),
    /// A comparison with each member of a list: `contains anyof (a, b)`.
    Each(Op, Modifier, Vec<Text>),
    /// `in`, `intersects`, `pmatch` with a list.
    Set(SetOp, Vec<Text>),
    /// Any operator with a value computed from the event: `= val(ka.user.name)`.
    CompareWith(Op, Operand),
    /// A set operator with a value computed from the event.
    SetWith(SetOp, Operand),
}

/// Operators that compare with one value. `==` is the same as `=`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "named as the language writes them")]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
}

/// Operators that compare with a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "named as the language writes them")]
pub enum SetOp {
    In,
    Intersects,
    PMatch,
}

/// How many members of the list must hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Modifier {
    /// Exactly one.
    OneOf,
    /// At least one.
    AnyOf,
    /// All.
    AllOf,
}

mod spans;

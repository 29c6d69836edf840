//! Macros, whose trees take the place of their names.

use super::collection::Macro;
use crate::ast::{Expr, Text};

/// How far trees may nest and grow by macros in macros. Conditions alone nest 600 levels at most.
const MAX_DEPTH: usize = 700;
const MAX_SIZE: usize = 20_000;
const MAX_CHAIN: usize = 100;

/// A macro with its tree, in which names are replaced once its turn has come.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    index: usize,
    /// None if it can not be read, which has been said already.
    pub(super) expr: Option<Expr>,
    pub(super) is_used: bool,
}

/// Why a tree with macros in it can not be completed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    /// No macro of that name can be seen from there.
    Undefined(Text),
    /// The macro leads back to itself.
    Loop(Text),
    /// The whole would be too deep or too big.
    TooBig(Text),
    /// A macro that it needs is wrong itself.
    Broken,
}

impl Definition {
    pub(super) fn new(source: &Macro, expr: Option<Expr>) -> Self {
        Self { name: source.name.clone(), index: source.order.index, expr, is_used: false }
    }
}

/// Stands in a tree in the place of a macro that is not known, once that has been said. No macro has this name.
const UNKNOWN: &str = "";

/// Replaces the names of macros in a tree, which sees those whose index is below `visibility`.
///
/// What can not be replaced is told in the order of reading. The tree goes without it if that is because macros are
/// not known or wrong themselves, so that the rest can be looked at.
pub(super) fn resolve(
    expr: &Expr,
    macros: &mut [Definition],
    visibility: usize,
) -> (Option<Expr>, Vec<Problem>) {
    let mut resolver =
        Resolver { macros, visibility, path: Vec::new(), used: Vec::new(), size: 0, problems: Vec::new() };
    let resolved = resolver.expr(expr, 0);
    let Resolver { used, problems, .. } = resolver;
    for used in used {
        macros
            .iter_mut()
            .filter(|definition| definition.name == used)
            .for_each(|definition| definition.is_used = true);
    }
    if problems.iter().any(|problem| matches!(problem, Problem::Loop(_) | Problem::TooBig(_))) {
        let first = problems.into_iter().find(|problem| !matches!(problem, Problem::Undefined(_)));
        return (None, first.into_iter().collect());
    }
    (Some(resolved), problems)
}

struct Resolver<'m> {
    macros: &'m [Definition],
    visibility: usize,
    /// The macros being replaced, outermost first.
    path: Vec<&'m str>,
    used: Vec<String>,
    size: usize,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    fn expr(&mut self, expr: &Expr, depth: usize) -> Expr {
        self.size += 1;
        match expr {
            Expr::And(members) => Expr::And(self.members(members, depth)),
            Expr::Or(members) => Expr::Or(self.members(members, depth)),
            Expr::Not(inner) => Expr::Not(Box::new(self.expr(inner, depth + 1))),
            Expr::Check(check) => Expr::Check(check.clone()),
            Expr::Macro(name) if name.text == UNKNOWN => expr.clone(),
            Expr::Macro(name) => match self.named(name, depth) {
                Ok(expr) => expr,
                Err(problem) => {
                    self.problems.push(problem);
                    Expr::Macro(Text { text: UNKNOWN.to_owned(), span: name.span.clone() })
                }
            },
        }
    }

    fn members(&mut self, members: &[Expr], depth: usize) -> Vec<Expr> {
        members.iter().map(|member| self.expr(member, depth + 1)).collect()
    }

    fn named(&mut self, name: &Text, depth: usize) -> Result<Expr, Problem> {
        let macros = self.macros;
        let Some(definition) =
            macros.iter().find(|other| other.name == name.text && other.index < self.visibility)
        else {
            return Err(Problem::Undefined(name.clone()));
        };
        if self.path.contains(&definition.name.as_str()) {
            return Err(Problem::Loop(name.clone()));
        }
        let Some(expr) = &definition.expr else { return Err(Problem::Broken) };
        if self.path.len() >= MAX_CHAIN || self.size > MAX_SIZE || depth + self::depth(expr) > MAX_DEPTH {
            return Err(Problem::TooBig(name.clone()));
        }
        self.path.push(&definition.name);
        let expr = self.expr(expr, depth);
        self.path.pop();
        self.used.push(definition.name.clone());
        Ok(expr)
    }
}

/// Levels below the tree's top.
fn depth(expr: &Expr) -> usize {
    match expr {
        Expr::And(members) | Expr::Or(members) => members.iter().map(depth).max().unwrap_or_default() + 1,
        Expr::Not(inner) => depth(inner) + 1,
        Expr::Macro(_) | Expr::Check(_) => 0,
    }
}

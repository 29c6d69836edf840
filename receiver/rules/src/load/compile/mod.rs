//! The collection made into rules: lists, then macros, then rules, each in the order of definition.

mod condition;
mod output;

use std::collections::BTreeSet;

use super::collection::{Collection, Macro};
use super::context::Context;
use super::fault::{Checked, Fault};
use super::lists::{self, Expansion, MAX_TEXT};
use super::macros::{Definition, Problem, resolve};
use super::options::Options;
use super::source::is_known;
use super::texts::Texts;
use crate::ast::{Expr, Span};
use crate::diagnostic::{Code, did_you_mean, nearest};
use crate::document::{Source, Traced};
use crate::{parse, rule};

/// Words that compare, for those who mistype them.
const OPERATORS: [&str; 10] = [
    "contains",
    "icontains",
    "startswith",
    "endswith",
    "glob",
    "iglob",
    "regex",
    "intersects",
    "pmatch",
    "exists",
];

/// Compiles all that was collected; what is wrong, or looks so, is added to `faults`.
pub(super) fn compile(
    collection: &Collection,
    sources: &[Source],
    options: &Options,
    broken: &BTreeSet<String>,
    faults: &mut Vec<Fault>,
) -> Vec<rule::Rule> {
    let lists = lists::expand(collection);
    let mut compiler =
        Compiler { collection, broken, lists, macros: Vec::new(), texts: Texts::default(), faults };
    compiler.macros();
    let rules = collection.rules.0.iter().filter(|rule| is_known(&rule.source));
    let rules = rules.filter_map(|rule| compiler.rule(rule, sources, options)).collect();
    compiler.unused();
    rules
}

struct Compiler<'a> {
    collection: &'a Collection,
    broken: &'a BTreeSet<String>,
    lists: Vec<Expansion>,
    macros: Vec<Definition>,
    texts: Texts,
    faults: &'a mut Vec<Fault>,
}

impl Compiler<'_> {
    fn macros(&mut self) {
        let collection = self.collection;
        for definition in &collection.macros.0 {
            let parsed = self.parse(&definition.condition, &definition.condition_context);
            let expr = self.kept(parsed);
            self.macros.push(Definition::new(definition, expr));
        }
        for (at, definition) in collection.macros.0.iter().enumerate() {
            let Some(expr) = self.macros.get(at).and_then(|compiled| compiled.expr.clone()) else { continue };
            let (resolved, problems) = resolve(&expr, &mut self.macros, definition.order.visibility);
            self.tell(&problems, &definition.condition, &definition.context);
            if let Some(compiled) = self.macros.get_mut(at) {
                compiled.expr = resolved.filter(|_| !problems.contains(&Problem::Broken));
            }
        }
    }

    /// None, and the fault noted, if it is one.
    fn kept<T>(&mut self, checked: Checked<T>) -> Option<T> {
        checked.map_err(|fault| self.faults.push(fault)).ok()
    }

    fn parse(&mut self, condition: &Traced, context: &Context) -> Checked<Expr> {
        let Some(text) = lists::replace(condition, &mut self.lists) else {
            let message = format!("with its lists the condition is longer than {MAX_TEXT} bytes");
            return Err(Fault::new(Code::CompileCondition, message, context));
        };
        match parse::condition(text.as_str()) {
            Ok(mut expr) => {
                self.texts.add(text, &mut expr);
                Ok(expr)
            }
            Err(error) => {
                let context = context.condition(text.as_str(), text.as_str(), error.reached);
                let word = text.as_str().get(error.offset..).unwrap_or_default();
                let len = word
                    .find(|char: char| char.is_whitespace() || "()=,".contains(char))
                    .unwrap_or(word.len());
                let part = error.offset..error.offset + len.max(1);
                let meant = nearest(word.get(..len).unwrap_or_default(), OPERATORS);
                let mut fault =
                    Fault::new(Code::CompileCondition, error.to_string(), &context).part(&text, part);
                fault.0.help = meant.filter(|_| error.expected == parse::OPERATOR).map(did_you_mean);
                Err(fault)
            }
        }
    }

    /// Adds what is wrong with the macros of a condition to the faults.
    fn tell(&mut self, problems: &[Problem], condition: &Traced, context: &Context) {
        for problem in problems {
            let fault = |name: &crate::ast::Text, message: String| {
                self.at(Code::Validate, message, &name.span, condition, context)
            };
            let fault = match problem {
                Problem::Broken => continue,
                Problem::Undefined(name) if self.broken.contains(&name.text) => continue,
                Problem::Undefined(name) => {
                    let mut fault = fault(name, format!("macro `{}` is not defined", name.text));
                    fault.0.help = self.meant(&name.text);
                    fault
                }
                Problem::Loop(name) => fault(name, format!("macro `{}` refers to itself", name.text)),
                Problem::TooBig(name) => {
                    fault(name, format!("with macro `{}` the condition is too big", name.text))
                }
            };
            self.faults.push(fault);
        }
    }

    fn meant(&self, name: &str) -> Option<String> {
        if self.collection.lists.get(name).is_some() {
            return Some(format!("`{name}` is a list; compare a field with it: `FIELD in ({name})`"));
        }
        let macros = self.macros.iter().map(|definition| definition.name.as_str());
        let later = self.macros.iter().any(|definition| definition.name == name);
        if later {
            return Some(format!("`{name}` is defined later; macros see those defined before them only"));
        }
        nearest(name, macros).map(did_you_mean)
    }

    /// A fault at a place of a tree, told as one in the text of a condition.
    fn at(
        &self,
        code: Code,
        message: impl Into<String>,
        span: &Span,
        condition: &Traced,
        context: &Context,
    ) -> Fault {
        match self.texts.find(span) {
            Some((text, part)) => {
                let context = context.condition(condition.as_str(), text.as_str(), part.start);
                Fault::new(code, message, &context).part(text, part)
            }
            None => Fault::new(code, message, context),
        }
    }

    /// Said only if nothing is wrong, for else the references may just not have been reached.
    fn unused(&mut self) {
        if self.faults.iter().any(|fault| fault.0.code.severity() == crate::Severity::Error) {
            return;
        }
        let unused = |definition: &Macro, macros: &[Definition]| {
            macros.iter().any(|compiled| compiled.name == definition.name && !compiled.is_used)
        };
        for definition in
            self.collection.macros.0.iter().filter(|definition| unused(definition, &self.macros))
        {
            let message = format!("nothing refers to macro `{}`", definition.name);
            self.faults.push(Fault::new(Code::UnusedMacro, message, &definition.context));
        }
        for (list, expansion) in self.collection.lists.0.iter().zip(&self.lists) {
            if !expansion.is_used {
                let message = format!("nothing refers to list `{}`", list.name);
                self.faults.push(Fault::new(Code::UnusedList, message, &list.context));
            }
        }
    }
}

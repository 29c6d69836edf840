mod diagnostics;
mod exceptions;
mod files;
mod items;
mod lists;
mod macros;
mod rules;
mod updates;

use super::{Loaded, Options, SourceFile, load};
use crate::check::Condition;
use crate::{Rule, Severity};

/// A rule that loads, with some keys given.
fn rule(name: &str, keys: &str) -> String {
    let mut text = format!("- rule: {name}\n");
    for line in keys.lines() {
        text += &format!("  {line}\n");
    }
    for default in
        ["desc: d", "condition: ka.verb = get", "output: o", "priority: NOTICE", "source: k8s_audit"]
    {
        let key = default.split(':').next().unwrap();
        if !keys.lines().any(|line| line.starts_with(key)) {
            text += &format!("  {default}\n");
        }
    }
    text
}

fn loaded(texts: &[&str]) -> Loaded {
    let name = |at| format!("{at}.yaml");
    let files: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| SourceFile { name: name(at), text: (*text).to_owned() })
        .collect();
    load(&files, &Options::default())
}

/// Codes of errors and warnings, without `LOAD_`.
fn codes(text: &str) -> Vec<&'static str> {
    loaded(&[text])
        .diagnostics()
        .filter(|diagnostic| diagnostic.severity() != Severity::Note)
        .map(|diagnostic| diagnostic.code.as_str().trim_start_matches("LOAD_"))
        .collect()
}

#[track_caller]
fn rules(text: &str) -> Vec<Rule> {
    let loaded = loaded(&[text]);
    match loaded.rules {
        Some(rules) => rules.rules,
        None => panic!("{}", crate::diagnostic::text(&loaded)),
    }
}

/// The condition of the first rule with everything replaced.
#[track_caller]
fn condition(text: &str) -> String {
    shown(&rules(text)[0].condition)
}

fn shown(condition: &Condition) -> String {
    let joined = |members: &[Condition], word: &str| {
        format!("({})", members.iter().map(shown).collect::<Vec<_>>().join(word))
    };
    match condition {
        Condition::And(members) => joined(members, " and "),
        Condition::Or(members) => joined(members, " or "),
        Condition::Not(inner) => format!("not {}", shown(inner)),
        Condition::Check(check) => check.source.to_string(),
    }
}

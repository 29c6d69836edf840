//! Tests of rules: events in, expected alerts out.
//!
//! A file of cases is YAML:
//!
//! ```yaml
//! rules: [../secrets.yaml]        # files and folders, from this file's folder; left out: the rules given otherwise
//! event:                          # what the events of all cases have in common
//!   user: { username: alice }
//! cases:
//!   - name: reading a secret is told
//!     event: { verb: get, objectRef: { resource: secrets, name: db } }
//!     expect: [Secret Read]       # the rules that match, in their order; `[]` for none
//!     output: alice read db       # of the first of them, without time and priority
//!   - name: what a cluster really sent
//!     file: events/exec.json      # any payload that the intake takes
//!     expect: [Shell in Pod]
//! ```
//!
//! A case's event is laid over the common one: objects are merged, `null` takes a member away. What every event must
//! have is supplied (`kind`, `auditID`, `stage: ResponseComplete`, `stageTimestamp`...).

use std::rc::Rc;

use audit_event::{Item, split};
use serde_json::{Map, Value as Json, json};

use crate::Engine;
use crate::document::{Node, Source, Value, read};
use crate::eval::{Context, Subject};

#[cfg(test)]
mod tests;

/// A file of cases.
#[derive(Clone, PartialEq, Debug)]
pub struct Suite {
    /// Rules files and folders, as written; empty when the file names none.
    pub rules: Vec<String>,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    /// What comes in.
    pub input: Input,
    /// Names of the rules that must match, in their order, and no others.
    pub expect: Vec<String>,
    /// The output of the first of them, if it matters.
    pub output: Option<String>,
}

/// Events of a case.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// One event, as JSON text.
    Inline(String),
    /// A file by its name as written, to be read by the caller.
    File(String),
}

/// Why a text is no file of cases.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Unreadable {
    /// Counted from 1.
    pub line: usize,
    /// In words.
    pub message: String,
}

/// How a case went wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Mismatch {
    /// The events can't be read.
    #[error("the events are unusable: {0}")]
    Input(String),
    /// Other rules match.
    #[error("expected {}, got {}", listed(expected), listed(found))]
    Rules {
        /// As the case has them.
        expected: Vec<String>,
        /// As the engine has them.
        found: Vec<String>,
    },
    /// The output reads otherwise.
    #[error("expected the output `{expected}`, got `{found}`")]
    Output {
        /// As the case has it.
        expected: String,
        /// As the rule has it.
        found: String,
    },
}

fn listed(rules: &[String]) -> String {
    if rules.is_empty() { "no rule".to_owned() } else { format!("`{}`", rules.join("`, `")) }
}

impl Case {
    /// Runs the case on the text of its events. The engine should try all rules.
    ///
    /// # Errors
    /// What differs first.
    pub fn run(&self, events: &str, engine: &Engine) -> Result<(), Mismatch> {
        let items = split(events).map_err(|broken| Mismatch::Input(broken.to_string()))?;
        let mut context = Context::new("test");
        let (mut found, mut output) = (Vec::new(), None);
        for item in &items {
            let event = match item {
                Item::Event(event) => event,
                Item::Ignored(reason) | Item::Quarantined(_, reason) => {
                    return Err(Mismatch::Input(reason.to_string()));
                }
            };
            for rule in engine.evaluate(event, &mut context).into_iter().filter_map(|rule| engine.rule(rule))
            {
                let message = || rule.output.message(&Subject::new(event, &context));
                output.get_or_insert_with(message);
                found.push(rule.name.clone());
            }
        }
        if found != self.expect {
            return Err(Mismatch::Rules { expected: self.expect.clone(), found });
        }
        match (&self.output, output.unwrap_or_default()) {
            (Some(expected), found) if *expected != found => {
                Err(Mismatch::Output { expected: expected.clone(), found })
            }
            _ => Ok(()),
        }
    }
}

impl Suite {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// At the first part that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let reader = Reader { source: Source::new(String::new(), text.to_owned()) };
        let documents = read(text).map_err(|broken| reader.fault(broken.offset, broken.message))?;
        let [root] = documents.as_slice() else {
            return Err(reader.fault(0, "expected one document with `cases`".to_owned()));
        };
        reader.known(root, &["rules", "event", "cases"])?;
        let common = root.get("event").map_or(json!({}), |event| reader.json(event));
        let cases = root.get("cases").and_then(|cases| cases.sequence());
        let cases = cases.ok_or_else(|| reader.at(root, "expected a list `cases`"))?;
        let rules = root.get("rules").map_or(Ok(Vec::new()), |rules| reader.texts(rules))?;
        let cases = cases.iter().map(|case| reader.case(case, &common)).collect::<Result<_, _>>()?;
        Ok(Self { rules, cases })
    }
}

struct Reader {
    source: Source,
}

impl Reader {
    fn case(&self, node: &Rc<Node>, common: &Json) -> Result<Case, Unreadable> {
        self.known(node, &["name", "event", "file", "expect", "output"])?;
        let text = |key| node.get(key).map(|value| self.text(value)).transpose();
        let name = text("name")?.ok_or_else(|| self.at(node, "a case needs a `name`"))?;
        let expect = node.get("expect").ok_or_else(|| self.at(node, "a case needs a list `expect`"))?;
        let input = match (node.get("event"), text("file")?) {
            (Some(event), None) => {
                let mut whole = every_event();
                lay_over(&mut whole, common.clone());
                lay_over(&mut whole, self.json(event));
                Input::Inline(whole.to_string())
            }
            (None, Some(file)) => Input::File(file),
            _ => return Err(self.at(node, "a case needs either an `event` or a `file`")),
        };
        let (line, _) = self.source.position(node.start);
        Ok(Case { name, line: line + 1, input, expect: self.texts(expect)?, output: text("output")? })
    }

    fn known(&self, node: &Node, keys: &[&str]) -> Result<(), Unreadable> {
        if !node.is_mapping() {
            return Err(self.at(node, &format!("expected a mapping with `{}`", keys.join("`, `"))));
        }
        let stranger =
            node.entries().iter().find(|(key, _)| !key.text().is_some_and(|key| keys.contains(&key)));
        stranger.map_or(Ok(()), |(key, _)| {
            let message =
                format!("unknown key `{}`; there are `{}`", key.text().unwrap_or("?"), keys.join("`, `"));
            Err(self.at(key, &message))
        })
    }

    fn texts(&self, node: &Node) -> Result<Vec<String>, Unreadable> {
        let items = node.sequence().ok_or_else(|| self.at(node, "expected a list"))?;
        items.iter().map(|item| self.text(item)).collect()
    }

    fn text(&self, node: &Node) -> Result<String, Unreadable> {
        node.text().map(str::to_owned).ok_or_else(|| self.at(node, "expected a text"))
    }

    /// YAML as JSON: what is written plainly and reads as a number or boolean is one.
    fn json(&self, node: &Node) -> Json {
        match &node.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) => {
                let typed = scalar.is_plain().then(|| serde_json::from_str(&scalar.text).ok()).flatten();
                typed
                    .filter(|json: &Json| json.is_number() || json.is_boolean())
                    .unwrap_or_else(|| scalar.text.as_str().into())
            }
            Value::Sequence(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Mapping(entries) => {
                let member = |(key, value): &(Rc<Node>, Rc<Node>)| {
                    Some((key.text().or(key.is_null().then_some("null"))?.to_owned(), self.json(value)))
                };
                Json::Object(entries.iter().filter_map(member).collect::<Map<_, _>>())
            }
        }
    }

    fn at(&self, node: &Node, message: &str) -> Unreadable {
        self.fault(node.start, message.to_owned())
    }

    fn fault(&self, offset: usize, message: String) -> Unreadable {
        Unreadable { line: self.source.position(offset).0 + 1, message }
    }
}

fn every_event() -> Json {
    json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "00000000-0000-4000-8000-000000000000",
        "stage": "ResponseComplete",
        "stageTimestamp": "2025-01-01T00:00:00.000000Z",
    })
}

/// Merges `upper` into `lower`: objects member by member, anything else in place of what was there, `null` removes.
fn lay_over(lower: &mut Json, upper: Json) {
    match (lower, upper) {
        (Json::Object(lower), Json::Object(upper)) => {
            for (key, value) in upper {
                if value.is_null() {
                    lower.remove(&key);
                } else {
                    lay_over(lower.entry(key).or_insert(Json::Null), value);
                }
            }
        }
        (lower, upper) => *lower = upper,
    }
}

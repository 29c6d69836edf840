use super::*;
use crate::{Matching, Options, SourceFile, load};

const RULES: &str = "
- rule: Secret Read
  desc: d
  condition: ka.verb in (get, list) and ka.target.resource = secrets and ka.response.code startswith 2
  output: '%ka.user.name read %ka.target.name (%ka.user.groups)'
  priority: WARNING
  source: k8s_audit
- rule: Anything by Root
  desc: d
  condition: ka.user.name = root
  output: root was here
  priority: INFO
  source: k8s_audit
";

const CASES: &str = r#"
rules: [rules.yaml, more/]
event:
  user: { username: alice, groups: [dev] }
  objectRef: { resource: secrets, name: db }
  responseStatus: { code: 200 }
cases:
  - name: reading is told
    event: { verb: get }
    expect: [Secret Read]
    output: alice read db (<NA>)
  - name: refused
    event: { verb: get, responseStatus: { code: 403 } }
    expect: []
  - name: both
    event: { verb: list, user: { username: root, groups: null } }
    expect: [Secret Read, Anything by Root]
    output: root read db (<NA>)
  - name: from a file
    file: events.json
    expect: [Anything by Root]
"#;

fn engine() -> Engine {
    let file = SourceFile { name: "rules.yaml".into(), text: RULES.into() };
    Engine::new(load(&[file], &Options::default()).rules.unwrap(), Matching::All)
}

#[test]
fn cases_pass_or_say_what_differs() {
    let suite = Suite::parse(CASES).unwrap();
    assert_eq!(suite.rules, ["rules.yaml", "more/"]);
    let engine = engine();
    let run = |case: &Case| match &case.input {
        Input::Inline(event) => case.run(event, &engine),
        Input::File(name) => {
            assert_eq!(name, "events.json");
            let event = r#"{"kind":"Event","auditID":"i","stageTimestamp":"2025-01-01T00:00:00Z","user":{"username":"root"}}"#;
            case.run(event, &engine)
        }
    };
    let results: Vec<_> = suite.cases.iter().map(run).collect();
    let wrong_output =
        Mismatch::Output { expected: "alice read db (<NA>)".into(), found: "alice read db ((dev))".into() };
    assert_eq!(results, [Err(wrong_output), Ok(()), Ok(()), Ok(())]);
    assert_eq!(suite.cases[1].line, 12);

    let mut refused = suite.cases[1].clone();
    refused.expect = vec!["Secret Read".into()];
    let message = run(&refused).unwrap_err().to_string();
    assert_eq!(message, "expected `Secret Read`, got no rule");
    assert!(matches!(refused.run("{", &engine), Err(Mismatch::Input(_))));
    assert!(matches!(refused.run(r#"{"kind":"Pod"}"#, &engine), Err(Mismatch::Input(_))));
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (text, line, part) in [
        ("cases: [", 1, ""),
        ("- a", 1, "mapping"),
        ("rules: []", 1, "`cases`"),
        ("cases:\n- event: {}\n  expect: []", 2, "`name`"),
        ("cases:\n- name: n\n  expect: []", 2, "`event`"),
        ("cases:\n- name: n\n  event: {}\n  file: f\n  expect: []", 2, "`event`"),
        ("cases:\n- name: n\n  event: {}", 2, "`expect`"),
        ("cases:\n- name: n\n  event: {}\n  expect: one", 4, "list"),
        ("cases:\n- name: n\n  event: {}\n  expects: []", 4, "unknown key `expects`"),
        ("cases: []\nmore: 1", 2, "unknown key `more`"),
    ] {
        let error = Suite::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn plain_scalars_are_typed_and_quoted_ones_are_texts() {
    let suite = Suite::parse(
        "cases:\n- name: n\n  event: { a: 1, b: '1', c: true, d: yes, e: [1.5, x] }\n  expect: []",
    )
    .unwrap();
    let Input::Inline(event) = &suite.cases[0].input else { panic!("inline") };
    let event: Json = serde_json::from_str(event).unwrap();
    assert_eq!(event["a"], json!(1));
    assert_eq!(event["b"], json!("1"));
    assert_eq!(event["c"], json!(true));
    assert_eq!(event["d"], json!("yes"));
    assert_eq!(event["e"], json!([1.5, "x"]));
    assert_eq!(event["stage"], json!("ResponseComplete"));
}

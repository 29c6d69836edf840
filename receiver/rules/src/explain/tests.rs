use audit_event::Event;

use super::*;
use crate::eval::tests::POD;
use crate::{Options, SourceFile, load};

#[track_caller]
fn explained(condition: &str) -> String {
    let text = format!(
        "- list: trusted\n  items: [dora, ann]\n- macro: by_trusted\n  condition: ka.user.name in (trusted)\n- rule: r\n  \
         desc: d\n  condition: {}\n  output: o\n  priority: INFO\n  source: k8s_audit\n",
        serde_json::Value::from(condition)
    );
    let loaded = load(&[SourceFile { name: "r.yaml".into(), text }], &Options::default());
    let rules = loaded.rules.unwrap();
    let event = Event::parse(POD).unwrap();
    let mut context = Context::new("here");
    context.next(&event);
    explain(&rules.rules[0], &event, &context).to_string()
}

#[test]
fn every_part_has_its_verdict_and_every_check_its_value() {
    assert_eq!(
        explained(
            "by_trusted and not (ka.verb = get or ka.auth.decision = allow) and ka.user.groups intersects (dev)"
        ),
        "- and\n  \
           + ka.user.name in (dora, ann)\n        ka.user.name is `dora`\n  \
           + not\n    \
             - or\n      \
               - ka.verb = get\n            ka.verb is `create`\n      \
               - ka.auth.decision = allow\n            ka.auth.decision is missing\n  \
           - ka.user.groups intersects (dev)\n        ka.user.groups is `(ops,system:authenticated)`\n"
    );
}

#[test]
fn values_of_both_sides_are_shown() {
    assert_eq!(
        explained("ka.verb = val(ka.target.name)"),
        "- ka.verb = val(ka.target.name)\n      ka.verb is `create`\n      val(ka.target.name) is `till`\n"
    );
}

#[test]
fn what_would_trick_a_terminal_is_escaped_and_what_is_long_is_cut() {
    assert_eq!(shown("a\u{1b}[31m\n\u{202e}b"), "a\\u{1b}[31m\\n\\u{202e}b");
    assert_eq!(shown(&"x".repeat(201)).len(), 203);
}

use super::{codes, condition, rule, rules};

fn update(keys: &str) -> String {
    let mut text = rule("r", "tags: [a]") + "- rule: r\n";
    for line in keys.lines() {
        text += &format!("  {line}\n");
    }
    text
}

#[test]
fn appended_conditions_join_without_parentheses() {
    let text = rule("r", "condition: ka.verb = a or ka.verb = b")
        + "- rule: r\n  condition: and ka.uri = c\n  override: {condition: append}\n";
    assert_eq!(condition(&text), "(ka.verb = a or (ka.verb = b and ka.uri = c))");
}

#[test]
fn texts_are_appended_with_a_blank_and_tags_united() {
    let updated = rules(&update("desc: more\ntags: [b, a]\noverride: {desc: append, tags: append}"));
    assert_eq!(
        (updated[0].desc.as_str(), updated[0].tags.as_slice()),
        ("d more", &["a".into(), "b".into()][..])
    );
}

#[test]
fn all_that_a_rule_has_can_be_replaced() {
    let keys = "condition: ka.uri = x\noutput: new\ndesc: new\ntags: [z]\nexceptions: []\npriority: DEBUG\n\
                enabled: false\ncapture: true\ncapture_duration: 5\nwarn_evttypes: false\n\
                skip-if-unknown-filter: true";
    let overrides: Vec<_> =
        keys.lines().map(|line| format!("{}: replace", line.split(':').next().unwrap())).collect();
    let text = update(&format!("{keys}\noverride: {{{}}}", overrides.join(", ")));
    assert_eq!(codes(&text), [""; 0]);
    let rule = &rules(&text)[0];
    assert_eq!(super::shown(&rule.condition), "ka.uri = x");
    assert_eq!((rule.desc.as_str(), rule.tags.as_slice(), rule.enabled), ("new", &["z".into()][..], false));
}

#[test]
fn appends_come_before_replacements() {
    let text = update("condition: and ka.uri = x\ndesc: new\noverride: {desc: replace, condition: append}");
    assert_eq!(condition(&text), "(ka.verb = get and ka.uri = x)");
}

#[test]
fn override_and_keys_must_agree() {
    for keys in [
        "condition: and x\noverride: {condition: extend}",
        "priority: INFO\noverride: {priority: append}",
        "source: k8s_audit\noverride: {source: replace}",
        "override: {condition: append}",
        "condition: and ka.uri = x\noutput: o\noverride: {condition: append}",
        "condition: and ka.uri = x\nappend: true\noverride: {condition: append}",
    ] {
        let codes = codes(&update(keys));
        assert!(codes.contains(&"ERR_YAML_VALIDATE"), "{keys}: {codes:?}");
    }
    for overrides in ["{condition: [append]}", "[condition]"] {
        let text = update(&format!("condition: and ka.uri = x\noverride: {overrides}"));
        assert_eq!(codes(&text), ["ERR_VALIDATE"], "{overrides}");
    }
    assert_eq!(
        codes(&update("condition: and ka.uri = x\nsource: k8s_audit\noverride: {condition: append}")),
        [""; 0]
    );
}

#[test]
fn an_empty_override_is_none() {
    assert_eq!(codes(&(rule("r", "") + &rule("r", "override: {}"))), [""; 0]);
}

#[test]
fn updates_need_something_to_update() {
    for operation in ["append", "replace"] {
        let text = format!("- rule: r\n  condition: ka.verb = x\n  override: {{condition: {operation}}}\n");
        assert_eq!(codes(&text), ["ERR_VALIDATE"], "{operation}");
        let list = format!("- list: l\n  items: [x]\n  override: {{items: {operation}}}\n");
        let found = codes(&list);
        assert_eq!(found, if operation == "append" { ["ERR_VALIDATE"] } else { ["UNUSED_LIST"] });
    }
    assert_eq!(codes("- macro: m\n  condition: x\n  append: true\n"), ["DEPRECATED_ITEM", "ERR_VALIDATE"]);
}

#[test]
fn append_true_takes_condition_and_exceptions_only() {
    let text = update("condition: and ka.uri = x\nenabled: false\ntags: [z]\noutput: '%'\nappend: true");
    assert_eq!(codes(&text), ["DEPRECATED_ITEM"]);
    let rule = &rules(&text)[0];
    assert!(rule.enabled && rule.tags == ["a"]);
    assert_eq!(codes(&update("tags: [b]\nappend: true")), ["DEPRECATED_ITEM", "ERR_VALIDATE"]);
    assert_eq!(codes(&(rule_without_append() + "  append: false\n")), [""; 0]);
}

fn rule_without_append() -> String {
    rule("r", "")
}

#[test]
fn an_update_may_repeat_the_source_but_not_change_it() {
    for (source, expected) in
        [("k8s_audit", vec![]), ("", vec![]), ("''", vec![]), ("syscall", vec!["ERR_VALIDATE"])]
    {
        let text =
            update(&format!("condition: and ka.uri = x\nsource: {source}\noverride: {{condition: append}}"));
        assert_eq!(codes(&text), expected, "{source}");
    }
}

#[test]
fn updates_change_neither_place_nor_switch() {
    let text = rule("a", "enabled: false")
        + &rule("b", "")
        + "- rule: a\n  condition: and ka.uri = x\n  override: {condition: append}\n";
    let rules = rules(&text);
    assert_eq!((rules[0].name.as_str(), rules[0].enabled), ("a", false));
}

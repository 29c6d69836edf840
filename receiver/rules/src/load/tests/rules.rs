use super::{codes, loaded, rule, rules};
use crate::Priority;

#[test]
fn a_definition_needs_four_keys_and_names_the_first_missing() {
    for (keys, missing) in [
        ("desc: d", "condition"),
        ("condition: ka.verb = get", "output"),
        ("condition: ka.verb = get\n  output: o", "desc"),
        ("condition: ka.verb = get\n  output: o\n  desc: d", "priority"),
    ] {
        let loaded = loaded(&[&format!("- rule: r\n  {keys}\n")]);
        let first = loaded.diagnostics().next().unwrap();
        assert_eq!(first.message, format!("the key `{missing}` is missing"));
    }
}

#[test]
fn defaults_are_on_without_tags() {
    let rule = &rules(&rule("r", "output: '  o  '"))[0];
    assert!(rule.enabled && rule.tags.is_empty() && rule.exception_fields.is_empty());
    assert_eq!((rule.place.file.as_str(), rule.place.line), ("0.yaml", 1));
}

#[test]
fn tags_are_a_sorted_set() {
    assert_eq!(rules(&rule("r", "tags: [b, a, 2, b]"))[0].tags, ["2", "a", "b"]);
    for tags in ["x", "", "[[a]]", "[a, ~]"] {
        assert_eq!(codes(&rule("r", &format!("tags: {tags}"))), ["ERR_YAML_VALIDATE"], "{tags}");
    }
}

#[test]
fn priorities_are_eight_in_any_case() {
    for (text, priority) in
        [("EMERGENCY", Priority::Emergency), ("info", Priority::Informational), ("Debug", Priority::Debug)]
    {
        assert_eq!(rules(&rule("r", &format!("priority: {text}")))[0].priority, priority);
    }
    assert_eq!(codes(&rule("r", "priority: urgent")), ["ERR_YAML_VALIDATE"]);
}

#[test]
fn optional_keys_may_be_left_out_but_not_left_empty() {
    for key in [
        "enabled",
        "append",
        "source",
        "warn_evttypes",
        "skip-if-unknown-filter",
        "capture",
        "capture_duration",
    ] {
        for value in ["", "''", "[]"] {
            let codes = codes(&rule("r", &format!("{key}: {value}")));
            assert_eq!(codes.first(), Some(&"ERR_YAML_VALIDATE"), "{key}: {value}");
        }
    }
    assert_eq!(codes(&rule("r", "enabled: 'No'\ncapture: on\ncapture_duration: 0x10")), [""; 0]);
    assert_eq!(codes(&rule("r", "enabled: 1")), ["ERR_YAML_VALIDATE"]);
    assert_eq!(codes(&rule("r", "capture_duration: -1")), ["ERR_YAML_VALIDATE"]);
}

#[test]
fn a_redefinition_keeps_the_place_of_the_first() {
    let text = rule("a", "") + &rule("b", "") + &rule("a", "desc: new");
    let rules = rules(&text);
    assert_eq!(rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rules[0].desc, "new");
}

#[test]
fn a_redefinition_keeps_the_source() {
    let text = rule("a", "") + "- rule: a\n  desc: d\n  condition: x\n  output: o\n  priority: INFO\n";
    assert_eq!(codes(&text), ["ERR_VALIDATE"]);
    assert_eq!(codes(&(rule("a", "") + &rule("a", "source: syscall"))), ["ERR_VALIDATE"]);
}

#[test]
fn rules_of_unknown_sources_are_skipped_unread() {
    let odd = "source: other\ncondition: ((\noutput: '%'\nexceptions: [{name: e, fields: no.such}]";
    assert_eq!(codes(&rule("r", odd)), ["UNKNOWN_SOURCE"]);
    assert!(rules(&rule("r", odd)).is_empty());
    assert_eq!(codes(&rule("r", "source: other\npriority: urgent")), ["ERR_YAML_VALIDATE", "UNKNOWN_SOURCE"]);
    let skipped = loaded(&[&(rule("a", "source: other") + &rule("b", "source: other"))]);
    assert_eq!(skipped.results[0].skipped_sources().collect::<Vec<_>>(), [("other", 2)]);
}

#[test]
fn rules_for_system_calls_are_read_and_never_fire() {
    assert!(rules(&rule("r", "source: syscall\ncondition: evt.type = open and proc.name = x")).is_empty());
    assert_eq!(codes(&rule("r", "source: syscall\ncondition: proc.name = x")), ["NO_EVTTYPE"]);
    assert_eq!(codes(&rule("r", "source: syscall\ncondition: proc.name = x\nwarn_evttypes: false")), [""; 0]);
    assert_eq!(
        codes(&rule("r", "source: syscall\ncondition: evt.type = open and (")),
        ["ERR_COMPILE_CONDITION"]
    );
    assert_eq!(codes(&rule("r", "source: syscall\ncondition: ka.verb = get")), ["ERR_COMPILE_CONDITION"]);
}

#[test]
fn an_item_with_enabled_alone_is_a_switch() {
    let off = rule("r", "") + "- rule: r\n  enabled: false\n  tags: [x]\n";
    assert_eq!(codes(&off), ["DEPRECATED_ITEM"]);
    let off = &rules(&off)[0];
    assert!(!off.enabled && off.tags.is_empty());
    assert_eq!(codes("- rule: r\n  enabled: false\n"), ["DEPRECATED_ITEM", "ERR_VALIDATE"]);
    assert_eq!(codes("- rule: r\n  source: k8s_audit\n"), ["ERR_YAML_VALIDATE"]);
}

#[test]
fn unknown_fields_may_be_forgiven_and_nothing_else() {
    for (keys, expected) in [
        ("condition: ka.new = x", vec!["UNKNOWN_FILTER"]),
        ("output: 'o %ka.new'", vec!["UNKNOWN_FILTER"]),
        ("condition: ka.verb = (", vec!["ERR_COMPILE_CONDITION"]),
        ("condition: nowhere", vec!["ERR_VALIDATE"]),
        ("condition: ka.user.groups = x", vec!["ERR_COMPILE_CONDITION"]),
    ] {
        let text = rule("r", &format!("skip-if-unknown-filter: true\n{keys}"));
        assert_eq!(codes(&text), expected, "{keys}");
    }
    assert_eq!(codes(&rule("r", "condition: ka.new = x")), ["ERR_COMPILE_CONDITION"]);
    assert_eq!(codes(&rule("r", "output: '%ka.new'")), ["ERR_COMPILE_OUTPUT"]);
}

#[test]
fn deprecated_parts_of_outputs_are_remarked_upon() {
    assert_eq!(codes(&rule("r", "output: o %container.info")), ["DEPRECATED_ITEM"]);
    assert_eq!(codes(&rule("r", "output: evt.latency.ns")), ["DEPRECATED_ITEM"; 2]);
    assert_eq!(codes(&rule("r", "output: 'evt.dir='")), ["DEPRECATED_ITEM"]);
}

#[test]
fn comparing_with_na_is_unsafe() {
    for test in ["= <NA>", "!= '<NA>'", "in (a, <NA>)"] {
        let condition = format!("condition: ka.verb {test} and ka.uri {test}");
        assert_eq!(codes(&rule("r", &condition)), ["UNSAFE_NA_CHECK"], "{test}");
    }
    assert_eq!(codes(&rule("r", "condition: ka.verb contains <NA>")), [""; 0]);
}

#[test]
fn a_literal_that_names_a_field_is_remarked_upon() {
    assert_eq!(codes(&rule("r", "condition: ka.verb = ka.uri")), ["COMPILE_CONDITION"]);
    assert_eq!(codes(&rule("r", "condition: ka.verb regex get")), ["COMPILE_CONDITION"]);
    assert_eq!(codes(&rule("r", "condition: ka.verb regex 'g.t'")), [""; 0]);
}

use super::{codes, loaded, rule};

#[test]
fn engine_versions_are_a_number_or_three() {
    for (version, expected) in [
        ("22", vec![]),
        ("0x1F", vec![]),
        ("62", vec![]),
        ("63", vec!["ERR_VALIDATE"]),
        ("0.62.0", vec![]),
        ("\"0.50.3-beta\"", vec![]),
        ("0.62.1", vec!["ERR_VALIDATE"]),
        ("1.0.0", vec!["ERR_VALIDATE"]),
        ("0.62", vec!["ERR_YAML_VALIDATE"]),
        ("-1", vec!["ERR_YAML_VALIDATE"]),
        ("new", vec!["ERR_YAML_VALIDATE"]),
        ("''", vec!["ERR_YAML_VALIDATE"]),
        ("", vec!["ERR_YAML_VALIDATE"]),
        ("[1]", vec!["ERR_YAML_VALIDATE"]),
    ] {
        assert_eq!(codes(&format!("- required_engine_version: {version}\n")), expected, "{version}");
    }
}

#[test]
fn the_shape_of_plugin_requirements_is_checked() {
    for (entries, expected) in [
        ("[]", vec![]),
        ("[{name: json, version: 0.7.0}]", vec![]),
        ("[{name: json, version: 0.7.0, alternatives: [{name: other, version: 1.0.0}]}]", vec![]),
        ("x", vec!["ERR_YAML_VALIDATE"]),
        ("[x]", vec!["ERR_YAML_VALIDATE"]),
        ("[{version: 0.7.0}]", vec!["ERR_YAML_VALIDATE"]),
        ("[{name: json}]", vec!["ERR_YAML_VALIDATE"]),
        ("[{name: json, version: 0.7.0, alternatives: x}]", vec!["ERR_YAML_VALIDATE"]),
        ("[{name: json, version: 0.7}]", vec!["ERR_VALIDATE"]),
        (
            "[{name: json, version: 0.7.0, alternatives: [{name: json, version: 0.6.0}]}]",
            vec!["ERR_VALIDATE"],
        ),
    ] {
        assert_eq!(codes(&format!("- required_plugin_versions: {entries}\n")), expected, "{entries}");
    }
}

#[test]
fn required_plugins_must_be_provided() {
    let met = |entries: &str| loaded(&[&format!("- required_plugin_versions: [{entries}]\n")]).is_ok();
    assert!(met("{name: k8saudit, version: 0.18.0}, {name: json, version: 0.7.4}"));
    assert!(met("{name: k8saudit-eks, version: 0.1.0, alternatives: [{name: k8saudit, version: 0.6.0}]}"));
    assert!(!met("{name: k8saudit, version: 0.18.1}"));
    assert!(!met("{name: k8saudit, version: 1.0.0}"));
    assert!(!met("{name: cloudtrail, version: 0.1.0}"));
    // The first that is provided decides, though a later one would do.
    assert!(!met("{name: json, version: 9.0.0, alternatives: [{name: k8saudit, version: 0.1.0}]}"));
    let twice = "- required_plugin_versions: [{name: json, version: 0.1.0}]\n\
                 - required_plugin_versions: [{name: json, version: 0.9.0}]\n";
    assert!(!loaded(&[twice]).is_ok());
}

#[test]
fn the_first_known_key_tells_the_kind() {
    assert_eq!(codes("- rule: r\n  list: l\n  items: []\n"), ["UNKNOWN_KEY", "UNUSED_LIST"]);
    assert_eq!(codes("- required_engine_version: 9\n  rule: r\n"), ["UNKNOWN_KEY"]);
}

#[test]
fn keys_that_an_item_does_not_have_are_ignored() {
    for text in [
        "- list: l\n  items: []\n  priority: INFO\n  desc: d\n".to_owned(),
        "- macro: m\n  condition: ka.verb = get\n  output: o\n  a: b\n".to_owned(),
    ] {
        assert_eq!(codes(&text)[..2], ["UNKNOWN_KEY"; 2], "{text}");
    }
    assert_eq!(codes(&rule("r", "items: []\nminimum_version: 9")), ["UNKNOWN_KEY"; 2]);
}

#[test]
fn names_and_values_must_not_be_empty() {
    for text in [
        "- rule:\n  desc: d\n",
        "- rule: ''\n  desc: d\n",
        "- rule: [r]\n  desc: d\n",
        "- macro:\n  condition: a\n",
        "- macro: m\n",
        "- macro: m\n  condition:\n",
        "- macro: m\n  condition: ''\n",
        "- macro: m\n  condition: [a]\n",
        "- list:\n  items: []\n",
        "- list: l\n",
        "- list: l\n  items:\n",
        "- list: l\n  items: x\n",
        "- list: l\n  items: [[x]]\n",
        "- list: l\n  items: [x]\n  append: maybe\n",
        "- list: l\n  items: [x]\n  append:\n",
    ] {
        assert_eq!(codes(text), ["ERR_YAML_VALIDATE"], "{text}");
    }
}

#[test]
fn odd_names_are_remarked_upon_and_work() {
    let odd = "- list: my list\n  items: [x]\n- macro: my-macro\n  condition: ka.verb in (my list)\n";
    assert_eq!(codes(odd), ["INVALID_LIST_NAME", "INVALID_MACRO_NAME", "UNUSED_MACRO"]);
    assert_eq!(codes("- list: a/b.c\n  items: [x]\n"), ["UNUSED_LIST"]);
}

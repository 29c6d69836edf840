use super::{codes, loaded, rule, rules};
use crate::diagnostic::falco_json;

#[test]
fn a_file_is_a_list_of_items() {
    for (text, expected) in [
        ("", vec![]),
        ("# nothing\n", vec![]),
        ("---\n---\n- \n- ~\n", vec![]),
        ("some text\n", vec!["ERR_YAML_VALIDATE"]),
        ("rule: r\n", vec!["ERR_YAML_VALIDATE"]),
        ("- r\n", vec!["ERR_YAML_VALIDATE"]),
        ("- [r]\n", vec!["ERR_YAML_VALIDATE"]),
        ("- a: b: c\n", vec!["ERR_YAML_PARSE"]),
        ("- other: x\n", vec!["UNKNOWN_ITEM"]),
    ] {
        assert_eq!(codes(text), expected, "{text:?}");
    }
}

#[test]
fn documents_of_a_file_share_everything() {
    let text = format!("---\n- macro: m\n  condition: ka.verb = get\n---\n{}", rule("r", "condition: m"));
    assert_eq!(codes(&text), [""; 0]);
}

#[test]
fn later_files_see_earlier_ones() {
    let defines = "- macro: m\n  condition: ka.verb = get\n";
    let uses = rule("r", "condition: m");
    assert!(loaded(&[defines, &uses]).is_ok());
    let wrong = loaded(&[&uses, defines]);
    assert_eq!((wrong.is_ok(), wrong.results.len()), (false, 1));
}

#[test]
fn a_list_defined_later_changes_what_it_means() {
    let uses = rule("r", "condition: ka.verb in (verbs)");
    let both = loaded(&[&uses, "- list: verbs\n  items: [get, list]\n"]);
    let rules = both.rules.unwrap().rules;
    assert_eq!(super::shown(&rules[0].condition), "ka.verb in (get, list)");
}

#[test]
fn what_is_collected_is_remarked_upon_again_with_each_file() {
    let both = loaded(&["- macro: m\n  condition: ka.verb = get\n", "- list: l\n  items: []\n"]);
    let counts: Vec<_> = both.results.iter().map(|result| result.diagnostics.len()).collect();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn a_warning_keeps_nothing_from_loading() {
    assert_eq!(rules(&rule("r", "color: red")).len(), 1);
}

#[test]
fn falco_is_told_the_first_error_and_what_came_before_it() {
    let text = "- other: x\n- rule: r\n- list: l\n- macro: m\n  condition: (\n";
    let loaded = loaded(&[text]);
    assert!(loaded.diagnostics().count() > 2);
    let document = falco_json(&loaded);
    let result = &document["falco_load_results"][0];
    assert_eq!(result["errors"].as_array().unwrap().len(), 1);
    assert_eq!(result["errors"][0]["message"], "the key `enabled` is missing");
    assert_eq!(result["warnings"].as_array().unwrap().len(), 1);
}

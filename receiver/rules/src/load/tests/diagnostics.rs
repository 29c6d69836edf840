use proptest::prelude::*;

use super::{loaded, rule};
use crate::diagnostic::{Diagnostic, falco_json, json, text as text_of};

/// The first diagnostic's line, column and marked text.
fn marked(yaml: &str) -> (usize, usize, String) {
    let loaded = loaded(&[yaml]);
    let Diagnostic { line, column, excerpt, .. } = loaded.diagnostics().next().unwrap();
    (*line, *column, excerpt.text.chars().skip(excerpt.start).take(excerpt.len).collect())
}

fn help(yaml: &str) -> Option<String> {
    loaded(&[yaml]).diagnostics().next().unwrap().help.clone()
}

#[test]
fn the_part_at_fault_is_marked_however_it_was_written() {
    for (condition, expected) in [
        ("ka.verb = get and ka.vreb = x", (2, 32, "ka.vreb")),
        ("'ka.uri = ''a'' and ka.vreb = x'", (2, 34, "ka.vreb")),
        ("ka.verb = get\n    and ka.vreb = x", (3, 11, "ka.vreb")),
        (">-\n    ka.verb = get\n    and ka.vreb = x", (4, 11, "ka.vreb")),
        ("|\n    ka.verb = get and\n      ka.vreb = x", (4, 9, "ka.vreb")),
        ("ka.verb = get and nowhere", (2, 32, "nowhere")),
        ("ka.verb in (get, 'list)", (2, 31, "'list")),
    ] {
        let (line, column, part) = marked(&rule("r", &format!("condition: {condition}")));
        assert_eq!((line, column, part.as_str()), expected, "{condition}");
    }
}

#[test]
fn appended_text_is_marked_where_it_was_appended() {
    let text = rule("r", "") + "- rule: r\n  condition: and ka.vreb = x\n  override: {condition: append}\n";
    assert_eq!(marked(&text), (8, 18, "ka.vreb".to_owned()));
}

#[test]
fn a_macro_is_marked_where_it_is_written() {
    let text =
        "- macro: m\n  condition: ka.vreb = x\n".to_owned() + &rule("r", "condition: ka.verb = get and m");
    assert_eq!(marked(&text), (2, 14, "ka.vreb".to_owned()));
}

#[test]
fn text_that_came_from_lists_is_shown_as_it_reads() {
    let text = "- list: l\n  items: [a, b]\n".to_owned() + &rule("r", "condition: ka.uri = l");
    let loaded = loaded(&[&text]);
    let diagnostic = loaded.diagnostics().next().unwrap();
    assert_eq!((diagnostic.line, diagnostic.column), (4, 23));
    assert_eq!(diagnostic.expanded.as_ref().unwrap().text, "ka.uri = a, b ");
}

#[test]
fn columns_count_characters() {
    assert_eq!(marked(&rule("r", "condition: ka.uri = äöü and ka.vreb = x")), (2, 31, "ka.vreb".to_owned()));
}

#[test]
fn what_was_meant_is_asked() {
    for (keys, expected) in [
        ("condition: ka.taget.name = x", "did you mean `ka.target.name`?"),
        ("condition: ka.uri contans x", "did you mean `contains`?"),
        ("output: '%ka.user.nam is'", "did you mean `%ka.user.name`?"),
        ("priority: warn", "did you mean `Warning`?"),
        ("tag: [x]", "did you mean `tags`?"),
        ("source: k8s-audit", "did you mean `k8s_audit`?"),
    ] {
        assert_eq!(help(&rule("r", keys)).as_deref(), Some(expected), "{keys}");
    }
    let macros = "- macro: readers\n  condition: ka.verb = get\n- list: names\n  items: [x]\n";
    assert_eq!(
        help(&(macros.to_owned() + &rule("r", "condition: reader"))).unwrap(),
        "did you mean `readers`?"
    );
    assert!(help(&(macros.replace("names", "no names") + &rule("r", "condition: names"))).is_none());
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    let text = "- list: l\n".to_owned()
        + &rule("a", "condition: ka.verb =\npriority: urgent\noutput: '%'")
        + "- macro: m\n  condition: nowhere\n"
        + &rule("b", "condition: ka.new = x");
    let loaded = loaded(&[&text]);
    assert_eq!(loaded.diagnostics().count(), 6, "{}", text_of(&loaded));
}

#[test]
fn all_faults_of_a_condition_are_told_and_falcos_first_is_the_first() {
    let text = "- macro: m\n  condition: ka.other = x and nowhere\n".to_owned()
        + &rule(
            "r",
            "condition: ka.user.groups = x and zzz and ka.verb regex '(' and ka.nope=1 and m and yyy",
        );
    let loaded = loaded(&[&text]);
    let told: Vec<_> = loaded.diagnostics().map(|said| said.message.as_str()).collect();
    let words = ["nowhere", "zzz", "yyy", "a list of strings", "counterpart", "ka.nope", "ka.other"];
    assert_eq!(told.len(), words.len(), "{told:?}");
    for (said, word) in told.iter().zip(words) {
        assert!(said.contains(word), "{word}: {told:?}");
    }
    let first = &falco_json(&loaded)["falco_load_results"][0]["errors"][0]["message"];
    assert_eq!(first, "macro `nowhere` is not defined");
}

#[test]
fn people_read_in_the_order_of_the_lines() {
    let text = rule("a", "condition: ka.nope = x") + "- list: l\n";
    let text = text_of(&loaded(&[&text, ""]));
    assert!(text.find("ka.nope").unwrap() < text.find("`items`").unwrap(), "{text}");
}

#[test]
fn a_mistyped_required_key_is_named() {
    assert_eq!(help("- list: l\n  item: [a]\n").unwrap(), "did you mean `items` where it says `item`?");
    let described = rule("r", "").replace("desc:", "description:");
    assert_eq!(help(&described).unwrap(), "did you mean `desc` where it says `description`?");
    assert_eq!(help("- list: l\n"), None);
}

#[test]
fn a_percent_sign_is_said_to_be_beyond_writing() {
    for output in ["100% of", "100%", "1%, 2"] {
        let text = rule("r", &format!("output: '{output}'"));
        let message = loaded(&[&text]).diagnostics().next().unwrap().message.clone();
        assert!(message.contains("no way to write a literal `%`"), "{message}");
    }
}

#[test]
fn people_see_rules_that_are_skipped() {
    let near = text_of(&loaded(&[&rule("r", "source: k8s-audit")]));
    assert!(near.contains("--> 0.yaml:2:11\n2 |   source: k8s-audit\n"), "{near}");
    assert!(near.contains("did you mean `k8s_audit`?") && near.contains("0.yaml: 1 warning\n"), "{near}");
    let other = text_of(&loaded(&[&rule("r", "source: okta")]));
    let lines: Vec<_> = other.lines().collect();
    let none = "no rule is for events of source `k8s_audit`: nothing would raise an alert";
    assert_eq!(lines, ["0.yaml: 1 rule of source `okta` skipped", "0.yaml: ok", none]);
}

#[test]
fn people_see_the_line_and_a_caret() {
    let text = text_of(&loaded(&[&rule("r", "condition: ka.verb = get and ka.vreb = x")]));
    let expected = "\
error[LOAD_ERR_COMPILE_CONDITION]: there is no field `ka.vreb`
 --> 0.yaml:2:32
2 |   condition: ka.verb = get and ka.vreb = x
  |                                ^^^^^^^
  = help: did you mean `ka.verb`?

0.yaml: 1 error
";
    assert!(text.ends_with("1 error\n") && text.contains("did you mean `ka.verb`?"), "{text}");
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), expected.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn machines_get_every_part() {
    let document = json(&loaded(&[&rule("r", "condition: ka.verb = get and ka.vreb = x")]));
    assert_eq!(document["ok"], false);
    let diagnostic = &document["files"][0]["diagnostics"][0];
    assert_eq!(
        (&diagnostic["line"], &diagnostic["column"], &diagnostic["length"]),
        (&2.into(), &32.into(), &7.into())
    );
    assert_eq!(diagnostic["code"], "LOAD_ERR_COMPILE_CONDITION");
}

#[test]
fn falco_counts_lines_from_0_and_places_in_conditions_from_1() {
    let text = "# c\n".to_owned() + &rule("r", "condition: ka.verb = get and ka.vreb = x");
    let document = falco_json(&loaded(&[&text]));
    let context = &document["falco_load_results"][0]["errors"][0]["context"];
    let steps: Vec<_> = context["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let position = &step["position"];
            let place = ["line", "column", "offset"].map(|key| position[key].as_u64().unwrap());
            (step["item_type"].as_str().unwrap(), step["item_name"].as_str().unwrap(), place)
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("rules content", "", [0, 0, 0]),
            ("rule", "r", [1, 2, 6]),
            ("rule condition", "", [2, 13, 27]),
            ("condition expression", "", [3, 32, 45]),
        ]
    );
    assert_eq!(context["locations"][3]["position"]["name"], "\"ka.verb = get and...\"");
    assert!(context["snippet"].as_str().unwrap().starts_with("ka.verb = get and ka.vreb = x\n"));
}

#[test]
fn places_in_conditions_are_those_of_the_text_that_is_read() {
    let list = "- list: l\n  items: [aaa, bbb]\n";
    let r#macro = "- macro: m\n  condition: ";
    for (before, keys, expected) in [
        (format!("{macro}ka.stage=x and ka.nope=1\n"), "condition: m", [1, 16, 15]),
        (list.to_owned(), "condition: ka.verb in (l) and zzz", [1, 29, 28]),
        (list.to_owned(), "condition: \"ka.verb in (\\n l\\n )\\n and ka.nope=1\"", [2, 6, 29]),
        (format!("{macro}ka.stage=x and ka.verb=ka.stage\n"), "condition: ka.verb=x and m", [1, 24, 23]),
    ] {
        let document = falco_json(&loaded(&[&(before + &rule("r", keys))]));
        let result = &document["falco_load_results"][0];
        let said = result["errors"].get(0).unwrap_or(&result["warnings"][0]);
        let [.., parent, step] = said["context"]["locations"].as_array().unwrap().as_slice() else {
            panic!()
        };
        let places = ["line", "column", "offset"]
            .map(|key| step["position"][key].as_u64().unwrap() - parent["position"][key].as_u64().unwrap());
        assert_eq!((&step["item_type"], places), (&"condition expression".into(), expected), "{keys}");
    }
}

#[test]
fn falco_draws_the_line_and_a_caret() {
    let snippet = |yaml: &str| {
        let document = falco_json(&loaded(&[yaml]));
        document["falco_load_results"][0]["errors"][0]["context"]["snippet"].as_str().unwrap().to_owned()
    };
    assert_eq!(snippet("- list: l\n"), "- list: l\n  ^\n");
    assert_eq!(snippet("- list: l\n  items: x\n"), "  items: x\n         ^\n");
    let long = snippet(&format!("- list: {}\n", "l".repeat(200)));
    assert_eq!(long.lines().next().unwrap().len(), 82);
    assert!(long.lines().next().unwrap().ends_with("l..."));
}

proptest! {
    #[test]
    fn any_text_loads_or_is_refused(text in "(- |rule|list|macro|condition|items|[a-z:\\[\\]{},'\"&*|>\n \t%!#é-]){0,60}") {
        let loaded = loaded(&[&text]);
        let _ = (text_of(&loaded), falco_json(&loaded), json(&loaded));
    }

    #[test]
    fn any_condition_and_output_load_or_are_refused(
        condition in "[a-zk.= ()\"'\\\\,\\[\\]äl]{1,40}",
        output in "[a-z%.* ()\\[\\]ä]{1,20}",
        value in "[a-z ,()'\"ä]{1,8}",
    ) {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let keys = format!(
            "condition: {}\noutput: {}\nexceptions: [{{name: e, fields: ka.uri, values: [{}]}}]",
            quoted(&condition), quoted(&output), quoted(&value)
        );
        let text = format!("- list: l\n  items: [{}, ä]\n{}", quoted(&value), rule("r", &keys));
        let loaded = loaded(&[&text]);
        let _ = (text_of(&loaded), falco_json(&loaded), json(&loaded));
    }
}

use super::{codes, condition, rule};

fn excluded(exceptions: &str) -> String {
    condition(&rule("r", &format!("exceptions: [{exceptions}]")))
}

#[test]
fn a_single_field_is_compared_with_all_values_at_once() {
    assert_eq!(
        excluded("{name: e, fields: ka.uri, values: [a, b c, '\"d e\"']}"),
        "(ka.verb = get and not ka.uri in (a, \"b c\", \"d e\"))"
    );
    assert_eq!(
        excluded("{name: e, fields: ka.uri, comps: startswith oneof, values: [a]}"),
        "(ka.verb = get and not ka.uri startswith oneof (a))"
    );
}

#[test]
fn several_fields_are_compared_with_one_value_each() {
    assert_eq!(
        excluded(
            "{name: e, fields: [ka.uri, ka.user.name], comps: [=, in], values: [[a, [b, c d]], [e, f]]}"
        ),
        "(ka.verb = get and not ((ka.uri = a and ka.user.name in (b, \"c d\")) or (ka.uri = e and ka.user.name in (f))))"
    );
    assert_eq!(excluded("{name: e, fields: [ka.uri], values: [[a]]}"), "(ka.verb = get and not ka.uri = a)");
}

#[test]
fn a_list_name_works_where_a_list_is_compared() {
    let text = "- list: l\n  items: [x, y]\n".to_owned()
        + &rule("r", "exceptions: [{name: e, fields: [ka.uri], comps: [in], values: [[l]]}]");
    assert_eq!(condition(&text), "(ka.verb = get and not ka.uri in (x, y))");
    assert_eq!(
        excluded("{name: e, fields: [ka.uri], comps: [in], values: [['(a, b)']]}"),
        "(ka.verb = get and not ka.uri in (a, b))"
    );
}

#[test]
fn values_are_read_as_condition_text() {
    assert_eq!(
        codes(&rule("r", "exceptions: [{name: e, fields: [ka.uri], values: [['a(b']]}]")),
        ["ERR_COMPILE_CONDITION"]
    );
    assert_eq!(
        excluded("{name: e, fields: ka.uri, values: ['a,b']}"),
        "(ka.verb = get and not ka.uri in (a, b))"
    );
}

#[test]
fn without_values_nothing_is_excluded() {
    assert_eq!(excluded("{name: e, fields: ka.uri}"), "ka.verb = get");
    assert_eq!(excluded("{name: e, fields: [ka.uri], values: []}"), "ka.verb = get");
    assert_eq!(codes(&rule("r", "exceptions:")), [""; 0]);
}

#[test]
fn fields_may_have_arguments_and_transformers() {
    assert_eq!(
        excluded("{name: e, fields: ['tolower(ka.uri)', 'jevt.value[/a]'], values: [[a, b]]}"),
        "(ka.verb = get and not (tolower(ka.uri) = a and jevt.value[/a] = b))"
    );
}

#[test]
fn the_shape_is_checked() {
    for exceptions in [
        "x",
        "{fields: ka.uri}",
        "{name: ~, fields: ka.uri}",
        "{name: e}",
        "{name: e, fields: ''}",
        "{name: e, fields: ka.uri, values: x}",
        "{name: e, fields: ka.uri, values: ['']}",
        "{name: e, fields: [ka.uri], values: [['']]}",
    ] {
        assert_eq!(
            codes(&rule("r", &format!("exceptions: [{exceptions}]"))),
            ["ERR_YAML_VALIDATE"],
            "{exceptions}"
        );
    }
    assert_eq!(codes(&rule("r", "exceptions: x")), ["ERR_YAML_VALIDATE"]);
}

#[test]
fn fields_comparisons_and_values_must_fit() {
    for exceptions in [
        "{name: e, fields: [], values: []}",
        "{name: e, fields: ka.new}",
        "{name: e, fields: [ka.uri, ka.new]}",
        "{name: e, fields: ka.verb x}",
        "{name: e, fields: [ka.uri], comps: [=, =]}",
        "{name: e, fields: [ka.uri], comps: =}",
        "{name: e, fields: [ka.uri], comps: [like]}",
        "{name: e, fields: [ka.uri], comps: [in oneof]}",
        "{name: e, fields: ka.uri, comps: [in]}",
        "{name: e, fields: ka.uri, comps: =}",
        "{name: e, fields: ka.uri, values: [[a]]}",
        "{name: e, fields: [ka.uri], values: [a]}",
        "{name: e, fields: [ka.uri], values: [[a, b]]}",
    ] {
        assert_eq!(
            codes(&rule("r", &format!("exceptions: [{exceptions}]"))),
            ["ERR_VALIDATE"],
            "{exceptions}"
        );
    }
    assert_eq!(codes(&rule("r", "exceptions: [{name: e, fields: [ka.uri], comps: [' in ']}]")), [""; 0]);
}

#[test]
fn names_may_repeat() {
    let twice = "exceptions: [{name: e, fields: ka.uri}, {name: e, fields: ka.verb}]";
    assert_eq!(codes(&rule("r", twice)), ["EXCEPTION_NAME_NOT_UNIQUE"]);
}

fn appended(exceptions: &str) -> String {
    rule("r", "exceptions: [{name: e, fields: ka.uri, values: [a]}]")
        + &format!("- rule: r\n  exceptions: [{exceptions}]\n  override: {{exceptions: append}}\n")
}

#[test]
fn values_are_added_to_an_exception_that_is_there() {
    assert_eq!(condition(&appended("{name: e, values: [b]}")), "(ka.verb = get and not ka.uri in (a, b))");
    for keys in ["fields: ka.uri", "comps: in"] {
        assert_eq!(
            codes(&appended(&format!("{{name: e, {keys}, values: [b]}}"))),
            ["ERR_VALIDATE"],
            "{keys}"
        );
    }
    assert_eq!(codes(&appended("{name: e}")), ["APPEND_NO_VALUES"]);
}

#[test]
fn a_new_exception_that_is_appended_must_be_whole() {
    assert_eq!(
        condition(&appended("{name: f, fields: ka.verb, values: [b]}")),
        "(ka.verb = get and not ka.uri in (a) and not ka.verb in (b))"
    );
    assert_eq!(codes(&appended("{name: f, values: [b]}")), ["ERR_VALIDATE"]);
    assert_eq!(codes(&appended("{name: f, fields: ka.verb, values: []}")), ["ERR_VALIDATE"]);
    assert_eq!(codes(&appended("{name: f, fields: ka.verb}")), ["APPEND_NO_VALUES", "ERR_VALIDATE"]);
}

#[test]
fn replacing_swaps_all_exceptions() {
    let text = appended("{name: f, fields: ka.verb, values: [b]}").replace("append}", "replace}");
    assert_eq!(condition(&text), "(ka.verb = get and not ka.verb in (b))");
}

#[test]
fn the_condition_is_closed_off_before_exceptions_follow() {
    let text = rule(
        "r",
        "condition: ka.verb = a or ka.verb = b\nexceptions: [{name: e, fields: ka.uri, values: [c]}]",
    );
    assert_eq!(condition(&text), "((ka.verb = a or ka.verb = b) and not ka.uri in (c))");
}

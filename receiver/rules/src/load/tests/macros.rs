use super::{codes, condition, rule};

fn macros(definitions: &[(&str, &str)]) -> String {
    definitions.iter().map(|(name, test)| format!("- macro: {name}\n  condition: {test}\n")).collect()
}

#[test]
fn a_macro_is_one_operand() {
    let text = macros(&[("m", "ka.verb = a or ka.verb = b")]) + &rule("r", "condition: not m and ka.uri = c");
    assert_eq!(condition(&text), "(not (ka.verb = a or ka.verb = b) and ka.uri = c)");
}

#[test]
fn macros_see_earlier_ones_and_rules_see_all() {
    let before = macros(&[("a", "ka.verb = x"), ("b", "a")]);
    assert_eq!(condition(&(rule("r", "condition: b") + &before)), "ka.verb = x");
    let after = macros(&[("b", "a"), ("a", "ka.verb = x")]);
    assert_eq!(codes(&(after + &rule("r", "condition: b"))), ["ERR_VALIDATE"]);
}

#[test]
fn appending_makes_later_macros_visible() {
    let text = macros(&[("b", "ka.verb = y"), ("a", "ka.verb = x")])
        + "- macro: b\n  condition: or a\n  override: {condition: append}\n";
    assert_eq!(condition(&(text + &rule("r", "condition: b"))), "(ka.verb = y or ka.verb = x)");
}

#[test]
fn what_is_not_defined_is_an_error_even_where_nothing_uses_it() {
    assert_eq!(codes(&macros(&[("a", "nowhere")])), ["ERR_VALIDATE"]);
    assert_eq!(codes(&macros(&[("a", "ka.verb =")])), ["ERR_COMPILE_CONDITION"]);
    assert_eq!(codes(&rule("r", "condition: nowhere")), ["ERR_VALIDATE"]);
}

#[test]
fn fields_of_a_macro_count_only_where_it_is_used() {
    let unused = macros(&[("m", "ka.new = x")]);
    assert_eq!(codes(&unused), ["UNUSED_MACRO"]);
    assert_eq!(codes(&(unused + &rule("r", "condition: m"))), ["ERR_COMPILE_CONDITION"]);
}

#[test]
fn a_macro_that_leads_back_to_itself_is_an_error() {
    for definitions in [
        vec![("a", "a")],
        vec![("a", "ka.verb = x"), ("a", "a")],
        vec![("a", "ka.verb = x"), ("b", "a"), ("a", "b")],
    ] {
        let codes = codes(&macros(&definitions));
        assert!(
            !codes.is_empty() && codes.iter().all(|code| *code == "ERR_VALIDATE"),
            "{definitions:?} {codes:?}"
        );
    }
}

#[test]
fn use_in_an_unused_macro_is_use() {
    assert_eq!(codes(&macros(&[("a", "ka.verb = x"), ("b", "a")])), ["UNUSED_MACRO"]);
}

#[test]
fn a_wrong_macro_is_told_once() {
    let text = macros(&[("a", "ka.verb ="), ("b", "a")]) + &rule("r", "condition: a and b");
    assert_eq!(codes(&text), ["ERR_COMPILE_CONDITION"]);
    let shapeless = "- macro: a\n".to_owned() + &rule("r", "condition: a");
    assert_eq!(codes(&shapeless), ["ERR_YAML_VALIDATE"]);
}

#[test]
fn macros_in_macros_end_before_memory_and_stack_do() {
    let mut doubling = vec![("m0".to_owned(), "ka.verb = x".to_owned())];
    let mut deep = doubling.clone();
    for level in 1..2000 {
        doubling.push((format!("m{level}"), format!("m{0} and m{0}", level - 1)));
        deep.push((format!("m{level}"), format!("not (not (m{0}))", level - 1)));
    }
    for definitions in [doubling, deep] {
        let definitions: Vec<_> =
            definitions.iter().map(|(name, test)| (name.as_str(), test.as_str())).collect();
        assert_eq!(codes(&macros(&definitions)), ["ERR_VALIDATE"]);
    }
}

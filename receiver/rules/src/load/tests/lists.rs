use super::{codes, condition, rule};

/// The condition of a rule below some lists.
fn with(lists: &[(&str, &str)], test: &str) -> String {
    let lists: String =
        lists.iter().map(|(name, items)| format!("- list: {name}\n  items: [{items}]\n")).collect();
    condition(&(lists + &rule("r", &format!("condition: {test}"))))
}

#[test]
fn a_name_between_borders_is_replaced() {
    let lists = [("l", "a, b c")];
    for test in ["in (l)", "in (  l )", "in(l)"] {
        assert_eq!(with(&lists, &format!("ka.uri {test}")), "ka.uri in (a, \"b c\")", "{test}");
    }
    assert_eq!(with(&lists, "ka.uri in (x,l,y)"), "ka.uri in (x, a, \"b c\", y)");
    assert_eq!(with(&lists, "ka.uri in (\"l\", 'l', /l, l/, l.l)"), "ka.uri in (l, l, /l, l/, l.l)");
}

#[test]
fn a_name_is_replaced_wherever_it_stands() {
    assert_eq!(with(&[("one", "x")], "ka.uri = one"), "ka.uri = x");
    assert_eq!(with(&[("one", "x")], "'ka.uri = \"this one here\"'"), "ka.uri = \"this x here\"");
    assert_eq!(with(&[("and", "or")], "ka.uri = a and ka.uri = b"), "(ka.uri = a or ka.uri = b)");
    assert_eq!(with(&[("operator", "'!='")], "ka.uri operator a"), "ka.uri != a");
}

#[test]
fn a_list_of_nothing_takes_a_comma_along() {
    let lists = [("l", "")];
    for (test, expected) in
        [("in (l)", "in ()"), ("in (a, l)", "in (a)"), ("in (l, a)", "in (a)"), ("in (a, l, b)", "in (a, b)")]
    {
        assert_eq!(with(&lists, &format!("ka.uri {test}")), format!("ka.uri {expected}"), "{test}");
    }
}

#[test]
fn without_parentheses_only_one_word_can_follow() {
    assert_eq!(with(&[("l", "a")], "ka.uri in l"), "ka.uri in (a)");
    let two = "- list: l\n  items: [a, b]\n".to_owned() + &rule("r", "condition: ka.uri in l");
    assert_eq!(codes(&two), ["ERR_COMPILE_CONDITION"]);
}

#[test]
fn a_list_in_a_list_is_its_own_items() {
    assert_eq!(with(&[("a", "x"), ("b", "a, y")], "ka.uri in (b)"), "ka.uri in (x, y)");
    // One level only, and what is left of a name is replaced only if its turn is still to come.
    assert_eq!(with(&[("a", "x"), ("b", "a"), ("c", "b")], "ka.uri in (c)"), "ka.uri in (a)");
    assert_eq!(with(&[("c", "b"), ("b", "a"), ("a", "x")], "ka.uri in (c)"), "ka.uri in (x)");
}

#[test]
fn appending_makes_later_lists_visible() {
    let text = "- list: b\n  items: [a]\n- list: a\n  items: [x]\n- list: b\n  items: [y]\n  override: {items: append}\n";
    assert_eq!(condition(&(text.to_owned() + &rule("r", "condition: ka.uri in (b)"))), "ka.uri in (x, y)");
}

#[test]
fn a_redefinition_replaces_the_items_and_keeps_the_turn() {
    assert_eq!(with(&[("a", "x"), ("b", "a"), ("a", "z")], "ka.uri in (b)"), "ka.uri in (z)");
}

#[test]
fn a_list_applies_to_rules_before_it() {
    let text = rule("r", "condition: ka.uri in (l)") + "- list: l\n  items: [x]\n";
    assert_eq!(condition(&text), "ka.uri in (x)");
}

#[test]
fn lists_that_nothing_refers_to_are_remarked_upon() {
    let list = |name: &str, items: &str| format!("- list: {name}\n  items: [{items}]\n");
    assert_eq!(codes(&list("l", "a")), ["UNUSED_LIST"]);
    assert_eq!(codes(&(list("l", "a") + &list("m", "l"))), ["UNUSED_LIST"]);
    let in_macro = list("l", "a") + "- macro: m\n  condition: ka.uri in (l)\n";
    assert_eq!(codes(&in_macro), ["UNUSED_MACRO"]);
}

#[test]
fn lists_in_lists_end_before_memory_does() {
    let mut text = String::new();
    for level in (1..40).rev() {
        text += &format!("- list: l{level}\n  items: [l{0}, l{0}, x]\n", level - 1);
    }
    assert_eq!(codes(&(text + &rule("r", "condition: ka.uri in (l39)"))), ["ERR_COMPILE_CONDITION"]);
}

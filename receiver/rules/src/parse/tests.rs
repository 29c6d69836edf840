use super::{condition, operand};
use crate::ast::{Expr, Operand, Test};

#[track_caller]
fn accepted(texts: &[&str]) {
    for text in texts {
        if let Err(error) = condition(text) {
            panic!("{text:?}: {error} at {}", error.offset);
        }
    }
}

#[track_caller]
fn refused(texts: &[&str]) {
    for text in texts {
        assert!(condition(text).is_err(), "{text:?} was read");
    }
}

#[track_caller]
fn value(text: &str) -> String {
    match condition(text).unwrap() {
        Expr::Check(check) => match check.test {
            Test::Compare(_, value) => value.text,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn blanks_are_space_tab_backspace_and_line_ends() {
    accepted(&["a\tand\r\nb", "a \x08or b", " a "]);
    refused(&["a\x0cand b", "a\u{a0}and b"]);
}

#[test]
fn keywords_are_lower_case() {
    refused(&["a AND b", "a Or b", "NOT a b", "x.y EXISTS", "x.y IN (a)", "x.y = ANYOF (a)"]);
}

#[test]
fn a_word_that_joins_needs_a_blank_or_parenthesis_behind_it_only() {
    accepted(&["(a)and (b)", "x.y='1'or z", "x.y = '1'and(b)"]);
    refused(&["a andb", "a or'b'", "aand b"]);
}

#[test]
fn a_parenthesis_that_touches_or_is_the_whole_member() {
    accepted(&["a or (b) and c", "a and(b) and c"]);
    refused(&["a or(b) and c"]);
}

#[test]
fn not_binds_to_the_next_check_and_cancels_out() {
    assert!(
        matches!(condition("not a and b").unwrap(), Expr::And(members) if matches!(members[0], Expr::Not(_)))
    );
    assert!(matches!(condition("not not a").unwrap(), Expr::Macro(_)));
    assert!(matches!(condition("not not not(a)").unwrap(), Expr::Not(_)));
    assert!(matches!(condition("nota").unwrap(), Expr::Macro(name) if name.text == "nota"));
}

#[test]
fn a_dotted_name_is_a_field_and_needs_an_operator() {
    accepted(&["m", "x.y_1.z exists", "x.y[0]exists"]);
    refused(&["x.y", "x.1 exists", "_x.y exists", "x. y exists", "m exists", "true = true"]);
}

#[test]
fn arguments_stand_right_behind_the_field() {
    accepted(&["x.y[a(b)=,c] exists", "x.y['b d'] exists", "x.y[\"\"] exists", "x.y[']'] exists"]);
    refused(&["x.y [a] exists", "x.y[] exists", "x.y[a exists", "x.y[a b] exists", "x.y[a]] exists"]);
}

#[test]
fn word_operators_need_a_blank_and_sets_do_not() {
    accepted(&["x.y contains\na", "x.y in(a)", "x.y internal", "x.y pmatchlist", "x.y existsand m"]);
    refused(&["x.y contains'a'", "x.y contains(a)", "x.y startswitha", "x.y regex'a'"]);
    assert!(matches!(
        condition("x.y internal").unwrap(),
        Expr::Check(check) if matches!(&check.test, Test::Set(_, items) if items[0].text == "ternal")
    ));
}

#[test]
fn numbers_are_decimal_or_hexadecimal() {
    accepted(&["x.y > 1.", "x.y > +1.5e+3", "x.y <= 0XaF", "x.y < -7", "x.y >0"]);
    refused(&["x.y > .5", "x.y > 1e5", "x.y > 0xg", "x.y > '1'", "x.y > 1k", "x.y > 0x"]);
}

#[test]
fn bare_strings_keep_their_backslashes() {
    assert_eq!(value("x.y = C:\\n{x}|<NA>*"), "C:\\n{x}|<NA>*");
    refused(&["x.y = a=b", "x.y = a,b", "x.y = a'b", "x.y ="]);
}

#[test]
fn quoted_strings_know_a_few_escapes() {
    assert_eq!(value(r#"x.y = "\\\/\b\f\n\r\t\" '""#), "\\/\x08\x0c\n\r\t\" '");
    assert_eq!(value(r"x.y = 'a\'b'"), "a'b");
    assert_eq!(value(r#"x.y = "a\ b""#), "a\\b");
    refused(&[r#"x.y = "\x41""#, r#"x.y = "\'""#, r#"x.y = '\"'"#, r#"x.y = "\d""#, "x.y = \"a\0\""]);
}

#[test]
fn a_quote_behind_a_backslash_never_closes() {
    refused(&[r#"x.y = "a\\""#]);
    assert_eq!(value(r#"x.y = "a\\"b""#.replace("\\\\\"b", "\\\\\\\"b").as_str()), "a\\\"b");
}

#[test]
fn lists_have_strings_only_and_no_comma_at_the_end() {
    accepted(&["x.y in ()", "x.y in ( a , 'b c' )", "x.y in name", "x.y pmatch (/a/*)"]);
    refused(&[
        "x.y in (a,)",
        "x.y in (,a)",
        "x.y in (a b)",
        "x.y in (tolower(x.z))",
        "x.y in ((a))",
        "x.y in 1",
    ]);
}

#[test]
fn a_modifier_is_a_value_unless_a_list_follows() {
    accepted(&[
        "x.y = anyof (a)",
        "x.y contains oneof (a, b)",
        "x.y = allof names",
        "x.y = oneof",
        "x.y = oneof and m",
    ]);
    refused(&[
        "x.y =anyof (a)",
        "x.y = anyof(a)",
        "x.y in anyof (a)",
        "x.y > anyof (1)",
        "x.y = anyof tolower(x.z)",
    ]);
    assert_eq!(value("x.y = anyof"), "anyof");
}

#[test]
fn the_right_side_may_be_computed() {
    accepted(&["x.y = val(a.b)", "x.y > len( a.b )", "x.y in val(a.b[c])", "x.y regex tolower(a.b)"]);
    refused(&["val(a.b) = x", "x.y = val(tolower(a.b))", "x.y = val(macro)", "x.y = tolower(val(a.b))"]);
    assert_eq!(value("x.y = a.b"), "a.b");
}

#[test]
fn transformers_take_fields_texts_numbers_and_flat_lists() {
    accepted(&[
        "tolower(toupper(x.y)) = a",
        "join(',', (x.y, 'b', 3, b64(x.z))) = a",
        "concat(x.y, '/', x.z) exists",
        "getopt(x.y, 'ab:')[b] = c",
        "getopt((x.y, x.z), 'ab:') exists",
    ]);
    refused(&[
        "tolower (x.y) = a",
        "tolower(m) = a",
        "tolower() = a",
        "lower(x.y) = a",
        "tolower(x.y)[0] = a",
        "join(',', ((x.y))) = a",
        "join(',', (x.y,)) = a",
    ]);
}

#[test]
fn nesting_ends_before_the_stack_does() {
    let nested = |count: usize| format!("{}a{}", "(".repeat(count), ")".repeat(count));
    accepted(&[&nested(190)]);
    refused(&[&nested(210), &nested(100_000), &"not(".repeat(100_000), &"tolower(".repeat(100_000)]);
    accepted(&[&format!("{}a", "not ".repeat(100_000)), "a and ".repeat(100_000).trim_end_matches(" and ")]);
}

#[test]
fn an_error_says_where_what_and_instead_of_what() {
    let error = condition("x.y = a and or b").unwrap_err();
    assert_eq!((error.offset, error.found.as_str()), (15, "`b`"), "{error}");
    let error = condition("x.y in (a b)").unwrap_err();
    assert_eq!((error.offset, error.to_string().as_str()), (10, "expected `,` or `)`, found `b`"));
    let error = condition("x.y").unwrap_err();
    assert_eq!((error.offset, error.found.as_str()), (3, "the end"));
    let error = condition(r#"x.y = "ab\d""#).unwrap_err();
    assert_eq!((error.offset, error.reached), (9, 12));
}

#[test]
fn an_operand_stands_alone() {
    assert!(matches!(operand("x.y[a]"), Ok(Operand::Field(_))));
    assert!(matches!(operand("tolower( x.y )"), Ok(Operand::Transform(_))));
    for text in ["", " x.y", "x.y ", "x", "x.y[", "x.y-z", "val(x.y)", "'x'"] {
        assert!(operand(text).is_err(), "{text:?}");
    }
}

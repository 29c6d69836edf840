use proptest::prelude::*;

use crate::ast::{Check, Expr, FieldRef, Modifier, Op, Operand, SetOp, Test, Text, Transform};
use crate::parse;

fn text(text: &str) -> Text {
    Text { text: text.to_owned(), span: 0..0 }
}

fn identifiers() -> impl Strategy<Value = Text> {
    "[a-z][a-z0-9_]{0,8}"
        .prop_filter("a word of the language", |name| {
            !["not", "and", "or"].iter().any(|word| name.starts_with(word))
        })
        .prop_map(|name| text(&name))
}

fn strings() -> impl Strategy<Value = Text> {
    prop_oneof![
        "[a-z*?/.:|-]{0,8}",
        "[ -~]{0,8}",
        "[^\0]{0,6}",
        Just("oneof".to_owned()),
        "[\x08\x0ba]{0,3}",
        "[\\\\\"' ]{0,4}"
    ]
    .prop_map(|string| text(&string))
}

fn fields() -> impl Strategy<Value = Operand> {
    ("[a-z]{1,4}\\.[a-z]{1,4}(\\.[A-Z]{1,3})?", proptest::option::of(strings()))
        .prop_map(|(name, arg)| Operand::Field(FieldRef { name: text(&name), arg }))
}

fn operands() -> impl Strategy<Value = Operand> {
    fields().prop_recursive(3, 8, 3, |inner| {
        let argument = prop_oneof![
            inner.clone(),
            strings().prop_map(Operand::Literal),
            prop::collection::vec(inner, 0..3).prop_map(Operand::List),
        ];
        let name = prop::sample::select(vec!["tolower", "b64", "join", "concat", "getopt"]);
        (name, prop::collection::vec(argument, 1..4), proptest::option::of(strings())).prop_map(
            |(name, args, index)| {
                let index = index.filter(|_| name == "getopt");
                Operand::Transform(Transform { name: text(name), args, index })
            },
        )
    })
}

fn right_sides() -> impl Strategy<Value = Operand> {
    prop_oneof![
        fields().prop_map(|field| Operand::Transform(Transform {
            name: text("val"),
            args: vec![field],
            index: None
        })),
        operands().prop_filter("a bare field is a string", |right| matches!(right, Operand::Transform(_))),
    ]
}

fn tests() -> impl Strategy<Value = Test> {
    let text_op =
        prop::sample::select(vec![Op::Eq, Op::Ne, Op::Contains, Op::BStartsWith, Op::IGlob, Op::Regex]);
    let number_op = prop::sample::select(vec![Op::Lt, Op::Le, Op::Gt, Op::Ge]);
    let set_op = prop::sample::select(vec![SetOp::In, SetOp::Intersects, SetOp::PMatch]);
    let modifier = prop::sample::select(vec![Modifier::OneOf, Modifier::AnyOf, Modifier::AllOf]);
    let items = || prop::collection::vec(strings(), 0..4);
    prop_oneof![
        Just(Test::Exists),
        (text_op.clone(), strings()).prop_map(|(op, value)| Test::Compare(op, value)),
        (number_op.clone(), "[+-]?[0-9]{1,3}(\\.[0-9]{0,2})?(e[+-][0-9])?|0x[0-9a-f]{1,3}")
            .prop_map(|(op, number)| Test::Compare(op, text(&number))),
        (text_op.clone(), modifier, items())
            .prop_map(|(op, modifier, items)| Test::Each(op, modifier, items)),
        (set_op.clone(), items()).prop_map(|(op, items)| Test::Set(op, items)),
        (prop_oneof![text_op, number_op], right_sides()).prop_map(|(op, right)| Test::CompareWith(op, right)),
        (set_op, right_sides()).prop_map(|(op, right)| Test::SetWith(op, right)),
    ]
}

fn exprs() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        identifiers().prop_map(Expr::Macro),
        (operands(), tests()).prop_map(|(left, test)| Expr::Check(Check { left, test, span: 0..0 })),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let members = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            members.clone().prop_map(Expr::And),
            members.prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same_tree(expr in exprs()) {
        let printed = expr.to_string();
        let mut read = parse::condition(&printed).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        read.map_spans(&mut |span| *span = 0..0);
        prop_assert_eq!(read, expr, "{}", printed);
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_bounds(condition in "[a-c.()=<>'\"\\[\\], \\\\]{0,40}|\\PC{0,40}") {
        if let Err(error) = parse::condition(&condition) {
            prop_assert!(condition.is_char_boundary(error.offset));
            prop_assert!(error.reached <= condition.len());
        }
    }
}

#![expect(clippy::string_slice, reason = "these texts are ours, and the tests cut them on purpose")]

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Rebuilds a value through this reader alone, first of equal keys winning.
fn rebuild(raw: Raw<'_>) -> Value {
    match raw.kind() {
        Kind::Object => {
            let mut object = serde_json::Map::new();
            for (key, value) in raw.members() {
                object.entry(key.name().into_owned()).or_insert_with(|| rebuild(value));
            }
            Value::Object(object)
        }
        Kind::Array => Value::Array(raw.elements().map(rebuild).collect()),
        Kind::String => Value::String(raw.string().unwrap().into_owned()),
        Kind::Bool => Value::Bool(raw.text() == "true"),
        Kind::Null => Value::Null,
        Kind::Number => serde_json::from_str(raw.text()).unwrap(),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::String),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_an_independent_writer_wrote(value in values(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert_eq!(rebuild(Raw::parse(&text).unwrap()), value);
    }

    #[test]
    fn refuses_every_cut(value in values()) {
        let text = serde_json::to_string(&Value::Array(vec![value])).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            prop_assert!(Raw::parse(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }

    #[test]
    fn accepts_only_what_has_sound_structure(text in "[\\[\\]{}:,\"\\\\a1 ]{0,24}") {
        // Where our reader is more lenient than RFC 8259 is inside scalars; here the only scalars are `1`s and strings.
        let strict = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if strict {
            prop_assert!(Raw::parse(&text).is_ok(), "{}", text);
        }
        if Raw::parse(&text).is_ok() && !text.contains('\\') && !text.contains("11") {
            prop_assert!(strict, "{}", text);
        }
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        if let Ok(raw) = Raw::parse(&text) {
            raw.members().for_each(drop);
            raw.elements().for_each(drop);
            let _ = raw.string();
        }
        let _ = decode(&text);
    }

    #[test]
    fn written_strings_are_read_back(text in any::<String>()) {
        let mut out = String::new();
        write_string(&mut out, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text.as_str());
        prop_assert_eq!(Raw::parse(&out).unwrap().string().unwrap(), text);
    }
}

#[test]
fn errors_say_where_and_what() {
    for (text, offset, expected) in [
        ("", 0, "a value"),
        (r#"{"a":1"#, 6, "`,` or `}`"),
        (r#"{"a":1]"#, 6, "`,` or `}`"),
        (r#"[1}"#, 2, "`,` or `]`"),
        (r#"[1,]"#, 3, "a value"),
        (r#"{"a":1,}"#, 7, "a member name in double quotes"),
        (r#"{"a" 1}"#, 5, "`:`"),
        (r#"{a:1}"#, 1, "a member name in double quotes"),
        (r#"["abc"#, 1, "a string that is closed"),
        (r#"["abc\"]"#, 1, "a string that is closed"),
        ("[1] 2", 4, "the end"),
        ("hello", 0, "a value"),
    ] {
        assert_eq!(Raw::parse(text), Err(Malformed { offset, expected }), "{text}");
    }
}

#[test]
fn scalars_are_kept_as_written() {
    for text in ["01.2.3", "nan", "-inf", "2.010e2", "123456789012345678901234567890", "1e999"] {
        let raw = Raw::parse(text).unwrap();
        assert_eq!((raw.kind(), raw.text()), (Kind::Number, text));
    }
    assert_eq!(Raw::parse("\"a\tb\"").unwrap().string().unwrap(), "a\tb");
}

#[test]
fn the_first_of_equal_keys_counts() {
    let raw = Raw::parse(r#"{"a":1,"\u0061":2,"a":3}"#).unwrap();
    assert_eq!(raw.get("a").unwrap().text(), "1");
    assert_eq!(Raw::parse(r#"{"\u0061":2,"a":3}"#).unwrap().get("a").unwrap().text(), "2");
}

#[test]
fn decodes_escapes_and_leaves_unknown_ones() {
    for (quoted, content) in [
        (r"plain", "plain"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u00e9\u0000", "é\0"),
        (r"\ud83d\ude00!", "😀!"),
        (r"\ud83d", r"\ud83d"),
        (r"\ud83d\u0041", r"\ud83dA"),
        (r"\ude00", r"\ude00"),
        (r"p\qd\u12", r"p\qd\u12"),
        (r"\é", r"\é"),
        (r"\", r"\"),
    ] {
        assert_eq!(decode(quoted), content, "{quoted}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep =
        |depth: usize| format!("{}{}", r#"[{"a":"#.repeat(depth), "}]".repeat(depth)).replace(":}", ":1}");
    for depth in [31, 32, 33, 63, 64, 65, 128, 129, 5_000, 1_000_000] {
        let text = deep(depth);
        assert_eq!(Raw::parse(&text).unwrap().text(), text);
        let wrong = text.replacen("1}]", "1]]", 1);
        assert!(Raw::parse(&wrong).is_err());
        assert!(Raw::parse(&text[..text.len() - 1]).is_err());
    }
}

#[test]
fn documents_follow_one_another() {
    let texts = |text: &str| {
        Documents::new(text)
            .map(|document| document.map(|raw| raw.text().to_owned()))
            .collect::<Result<Vec<_>, _>>()
    };
    assert_eq!(texts("{}\n[1]\r\n\n\"a\"").unwrap(), ["{}", "[1]", "\"a\""]);
    assert_eq!(texts("\u{feff}{}{}").unwrap(), ["{}", "{}"]);
    assert_eq!(texts(" \n").unwrap(), [""; 0]);
    assert_eq!(texts("{}\n{\"a\"").unwrap_err().offset, 7);
}

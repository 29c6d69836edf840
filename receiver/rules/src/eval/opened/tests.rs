//! What is kept is what is there.

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 4] = ["a", "b", "c\"", "d"];

/// Objects and lists within each other, with equal keys and other values between.
fn a_value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["1", "[]", "\"a\"", "null", "{}"]).prop_map(str::to_owned);
    let key = prop::sample::select(vec!["a", "b", r#"c\""#, "\\u0061", "x"]);
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let members = prop::collection::vec((key.clone(), inner.clone()), 0..5).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        let elements = prop::collection::vec(inner, 0..5).prop_map(|all| format!("[{}]", all.join(",")));
        prop_oneof![3 => members, 1 => elements]
    })
}

fn a_path() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(KEYS.to_vec()), 0..4)
}

fn event(fields: &str) -> String {
    format!(r#"{{"kind":"Event","stageTimestamp":"2025-02-03T04:05:06Z",{fields}}}"#)
}

/// The names of the members of each object, and what is found under them.
fn shown<'a>(objects: Objects<'a>) -> Vec<(Vec<&'a str>, Vec<Option<Raw<'a>>>)> {
    objects
        .map(|object| {
            let names = object.keys().map(|key| key.text()).collect();
            (names, KEYS.iter().flat_map(|key| [object.get(key), object.at(&[key, "a"])]).collect())
        })
        .collect()
}

#[test]
fn there_is_room_for_all_places_of_all_fields() {
    let mut layout = Layout::default();
    for field in crate::fields::all() {
        for (top, path) in field.source.places() {
            assert_eq!(layout.want(top, &path).is_some(), !path.is_empty(), "{}", field.name);
        }
    }
}

#[test]
fn lists_of_any_length_are_whole() {
    for count in [ENTRIES / 2 - 1, ENTRIES / 2, ENTRIES / 2 + 1, ENTRIES] {
        let many = vec![r#"{"a":1}"#; count].join(",");
        let large = format!("{{{}}}", vec![r#""a":1"#; 2 * count].join(","));
        for list in [many, large] {
            let event = event(&format!(r#""requestObject":{{"a":[{list}]}}"#));
            let event = Event::parse(&event).unwrap();
            let mut layout = Layout::default();
            layout.want(Top::RequestObject, &["a"]);
            let opened = Opened::new(&layout, &event);
            let there = event.get(Top::RequestObject).and_then(|object| object.get("a")).map(Objects::new);
            let objects = opened.objects(Top::RequestObject, &["a"]);
            assert_eq!(objects.map(shown), there.map(shown), "{count}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_found_is_what_is_there(
        object in a_value(),
        wanted in prop::collection::vec(a_path(), 0..40),
        asked in prop::collection::vec(a_path(), 1..20),
    ) {
        let event = event(&format!(r#""requestObject":{object},"user":{object}"#));
        let event = Event::parse(&event).unwrap();
        let mut layout = Layout::default();
        for path in &wanted {
            layout.want(Top::RequestObject, path);
            layout.want(Top::User, path);
        }
        let opened = Opened::new(&layout, &event);
        for path in &asked {
            for top in [Top::RequestObject, Top::User, Top::Annotations] {
                let there = event.get(top).and_then(|object| object.at(path));
                prop_assert_eq!(opened.at(top, path), there, "{:?}", path);
                let objects = opened.objects(top, path);
                prop_assert_eq!(objects.map(shown), there.map(Objects::new).map(shown), "{:?}", path);
            }
        }
    }
}

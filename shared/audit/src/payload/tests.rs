#![expect(clippy::string_slice, reason = "these texts are ours, and the tests cut them on purpose")]

use proptest::prelude::*;

use super::*;

fn event(id: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{id}","stageTimestamp":"2026-01-02T03:04:05Z"}}"#
    )
}

/// An item of a list: no kind of its own.
fn item(id: &str) -> String {
    format!(r#"{{"auditID":"{id}","stageTimestamp":"2026-01-02T03:04:05Z"}}"#)
}

/// One word an entry: the audit ID of an event, `-` for ignored, `!` for quarantined.
fn shape(payload: &str) -> String {
    let words: Vec<String> = split(payload)
        .unwrap()
        .iter()
        .map(|item| match item {
            Item::Event(event) => event.text(Field::AuditId).unwrap_or_default().into_owned(),
            Item::Ignored(_) => "-".to_owned(),
            Item::Quarantined(..) => "!".to_owned(),
        })
        .collect();
    words.join(" ")
}

#[test]
fn every_shape_a_sender_uses() {
    let (a, b, c) = (event("a"), event("b"), event("c"));
    let list = format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{},{}]}}"#,
        item("a"),
        b
    );
    for (payload, expected) in [
        (a.clone(), "a"),
        (list.clone(), "a b"),
        (format!("[{a},{b}]"), "a b"),
        (format!("[{a},[{list},{c}]]"), "a a b c"),
        (format!("{a}\n{b}\n"), "a b"),
        (format!("{a}{list}\n\n[{c}]"), "a a b c"),
        (a.replacen('{', r#"{"@timestamp":"x","log_type":"audit","openshift":{"cluster_id":"y"},"#, 1), "a"),
        (
            format!(r#"{{"items":[{}],"apiVersion":"audit.k8s.io/v1beta1","kind":"EventList"}}"#, item("a")),
            "a",
        ),
        (String::new(), ""),
        (" \r\n\t".to_owned(), ""),
        ("[]".to_owned(), ""),
        (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}"#.to_owned(), ""),
        (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":null}"#.to_owned(), ""),
    ] {
        assert_eq!(shape(&payload), expected, "{payload}");
    }
}

#[test]
fn what_is_no_audit_event_is_told_from_what_is_a_bad_one() {
    let (a, b) = (event("a"), event("b"));
    let in_list = |items: &str| format!(r#"{{"kind":"EventList","items":[{items}]}}"#);
    for (payload, expected) in [
        (format!(r#"[{a},{{"log_type":"audit","message":"type=LOGIN"}},{b}]"#), "a - b"),
        (r#"{"kind":"Event","apiVersion":"v1","reason":"Pulled"}"#.to_owned(), "-"),
        (r#"{"kind":"EventList","apiVersion":"v1","items":[{"reason":"Pulled"}]}"#.to_owned(), "-"),
        (r#"{"kind":"Pod","items":[1,2]}"#.to_owned(), "-"),
        (in_list(&format!("{},42,{}", item("a"), item("b"))), "a ! b"),
        (in_list(&format!("{},{{}},{}", item("a"), item("b"))), "a ! b"),
        (in_list(&format!("{},[{}]", item("a"), item("b"))), "a !"),
        (in_list(&format!(r#"{},{{"kind":"Pod"}}"#, item("a"))), "a -"),
        (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}"#.to_owned(), "!"),
        (r#"{"kind":"EventList","items":7}"#.to_owned(), "!"),
        (format!("[{a},null]"), "a !"),
        ("7".to_owned(), "!"),
        (format!("{}{a}{}", "[".repeat(8), "]".repeat(8)), "a"),
        (format!("{}{a}{}", "[".repeat(10), "]".repeat(10)), "!"),
        // a second `items` is an unknown field like any other
        (format!(r#"{{"kind":"EventList","items":[{}],"items":[{}]}}"#, item("a"), item("b")), "a"),
    ] {
        assert_eq!(shape(&payload), expected, "{payload}");
    }
}

#[test]
fn a_broken_payload_gives_nothing() {
    let (a, b) = (event("a"), event("b"));
    let list = format!(r#"{{"kind":"EventList","items":[{},{}]}}"#, item("a"), item("b"));
    for end in 1..list.len() {
        assert!(split(&list[..end]).is_err(), "{}", &list[..end]);
    }
    let broken = split(&format!("{a}\n{}", &b[..b.len() - 1])).unwrap_err();
    assert_eq!((broken.offset, broken.expected), (a.len() + b.len(), "`,` or `}`"));
    assert!(split(&format!("{a}]")).is_err());
    assert!(split(&format!("{a},{b}")).is_err());
}

#[test]
fn items_are_slices_of_the_payload() {
    let payload = format!("[{},{}]", event("a"), event("b"));
    let inside = payload.as_bytes().as_ptr_range();
    for item in split(&payload).unwrap() {
        let Item::Event(event) = item else { panic!("no event") };
        assert!(inside.contains(&event.raw().text().as_ptr()));
    }
}

#[test]
fn text_that_is_no_utf_8_is_read_with_replacements() {
    let mut body = event("a").into_bytes();
    body.extend(b"\n{\"kind\":\"Event\",\"auditID\":\"\xff\",\"stageTimestamp\":\"2026-01-02T03:04:05Z\"}");
    assert_eq!(shape(&text(&body)), "a \u{fffd}");
}

proptest! {
    #[test]
    fn never_panics(payload in "(\\[|\\]|\\{|\\}|:|,|\"kind\"|\"Event\"|\"EventList\"|\"items\"|\"a\"|1|null| |\n){0,40}") {
        let _ = split(&payload);
    }

    #[test]
    fn never_panics_on_bytes(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = split(&text(&payload));
    }

    #[test]
    fn every_event_of_a_list_is_there_once(count in 0_usize..50, cut in any::<prop::sample::Index>()) {
        let items: Vec<String> = (0..count).map(|number| item(&number.to_string())).collect();
        let list = format!(r#"{{"kind":"EventList","items":[{}]}}"#, items.join(","));
        let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        prop_assert_eq!(shape(&list), expected.join(" "));
        prop_assert!(split(&list[..1 + cut.index(list.len() - 1)]).is_err());
    }
}

#[test]
fn a_payload_of_too_many_entries_is_refused_where_the_first_too_many_ends() {
    assert_eq!(split_at_most("[0,0,0]", 3).unwrap().len(), 3);
    let refused = split_at_most("[0,0,0,0]", 3).unwrap_err();
    assert_eq!((refused.offset, refused.expected), (8, "no more entries in one payload"));
    // What turns out to be no list gives its entries back.
    assert_eq!(split_at_most(r#"{"items":[1,2],"kind":"PodList"} {}"#, 2).unwrap().len(), 2);
}

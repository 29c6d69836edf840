use super::{Node, Source, Traced, Value, read};

fn item(text: &str) -> std::rc::Rc<Node> {
    let documents = read(text).unwrap();
    std::rc::Rc::clone(&documents[0].sequence().unwrap()[0])
}

/// Line and column of where each of the words stands, by the text that remembers.
fn places(text: &str, key: &str, words: &[&str]) -> Vec<(usize, usize)> {
    let source = Source::new("f".to_owned(), text.to_owned());
    let item = item(text);
    let traced = Traced::scalar(0, &source, item.get(key).unwrap().scalar().unwrap());
    words
        .iter()
        .map(|word| {
            let origin = traced.origin(traced.as_str().find(word).unwrap()).unwrap();
            assert!(!origin.derived, "{word}");
            source.position(origin.offset)
        })
        .collect()
}

#[test]
fn of_repeated_keys_the_first_counts() {
    assert_eq!(item("- a: 1\n  a: 2\n").get("a").unwrap().text(), Some("1"));
}

#[test]
fn scalars_keep_their_spelling() {
    let item = item("- [0x1F, 2.50, true, 2024-01-01, 'null', \"~\", !!str null]\n");
    let texts: Vec<_> = item.sequence().unwrap().iter().map(|node| node.text().unwrap()).collect();
    assert_eq!(texts, ["0x1F", "2.50", "true", "2024-01-01", "null", "~", "null"]);
}

#[test]
fn plain_null_is_null() {
    let item = item("- [null, Null, NULL, ~, ]\n- x:\n");
    assert!(item.sequence().unwrap().iter().all(|node| node.is_null()));
    assert!(!super::tests::item("- nuLL\n").is_null());
}

#[test]
fn an_alias_is_what_it_names_and_where_it_was_written() {
    let documents = read("- &a [x]\n- b: *a\n").unwrap();
    let items = documents[0].sequence().unwrap();
    let alias = items[1].get("b").unwrap();
    assert_eq!((alias.start, alias.sequence().unwrap().len()), (2, 1));
}

#[test]
fn merge_keys_are_plain_keys() {
    let documents = read("- &a {x: 1}\n- {<<: *a, y: 2}\n").unwrap();
    assert!(documents[0].sequence().unwrap()[1].get("x").is_none());
}

#[test]
fn documents_may_be_many_and_empty() {
    let documents = read("---\n---\n- a\n...\n---\n# nothing\n").unwrap();
    assert_eq!(documents.iter().map(|node| node.is_null()).collect::<Vec<_>>(), [true, false, true]);
    assert!(read("").unwrap().is_empty() && read("# only\n").unwrap().iter().all(|node| node.is_null()));
}

#[test]
fn what_is_not_yaml_is_refused_with_its_place() {
    assert_eq!(read("this : is : not : yaml\n").unwrap_err().offset, 10);
    for text in [
        "- a:\n\t- b\n",
        "\t- a\n",
        "-\ta: b\n",
        "- [a\n",
        "- a: 'b\n",
        "- *x\n",
        "- a: b: c\n",
        "- &a [*a]\n",
        "- a: %b\n",
    ] {
        assert!(read(text).is_err(), "{text:?}");
    }
}

#[test]
fn depth_and_aliases_are_bounded() {
    assert!(read(&"[".repeat(100_000)).is_err());
    assert!(read(&"- ".repeat(100_000)).is_err());
    let mut laughs = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        laughs += &format!("- &a{level} [{below}]\n");
    }
    assert!(read(&laughs).unwrap_err().message.contains("1000000"));
}

#[test]
fn nodes_start_at_their_anchor_tag_or_block_sign() {
    let item = item("- a: &x b\n  c: !!str d\n  e: >-\n    f\n  g: 'h'\n");
    let starts: Vec<_> = item.entries().iter().map(|(_, value)| value.start).collect();
    assert_eq!(starts, [5, 15, 28, 42]);
    assert!(matches!(item.value, Value::Mapping(_)));
}

#[test]
fn a_node_that_is_not_there_starts_at_the_next() {
    let item = item("- a: # why\n  # and\n  b:\n");
    assert_eq!(item.get("a").unwrap().start, 21);
    assert_eq!(item.get("b").unwrap().start, 24);
}

#[test]
fn folded_and_quoted_text_is_found_where_it_was_written() {
    assert_eq!(places("- c: one two\n    three\n", "c", &["one", "two", "three"]), [(0, 5), (0, 9), (1, 4)]);
    let folded = "- c: >\n    one\n\n    two  three\n      four\n";
    assert_eq!(places(folded, "c", &["one", "two", "three", "four"]), [(1, 4), (3, 4), (3, 9), (4, 6)]);
    assert_eq!(places("- c: |-\n   one\n   two\n", "c", &["one", "two"]), [(1, 3), (2, 3)]);
    assert_eq!(
        places("- c: 'it''s one\n    two'\n", "c", &["it", "s one", "two"]),
        [(0, 6), (0, 10), (1, 4)]
    );
    let double = "- c: \"a\\tb\\x41 \\\n    c \\\"d\\\\\"\n";
    assert_eq!(places(double, "c", &["a", "bA", "c", "d"]), [(0, 6), (0, 9), (1, 4), (1, 8)]);
}

#[test]
fn joined_and_trimmed_text_remembers_too() {
    let source = Source::new("f".to_owned(), "- {a: ' one ', b: two}\n".to_owned());
    let item = item(&source.text);
    let scalar = |key| Traced::scalar(0, &source, item.get(key).unwrap().scalar().unwrap());
    let mut joined = scalar("a").trimmed();
    joined.append(&scalar("b"));
    assert_eq!(joined.as_str(), "one two");
    assert_eq!(joined.origin(0).unwrap().offset, 8);
    assert_eq!(joined.origin(4).unwrap().offset, 18);
    assert!(joined.origin(3).unwrap().derived);
}

use std::collections::HashMap;

use serde_json::Value;

use super::*;

/// The published vectors: event, cluster id, identity. They hold for every version of the crate.
const VECTORS: &str = include_str!("../../vectors/identity.jsonl");

#[test]
fn published_vectors_hold() {
    let mut first: HashMap<String, String> = HashMap::new();
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| vector[key].as_str();
        let name = text("name").unwrap();
        let event = Event::parse(text("event").unwrap()).unwrap();
        let identity = EventId::of(&event, text("cluster_id")).to_string();
        assert_eq!(Some(identity.as_str()), text("identity"), "{name}");
        let first = first.entry(identity).or_insert_with(|| name.to_owned());
        assert_eq!(first, text("same_as").unwrap_or(name));
    }
    assert!(first.len() > 10);
}

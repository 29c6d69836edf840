//! Any bytes: splitting, identities and annotating never panic, an annotated event is an event again, and what another
//! reader takes for JSON is JSON.
#![no_main]

use audit_event::json::Raw;
use audit_event::{Event, EventId, Item, payload, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let text = payload::text(body);
    if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
        assert!(Raw::parse(&text).is_ok(), "sound JSON is taken");
    }
    for item in split(&text).unwrap_or_default() {
        let Item::Event(event) = item else { continue };
        let _ = EventId::of(&event, None);
        let mut annotated = String::new();
        event.write_annotated(&mut annotated, &[("cluster_name", "c")]);
        if event.get(audit_event::Field::Kind).is_some() {
            let again = Event::parse(&annotated).expect("an annotated event is an event");
            assert_eq!(again.annotation("cluster_name").as_deref(), Some("c"));
        }
    }
});

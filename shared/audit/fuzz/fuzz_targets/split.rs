//! Any bytes: splitting, identities and annotating never panic, and an annotated event is an event again.
#![no_main]

use audit_event::{Event, EventId, Item, payload, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let text = payload::text(body);
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

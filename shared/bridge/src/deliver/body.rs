//! Gathering events into bodies.

use bytes::Bytes;

use super::Kept;
use crate::record::Converted;

/// At most as many events in a body.
pub(super) const MOST_EVENTS: usize = 500;
/// At most as many bytes of events in a body, a single larger one excepted.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// A body being filled, in the order of the records.
#[derive(Debug, Default)]
pub struct Packer {
    /// Texts of events.
    pub events: Vec<String>,
    /// Records for the quarantine.
    pub kept: Vec<Kept>,
    bytes: usize,
}

impl Packer {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.kept.is_empty()
    }

    /// Whether `converted` must wait for the next body.
    pub fn has_no_room_for(&self, converted: &Converted) -> bool {
        let bytes = match converted {
            Converted::Event(text) => text.len(),
            Converted::Quarantined { record, .. } => record.len(),
            Converted::Ignored(_) => return false,
        };
        !self.is_empty() && (self.is_full() || self.bytes.saturating_add(bytes) > MOST_BYTES)
    }

    /// Whether nothing more should be put in.
    pub fn is_full(&self) -> bool {
        self.events.len() + self.kept.len() >= MOST_EVENTS || self.bytes >= MOST_BYTES
    }

    /// Adds what comes of the record of `unit` at `origin`; what is ignored takes no room.
    pub fn add(&mut self, converted: Converted, unit: &str, origin: &str) {
        match converted {
            Converted::Event(text) => {
                self.bytes += text.len() + 1;
                self.events.push(text);
            }
            Converted::Quarantined { reason, record } => {
                self.bytes += record.len();
                self.kept.push(Kept { reason, source: format!("{unit} {origin}"), record });
            }
            Converted::Ignored(_) => {}
        }
    }
}

/// The EventList of `events`.
pub(super) fn list(events: &[String]) -> Bytes {
    const HEAD: &str = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;
    let size = events.iter().map(|event| event.len() + 1).sum::<usize>() + HEAD.len() + 2;
    let mut body = String::with_capacity(size);
    body.push_str(HEAD);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(event);
    }
    body.push_str("]}");
    body.into()
}

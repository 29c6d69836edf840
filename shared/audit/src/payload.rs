//! Splitting what a sender posts into events, in one pass and without copying.
//!
//! Senders and their shapes: kube-apiserver an EventList whose items carry no kind; the log backend and OpenShift's
//! ClusterLogForwarder single Events, arrays of them, or one a line, with extra root fields. Anything may be mixed and
//! nested; what is no audit event is told apart from an audit event that can't be used.

use std::borrow::Cow;

use crate::event::{Event, Field, Fields, Unusable, read_object};
use crate::json::{Documents, Malformed, Raw, Scanner};

#[cfg(test)]
mod tests;

/// Arrays within arrays deeper than this hold no events that a sender would send.
const DEEPEST_ARRAY: usize = 8;

/// What one entry of a payload turned out to be.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every item is an event")]
pub enum Item<'a> {
    /// An audit event.
    Event(Event<'a>),
    /// Sound JSON that is no audit event (another kind, another log): counted, not kept.
    Ignored(Unusable),
    /// Stands where an audit event should and can't be used: to be kept whole with the reason.
    Quarantined(Raw<'a>, Unusable),
}

/// The entries of a payload in their order; an entry's index is its place here.
pub type Items<'a> = Vec<Item<'a>>;

/// Bytes as text. Audit events are UTF-8 (Go's encoder writes nothing else); what is not becomes U+FFFD rather than a
/// reason to lose the event.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    // The plain check is many times as fast as the replacing one, and nearly every body passes it.
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// Splits a payload of any shape: EventList, Event, arrays of these, several documents one behind the other.
///
/// The structure of the whole payload is checked before anything is returned: a list that is cut behind its third item
/// is an error, not three events.
pub fn split(payload: &str) -> Result<Items<'_>, Malformed> {
    split_at_most(payload, usize::MAX)
}

/// [`split`] for payloads of strangers: more than `most` entries are an error as well. An entry takes some 300 bytes of
/// memory, and in a payload such as `[0,0,...]` every second byte is one.
pub fn split_at_most(payload: &str, most: usize) -> Result<Items<'_>, Malformed> {
    let mut entries = Entries { items: Vec::new(), most };
    let mut documents = Documents::new(payload);
    while let Some(scanner) = documents.begin() {
        entry(scanner, &mut entries, Place::Document)?;
    }
    Ok(entries.items)
}

struct Entries<'a> {
    items: Items<'a>,
    most: usize,
}

impl<'a> Entries<'a> {
    fn push(&mut self, item: Item<'a>, at: &Scanner<'a>) -> Result<(), Malformed> {
        if self.items.len() >= self.most {
            return Err(at.expected("no more entries in one payload"));
        }
        self.items.push(item);
        Ok(())
    }
}

/// Where an entry stands, which decides what it must be.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// At the root of a document, or in an array this many levels down.
    Document,
    Array(usize),
    /// In `items` of an EventList: an event, whether or not it names its kind.
    List,
}

fn entry<'a>(scanner: &mut Scanner<'a>, entries: &mut Entries<'a>, place: Place) -> Result<(), Malformed> {
    match (scanner.peek(), place) {
        (Some(b'{'), _) => object(scanner, entries, place),
        (Some(b'['), Place::Document) => array(scanner, entries, Place::Array(1)),
        (Some(b'['), Place::Array(depth)) if depth < DEEPEST_ARRAY => {
            array(scanner, entries, Place::Array(depth + 1))
        }
        _ => {
            let raw = scanner.value()?;
            entries.push(Item::Quarantined(raw, Unusable::NotAnObject), scanner)
        }
    }
}

fn array<'a>(scanner: &mut Scanner<'a>, entries: &mut Entries<'a>, place: Place) -> Result<(), Malformed> {
    scanner.open(b'[');
    while scanner.next_element()? {
        entry(scanner, entries, place)?;
    }
    Ok(())
}

fn object<'a>(scanner: &mut Scanner<'a>, entries: &mut Entries<'a>, place: Place) -> Result<(), Malformed> {
    let start = scanner.clone();
    let before = entries.items.len();
    let mut list = false;
    let fields = read_object(scanner, |key, scanner| {
        // `items` may stand before `kind`: its entries are read as if this were a list, and given back if it is none.
        if place == Place::List || list || !key.is("items") {
            return Ok(false);
        }
        match scanner.peek() {
            Some(b'[') => array(scanner, entries, Place::List)?,
            // Go writes an empty list as `null` when it was never made.
            Some(b'n') => scanner.value().map(drop)?,
            _ => return Ok(false),
        }
        list = true;
        Ok(true)
    })?;
    let raw = start.since(scanner)?;
    if place != Place::List && is_audit_list(&fields) {
        if !list {
            entries.push(Item::Quarantined(raw, Unusable::NoItems), scanner)?;
        }
        return Ok(());
    }
    entries.items.truncate(before);
    let item = match Event::from_fields(raw, fields, place == Place::List) {
        Ok(event) => Item::Event(event),
        Err(reason @ Unusable::OtherKind { .. }) => Item::Ignored(reason),
        Err(reason) => Item::Quarantined(raw, reason),
    };
    entries.push(item, scanner)
}

/// An EventList of `audit.k8s.io`; the core API has another kind of that name.
fn is_audit_list(fields: &Fields<'_>) -> bool {
    fields.text(Field::Kind).as_deref() == Some("EventList") && fields.is_audit_group()
}

//! What is left of an event whose end a log service cut off.
//!
//! A cut is where an attacker would like to write: a crafted object inside a request body may come to stand at the
//! front of a piece. So a head is read only with evidence that it was cut, only if it begins as kube-apiserver writes
//! an Event, and only if nothing but its end is missing; and what comes of it is marked with [`TRUNCATED`], so that it
//! can be told apart and alerted on.

use std::ops::RangeInclusive;

use crate::event::{Event, Field, Fields, Unusable};
use crate::json::{Kind, Malformed, Raw, Scanner, write_string};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// The annotation that marks an event as incomplete, with the value `true`: the one that kube-apiserver's own truncating
/// backend sets (kubernetes/apiserver `plugin/pkg/audit/truncate`).
pub const TRUNCATED: &str = "audit.k8s.io/truncated";

/// How Go writes the first two fields of an audit event.
const FRONT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/"#;

/// What a log service leaves on a text that it cut. Either is evidence.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// What the service writes over the end, such as `[Truncated...]`.
    pub suffixes: &'static [&'static str],
    /// The lengths that a cut text can have, in bytes or in UTF-16 code units, whichever the service counts.
    pub lengths: &'static [RangeInclusive<usize>],
}

impl Cut {
    /// The text without the mark of the cut, or `None` when nothing shows that it was cut.
    fn head<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.suffixes
            .iter()
            .find_map(|suffix| text.strip_suffix(suffix))
            .or_else(|| self.has_length(text).then_some(text))
    }

    /// Whether the text is as long as a cut one. A whole event of that length may be a part of another that was made to
    /// fall between two cuts.
    pub fn has_length(&self, text: &str) -> bool {
        let bytes = text.len();
        let among = |length: usize| self.lengths.iter().any(|lengths| lengths.contains(&length));
        // UTF-16 never takes more units than UTF-8 takes bytes, and at least a third of them.
        let possible = self.lengths.iter().any(|l| *l.start() <= bytes && bytes <= l.end().saturating_mul(3));
        among(bytes) || (possible && !text.is_ascii() && among(text.encode_utf16().count()))
    }
}

/// Why a text that is no whole event is no salvageable head of one either.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsalvageable {
    /// Neither a suffix nor the length says that the text was cut.
    #[error("no sign that it was cut")]
    NoEvidence,
    /// The text begins in the middle of something: a tail, or no event at all.
    #[error("it does not begin as an audit event does")]
    NoHead,
    /// More is wrong than a missing end.
    #[error("more is wrong than a missing end: {0}")]
    Broken(Malformed),
    /// The cut came before the audit ID was complete; without it events can't be told apart.
    #[error("it was cut before the end of `auditID`")]
    NoAuditId,
    /// The head says something about itself that no event may say.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// Makes an event of the members of a cut one that are complete, as they came; the one in which the cut lies is absent.
/// `annotations` gets [`TRUNCATED`], and a `stageTimestamp` that is lost becomes `time`, when the log service says the
/// event was.
pub fn salvage(text: &str, cut: &Cut, time: Timestamp) -> Result<String, Unsalvageable> {
    let head = cut.head(text).ok_or(Unsalvageable::NoEvidence)?;
    if !head.starts_with(FRONT) {
        return Err(Unsalvageable::NoHead);
    }
    let (whole, fields) = whole_members(head)?;
    if fields.get(Field::AuditId).is_none() {
        return Err(Unsalvageable::NoAuditId);
    }
    let mut closed = whole.to_owned();
    if fields.get(Field::StageTimestamp).is_none() {
        closed.push_str(",\"stageTimestamp\":");
        write_string(&mut closed, &time.to_string());
    }
    closed.push('}');
    let event = Event::parse(&closed)?;
    let mut marked = String::with_capacity(closed.len() + 64);
    event.write_annotated(&mut marked, &[(TRUNCATED, "true")]);
    Ok(marked)
}

/// The elements of the array `key` of an object up to where the text breaks, for a container that a log service built:
/// one broken record must not take along those in front of it. What comes behind the break can't be told apart.
pub fn elements_before_break<'a>(text: &'a str, key: &str) -> Vec<Raw<'a>> {
    let mut scanner = Scanner::new(text);
    let mut elements = Vec::new();
    scanner.blanks();
    if !scanner.open(b'{') {
        return elements;
    }
    while let Ok(Some(name)) = scanner.member_name() {
        if name.is(key) && scanner.open(b'[') {
            while let Ok(true) = scanner.next_element() {
                let Ok(element) = scanner.value() else { break };
                if scanner.peek().is_some() || is_closed(element.kind()) {
                    elements.push(element);
                }
            }
            return elements;
        }
        if scanner.value().is_err() {
            break;
        }
    }
    elements
}

/// The front of a cut object up to its last complete member, and which fields of an event are among them.
fn whole_members(head: &str) -> Result<(&str, Fields<'_>), Unsalvageable> {
    let start = Scanner::new(head);
    let mut scanner = start.clone();
    let mut whole = start.clone();
    let mut fields = Fields::default();
    scanner.open(b'{');
    loop {
        let member =
            scanner.member_name().and_then(|key| key.map(|key| Ok((key, scanner.value()?))).transpose());
        match member {
            // A number at the very end may go on behind the cut.
            Ok(Some((_, value))) if scanner.peek().is_none() && !is_closed(value.kind()) => break,
            Ok(Some((key, value))) => {
                fields.keep(key, value);
                whole = scanner.clone();
            }
            Ok(None) => {
                return Err(Unsalvageable::Broken(scanner.expected("the cut, found the event's end")));
            }
            Err(_) if scanner.ran_out() => break,
            Err(malformed) => return Err(Unsalvageable::Broken(malformed)),
        }
    }
    let whole = start.since(&whole).map_err(Unsalvageable::Broken)?;
    Ok((whole.text(), fields))
}

/// Whether a value of that kind shows where it ends.
fn is_closed(kind: Kind) -> bool {
    matches!(kind, Kind::Object | Kind::Array | Kind::String)
}

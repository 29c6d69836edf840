//! What a condition may look at besides the event.

use audit_event::json::Raw;
use audit_event::{Event, Field};
use jiff::tz::{Offset, TimeZone};

use super::fast::Memo;
use super::objects::Objects;
use super::opened::{Member, Opened};
use crate::fields;

/// What surrounds events: their running number, the time of the first one, the machine, its time zone. One per
/// evaluating task; it changes with every event.
#[derive(Clone, Debug)]
pub struct Context {
    number: u64,
    first: Option<u64>,
    hostname: String,
    zone: TimeZone,
    memo: Memo,
}

impl Context {
    /// A context before the first event, in UTC.
    pub fn new(hostname: impl Into<String>) -> Self {
        let zone = TimeZone::fixed(Offset::UTC);
        Self { number: 0, first: None, hostname: hostname.into(), zone, memo: Memo::default() }
    }

    /// The same with local times in `zone`.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// Steps on to the next event.
    pub fn next(&mut self, event: &Event<'_>) {
        self.number += 1;
        self.first.get_or_insert_with(|| fields::nanoseconds(event.stage_timestamp()));
    }

    /// What was learned about the last event, to be overwritten; given back by [`Context::keep_memo`].
    pub(crate) fn take_memo(&mut self) -> Memo {
        std::mem::take(&mut self.memo)
    }

    /// Keeps the memo's memory for the next event.
    pub(crate) fn keep_memo(&mut self, memo: Memo) {
        self.memo = memo;
    }

    /// How many events have come, the present one included.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Time of the first event, in nanoseconds since 1970.
    pub(crate) fn first(&self) -> u64 {
        self.first.unwrap_or_default()
    }

    /// Name of the machine that evaluates.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The zone of local times.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// An event in its context: what fields are read from.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The event.
    pub event: &'a Event<'a>,
    /// Its surroundings.
    pub context: &'a Context,
    opened: Option<&'a Opened<'a>>,
}

impl<'a> Subject<'a> {
    /// An event in its surroundings.
    pub fn new(event: &'a Event<'a>, context: &'a Context) -> Self {
        Self { event, context, opened: None }
    }

    /// The same, which looks into objects by way of `opened`.
    pub(crate) fn opened(self, opened: &'a Opened<'a>) -> Self {
        Self { opened: Some(opened), ..self }
    }

    /// The objects of the array there; what is no array counts as the only one.
    pub(crate) fn objects(&self, field: Field, path: &[&str]) -> Option<Objects<'a>> {
        match self.opened {
            Some(opened) => opened.objects(field, path),
            None => self.at(field, path).map(Objects::new),
        }
    }

    /// The value of a member that is kept; like every field of `ka`, only in events with an `auditID`.
    pub(crate) fn member(&self, member: Member) -> Option<Raw<'a>> {
        self.event.get(Field::AuditId)?;
        self.opened?.member(member)
    }

    /// The value at a path of keys below a field of the envelope.
    pub(crate) fn at(&self, field: Field, path: &[&str]) -> Option<Raw<'a>> {
        match self.opened {
            Some(opened) => opened.at(field, path),
            None => self.event.get(field)?.at(path),
        }
    }
}

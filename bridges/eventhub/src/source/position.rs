use std::fmt;

use audit_bridge::time::{From, Time};
use audit_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::amqp::{Message, Start};

/// Where a partition's reader stands. Without any of these it stands at the beginning.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The sequence number of the last message read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// Its offset, an opaque text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// When no message was read yet: messages that came in after that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// How often the hub turned out to be another one of the same name, which numbers its messages anew.
    #[serde(default, skip_serializing_if = "is_first")]
    pub hub: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_first(hub: &u32) -> bool {
    *hub == 0
}

impl Position {
    /// Behind a message of the same hub.
    #[must_use]
    pub fn behind(&self, message: &Message) -> Self {
        let offset = Some(message.offset.clone()).filter(|offset| !offset.is_empty());
        Self { sequence: Some(message.sequence), offset, since: None, hub: self.hub }
    }

    /// Behind the next message, whose place could not be read: a partition is numbered without gaps.
    pub(super) fn pass(&mut self) {
        if let Some(sequence) = &mut self.sequence {
            *sequence += 1;
            self.offset = None;
        }
    }

    /// The oldest message that is kept.
    pub(super) fn oldest(&self) -> Self {
        Self { hub: self.hub, ..Self::default() }
    }

    /// The oldest message of the hub that has taken this one's place.
    pub(super) fn in_another_hub(&self) -> Self {
        Self { hub: self.hub.saturating_add(1), ..Self::default() }
    }

    /// Where a partition without a position begins.
    pub fn starting(from: From, now: Time) -> Self {
        match from {
            From::Beginning => Self::default(),
            from => Self { since: Some(from.resolve(now)), ..Self::default() },
        }
    }

    /// What the service is asked for. The offset comes first: the service may number anew, but knows its own offsets.
    pub(super) fn start(&self) -> Start {
        match self {
            Self { offset: Some(offset), .. } => Start::Behind(offset.clone()),
            Self { sequence: Some(sequence), .. } => Start::BehindSequence(*sequence),
            Self { since: Some(since), .. } => {
                let nanoseconds = i128::from(since.as_millis()) * 1_000_000;
                Start::Since(Timestamp::from_nanoseconds(nanoseconds))
            }
            _ => Start::Earliest,
        }
    }

    /// Whether the messages behind it can be counted: a time or an offset doesn't tell how many are before it.
    pub(super) fn is_countable(&self) -> bool {
        self.sequence.is_some() || self.start() == Start::Earliest
    }

    /// What an operator wrote: `earliest`, `latest`, a time, a span ago, or a position as JSON.
    ///
    /// # Errors
    /// What would have been right.
    pub fn given(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map_err(|error| {
                format!("no position such as `{{\"sequence\":7,\"offset\":\"4096\"}}`: {error}")
            });
        }
        let from = text.parse().map_err(|error: audit_bridge::time::NoStart| error.to_string())?;
        Ok(Self::starting(from, Time::of_machine()))
    }
}

impl audit_bridge::Position for Position {
    fn follows(&self, earlier: &Self) -> bool {
        match (self.sequence, earlier.sequence) {
            _ if self.hub != earlier.hub => self.hub > earlier.hub,
            (Some(own), Some(earlier)) => own >= earlier,
            _ => true,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { sequence: Some(sequence), .. } => write!(f, "sequence number {sequence}"),
            Self { offset: Some(offset), .. } => write!(f, "offset {offset}"),
            Self { since: Some(since), .. } => write!(f, "{since}"),
            _ => f.write_str("the beginning"),
        }
    }
}

#[cfg(test)]
mod tests {
    use audit_bridge::Position as _;

    use super::*;

    #[test]
    fn what_operators_write() {
        assert_eq!(Position::given("earliest").unwrap(), Position::default());
        assert_eq!(Position::given("beginning").unwrap().start(), Start::Earliest);
        let Start::Since(_) = Position::given("latest").unwrap().start() else { panic!() };
        let Start::Since(time) = Position::given("2026-01-02T03:04:05Z").unwrap().start() else { panic!() };
        assert_eq!(time.as_milliseconds(), 1_767_323_045_000);
        let position = Position::given(r#"{"sequence":7,"offset":"1:2"}"#).unwrap();
        assert_eq!(position.start(), Start::Behind("1:2".to_owned()));
        assert_eq!(Position::given(r#"{"sequence":7}"#).unwrap().start(), Start::BehindSequence(7));
        assert!(Position::given("soon").is_err());
        assert!(Position::given(r#"{"seq":7}"#).is_err());
    }

    #[test]
    fn a_message_without_a_place_is_passed() {
        let mut position = Position::given(r#"{"sequence":7,"offset":"1:2"}"#).unwrap();
        position.pass();
        assert_eq!(position.start(), Start::BehindSequence(8));
        let mut unknown = Position::default();
        unknown.pass();
        assert_eq!(unknown, Position::default());
    }

    #[test]
    fn never_back() {
        let at = |sequence| Position { sequence, ..Position::default() };
        assert!(at(Some(7)).follows(&at(Some(7))));
        assert!(!at(Some(6)).follows(&at(Some(7))));
        assert!(at(Some(0)).follows(&at(None)));
        let anew = at(Some(7)).in_another_hub();
        assert!(anew.follows(&at(Some(7))) && !at(Some(8)).follows(&anew));
        assert_eq!(serde_json::to_string(&anew).unwrap(), r#"{"hub":1}"#);
        assert_eq!(serde_json::to_string(&at(Some(7))).unwrap(), r#"{"sequence":7}"#);
    }
}

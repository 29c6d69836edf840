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
}

impl Position {
    /// Behind a message.
    pub fn behind(message: &Message) -> Self {
        let offset = Some(message.offset.clone()).filter(|offset| !offset.is_empty());
        Self { sequence: Some(message.sequence), offset, since: None }
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

    /// Whether a message was read.
    pub(super) fn is_known(&self) -> bool {
        self.sequence.is_some()
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
    fn never_back() {
        let at = |sequence| Position { sequence, ..Position::default() };
        assert!(at(Some(7)).follows(&at(Some(7))));
        assert!(!at(Some(6)).follows(&at(Some(7))));
        assert!(at(Some(0)).follows(&at(None)));
    }
}

//! From settings and a checkpoint to a reader.

use std::time::Duration;

use serde_json::Value;

use super::{Ages, Machine, Marks, Start};
use crate::time::{From, Time};
use crate::unit::Stopped;

/// How a time-indexed log is to be read: the settings that every such bridge has.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table of ages.
    pub ages: Ages,
    /// How often the youngest sweep looks.
    pub poll: Duration,
    /// Where a log without a checkpoint begins.
    pub from: From,
    /// How many identities of records to remember at most.
    pub remember: usize,
    /// See [`Start::spare_copies`].
    pub spare_copies: bool,
    /// Read up to the present and end there.
    pub once: bool,
}

impl Plan {
    /// The reader at the committed position, or where the plan says to begin.
    ///
    /// # Errors
    /// When the position is none of a time-indexed log's.
    pub fn machine(&self, position: Option<&Value>) -> Result<Machine, Stopped> {
        let now = Time::of_machine();
        let marks = match position {
            Some(position) => serde_json::from_value(position.clone()).map_err(|error| {
                Stopped::Source(format!(
                    "the checkpoint's position is none of this bridge's: {error}; see `checkpoint set`"
                ))
            })?,
            None => Marks::starting(&self.ages, self.from.resolve(now)),
        };
        Ok(Machine::new(Start {
            ages: self.ages.clone(),
            poll: self.poll,
            marks,
            remember: self.remember,
            until: self.once.then_some(now),
            spare_copies: self.spare_copies,
        }))
    }

    /// What an operator calls a position: a time for all sweeps, or marks as `checkpoint show` prints them.
    ///
    /// # Errors
    /// What is allowed.
    pub fn position(&self, text: &str) -> Result<Value, String> {
        let marks = match text.parse::<From>() {
            Ok(begin) => Marks::starting(&self.ages, begin.resolve(Time::of_machine())),
            Err(wrong) => serde_json::from_str(text).map_err(|_| wrong.to_string())?,
        };
        serde_json::to_value(marks).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let ages = "5s,1h".parse().unwrap();
        let poll = Duration::from_secs(5);
        Plan { ages, poll, from: From::default(), remember: 10, spare_copies: false, once: false }
    }

    #[test]
    fn what_an_operator_writes_is_a_position_to_go_on_from() {
        for text in ["2026-01-02T03:04:05Z", "-1h", "beginning"] {
            let position = plan().position(text).unwrap();
            assert!(plan().machine(Some(&position)).is_ok(), "{position}");
            assert_eq!(plan().position(&position.to_string()), Ok(position));
        }
        assert!(plan().position("yesterday").unwrap_err().contains("`yesterday`"));
        assert!(plan().machine(Some(&Value::from(7))).is_err());
        assert!(plan().machine(None).is_ok());
    }
}

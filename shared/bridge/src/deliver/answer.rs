//! What an answer means.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// A receiver's answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The head of the body.
    pub body: String,
}

/// What to do about an answer to a body of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It has them.
    Taken,
    /// It says that it has another number of them.
    Short {
        /// The number.
        received: u64,
    },
    /// Later it may.
    Retry,
    /// Somebody must mend something first; nothing is wrong with the events.
    Mend,
    /// Not this body.
    Refused,
}

/// What our receiver answers, as far as a bridge reads it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Receipt {
    /// Events found in the body.
    pub received: u64,
    /// Of these: held against the rules.
    pub evaluated: Option<u64>,
    /// Of these: no audit events, or of no interest.
    pub ignored: Option<u64>,
    /// Of these: could not be used.
    pub quarantined: Option<Vec<serde::de::IgnoredAny>>,
}

impl Receipt {
    /// received = evaluated + ignored + quarantined, as far as told.
    pub fn adds_up(&self) -> bool {
        match (self.evaluated, self.ignored, &self.quarantined) {
            (Some(evaluated), Some(ignored), Some(quarantined)) => {
                Some(self.received)
                    == evaluated
                        .checked_add(ignored)
                        .and_then(|sum| sum.checked_add(quarantined.len() as u64))
            }
            _ => true,
        }
    }
}

impl Answer {
    /// A code of the 200s.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The path does not exist there, or not for posting.
    pub fn is_lacking(&self) -> bool {
        matches!(self.status, 404 | 405 | 501)
    }

    /// What our receiver says; other receivers say nothing, or something else.
    pub fn receipt(&self) -> Option<Receipt> {
        serde_json::from_str(&self.body).ok()
    }

    /// What to do, with a body of `sent` events.
    pub fn verdict(&self, sent: usize) -> Verdict {
        match self.status {
            200..=299 => match self.receipt() {
                Some(receipt) if receipt.received != sent as u64 => {
                    Verdict::Short { received: receipt.received }
                }
                _ => Verdict::Taken,
            },
            400 | 413 | 422 => Verdict::Refused,
            300..=399 | 401 | 403 | 404 | 405 | 415 | 501 => Verdict::Mend,
            _ => Verdict::Retry,
        }
    }
}

impl fmt::Display for Answer {
    /// The status with what a person needs to know about it, and the head of the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        write!(f, "it answers {}", self.status)?;
        f.write_str(match self.status {
            300..=399 => " (a redirect, which is not followed: give the receiver's final URL)",
            401 => " (check `receiver.token_file`)",
            403 => " (its token or certificate does not allow this cluster)",
            404 => " (check the path of `receiver.url`)",
            405 | 501 => " (check `receiver.url`: what answers there takes no POST)",
            415 => " (check `receiver.url`: what answers there takes no JSON)",
            _ => "",
        })?;
        let head: String = self
            .body
            .chars()
            .take(LONGEST)
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        match head.trim() {
            "" => Ok(()),
            head => write!(f, ": {head}"),
        }
    }
}

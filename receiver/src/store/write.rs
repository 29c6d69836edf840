//! What is written, and what that changes.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::quarantine::SetAside;
use super::{Alert, Keep, Quarantined, Retained, StoreError};
use crate::activity::Activity;

/// What comes of one request: durable together or not at all.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    /// Stored unless their identity is known.
    pub alerts: Vec<Alert>,
    /// Stored unless the same record is there.
    pub quarantined: Vec<Quarantined>,
    /// Joined with what is known of the same requests.
    pub activity: Vec<Activity>,
    /// Places of quarantined records that need not be kept any longer.
    pub released: Vec<i64>,
}

impl Batch {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
            && self.quarantined.is_empty()
            && self.activity.is_empty()
            && self.released.is_empty()
    }
}

/// What a commit changed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Recorded {
    /// For each alert of the batch whether it was new.
    pub new: Vec<bool>,
    /// How many of the new ones are silenced.
    pub silenced: usize,
    /// What retention did.
    pub retained: Retained,
}

/// What the writer does for one caller.
#[derive(Debug)]
pub(super) enum Write {
    /// The records of the batch are beside it.
    Record(Batch, Vec<SetAside>),
    Settled {
        output: String,
        written: Vec<i64>,
        refused: Vec<(i64, String)>,
    },
    Heartbeat,
    CloseGroups,
    Retain(Keep),
    Seen(BTreeMap<String, i64>),
    /// The last one.
    Close,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Recorded, StoreError>>,
}

impl Request {
    pub(super) fn answer(self, result: Result<Recorded, StoreError>) {
        // A caller that has gone will send again; the identity makes that harmless.
        let _ = self.answer.send(result);
    }
}

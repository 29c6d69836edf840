//! What a source gives and what comes of it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::time::Time;

/// One entry of a source, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its text.
    pub text: String,
    /// Where it stood, for the person who looks into the quarantine: log stream and id, partition and offset.
    pub origin: String,
    /// When the source says it was written.
    pub time: Option<Time>,
    /// Why the source could not read it: then the text is what could be had of it, and goes into the quarantine.
    pub unreadable: Option<String>,
}

impl Record {
    /// A record of which only the text is known.
    pub fn bare(text: impl Into<String>) -> Self {
        Self { text: text.into(), origin: String::new(), time: None, unreadable: None }
    }
}

/// What comes of a record, or of one part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Converted {
    /// An `audit.k8s.io` event, its JSON text annotated with `cluster_name` and `cluster_id`.
    Event(String),
    /// Nothing of the audit log's; counted.
    Ignored(String),
    /// Should be an event and can't be read; kept whole with the reason.
    Quarantined {
        /// Why, without the content.
        reason: String,
        /// What can't be read.
        record: String,
    },
}

/// Makes audit events of records: pure, the same record always giving the same.
pub trait Convert: Send + Sync + 'static {
    /// The member in which an answer of the cloud's API, or a container of its own, lists records.
    const LIST: &str;

    /// Reads one line (or document) of a file of raw records, for the command `convert`.
    fn read(&self, line: &str) -> Record {
        Record::bare(line)
    }

    /// What comes of `record`, in order; a container gives several.
    fn convert(&self, record: &Record) -> Vec<Converted>;
}

/// Bytes that a source counts as under way until what they came with is settled.
#[derive(Debug)]
pub struct Load {
    total: Arc<watch::Sender<usize>>,
    bytes: usize,
}

impl Load {
    /// Adds `bytes` to `total`, from which they go when this is dropped.
    pub fn new(total: &Arc<watch::Sender<usize>>, bytes: usize) -> Self {
        total.send_modify(|total| *total += bytes);
        Self { total: Arc::clone(total), bytes }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.total.send_modify(|total| *total -= self.bytes);
    }
}

/// Ordered records of one reading unit.
#[derive(Debug)]
pub struct Batch<P> {
    /// The records, oldest first where the source has an order.
    pub records: Vec<Record>,
    /// What may be committed once these records and all before them are delivered.
    pub position: Option<P>,
    /// Dropped once these records and all before them are delivered; for sources that bound what is under way.
    pub load: Option<Load>,
}

/// A position in a source.
pub trait Position: serde::Serialize + serde::de::DeserializeOwned + Clone + Send + 'static {
    /// Whether this is `earlier` or further on.
    fn follows(&self, earlier: &Self) -> bool;
}

/// What a reading unit reads. Failures that pass are the source's own to wait out and to report by its condition of
/// readiness; what it returns as an error ends the unit.
pub trait Source: Send + 'static {
    /// Where it stands.
    type Position: Position;
    /// What it can't recover from.
    type Failed: std::error::Error + Send + Sync + 'static;

    /// The next records, or a position alone; `None` at the end of what was asked for. It is never dropped halfway but to
    /// end the unit.
    fn next(&mut self) -> impl Future<Output = Result<Option<Batch<Self::Position>>, Self::Failed>> + Send;
}

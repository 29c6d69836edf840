//! Where a reading unit stands, kept so that a successor goes on from there and two owners can't.
//!
//! One reading unit (a log group, an event hub partition) has one document. It is written only by compare-and-swap, which
//! makes it the lease too: the owner writes it every few seconds; who waits takes over when it has not changed for the
//! expiry on its own monotonic clock, and the deposed owner's next write is a conflict.

mod address;
mod command;
mod configmap;
mod file;
mod lease;
#[cfg(any(feature = "s3", feature = "gs", feature = "az"))]
mod object;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::{self, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use address::{UnknownStore, open};
pub use command::{Command, run};
pub use configmap::ConfigMapStore;
pub use file::FileStore;
pub use lease::{CommitFailed, Lease, Patience, Standing, Watch};

/// A document that has not changed for this long has no owner any more, unless its store was told otherwise.
pub const EXPIRY: Duration = Duration::from_secs(30);

/// The layout of [`Document`] that this version writes.
pub const SCHEMA: u32 = 1;

/// A unit's checkpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// The layout, [`SCHEMA`].
    pub schema: u32,
    /// Whose position this is.
    pub unit: String,
    /// The process that may write it; empty when it let go.
    pub owner: String,
    /// Grows with each write, so that a renewal is a change.
    pub beat: u64,
    /// The source's own position; `null` before the first commit.
    pub position: serde_json::Value,
}

/// Which writing of a document is meant; only the store knows what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version(pub String);

/// What must be there for a write to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// No document.
    Absent,
    /// That writing of it.
    Version(Version),
    /// Whatever there is: an operator has decided.
    Anything,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailed {
    /// Somebody else has written.
    #[error("checkpoint `{0}` was written by another process")]
    Conflict(String),
    /// Another process holds it.
    #[error("checkpoint `{place}` is in use by the running bridge `{by}`")]
    InUse {
        /// Where it is.
        place: String,
        /// The owner that it names.
        by: String,
    },
    /// A document that can't be understood.
    #[error(
        "checkpoint `{place}` cannot be read: {reason}; restore it, or give its unit a position with `checkpoint set`"
    )]
    Unreadable {
        /// Where it is.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There was one, and now there is none.
    #[error(
        "checkpoint `{0}` is gone although its unit has run before; restore it, or give the unit a position with `checkpoint set`"
    )]
    Gone(String),
    /// The store does not work. The write may have happened or not.
    #[error("checkpoint `{place}` cannot be {what}: {reason}")]
    Unavailable {
        /// Where it is.
        place: String,
        /// `read` or `written`.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
}

/// What a store is going to answer.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreFailed>> + Send + 'a>>;

/// A place for checkpoints.
pub trait CheckpointStore: fmt::Debug + Send + Sync + 'static {
    /// How often a unit writes, changed or not, so that nobody thinks that its owner is gone. In a cluster a write may be an
    /// audit event itself.
    fn commit_every(&self) -> Duration {
        Duration::from_secs(10).min(self.expiry() / 3)
    }

    /// How long a document must stay unchanged before its owner counts as gone.
    fn expiry(&self) -> Duration {
        EXPIRY
    }

    /// Whether it could be written to, as far as that can be told on this machine.
    ///
    /// # Errors
    /// [`StoreFailed::Unavailable`].
    fn usable(&self) -> Result<(), StoreFailed> {
        Ok(())
    }

    /// Makes sure, as far as this store can by itself, that nobody else writes the unit's document while this value lives.
    /// False when only the document can tell who owns it.
    ///
    /// # Errors
    /// [`StoreFailed::InUse`] while another process has it.
    fn hold<'a>(&'a self, unit: &'a str) -> Pending<'a, bool>;

    /// The unit's document and which writing of it this is.
    ///
    /// # Errors
    /// [`StoreFailed::Unreadable`], [`StoreFailed::Gone`], [`StoreFailed::Unavailable`].
    fn load<'a>(&'a self, unit: &'a str) -> Pending<'a, Option<(Document, Version)>>;

    /// Writes the document of `document.unit` if what is there is as expected; durable when it returns.
    ///
    /// # Errors
    /// [`StoreFailed::Conflict`] when it is not; [`StoreFailed::Unavailable`] when it is not known what happened.
    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version>;
}

impl Document {
    /// Reads a document at `place`.
    fn parse(text: &[u8], place: &str) -> Result<Self, StoreFailed> {
        let unreadable = |reason: String| StoreFailed::Unreadable { place: place.to_owned(), reason };
        let document: Self = serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        if document.schema != SCHEMA {
            return Err(unreadable(format!("schema `{}` is not `{SCHEMA}`", document.schema)));
        }
        Ok(document)
    }

    fn text(&self) -> String {
        // A document holds strings, numbers and a JSON value: nothing that could fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// A name for the unit's document that every store takes (lower case letters, digits, `-` and `.`), different for
/// different units.
pub fn slug(unit: &str) -> String {
    let plain: String = unit
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let mut slug = plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    slug.truncate(80);
    let digest: [u8; 32] = Sha256::digest(unit).into();
    slug.push('-');
    for byte in digest.iter().take(4) {
        let _ = write!(slug, "{byte:02x}");
    }
    slug
}

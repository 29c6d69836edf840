//! What can go wrong.

use std::path::PathBuf;

/// Why the store did not take something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or the disk did.
    #[error("the store `{store}` can't be written: {cause}")]
    Unwritable {
        /// Its URL without secrets.
        store: String,
        /// In the database's words.
        cause: String,
    },
    /// Nothing was said in time, by the database or whoever holds it.
    #[error("the store `{store}` does not answer: {cause}")]
    Unanswered {
        /// Its URL without secrets.
        store: String,
        /// What was waited for.
        cause: String,
    },
    /// The database could not be read.
    #[error("the store `{store}` can't be read: {cause}")]
    Unreadable {
        /// Its URL without secrets.
        store: String,
        /// In the database's words.
        cause: String,
    },
    /// The file that was opened is not the one at the path any more: what goes into it would be lost.
    #[error("the store's file `{path}` was removed or replaced while in use: restart the receiver")]
    Gone {
        /// Path of the file.
        path: String,
    },
    /// The writer has ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether whatever is written would fail now, and not only what was.
    pub(super) fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Unanswered { .. } | Self::Gone { .. } | Self::Closed)
    }
}

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailed {
    /// No such place.
    #[error("can't open the store `{path}`: {cause}; {hint}")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A database that can't be used.
    #[error(
        "can't use the store `{store}`: {cause}; the receiver must be able to write the file and its folder, and the file must be its own"
    )]
    Database {
        /// Path of the file.
        store: String,
        /// What the database said.
        cause: String,
    },
    /// A server that can't be used.
    #[error(
        "can't use the store `{store}`: {cause}; check the address, and that the user may create tables in the database"
    )]
    Server {
        /// Its URL without secrets.
        store: String,
        /// What was said.
        cause: String,
    },
}

/// Whether the store takes writes: `Ok`, or why not.
pub type Health = Result<(), StoreError>;

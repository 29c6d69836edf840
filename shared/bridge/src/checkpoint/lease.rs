//! Owning a unit: taking it over, committing, letting go.

use std::sync::Arc;
use std::time::Duration;

use audit_service::health::Condition;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{CheckpointStore, Document, Expected, SCHEMA, StoreFailed, Version};
use crate::deliver::Backoff;

/// A unit's checkpoint in the hands of its owner.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn CheckpointStore>,
    document: Document,
    version: Version,
    /// A write whose answer was lost: it may have happened.
    unsettled: Option<Document>,
}

/// Why a position could not be committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitFailed {
    /// Another process owns the unit now; this one must stop reading it.
    #[error("unit `{unit}` was taken over by `{owner}`")]
    Deposed {
        /// The unit.
        unit: String,
        /// Its owner.
        owner: String,
    },
    /// It is not known to be stored; worth another try.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// A unit in the eyes of a process that does not own it.
#[derive(Debug, Default)]
pub struct Watch {
    found: Option<(Document, Version)>,
    /// Since when it has not changed, by this process's own clock.
    since: Option<Instant>,
    /// It has changed while this process looked.
    changed: bool,
}

/// Whether a unit can be taken over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nobody has it, or nobody who lives.
    Free,
    /// Another process has it.
    Held {
        /// Which.
        by: String,
        /// It was seen at work: it did not just leave its name behind.
        lives: bool,
    },
}

/// How long to wait for a unit.
#[derive(Clone, Copy, Debug)]
pub enum Patience<'a> {
    /// Until it is there, through all troubles of the store; the condition tells of them.
    Endless(&'a Condition),
    /// While its owner may be dead.
    Once,
}

impl Watch {
    /// Looks at the unit again; `owner` is who looks.
    ///
    /// # Errors
    /// What the store says, except that somebody else has it.
    pub async fn look(
        &mut self,
        store: &Arc<dyn CheckpointStore>,
        unit: &str,
        owner: &str,
    ) -> Result<Standing, StoreFailed> {
        let alone = match store.hold(unit).await {
            Err(StoreFailed::InUse { by, .. }) => return Ok(Standing::Held { by, lives: true }),
            alone => alone?,
        };
        let found = store.load(unit).await?;
        if found.is_none() && self.found.is_some() {
            return Err(StoreFailed::Gone(unit.to_owned()));
        }
        let version =
            |found: &Option<(Document, Version)>| found.as_ref().map(|(_, version)| version.clone());
        if version(&found) != version(&self.found) || self.since.is_none() {
            self.changed = self.since.is_some();
            self.since = Some(Instant::now());
        }
        self.found = found;
        let unchanged = self.since.map(|since| since.elapsed()).unwrap_or_default();
        Ok(match &self.found {
            Some((Document { owner: held, .. }, _))
                if !(alone || held.is_empty() || held == owner || unchanged >= store.expiry()) =>
            {
                Standing::Held { by: held.clone(), lives: self.changed }
            }
            _ => Standing::Free,
        })
    }
}

impl Lease {
    /// Waits until the unit is free and takes it. `owner` must differ between processes, also of one host.
    ///
    /// # Errors
    /// What the store says and does not pass by itself. With [`Patience::Once`] all that it says, and
    /// [`StoreFailed::InUse`] when somebody else has it.
    pub async fn acquire(
        store: Arc<dyn CheckpointStore>,
        unit: &str,
        owner: &str,
        patience: Patience<'_>,
    ) -> Result<Self, StoreFailed> {
        let mut watch = Watch::default();
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            match (Self::attempt(&store, unit, owner, &mut watch).await, patience) {
                (Ok(Ok(lease)), _) => return Ok(lease),
                (Ok(Err(Standing::Held { by, lives: true })), Patience::Once) => {
                    return Err(StoreFailed::InUse { place: unit.to_owned(), by });
                }
                (Ok(Err(standing)), _) => {
                    if let Patience::Endless(condition) = patience {
                        backoff.reset();
                        condition.ready();
                    }
                    if let Standing::Held { by, .. } = standing
                        && !std::mem::replace(&mut told, true)
                    {
                        tracing::info!(unit, by, "another process reads this; waiting for its turn");
                    }
                }
                (
                    Err(failed @ (StoreFailed::Unavailable { .. } | StoreFailed::Gone(_))),
                    Patience::Endless(condition),
                ) => {
                    condition.not_ready(failed.to_string());
                    sleep(backoff.next(None)).await;
                }
                (Err(failed), _) => return Err(failed),
            }
            sleep(store.expiry() / 10).await;
        }
    }

    /// Takes the unit if it is free; else how it stands, [`Standing::Free`] when somebody was faster.
    async fn attempt(
        store: &Arc<dyn CheckpointStore>,
        unit: &str,
        owner: &str,
        watch: &mut Watch,
    ) -> Result<Result<Self, Standing>, StoreFailed> {
        match watch.look(store, unit, owner).await? {
            Standing::Free => match Self::take(store, unit, owner, watch).await {
                Err(StoreFailed::Conflict(_) | StoreFailed::InUse { .. }) => Ok(Err(Standing::Free)),
                taken => taken.map(Ok),
            },
            held => Ok(Err(held)),
        }
    }

    /// Takes the unit as `watch` has last seen it, also from an owner who lives: its next write is a conflict, and it stops.
    ///
    /// # Errors
    /// [`StoreFailed::Conflict`] when it has changed since; [`StoreFailed::Unavailable`] when the store refuses it although it
    /// has not.
    pub async fn take(
        store: &Arc<dyn CheckpointStore>,
        unit: &str,
        owner: &str,
        watch: &Watch,
    ) -> Result<Self, StoreFailed> {
        let (found, expected) = match &watch.found {
            Some((document, version)) => (Some(document), Expected::Version(version.clone())),
            None => (None, Expected::Absent),
        };
        let document = Document {
            schema: SCHEMA,
            unit: unit.to_owned(),
            owner: owner.to_owned(),
            beat: found.map_or(0, |document| document.beat.wrapping_add(1)),
            position: found.map_or(Value::Null, |document| document.position.clone()),
        };
        match store.store(&document, expected).await {
            Ok(version) => Ok(Self { store: Arc::clone(store), document, version, unsettled: None }),
            Err(StoreFailed::Conflict(_)) if store.load(unit).await? == watch.found => Err(refused(unit)),
            Err(failed) => Err(failed),
        }
    }

    /// The committed position, `None` before the first commit.
    pub fn position(&self) -> Option<&Value> {
        Some(&self.document.position).filter(|position| !position.is_null())
    }

    /// How often to commit, at most.
    pub fn commit_every(&self) -> Duration {
        self.store.commit_every()
    }

    /// Stores `position`, or the present one again to keep the lease. After [`CommitFailed::Store`] it is not known
    /// whether it was stored; the next commit finds out first.
    ///
    /// # Errors
    /// [`CommitFailed`].
    pub async fn commit(&mut self, position: Option<Value>) -> Result<(), CommitFailed> {
        self.settle().await?;
        let document = Document {
            beat: self.document.beat.wrapping_add(1),
            position: position.unwrap_or_else(|| self.document.position.clone()),
            ..self.document.clone()
        };
        self.write(document).await
    }

    /// Lets go, so that a successor need not wait.
    ///
    /// # Errors
    /// [`CommitFailed`].
    pub async fn release(mut self) -> Result<(), CommitFailed> {
        self.settle().await?;
        let beat = self.document.beat.wrapping_add(1);
        self.write(Document { beat, owner: String::new(), ..self.document.clone() }).await
    }

    async fn write(&mut self, document: Document) -> Result<(), CommitFailed> {
        self.unsettled = Some(document.clone());
        match self.store.store(&document, Expected::Version(self.version.clone())).await {
            Ok(version) => {
                self.took(document, version);
                Ok(())
            }
            Err(StoreFailed::Conflict(_)) => {
                self.settle().await?;
                if self.document == document { Ok(()) } else { Err(refused(&document.unit).into()) }
            }
            Err(failed) => Err(failed.into()),
        }
    }

    /// Finds out what became of a write without an answer by reading back.
    async fn settle(&mut self) -> Result<(), CommitFailed> {
        let Some(written) = self.unsettled.clone() else { return Ok(()) };
        let unit = &self.document.unit;
        match self.store.load(unit).await? {
            Some((found, version)) if found == written => self.took(written, version),
            Some((found, version)) if found == self.document && version == self.version => {
                self.unsettled = None
            }
            Some((Document { owner, .. }, _)) => {
                return Err(CommitFailed::Deposed { unit: unit.clone(), owner });
            }
            None => return Err(StoreFailed::Gone(unit.clone()).into()),
        }
        Ok(())
    }

    fn took(&mut self, document: Document, version: Version) {
        self.document = document;
        self.version = version;
        self.unsettled = None;
    }
}

/// A store that speaks of a conflict where nobody has written: a policy of the cloud's that forbids writing, for one.
fn refused(unit: &str) -> StoreFailed {
    StoreFailed::Unavailable {
        place: unit.to_owned(),
        what: "written",
        reason: "the store refuses it as if another process had written, and none has; look for a policy, lock or lease of \
                 the cloud's on it"
            .to_owned(),
    }
}

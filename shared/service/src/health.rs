//! Readiness: named conditions, each met or not with a reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All conditions of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Option<String>>>>);

/// One condition, set by whoever can tell. Clones set the same one.
#[derive(Clone, Debug)]
pub struct Condition {
    health: Health,
    name: String,
}

impl Health {
    /// No conditions: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The condition of this name, not met because `starting` until it is set otherwise.
    #[must_use]
    pub fn condition(&self, name: impl Into<String>) -> Condition {
        let name = name.into();
        self.lock().entry(name.clone()).or_insert_with(|| Some("starting".to_owned()));
        Condition { health: self.clone(), name }
    }

    /// Leaves out the condition of this name until somebody sets it again.
    pub fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Whether every condition is met.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Option::is_none)
    }

    /// The conditions that are not met with their reasons, by name.
    #[must_use]
    pub fn failing(&self) -> Vec<(String, String)> {
        let lock = self.lock();
        lock.iter().filter_map(|(name, reason)| Some((name.clone(), reason.clone()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// The condition is met. A change is logged.
    pub fn ready(&self) {
        let before = self.health.lock().insert(self.name.clone(), None);
        if before.flatten().is_some() {
            tracing::info!(condition = self.name, "ready");
        }
    }

    /// The condition is not met, because of `reason`, which reads well after `NAME: ` and holds no secret.
    /// A change is logged.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let reason = reason.into();
        let before = self.health.lock().insert(self.name.clone(), Some(reason.clone()));
        if before.flatten().as_ref() != Some(&reason) {
            tracing::warn!(condition = self.name, reason, "not ready");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn ready_when_every_condition_is_met() {
        let health = Health::new();
        assert!(health.is_ready());
        let (store, receiver) = (health.condition("store"), health.condition("receiver"));
        assert_eq!(
            health.failing(),
            [("receiver".into(), "starting".into()), ("store".into(), "starting".into())]
        );
        store.ready();
        receiver.not_ready("answers 401: mend the token");
        assert_eq!(health.failing(), [("receiver".into(), "answers 401: mend the token".into())]);
        receiver.ready();
        assert!(health.is_ready());
        // Asking for a condition again does not forget what is known of it.
        let _ = health.condition("store");
        assert!(health.is_ready());
        receiver.not_ready("answers 401: mend the token");
        health.forget("receiver");
        assert!(health.is_ready());
    }
}

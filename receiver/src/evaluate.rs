//! From a body to what comes of it: pure, no I/O.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use audit_event::json::Malformed;
use audit_event::{Event, EventId, Item, Unusable, split_at_most};
use audit_rules::Context;

use crate::activity::{self, Activity};
use crate::native;
use crate::rules::Rules;
use crate::store::{Alert, Quarantined};

/// The annotation that holds a cluster's name, which `ka.cluster.name` reads.
pub const CLUSTER_NAME: &str = "cluster_name";

/// The annotation that holds a cluster's id, unique in the world.
pub const CLUSTER_ID: &str = "cluster_id";

/// What is named as the source of what the intake sets aside.
const INTAKE: &str = "intake";

/// Holds events against rules.
#[derive(Debug)]
pub struct Evaluator {
    rules: RwLock<Arc<Rules>>,
    hostname: String,
    native: bool,
}

/// What comes of a body. `received` = `evaluated` + `ignored` + the number of `quarantined`.
#[derive(Default, Debug)]
pub struct Outcome {
    /// Entries in the body.
    pub received: usize,
    /// Audit events held against the rules.
    pub evaluated: usize,
    /// Entries that are no audit events.
    pub ignored: usize,
    /// What can't be evaluated, with its index in the body.
    pub quarantined: Vec<(usize, Quarantined)>,
    /// In the order of the events, and of the rules for each.
    pub alerts: Vec<Alert>,
    /// Requests that went into something.
    pub activity: Vec<Activity>,
    /// The time of the newest event of each cluster, nanoseconds since 1970.
    pub newest: BTreeMap<String, i64>,
}

impl Evaluator {
    /// An evaluator on the machine of that name.
    pub fn new(rules: Rules, hostname: String) -> Self {
        Self { rules: RwLock::new(Arc::new(rules)), hostname, native: false }
    }

    /// The same, which also raises the alerts of [`native`] if `native`.
    #[must_use]
    pub fn with_native(mut self, native: bool) -> Self {
        self.native = native;
        self
    }

    /// The alert that a record raises by being set aside, if it is to raise one.
    pub fn set_aside(&self, record: &Quarantined) -> Option<Alert> {
        self.native.then(|| native::unreadable(record, &self.hostname, jiff::Timestamp::now()))
    }

    /// The rules in use.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses `rules` for the bodies that come from now on; those under way end with the rules they began with.
    pub fn replace(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Splits `payload` and holds each event against the rules. `bound` is the name of the cluster that all of it is
    /// from, whatever the events say.
    ///
    /// # Errors
    /// When the structure of the payload is broken anywhere, or it has more than `most` entries.
    pub fn evaluate(&self, payload: &str, bound: Option<&str>, most: usize) -> Result<Outcome, Malformed> {
        let items = split_at_most(payload, most)?;
        let rules = self.rules();
        let mut outcome = Outcome { received: items.len(), ..Outcome::default() };
        let mut context = Context::new(&*self.hostname);
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Item::Event(event) => {
                    let event = Located::new(&event, bound);
                    outcome.evaluated += 1;
                    outcome.note(&event);
                    rules.raise(&event, &mut context, &mut outcome.alerts);
                    if self.native {
                        outcome.alerts.extend(native::cut_short(&event, &self.hostname));
                    }
                }
                Item::Ignored(_) => outcome.ignored += 1,
                Item::Quarantined(raw, reason) => {
                    let record = Quarantined {
                        reason: reason.to_string(),
                        cluster: bound.unwrap_or_default().to_owned(),
                        source: INTAKE.to_owned(),
                        record: raw.text().as_bytes().to_vec(),
                    };
                    outcome.alerts.extend(self.set_aside(&record));
                    outcome.quarantined.push((index, record));
                }
            }
        }
        Ok(outcome)
    }

    /// Holds one event of `cluster` against the rules that has the identity of `other`: of another event, or the same at
    /// another time.
    ///
    /// # Errors
    /// When either is no event.
    pub fn evaluate_as(&self, event: &str, other: &str, cluster: &str) -> Result<Outcome, Unusable> {
        let (event, other) = (Event::parse(event)?, Event::parse(other)?);
        let id = EventId::of(&other, Some(cluster));
        let event = Located { given: Some(id), ..Located::new(&event, Some(cluster)) };
        let mut outcome = Outcome { received: 1, evaluated: 1, ..Outcome::default() };
        outcome.note(&event);
        self.rules().raise(&event, &mut Context::new(&*self.hostname), &mut outcome.alerts);
        Ok(outcome)
    }

    /// The alert that so many reviews of a cluster were never evaluated, if there is to be one.
    pub fn reviews_lost(&self, cluster: &str, count: u64) -> Option<Alert> {
        self.native.then(|| native::reviews_lost(cluster, count, &self.hostname, jiff::Timestamp::now()))
    }
}

impl Outcome {
    /// Adds what came of the entry at `index`.
    pub fn add(&mut self, index: usize, other: Self) {
        self.received += other.received;
        self.evaluated += other.evaluated;
        self.ignored += other.ignored;
        self.quarantined.extend(other.quarantined.into_iter().map(|(_, record)| (index, record)));
        self.alerts.extend(other.alerts);
        self.activity.extend(other.activity);
        for (cluster, time) in other.newest {
            let newest = self.newest.entry(cluster).or_insert(time);
            *newest = time.max(*newest);
        }
    }

    fn note(&mut self, event: &Located<'_>) {
        self.activity.extend(activity::of(event));
        let time = nanoseconds(event.event);
        match self.newest.get_mut(event.cluster.as_ref()) {
            Some(newest) => *newest = time.max(*newest),
            None => drop(self.newest.insert(event.cluster.clone().into_owned(), time)),
        }
    }
}

/// An event whose cluster is settled.
pub struct Located<'a> {
    /// As it came.
    pub event: &'a Event<'a>,
    /// Name of its cluster, empty when not known.
    pub cluster: Cow<'a, str>,
    /// What stands for the cluster in the event's identity.
    cluster_id: Option<Cow<'a, str>>,
    /// The identity that it is given in place of its own.
    given: Option<EventId>,
    /// The cluster's name that the event must carry in place of its own.
    bound: Option<&'a str>,
}

impl<'a> Located<'a> {
    /// A bound cluster counts for everything; otherwise the id annotation counts for the identity and the name
    /// annotation for people, each standing in for the other.
    fn new(event: &'a Event<'a>, bound: Option<&'a str>) -> Self {
        if let Some(name) = bound {
            let says_so = event.annotation(CLUSTER_NAME).as_deref() == bound;
            let bound = bound.filter(|_| !says_so);
            return Self { event, cluster: name.into(), cluster_id: Some(name.into()), given: None, bound };
        }
        let (name, id) = (event.annotation(CLUSTER_NAME), event.annotation(CLUSTER_ID));
        let cluster = name.clone().or_else(|| id.clone()).unwrap_or_default();
        Self { event, cluster, cluster_id: id.or(name), given: None, bound: None }
    }

    /// Its identity. Few events raise anything, so it is made where it is wanted.
    pub fn id(&self) -> EventId {
        self.given.unwrap_or_else(|| EventId::of(self.event, self.cluster_id.as_deref()))
    }

    /// The event as rules are to see it.
    pub fn with_event<T>(&self, see: impl FnOnce(&Event<'_>) -> T) -> T {
        let Some(bound) = self.bound else { return see(self.event) };
        // In a list an event needs no kind of its own.
        let (head, tail) = (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":["#, "]}");
        let room = head.len() + self.event.raw().text().len() + bound.len() + 64;
        let mut list = String::with_capacity(room);
        list.push_str(head);
        self.event.write_annotated(&mut list, &[(CLUSTER_NAME, bound)]);
        list.push_str(tail);
        match audit_event::split(&list).as_deref() {
            Ok([Item::Event(event)]) => see(event),
            // Never: what was an event is one with another annotation.
            _ => see(self.event),
        }
    }
}

/// An event's time as the store keeps it; what 64 bits can't hold is the nearest that they can.
pub fn nanoseconds(event: &Event<'_>) -> i64 {
    let time = event.stage_timestamp().as_nanoseconds();
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;

//! From a body to what comes of it: pure, no I/O.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use audit_event::json::{Malformed, Raw};
use audit_event::{Event, EventId, Item, Unusable, split_at_most};
use audit_rules::Context;
use jiff::tz::TimeZone;

use crate::activity::{self, Activity};
use crate::clusters::{CLUSTER_NAME, Cluster, Ids, Place, Scope, Unplaced};
use crate::lag;
use crate::native;
use crate::redact::Redact;
use crate::rules::Rules;
use crate::store::{Alert, Quarantined};

/// What is named as the source of what the intake sets aside.
const INTAKE: &str = "intake";

/// Holds events against rules.
#[derive(Debug)]
pub struct Evaluator {
    rules: RwLock<Arc<Rules>>,
    hostname: String,
    zone: TimeZone,
    native: bool,
    ids: Ids,
    lag: bool,
    redact: Redact,
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
    /// The newest event of each cluster, by the cluster's id.
    pub newest: BTreeMap<String, Newest>,
}

/// The newest event of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Newest {
    /// The cluster's name.
    pub name: String,
    /// Nanoseconds since 1970.
    pub time: i64,
}

impl Evaluator {
    /// An evaluator on the machine of that name.
    pub fn new(rules: Rules, hostname: String) -> Self {
        Self {
            rules: RwLock::new(Arc::new(rules)),
            hostname,
            zone: TimeZone::UTC,
            native: false,
            ids: Ids::default(),
            lag: false,
            redact: Redact::NOTHING,
        }
    }

    /// The same, for which local times are those of `zone` and not UTC.
    #[must_use]
    pub fn with_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// The same, which also raises the alerts of [`native`] about events that it can't hold against the rules, or not whole, if
    /// `native`.
    #[must_use]
    pub fn with_native(mut self, native: bool) -> Self {
        self.native = native;
        self
    }

    /// The same, which knows the ids of clusters that are only named.
    #[must_use]
    pub fn with_ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// The same, whose alerts say when they are raised long after their events, see [`lag`].
    #[must_use]
    pub fn with_lag(mut self) -> Self {
        self.lag = true;
        self
    }

    /// The same, whose alerts and activity are without what is not to be kept.
    #[must_use]
    pub fn with_redaction(mut self, redact: Redact) -> Self {
        self.redact = redact;
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

    fn context(&self) -> Context {
        Context::new(&*self.hostname).in_zone(self.zone.clone())
    }

    /// Splits `payload` and holds each event against the rules. All of it is from the cluster `named`, or each event from the
    /// one that it names itself.
    ///
    /// # Errors
    /// As [`Self::evaluate_within`].
    pub fn evaluate(&self, payload: &str, named: Option<&str>, most: usize) -> Result<Outcome, Malformed> {
        let scope = named.map_or(Scope::Any, |name| Scope::One(self.ids.cluster(name)));
        self.evaluate_within(payload, &scope, most)
    }

    /// Splits `payload` and holds each event against the rules. `scope` tells the clusters that it may be from; an event of
    /// another is quarantined.
    ///
    /// # Errors
    /// When the structure of the payload is broken anywhere, or it has more than `most` entries.
    pub fn evaluate_within(&self, payload: &str, scope: &Scope, most: usize) -> Result<Outcome, Malformed> {
        let items = split_at_most(payload, most)?;
        let rules = self.rules();
        let mut outcome = Outcome { received: items.len(), ..Outcome::default() };
        let mut context = self.context();
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Item::Event(event) => match Located::new(&event, scope, &self.ids) {
                    Ok(event) => {
                        outcome.evaluated += 1;
                        outcome.note(&event, &self.redact);
                        rules.raise(&event, &mut context, &self.redact, &mut outcome.alerts);
                        if self.native {
                            outcome.alerts.extend(native::cut_short(&event, &self.hostname, &self.redact));
                        }
                    }
                    Err(unplaced) => self.quarantine(&mut outcome, index, event.raw(), &unplaced, scope),
                },
                Item::Ignored(_) => outcome.ignored += 1,
                Item::Quarantined(raw, reason) => self.quarantine(&mut outcome, index, raw, &reason, scope),
            }
        }
        if self.lag && !outcome.alerts.is_empty() {
            let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
            outcome.alerts.iter_mut().for_each(|alert| lag::tell(alert, now));
        }
        Ok(outcome)
    }

    fn quarantine(
        &self,
        outcome: &mut Outcome,
        index: usize,
        raw: Raw<'_>,
        reason: &impl ToString,
        scope: &Scope,
    ) {
        let record = Quarantined {
            reason: reason.to_string(),
            cluster: scope.name().unwrap_or_default().to_owned(),
            source: INTAKE.to_owned(),
            record: raw.text().as_bytes().to_vec(),
        };
        outcome.alerts.extend(self.set_aside(&record));
        outcome.quarantined.push((index, record));
    }

    /// Holds one event of `cluster` against the rules that has the identity of `other`: of another event, or the same at
    /// another time.
    ///
    /// # Errors
    /// When either is no event.
    pub fn evaluate_as(&self, event: &str, other: &str, cluster: &Cluster) -> Result<Outcome, Unusable> {
        let (event, other) = (Event::parse(event)?, Event::parse(other)?);
        let id = EventId::of(&other, Some(&cluster.id));
        let event = Located { given: Some(id), ..Located::of(&event, cluster) };
        let mut outcome = Outcome { received: 1, evaluated: 1, ..Outcome::default() };
        outcome.note(&event, &self.redact);
        let mut context = self.context();
        self.rules().raise(&event, &mut context, &self.redact, &mut outcome.alerts);
        Ok(outcome)
    }

    /// The alert that so many reviews of a cluster were never evaluated.
    pub fn reviews_lost(&self, cluster: &str, count: u64) -> Alert {
        native::reviews_lost(cluster, count, &self.hostname, jiff::Timestamp::now())
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
        for (id, newest) in other.newest {
            match self.newest.get_mut(&id) {
                Some(known) => known.time = known.time.max(newest.time),
                None => drop(self.newest.insert(id, newest)),
            }
        }
    }

    /// Bytes that it takes, about.
    pub fn size(&self) -> usize {
        /// Of a row beside its text.
        const ROW: usize = 640;
        let alerts = self.alerts.iter().map(|alert| alert.document.len() + ROW);
        let quarantined = self.quarantined.iter().map(|(_, record)| record.record.len() + ROW);
        let activity = self.activity.iter().map(|activity| activity.entry.size() + 2 * ROW);
        alerts.chain(quarantined).chain(activity).sum()
    }

    fn note(&mut self, event: &Located<'_>, redact: &Redact) {
        self.activity.extend(activity::of(event, redact));
        let time = nanoseconds(event.event);
        let id = event.cluster_id.as_deref().unwrap_or_default();
        match self.newest.get_mut(id) {
            Some(known) => known.time = known.time.max(time),
            None => {
                let newest = Newest { name: event.cluster.clone().into_owned(), time };
                self.newest.insert(id.to_owned(), newest);
            }
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
    /// Whether it must be made to carry the cluster's name in place of its own.
    renamed: bool,
}

impl<'a> Located<'a> {
    fn new(event: &'a Event<'a>, scope: &'a Scope, ids: &'a Ids) -> Result<Self, Unplaced> {
        let Place { id, name, renamed } = scope.place(event, ids)?;
        Ok(Self { event, cluster: name, cluster_id: id, given: None, renamed })
    }

    fn of(event: &'a Event<'a>, cluster: &'a Cluster) -> Self {
        let (name, id) = ((&*cluster.name).into(), Some((&*cluster.id).into()));
        let renamed = event.annotation(CLUSTER_NAME).as_deref() != Some(&*cluster.name);
        Self { event, cluster: name, cluster_id: id, given: None, renamed }
    }

    /// Its identity. Few events raise anything, so it is made where it is wanted.
    pub fn id(&self) -> EventId {
        self.given.unwrap_or_else(|| EventId::of(self.event, self.cluster_id.as_deref()))
    }

    /// The event as rules are to see it.
    pub fn with_event<T>(&self, see: impl FnOnce(&Event<'_>) -> T) -> T {
        if !self.renamed {
            return see(self.event);
        }
        let mut text = String::with_capacity(self.event.raw().text().len() + self.cluster.len() + 64);
        self.event.write_annotated(&mut text, &[(CLUSTER_NAME, &self.cluster)]);
        match Event::parse_item(&text) {
            Ok(event) => see(&event),
            // Never: what was an event is one with another annotation.
            Err(_) => see(self.event),
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

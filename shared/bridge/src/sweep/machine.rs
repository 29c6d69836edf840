//! The algorithm: told the time and what each page held, it says what to ask next, what to hand on, what may be committed.

use std::time::Duration;

use audit_service::config::Span;

use super::{Ages, Covered, Marks, RecordId, Seen};
use crate::time::Time;

/// A slice that fills more pages than this is cut, so that little is sent again after a crash.
const CUT_AFTER_PAGES: u32 = 32;
/// The length of slices aims at this many pages.
const WANTED_PAGES: u32 = 8;
/// Of as many requests in a row one goes to the oldest sweep that has work, however busy the youngest is.
const TURNS: u32 = 4;
/// Where the length of slices starts to be learnt.
const FIRST_LENGTH: Duration = Duration::from_secs(60);
/// Towards a receiver that raises an alert for each copy: how long after its ingestion a record is surely readable.
const READABLE_WITHIN: Duration = Duration::from_secs(120);

/// What a reader is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The table of ages.
    pub ages: Ages,
    /// How often the youngest sweep looks.
    pub poll: Duration,
    /// The committed position, or [`Marks::starting`].
    pub marks: Marks,
    /// How many identities of records to remember at most.
    pub remember: usize,
    /// Read up to this time and end there.
    pub until: Option<Time>,
    /// The receiver raises an alert for each copy of an event: leave out what was ingested well before a sweep read
    /// where it lies.
    pub spare_copies: bool,
}

/// The reader of one time-indexed log.
#[derive(Debug)]
pub struct Machine {
    sweeps: Vec<Sweep>,
    seen: Seen,
    until: Option<Time>,
    read_before: Option<Marks>,
    turn: u32,
}

#[derive(Debug)]
struct Sweep {
    covered: Covered,
    /// How much time must have gathered before it is worth a request.
    step: Duration,
    /// The longest slice, learnt from the pages that slices take.
    length: Duration,
    slice: Option<Slice>,
}

#[derive(Debug)]
struct Slice {
    to: Time,
    token: Option<String>,
    pages: u32,
    /// When the first page was asked for.
    asked: Time,
    /// The latest record of the first half of the pages that a slice may have.
    midway: Option<Time>,
    outstanding: bool,
}

impl Slice {
    fn up_to(to: Time) -> Self {
        Self { to, token: None, pages: 0, asked: Time::MAX, midway: None, outstanding: false }
    }
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Ask the log for a page.
    Read(Request),
    /// Nothing to ask before that time, or before an outstanding request is answered.
    Wait(Time),
    /// Everything up to the end was read.
    Done,
}

/// A page to ask for: records of times from `from` up to, and without, `to`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    sweep: usize,
    /// The sweep's age, for logs and metrics.
    pub age: Duration,
    /// First time of the slice.
    pub from: Time,
    /// First time behind the slice.
    pub to: Time,
    /// The continuation token of the page before, if this is not the slice's first.
    pub token: Option<String>,
}

impl Request {
    /// The first page of a slice, outside of any sweep.
    pub fn of_slice(from: Time, to: Time) -> Self {
        Self { sweep: 0, age: Duration::ZERO, from, to, token: None }
    }
}

/// A record on a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<R> {
    /// What tells it from every other.
    pub id: RecordId,
    /// The time by which the log finds it.
    pub time: Time,
    /// When the log took it in, where the log tells.
    pub ingested: Option<Time>,
    /// What it says.
    pub record: R,
}

/// What came of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emitted<R> {
    /// Records not handed on before, in the page's order.
    pub records: Vec<R>,
    /// What may be committed once these and all records before them are delivered.
    pub position: Option<Marks>,
    /// What to count.
    pub tally: Tally,
}

/// Figures of one page.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Records that a younger sweep had missed: they became readable late.
    pub late: u64,
    /// Records left out because they were handed on before.
    pub repeated: u64,
}

impl Machine {
    /// Goes on where `start.marks` says.
    pub fn new(start: Start) -> Self {
        let ages = if start.until.is_some() { start.ages.with_present() } else { start.ages };
        let sweeps = ages.with_waits(start.poll).map(|(age, step)| {
            let covered = start.marks.covered(age);
            Sweep { covered, step, length: step.max(FIRST_LENGTH), slice: None }
        });
        Self {
            sweeps: sweeps.collect(),
            seen: Seen::new(start.remember),
            until: start.until,
            read_before: start.spare_copies.then_some(start.marks),
            turn: 0,
        }
    }

    /// What to ask at `now`. A request counts as under way until [`Machine::page`], [`Machine::expired`] or
    /// [`Machine::failed`] is called with it; there is at most one a sweep.
    pub fn next(&mut self, now: Time) -> Step {
        let now = self.until.unwrap_or(now);
        for place in 0..self.sweeps.len() {
            let floor = self.sweeps.get(place + 1).map(|elder| now.minus(elder.covered.age.0));
            if let Some(sweep) = self.sweeps.get_mut(place) {
                sweep.plan(now, floor, self.until.is_some());
            }
        }
        let ready = |sweep: &Sweep| sweep.slice.as_ref().is_some_and(|slice| !slice.outstanding);
        let choice = if self.turn + 1 == TURNS {
            self.sweeps.iter().rposition(ready)
        } else {
            self.sweeps.iter().position(ready)
        };
        if let Some(request) = choice.and_then(|place| self.sweeps.get_mut(place)?.request(place)) {
            self.turn = (self.turn + 1) % TURNS;
            return Step::Read(request);
        }
        if self.until.is_some() && self.sweeps.iter().all(|sweep| sweep.slice.is_none()) {
            return Step::Done;
        }
        let idle = self.sweeps.iter().filter(|sweep| sweep.slice.is_none());
        Step::Wait(idle.map(Sweep::due).min().unwrap_or(Time::MAX))
    }

    /// A page came, asked for at `asked` (by the service's clock); `token` says that there is more.
    pub fn page<R>(
        &mut self,
        request: &Request,
        asked: Time,
        found: Vec<Found<R>>,
        token: Option<String>,
    ) -> Emitted<R> {
        let mut emitted = Emitted { records: Vec::new(), position: None, tally: Tally::default() };
        let latest = found.iter().map(|found| found.time).max();
        for Found { id, time, ingested, record } in found {
            // What lies outside is another slice's to find; some services count the end in.
            if time < request.from || time >= request.to {
                continue;
            }
            if self.was_read_before(time, ingested) || !self.seen.insert(time, id) {
                emitted.tally.repeated += 1;
                continue;
            }
            let younger = self.sweeps.iter().take(request.sweep);
            let missed = younger.map(|sweep| sweep.covered).any(|run| run.from <= time && time < run.to);
            emitted.tally.late += u64::from(missed);
            emitted.records.push(record);
        }
        if let Some(until) = &mut self.until {
            *until = asked.min(*until);
        }
        let Some(sweep) = self.sweeps.get_mut(request.sweep) else { return emitted };
        if sweep.turn_page(asked, latest, token) {
            self.seen.prune(self.sweeps.iter().map(|sweep| sweep.covered.to).min().unwrap_or_default());
            emitted.position = Some(self.marks(asked));
        }
        emitted
    }

    /// The request's token is not taken any more: the slice is read again, in halves.
    pub fn expired(&mut self, request: &Request) {
        if let Some(sweep) = self.sweeps.get_mut(request.sweep) {
            let half = request.from.halfway(request.to);
            sweep.restart(if half > request.from { half } else { request.to });
        }
    }

    /// The request failed and may be made again.
    pub fn failed(&mut self, request: &Request) {
        if let Some(slice) = self.sweeps.get_mut(request.sweep).and_then(|sweep| sweep.slice.as_mut()) {
            slice.outstanding = false;
        }
    }

    /// How far reading has come.
    pub fn marks(&self, at: Time) -> Marks {
        Marks { at, sweeps: self.sweeps.iter().map(|sweep| sweep.covered).collect() }
    }

    /// The records handed on and still remembered.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    fn was_read_before(&self, time: Time, ingested: Option<Time>) -> bool {
        let (Some(marks), Some(ingested)) = (&self.read_before, ingested) else { return false };
        marks.have_read(time, ingested.plus(READABLE_WITHIN))
    }
}

impl Sweep {
    fn due(&self) -> Time {
        self.covered.to.plus(self.covered.age.0).plus(self.step.min(self.length))
    }

    /// Opens the next slice when it is due. Times before `floor` are old enough for the next older sweep, which reads
    /// them anyway.
    fn plan(&mut self, now: Time, floor: Option<Time>, to_the_end: bool) {
        if self.slice.is_some() {
            return;
        }
        let target = now.minus(self.covered.age.0);
        let skip = floor.filter(|floor| *floor > self.covered.to);
        // A mark ahead of the clock was made under a wrong one.
        let ahead = (self.covered.to > now).then_some(target);
        if let Some(to) = skip.or(ahead) {
            self.covered = Covered { from: to, to, ..self.covered };
        }
        if target > self.covered.to && (to_the_end || now >= self.due()) {
            self.slice = Some(Slice::up_to(self.covered.to.plus(self.length).min(target)));
        }
    }

    fn request(&mut self, place: usize) -> Option<Request> {
        let slice = self.slice.as_mut()?;
        slice.outstanding = true;
        let Covered { age: Span(age), to: from, .. } = self.covered;
        Some(Request { sweep: place, age, from, to: slice.to, token: slice.token.clone() })
    }

    /// Notes a page of the open slice; true when it was the last and the mark has moved.
    fn turn_page(&mut self, asked: Time, latest: Option<Time>, token: Option<String>) -> bool {
        let from = self.covered.to;
        let Some(mut slice) = self.slice.take() else { return false };
        slice.outstanding = false;
        slice.pages += 1;
        slice.asked = slice.asked.min(asked);
        if slice.pages <= CUT_AFTER_PAGES / 2 {
            slice.midway = slice.midway.max(latest);
        }
        if token.is_none() {
            self.learn(slice.to.since(from), slice.pages);
            self.covered.to = slice.to.min(slice.asked.minus(self.covered.age.0)).max(from);
            return self.covered.to > from;
        }
        slice.token = token;
        let full = slice.pages >= CUT_AFTER_PAGES;
        let midway = slice.midway.map(|latest| latest.plus(Duration::from_millis(1)));
        let cut = midway.filter(|midway| *midway < slice.to).unwrap_or(from.halfway(slice.to));
        self.slice = Some(slice);
        if full && cut > from {
            self.restart(cut);
        }
        false
    }

    /// Reads the open slice again from its first page, up to `to`.
    fn restart(&mut self, to: Time) {
        self.length = to.since(self.covered.to);
        self.slice = Some(Slice::up_to(to));
    }

    fn learn(&mut self, read: Duration, pages: u32) {
        if pages > WANTED_PAGES {
            self.length = (read * WANTED_PAGES / pages).max(Duration::from_millis(1));
        } else if pages * 4 <= WANTED_PAGES && read >= self.length {
            self.length = self.length.saturating_mul(2);
        }
    }
}

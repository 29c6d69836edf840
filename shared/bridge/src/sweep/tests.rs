//! The reader against a model of a log service.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Position;
use crate::time::Time;

const START: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;

/// Decisions of the model, taken from a list that a test may shrink: when it is used up, everything goes well.
struct Tape(std::vec::IntoIter<u8>);

impl Tape {
    fn below(&mut self, bound: u8) -> u8 {
        self.0.next().unwrap_or(0) % bound
    }

    /// True once in `times`, never when the list is used up.
    fn once_in(&mut self, times: u8) -> bool {
        self.below(times) == times - 1
    }
}

#[derive(Clone, Debug)]
struct Entry {
    time: i64,
    ingested: Option<i64>,
    readable_at: i64,
}

/// A log: pages in order of time, cut anywhere, some empty, tokens that expire.
struct Log {
    entries: Vec<Entry>,
    counts_end_in: bool,
}

impl Log {
    fn read(
        &self,
        request: &Request,
        now: i64,
        tape: &mut Tape,
    ) -> Option<(Vec<Found<usize>>, Option<String>)> {
        let after: Option<(i64, usize)> = match &request.token {
            Some(_) if tape.once_in(12) => return None,
            Some(token) => {
                token.split_once('/').map(|(time, index)| (time.parse().unwrap(), index.parse().unwrap()))
            }
            None => None,
        };
        let last = request.to.as_millis() - i64::from(!self.counts_end_in);
        let mut found: Vec<(i64, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| {
                entry.readable_at <= now && (request.from.as_millis()..=last).contains(&entry.time)
            })
            .map(|(index, entry)| (entry.time, index))
            .filter(|key| after.is_none_or(|after| *key > after))
            .collect();
        found.sort_unstable();
        let here = match tape.below(8) {
            0 => found.len(),
            // A page may be empty and still not the last.
            size => usize::from(size) - 1,
        };
        let more = here < found.len();
        found.truncate(here);
        let place = found.last().copied().or(after).unwrap_or((i64::MIN, 0));
        let token = more.then(|| format!("{}/{}", place.0, place.1));
        let page = found.into_iter().map(|(time, index)| Found {
            id: RecordId::of(&[&index.to_be_bytes()]),
            time: Time::from_millis(time),
            ingested: self.entries.get(index).and_then(|entry| entry.ingested).map(Time::from_millis),
            record: index,
        });
        Some((page.collect(), token))
    }
}

/// One reader and what becomes of what it hands on.
struct World {
    log: Log,
    tape: Tape,
    /// The service's clock, and this machine's offset from it.
    now: i64,
    off: i64,
    machine: Machine,
    clock: Clock,
    ages: Ages,
    committed: Marks,
    /// Handed on, not delivered yet: records and the position behind them.
    pipe: Vec<(Vec<usize>, Option<Marks>)>,
    delivered: HashMap<usize, u32>,
    crashes: u32,
    spare_copies: bool,
    /// What was final when the last process began, and the records from before that were handed on nevertheless.
    final_at_start: Time,
    needless: Vec<usize>,
}

impl World {
    fn new(log: Log, tape: Vec<u8>, ages: Ages, spare_copies: bool) -> Self {
        let committed = Marks::starting(&ages, Time::from_millis(START));
        let machine = Self::machine(&ages, &committed, spare_copies);
        let clock = Clock::new(Duration::ZERO, Time::from_millis(START));
        Self {
            log,
            tape: Tape(tape.into_iter()),
            now: START,
            off: 0,
            machine,
            clock,
            ages,
            committed,
            pipe: Vec::new(),
            delivered: HashMap::new(),
            crashes: 0,
            spare_copies,
            final_at_start: Time::from_millis(START),
            needless: Vec::new(),
        }
    }

    fn machine(ages: &Ages, marks: &Marks, spare_copies: bool) -> Machine {
        Machine::new(Start {
            ages: ages.clone(),
            poll: Duration::from_secs(5),
            marks: marks.clone(),
            remember: 100_000,
            until: None,
            spare_copies,
        })
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now - START).unwrap())
    }

    fn step(&mut self) {
        match self.machine.next(self.clock.at(self.monotonic())) {
            Step::Read(request) => self.read(&request),
            Step::Wait(_) => self.now += 1000 + i64::from(self.tape.below(100)) * 250,
            Step::Done => unreachable!("a daemon has no end"),
        }
        if self.tape.once_in(10) {
            self.deliver();
        }
    }

    fn read(&mut self, request: &Request) {
        let asked = self.monotonic();
        let answer =
            if self.tape.once_in(16) { None } else { self.log.read(request, self.now, &mut self.tape) };
        self.now += i64::from(self.tape.below(4)) * 200;
        self.clock.observe(self.monotonic(), Time::from_millis(self.now - self.now % 1000));
        match answer {
            Some((found, token)) => {
                let emitted = self.machine.page(request, self.clock.at(asked), found, token);
                let time = |record: &usize| Time::from_millis(self.log.entries[*record].time);
                let before = emitted.records.iter().filter(|record| time(record) < self.final_at_start);
                self.needless.extend(before);
                self.pipe.push((emitted.records, emitted.position));
            }
            None if request.token.is_some() => self.machine.expired(request),
            None => self.machine.failed(request),
        }
    }

    fn deliver(&mut self) {
        for (records, position) in self.pipe.drain(..) {
            for record in records {
                *self.delivered.entry(record).or_default() += 1;
            }
            if let Some(position) = position {
                // Marks taken back under a wrong clock are below the committed ones until they have caught up.
                let follows = position.follows(&self.committed);
                assert!(follows || self.crashes > 0, "{position:?} after {:?}", self.committed);
                if follows {
                    self.committed = position;
                }
            }
        }
    }

    /// The process is gone; its successor's machine may have another idea of the time.
    fn crash(&mut self, clocks_err: bool) {
        self.crashes += 1;
        if self.tape.once_in(2) {
            self.deliver();
        }
        self.pipe.clear();
        self.now += i64::from(self.tape.below(30)) * MINUTE / 2;
        self.off = if clocks_err { (i64::from(self.tape.below(7)) - 3) * 20 * MINUTE } else { 0 };
        self.clock = Clock::new(self.monotonic(), Time::from_millis(self.now + self.off));
        self.machine = Self::machine(&self.ages, &self.committed, self.spare_copies);
        self.final_at_start = self.committed.final_until();
    }

    fn run_until_final(&mut self, time: i64) {
        while self.committed.final_until() <= Time::from_millis(time) {
            self.step();
            if self.tape.0.len() == 0 {
                self.deliver();
            }
        }
    }
}

fn entries(lateness_below: i64) -> impl Strategy<Value = Vec<Entry>> {
    // Few different times, so that many are equal; some behind the start, some of a busy minute.
    let time =
        prop_oneof![0..20_i64 * MINUTE, (0..8_i64).prop_map(|minute| minute * MINUTE), 100_000..100_050_i64];
    let lateness = prop_oneof![4 => 0..3000_i64, 1 => 0..lateness_below];
    // Some logs do not tell when they took a record in; it is readable at most two minutes later.
    let pending = prop::option::of(0..=2 * MINUTE);
    let entry = (time, lateness, pending).prop_map(|(time, late, pending)| {
        let readable_at = START + time + late;
        Entry { time: START + time, ingested: pending.map(|pending| readable_at - pending), readable_at }
    });
    prop::collection::vec(entry, 0..120)
}

fn short_ages() -> Ages {
    "5s,1m,10m".parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(256), ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_delivered_exactly_once_while_nothing_crashes(
        entries in entries(10 * MINUTE),
        tape in prop::collection::vec(any::<u8>(), 0..2000),
        counts_end_in: bool,
    ) {
        let mut world = World::new(Log { entries, counts_end_in }, tape, short_ages(), false);
        world.run_until_final(START + 21 * MINUTE);
        let delivered = world.log.entries.iter().enumerate().map(|(index, _)| world.delivered.get(&index).copied());
        prop_assert!(delivered.clone().all(|times| times == Some(1)), "{:?}", delivered.collect::<Vec<_>>());
    }

    #[test]
    fn every_record_is_delivered_through_crashes_and_wrong_clocks(
        entries in entries(10 * MINUTE),
        tape in prop::collection::vec(any::<u8>(), 0..2000),
        crashes in prop::collection::vec(1..200_u32, 0..8),
        counts_end_in: bool,
        spare_copies: bool,
    ) {
        let mut world = World::new(Log { entries, counts_end_in }, tape, short_ages(), spare_copies);
        for steps in crashes {
            (0..steps).for_each(|_| world.step());
            world.crash(true);
        }
        world.run_until_final(START + 21 * MINUTE);
        let missing: Vec<_> = world.log.entries.iter().enumerate().filter(|(index, _)| !world.delivered.contains_key(index)).collect();
        prop_assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn after_a_crash_nothing_is_sent_again_that_was_final(
        entries in entries(10 * MINUTE),
        tape in prop::collection::vec(any::<u8>(), 0..2000),
        crashes in prop::collection::vec(1..200_u32, 1..8),
    ) {
        let mut world = World::new(Log { entries, counts_end_in: true }, tape, short_ages(), false);
        for steps in crashes {
            (0..steps).for_each(|_| world.step());
            world.crash(false);
        }
        world.run_until_final(START + 21 * MINUTE);
        prop_assert!(world.needless.is_empty(), "{:?}", world.needless);
        // And nothing more often than it was read: once by each process.
        prop_assert!(world.delivered.values().all(|times| *times <= world.crashes + 1));
    }
}

/// As many cases as `PROPTEST_CASES` says.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

fn at(millis: i64) -> Time {
    Time::from_millis(START + millis)
}

fn found(time: Time, id: u64) -> Found<u64> {
    Found { id: RecordId::of(&[&id.to_be_bytes()]), time, ingested: None, record: id }
}

fn read(machine: &mut Machine, now: Time) -> Request {
    match machine.next(now) {
        Step::Read(request) => request,
        step => panic!("expected a request, got {step:?}"),
    }
}

fn machine_at(ages: &str, start: Time) -> Machine {
    let ages: Ages = ages.parse().unwrap();
    World::machine(&ages, &Marks::starting(&ages, start), false)
}

#[test]
fn after_an_absence_the_youngest_sweep_is_on_time_at_once() {
    let mut machine = machine_at("5s,1m,10m,1h", at(-24 * 60 * MINUTE));
    let first = read(&mut machine, at(0));
    assert_eq!((first.from, first.to), (at(-MINUTE), at(-5000)));
    let second = read(&mut machine, at(0));
    assert_eq!((second.from, second.to), (at(-10 * MINUTE), at(-9 * MINUTE)));
    let third = read(&mut machine, at(0));
    assert_eq!(third.from, at(-60 * MINUTE));
    let backlog = read(&mut machine, at(0));
    assert_eq!(backlog.from, at(-24 * 60 * MINUTE));
    assert_eq!(machine.next(at(0)), Step::Wait(Time::MAX));
}

#[test]
fn the_backlog_gets_its_turn_however_busy_the_present_is() {
    let mut machine = machine_at("5s,1h", at(-24 * 60 * MINUTE));
    let mut turns = Vec::new();
    for index in 0..40 {
        let request = read(&mut machine, at(0));
        turns.push(request.age);
        let _ = machine.page(&request, at(0), vec![found(request.from, index)], Some(format!("{index}")));
    }
    let backlog = turns.iter().filter(|age| **age == Duration::from_secs(3600)).count();
    assert_eq!(backlog, 10);
}

#[test]
fn a_slice_of_too_many_pages_is_cut_where_its_records_are() {
    let mut machine = machine_at("0s", at(-60 * MINUTE));
    let whole = read(&mut machine, at(0));
    let mut request = whole.clone();
    for index in 0..32 {
        let time = whole.from.plus(Duration::from_millis(index * 10));
        let emitted = machine.page(&request, at(0), vec![found(time, index)], Some(format!("{index}")));
        assert_eq!(emitted.position, None);
        request = read(&mut machine, at(0));
    }
    assert_eq!((request.from, request.token), (whole.from, None));
    assert_eq!(request.to, whole.from.plus(Duration::from_millis(151)));
}

#[test]
fn a_millisecond_of_too_many_pages_is_read_to_its_end() {
    let mut machine = machine_at("0s", at(-60 * MINUTE));
    let mut request = read(&mut machine, at(0));
    for index in 0..200 {
        let _ = machine.page(&request, at(0), vec![found(request.from, index)], Some(format!("{index}")));
        request = read(&mut machine, at(0));
    }
    assert_eq!(request.to, request.from.plus(Duration::from_millis(1)));
    let emitted = machine.page(&request, at(0), vec![found(request.from, 200)], None);
    assert_eq!(emitted.records, [200]);
    assert_eq!(emitted.position.unwrap().final_until(), request.to);
}

#[test]
fn an_empty_page_with_a_token_is_not_the_end() {
    let mut machine = machine_at("5s", at(-MINUTE));
    let request = read(&mut machine, at(0));
    let emitted = machine.page::<u64>(&request, at(0), Vec::new(), Some("more".to_owned()));
    assert_eq!(emitted.position, None);
    assert_eq!(read(&mut machine, at(0)).token.as_deref(), Some("more"));
}

#[test]
fn a_clock_ahead_of_the_service_moves_no_mark_over_time_to_come() {
    let mut machine = machine_at("5s", at(-MINUTE));
    let day = Duration::from_secs(86_400);
    let request = read(&mut machine, at(0).plus(day));
    // The answer told what time it was when the page was asked for.
    let emitted = machine.page(&request, at(0), vec![found(at(-10), 1)], None);
    assert_eq!(emitted.records, [1]);
    assert!(emitted.position.is_none_or(|marks| marks.newest() <= at(-5000)));
}

#[test]
fn a_mark_moves_as_far_as_the_first_page_was_old_enough() {
    let mut machine = machine_at("5s", at(-MINUTE));
    let hour = Duration::from_secs(3600);
    let first = read(&mut machine, at(0).plus(hour));
    let _ = machine.page(&first, at(0), vec![found(at(-10), 1)], Some("more".to_owned()));
    let second = read(&mut machine, at(0).plus(hour));
    let emitted = machine.page::<u64>(&second, at(0).plus(hour), Vec::new(), None);
    assert!(emitted.position.is_none_or(|marks| marks.newest() <= at(-5000)));
}

#[test]
fn a_mark_made_under_a_wrong_clock_is_taken_back() {
    let mut machine = machine_at("5s", at(24 * 60 * MINUTE));
    assert_eq!(machine.next(at(0)), Step::Wait(at(5000)));
    let request = read(&mut machine, at(5000));
    assert_eq!((request.from, request.to), (at(-5000), at(0)));
}

#[test]
fn what_an_older_sweep_finds_is_counted_as_late() {
    let mut machine = machine_at("5s,1m", at(-MINUTE));
    let young = read(&mut machine, at(0));
    let _ = machine.page(&young, at(0), vec![found(at(-30_000), 1)], None);
    let young = read(&mut machine, at(30_000));
    let _ = machine.page::<u64>(&young, at(30_000), Vec::new(), None);
    let mut request = read(&mut machine, at(60_000));
    while request.age != Duration::from_secs(60) || request.to < at(-10_000) {
        let _ = machine.page::<u64>(&request, at(60_000), Vec::new(), None);
        request = read(&mut machine, at(60_000));
    }
    let emitted =
        machine.page(&request, at(60_000), vec![found(at(-30_000), 1), found(at(-20_000), 2)], None);
    assert_eq!(emitted.records, [2]);
    assert_eq!(emitted.tally, Tally { late: 1, repeated: 1 });
}

#[test]
fn reading_once_ends_at_the_present() {
    let marks = Marks::starting(&short_ages(), at(-60 * MINUTE));
    let mut machine = Machine::new(Start {
        ages: short_ages(),
        poll: Duration::from_secs(5),
        marks,
        remember: 1000,
        until: Some(at(0)),
        spare_copies: false,
    });
    let mut read_up_to = Vec::new();
    let mut last = None;
    loop {
        match machine.next(at(0)) {
            Step::Read(request) => {
                read_up_to.push((request.from, request.to));
                last = machine.page::<u64>(&request, at(0), Vec::new(), None).position.or(last);
            }
            Step::Wait(until) => panic!("waits until {until}"),
            Step::Done => break,
        }
    }
    read_up_to.sort_unstable();
    assert_eq!(read_up_to.first().unwrap().0, at(-60 * MINUTE));
    assert_eq!(read_up_to.last().unwrap().1, at(0));
    assert!(read_up_to.windows(2).all(|pair| pair[0].1 == pair[1].0), "{read_up_to:?}");
    assert_eq!(last.unwrap().final_until(), at(-10 * MINUTE));
}

#[test]
fn copies_are_spared_only_where_a_sweep_read_well_after_the_ingestion() {
    let ages: Ages = "5s,10m,1h".parse().unwrap();
    let mut marks = Marks::starting(&ages, at(-60 * MINUTE));
    marks.at = at(0);
    marks.sweeps[0].to = at(-5000);
    marks.sweeps[1].to = at(-10 * MINUTE);
    let start =
        Start { ages, poll: Duration::from_secs(5), marks, remember: 1000, until: None, spare_copies: true };
    let mut machine = Machine::new(start);
    let mut request = read(&mut machine, at(20 * MINUTE));
    while request.age != Duration::from_secs(3600) {
        request = read(&mut machine, at(20 * MINUTE));
    }
    let time = request.from;
    let after = |id: u64, minutes: u64| Found {
        ingested: Some(time.plus(Duration::from_secs(60 * minutes))),
        ..found(time, id)
    };
    let page = vec![after(1, 0), after(2, 8), after(3, 9), found(time, 4)];
    assert_eq!(machine.page(&request, at(20 * MINUTE), page, None).records, [3, 4]);
}

#[test]
fn a_late_record_that_only_the_oldest_sweep_can_find_survives_a_restart() {
    let ages: Ages = "1s,5s,220s".parse().unwrap();
    let mut marks = Marks::starting(&ages, at(-60_000));
    marks.at = at(165_000);
    marks.sweeps[0].to = at(164_000);
    marks.sweeps[1].to = at(160_000);
    marks.sweeps[2].to = at(-55_000);
    let mut machine = World::machine(&ages, &marks, true);
    let late = Found { ingested: Some(at(11_000)), ..found(at(0), 1) };
    let mut delivered = Vec::new();
    while let Step::Read(request) = machine.next(at(300_000)) {
        delivered.extend(machine.page(&request, at(300_000), vec![late.clone()], None).records);
    }
    assert_eq!(delivered, [1]);
}

#[test]
fn positions_are_restored_under_another_table() {
    let old: Ages = "5s,10m".parse().unwrap();
    let mut marks = Marks::starting(&old, at(0));
    marks.sweeps[0].to = at(20 * MINUTE);
    marks.sweeps[1].to = at(10 * MINUTE);
    assert_eq!(marks.covered(Duration::from_secs(60)).to, at(10 * MINUTE));
    assert_eq!(marks.covered(Duration::from_secs(1)).to, at(20 * MINUTE));
    assert_eq!(marks.covered(Duration::from_secs(3600)).to, at(-40 * MINUTE));
    let text = serde_json::to_string(&marks).unwrap();
    assert_eq!(serde_json::from_str::<Marks>(&text).unwrap(), marks);
}

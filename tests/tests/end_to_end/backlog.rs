//! A day of backlog beside live traffic, measured.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use audit_fakes::aws::{Aws, Call, Operation, Series};
use audit_fakes::traffic::{Line, Traffic};

use crate::harness::{Alert, Bridge, Cloud, Measure, Receiver, now_ms, number, seed, table, within};
use crate::pipeline::{GROUP, STREAM, expected};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What has been asked for of the backlog.
#[derive(Debug, Default)]
struct Served {
    numbers: Vec<bool>,
    count: u64,
    alerts: HashMap<u64, (String, String)>,
}

/// What came of the live events: when each that alerts was put, and how long it took.
#[derive(Debug, Default)]
struct Live {
    put: HashMap<String, Instant>,
    ages: Vec<(Instant, Duration)>,
}

#[test]
#[ignore = "a measurement of BACKLOG events (20000 unless told) beside LIVE a second (25), with BUDGET requests a second (2)"]
fn fresh_events_are_evaluated_in_time_while_a_day_of_backlog_is_worked_off() {
    let (seed, count, live_rate) = (seed("backlog"), number("BACKLOG", 20_000), number("LIVE", 25));
    let budget = number("BUDGET", 2);
    let aws = Aws::start();
    let served = Arc::new(Mutex::new(Served { numbers: vec![false; count as usize], ..Served::default() }));
    fill(&aws, seed, count, &served);
    let mut receiver = Receiver::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let measure = Measure::start();
    measure.follow("receiver", receiver.program().id());
    // A new bridge that begins a day ago is one that was away for a day.
    let mut bridge = Bridge::new(&cloud)
        .at_ease()
        .set("KAB_FROM", "-25h")
        .set("KAB_REQUESTS_PER_SECOND", &budget.to_string())
        .started();
    measure.follow("bridge", bridge.program().id());

    let (start, ended) = (Instant::now(), AtomicBool::new(false));
    let live = Mutex::new(Live::default());
    let (done, afterwards, lines) = thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(&aws, seed + 1, live_rate, &live, &ended));
        let watching = scope.spawn(|| watch(&receiver, &live, &ended));
        let patience = Duration::from_secs(300 + count / 200);
        within(patience, "the end of the backlog", || (served.lock().unwrap().count == count).then_some(()));
        let done = (Instant::now(), aws.calls());
        thread::sleep(Duration::from_secs(30));
        let afterwards = Instant::now();
        ended.store(true, Ordering::Relaxed);
        let lines = feeding.join().expect("the feeder");
        watching.join().expect("the watcher");
        (done, afterwards, lines)
    });
    let (done, calls) = done;

    let all = (count + lines.len() as u64) as f64;
    within(Duration::from_secs(120), "all events", || {
        (receiver.metric("audit_receiver_evaluated_total", "") >= all).then_some(())
    });
    assert_eq!(
        receiver.metric("audit_receiver_evaluated_total", ""),
        all,
        "without a crash nothing comes twice"
    );
    let mut wanted: Vec<_> =
        served.lock().unwrap().alerts.values().cloned().chain(expected(&lines)).collect();
    wanted.sort();
    assert!(receiver.raised() == wanted, "{} alerts wanted", wanted.len());

    let took = done - start;
    println!("\nbacklog of a day: {count} events beside {live_rate} a second, seed {seed}");
    print_reading(&calls, took, count, budget);
    let live = live.into_inner().unwrap();
    let ages = |from: Instant, to: Instant| {
        let within = live.ages.iter().filter(|(put, _)| (from..to).contains(put));
        let mut ages: Vec<Duration> = within.map(|(_, age)| *age).collect();
        ages.sort();
        ages
    };
    println!("age of fresh events: from ingestion to the alert on stdout of the receiver, in s:");
    table(
        &["put", "events", "p50", "p99", "max"],
        &[row("meanwhile", &ages(start, done)), row("afterwards", &ages(done, afterwards))],
    );
    measure.print();
}

/// The backlog: evenly over the day before now.
fn fill(aws: &Aws, seed: u64, count: u64, served: &Arc<Mutex<Served>>) {
    let served = Arc::clone(served);
    let message = move |number: u64, time: i64| {
        let line = Traffic::new(seed.wrapping_add(number)).line(time);
        let mut served = served.lock().unwrap();
        if !std::mem::replace(&mut served.numbers[number as usize], true) {
            served.count += 1;
            if let Some(rule) = line.rule {
                served.alerts.insert(number, (line.audit_id, rule.to_owned()));
            }
        }
        line.text
    };
    let step_us = DAY_MS as u64 * 1000 / count;
    let series = Series { start_ms: now_ms() - DAY_MS, step_us, count, message: Arc::new(message) };
    aws.group(GROUP).stream(STREAM).put_series(series);
}

/// Puts live events until the end.
fn feed(aws: &Aws, seed: u64, per_second: u64, live: &Mutex<Live>, ended: &AtomicBool) -> Vec<Line> {
    let stream = aws.group(GROUP).stream("kube-apiserver-audit-fedcba");
    let mut traffic = Traffic::new(seed).with_incidents(1000);
    let mut lines = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let line = traffic.line(now_ms());
        stream.put(line.at_ms, &line.text);
        if line.rule.is_some() {
            live.lock().unwrap().put.insert(line.audit_id.clone(), Instant::now());
        }
        lines.push(line);
        thread::sleep(Duration::from_secs_f64(1.0 / per_second as f64));
    }
    lines
}

/// Notes how long live events take until their alert is told, until all are.
fn watch(receiver: &Receiver, live: &Mutex<Live>, ended: &AtomicBool) {
    let (mut read, mut since_end) = (0, None);
    loop {
        let lines = receiver.told_from(read);
        let now = Instant::now();
        read += lines.len();
        let mut live = live.lock().unwrap();
        for alert in lines.iter().map(|line| Alert::read(line)) {
            if let Some(put) = live.put.remove(&alert.audit_id) {
                live.ages.push((put, now - put));
            }
        }
        let missing = live.put.len();
        drop(live);
        if ended.load(Ordering::Relaxed) {
            let waited = since_end.get_or_insert(now).elapsed();
            if missing == 0 || waited > Duration::from_secs(60) {
                assert_eq!(missing, 0, "live events without an alert");
                return;
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn print_reading(calls: &[Call], took: Duration, count: u64, budget: u64) {
    let reads: Vec<&Call> =
        calls.iter().filter(|call| call.operation == Operation::FilterLogEvents).collect();
    let full = reads.iter().filter(|call| call.events > 0);
    let events: usize = reads.iter().map(|call| call.events).sum();
    let throttled = reads.iter().filter(|call| call.error.is_some()).count();
    let largest = reads.iter().map(|call| call.events).max().unwrap_or(0);
    let seconds = took.as_secs_f64();
    table(
        &[
            "worked off in s",
            "backlog events/s",
            "calls",
            "a second",
            "throttled",
            "calls with events",
            "events a call",
            "at most",
        ],
        &[vec![
            format!("{seconds:.1}"),
            format!("{:.0}", count as f64 / seconds),
            reads.len().to_string(),
            format!("{:.2} of {budget}", reads.len() as f64 / seconds),
            throttled.to_string(),
            full.clone().count().to_string(),
            format!("{:.0}", events as f64 / full.count().max(1) as f64),
            largest.to_string(),
        ]],
    );
    println!(
        "a page ends at 1 MiB: what limits the rate is the budget of requests times the events of a page\n"
    );
}

fn row(name: &str, ages: &[Duration]) -> Vec<String> {
    let at = |part: f64| {
        let place = ((ages.len() as f64 * part) as usize).min(ages.len().saturating_sub(1));
        ages.get(place).map_or("-".to_owned(), |age| format!("{:.2}", age.as_secs_f64()))
    };
    vec![name.to_owned(), ages.len().to_string(), at(0.5), at(0.99), at(1.0)]
}

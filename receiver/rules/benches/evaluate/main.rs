//! From the bytes of a body to decisions, beside a bare parse of the same bytes into `serde_json::Value`.
//!
//! `cargo bench -p audit-rules` measures generated traffic with the built-in rules. With `KAB_FALCO_RECORDING` it
//! measures the recording and its rules too. Every row is the median of interleaved rounds, in time on the processor
//! (Linux counts it), so that rows of one table compare whatever else the machine does. An argument that is part of a
//! row's name measures only that row.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement, which fails loudly"
)]

mod traffic;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use audit_event::{Item, payload, split};
use audit_rules::{Context, Engine, Matching, Options, RuleSet, SourceFile, load};

const ROUNDS: usize = 9;

/// A measurement takes at least this long; the processor time that Linux tells lags a few milliseconds behind.
const LEAST: Duration = Duration::from_millis(200);

/// One pass over all events; what it returns keeps it from being optimised away.
type Work<'a> = Box<dyn FnMut() -> usize + 'a>;

fn main() {
    let builtin = Path::new(env!("CARGO_MANIFEST_DIR")).join("builtin");
    let rules = rules_in(&builtin);
    let bodies = traffic::bodies(60, 200);
    table("generated traffic, built-in rules", &bodies, &rules);
    let big = [traffic::big_event(1 << 20)];
    table("one event of 1 MiB, built-in rules", &big, &rules);
    if let Some(folder) = std::env::var_os("KAB_FALCO_RECORDING").map(PathBuf::from) {
        let rules = rules_of(&[folder.join("k8s_audit_rules.yaml")]);
        table("generated traffic, recording's rules", &bodies, &rules);
        let log = std::fs::read_to_string(folder.join("audit-log.jsonl")).expect("the recording has a log");
        let lines: Vec<&str> = log.lines().collect();
        let recorded: Vec<String> = lines.chunks(200).map(traffic::event_list).collect();
        table("recording, its rules", &recorded, &rules);
    }
}

/// One row for each stage, and for the stages with ten renamed copies of every rule.
fn table(title: &str, bodies: &[String], rules: &RuleSet) {
    let engine = Engine::new(rules.clone(), Matching::All);
    let copies = Engine::new(with_copies(rules, 10), Matching::All);
    let items: Vec<_> = bodies.iter().map(|body| split(body).expect("sound")).collect();
    let (mut context, mut context_of_copies) = (Context::new("bench"), Context::new("bench"));
    let bytes: usize = bodies.iter().map(String::len).sum();
    let events: usize = items.iter().map(Vec::len).sum();
    let alerting = items.iter().flatten().filter(|item| decide(&engine, item, &mut context) > 0).count();
    println!(
        "\n{title}: {events} events, {} bytes each, {} rules, {:.1} % alerting",
        bytes / events,
        rules.rules.len(),
        100.0 * alerting as f64 / events as f64
    );
    let mut rows: Vec<(&str, Work<'_>)> = vec![
        (
            "serde_json::Value",
            Box::new(|| bodies.iter().map(|body| usize::from(parse(body).is_object())).sum()),
        ),
        ("(a) split", Box::new(|| bodies.iter().map(|body| split(body).expect("sound").len()).sum())),
        (
            "(b) evaluate",
            Box::new(|| items.iter().flatten().map(|item| decide(&engine, item, &mut context)).sum()),
        ),
        ("(c) bytes to decisions", {
            let mut context = Context::new("bench");
            let engine = &engine;
            Box::new(move || bodies.iter().map(|body| whole(engine, body, &mut context)).sum())
        }),
        (
            "(c) with ten copies",
            Box::new(|| bodies.iter().map(|body| whole(&copies, body, &mut context_of_copies)).sum()),
        ),
    ];
    let mut times = vec![Vec::new(); rows.len()];
    if let Some(only) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        rows.retain(|(name, _)| name.contains(&only));
    }
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            let (start, mut passes) = (Instant::now(), 0);
            let start_on_processor = on_processor(begin);
            while passes == 0 || start.elapsed() < LEAST {
                black_box((row.1)());
                passes += 1;
            }
            times.push((on_processor(begin) - start_on_processor) / passes);
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    for ((name, _), time) in rows.iter().zip(&medians) {
        let seconds = time.as_secs_f64();
        println!(
            "  {name:<24} {:>9.0} events/s {:>7.0} MB/s {:>8.2} us/event {:>6.2}x",
            events as f64 / seconds,
            bytes as f64 / seconds / 1e6,
            seconds * 1e6 / events as f64,
            medians[0].as_secs_f64() / seconds
        );
    }
}

fn parse(body: &str) -> serde_json::Value {
    serde_json::from_slice(body.as_bytes()).expect("sound")
}

fn decide(engine: &Engine, item: &Item<'_>, context: &mut Context) -> usize {
    match item {
        Item::Event(event) => engine.evaluate(event, context).len(),
        _ => 0,
    }
}

fn whole(engine: &Engine, body: &str, context: &mut Context) -> usize {
    let text = payload::text(body.as_bytes());
    split(&text).expect("sound").iter().map(|item| decide(engine, item, context)).sum()
}

/// How long this thread has run; by the wall clock where that is not told.
fn on_processor(begin: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|told| told.split(' ').next()?.parse().ok());
    told.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn rules_in(folder: &Path) -> RuleSet {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    rules_of(&files)
}

fn rules_of(files: &[PathBuf]) -> RuleSet {
    let read = |file: &PathBuf| SourceFile {
        name: file.display().to_string(),
        text: std::fs::read_to_string(file).expect("the rules are there"),
    };
    let files: Vec<_> = files.iter().map(read).collect();
    load(&files, &Options::default()).rules.expect("the rules load")
}

fn with_copies(rules: &RuleSet, copies: usize) -> RuleSet {
    let copy = |number: usize| {
        rules.rules.iter().cloned().map(move |mut rule| {
            if number > 0 {
                rule.name = format!("{} ({number})", rule.name);
            }
            rule
        })
    };
    RuleSet { rules: (0..=copies).flat_map(copy).collect() }
}

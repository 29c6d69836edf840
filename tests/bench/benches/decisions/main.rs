//! From the bytes of a body to decisions, beside a bare parse of the same bytes into `serde_json::Value`.
//!
//! `cargo bench -p audit-bench` measures generated traffic with the built-in rules, in time on the processor, of one
//! core. `KAB_FALCO_RECORDING` names a folder with a recording (`audit-log.jsonl`) and rules (`k8s_audit_rules.yaml`),
//! which are measured too. An argument measures only what has it in its name.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement, which fails loudly")]

mod bodies;
mod on_processor;
mod ratios;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use audit_event::{Item, payload, split};
use audit_rules::{Context, Engine, Matching, Options, RuleSet, SourceFile, load};
use criterion::{Criterion, SamplingMode, Throughput};
use on_processor::OnProcessor;

/// What is measured of a table, the first of them what the others are held against.
const ROWS: [&str; 5] =
    ["serde_json-value", "a-split", "b-evaluate", "c-bytes-to-decisions", "c-with-ten-copies-of-each-rule"];

fn main() {
    let begin = SystemTime::now();
    let mut criterion = Criterion::default()
        .with_measurement(OnProcessor)
        .output_directory(&ratios::folder())
        .sample_size(15)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut measure = |name: &'static str, bodies: &[String], rules: &RuleSet| {
        table(&mut criterion, name, bodies, rules);
        name
    };
    let builtin = rules_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../receiver/rules/builtin"));
    let traffic = bodies::traffic(60, 200);
    let mut tables = vec![
        measure("traffic-builtin", &traffic, &builtin),
        measure("1-MiB-event-builtin", &[bodies::big_event(1 << 20)], &builtin),
    ];
    if let Some(folder) = std::env::var_os("KAB_FALCO_RECORDING").map(PathBuf::from) {
        let rules = rules_of(&[folder.join("k8s_audit_rules.yaml")]);
        let log = std::fs::read_to_string(folder.join("audit-log.jsonl")).expect("the recording has a log");
        let recorded: Vec<_> = log.lines().collect();
        let recorded: Vec<_> =
            recorded.chunks(200).map(|events| bodies::list(events.iter().copied())).collect();
        tables.push(measure("traffic-recorded-rules", &traffic, &rules));
        tables.push(measure("1-MiB-event-recorded-rules", &[bodies::big_event(1 << 20)], &rules));
        tables.push(measure("recording-recorded-rules", &recorded, &rules));
    }
    criterion.final_summary();
    ratios::print(&tables, &ROWS, begin);
}

fn table(criterion: &mut Criterion<OnProcessor>, name: &str, bodies: &[String], rules: &RuleSet) {
    let engine = Engine::new(rules.clone(), Matching::All);
    let copies = Engine::new(with_copies(rules, 10), Matching::All);
    let items: Vec<_> = bodies.iter().map(|body| split(body).expect("sound")).collect();
    let mut context = Context::new("bench");
    let bytes: usize = bodies.iter().map(String::len).sum();
    let events: usize = items.iter().map(Vec::len).sum();
    let alerting = items.iter().flatten().filter(|item| decide(&engine, item, &mut context) > 0).count();
    println!(
        "\n{name}: {events} events, {} bytes each, {} rules, {:.1} % alerting",
        bytes / events,
        engine.tried().len(),
        100.0 * alerting as f64 / events as f64
    );
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(events as u64));
    let [value, a, b, c, c_with_copies] = ROWS;
    group.bench_function(value, |bench| {
        bench.iter(|| bodies.iter().filter(|body| parse(body).is_object()).count());
    });
    group.bench_function(a, |bench| {
        bench.iter(|| bodies.iter().map(|body| split(body).expect("sound").len()).sum::<usize>());
    });
    group.bench_function(b, |bench| {
        bench.iter(|| items.iter().flatten().map(|item| decide(&engine, item, &mut context)).sum::<usize>());
    });
    for (row, engine) in [(c, &engine), (c_with_copies, &copies)] {
        group.bench_function(row, |bench| {
            bench.iter(|| bodies.iter().map(|body| whole(engine, body, &mut context)).sum::<usize>());
        });
    }
    group.finish();
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

fn rules_in(folder: &Path) -> RuleSet {
    let entries = folder.read_dir().expect("a folder of rules");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file of rules").path()).collect();
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

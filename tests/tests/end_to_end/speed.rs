//! How fast the receiver is, from a file and from the network.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use audit_fakes::traffic::Traffic;
use tempfile::TempDir;

use crate::harness::{Client, Program, RECEIVER, list, number, table, taken, tested};

/// 2025-02-03, in milliseconds since 1970.
const START_MS: i64 = 1_738_540_800_000;
/// Events in a body.
const IN_A_BODY: usize = 500;
/// Who posts at a time.
const SENDERS: usize = 4;

#[test]
#[ignore = "measures EVENTS, else 5000, with the rules at RULES, else the built-in ones; release binaries by TESTED_BINARIES"]
fn how_fast_replay_and_serve_are() {
    let events = number("EVENTS", 5000).max(1) as usize;
    let folder = TempDir::new().unwrap();
    let rules: Vec<String> =
        std::env::var("RULES").into_iter().flat_map(|path| ["--rules".to_owned(), path]).collect();

    let head =
        ["", "events", "MB", "s", "events/s", "MB/s", "cpu s", "peak MiB", "alerts", "p50 ms", "p99 ms"];
    let mut rows = Vec::new();
    // The second time with four times the file, for the memory; then the first again, now that all is warm.
    for events in [events, 4 * events, events] {
        let file = traffic(folder.path(), events);
        rows.push(replay(&file, events, &rules));
    }
    rows.push(serve(folder.path(), events, &rules));
    table(&head, &rows);
}

/// A file of so many events.
fn traffic(folder: &Path, events: usize) -> PathBuf {
    let path = folder.join(format!("{events}.jsonl"));
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    for line in Traffic::new(1).lines(START_MS, 40).take(events) {
        writeln!(file, "{}", line.text).unwrap();
    }
    file.flush().unwrap();
    path
}

fn replay(file: &Path, events: usize, rules: &[String]) -> Vec<String> {
    let start = Instant::now();
    let said = file.with_extension("said");
    let mut child = Command::new(tested(RECEIVER))
        .arg("replay")
        .args(rules)
        .arg(file)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let mut last = None;
    let status = loop {
        last = taken(child.id()).or(last);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let seconds = start.elapsed().as_secs_f64();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(status.success(), "{said}");
    assert!(said.contains(&format!("evaluated {events} ")), "{said}");
    let alerts = said.lines().find_map(|line| line.strip_prefix("alerts ")).expect("a count");
    let (peak, cpu) = last.map_or((0, 0.0), |last| (last.peak, last.cpu));
    row("replay", events, std::fs::metadata(file).unwrap().len(), seconds, cpu, peak, alerts)
}

fn serve(folder: &Path, events: usize, rules: &[String]) -> Vec<String> {
    let lines: Vec<_> = Traffic::new(1).lines(START_MS, 40).take(events).map(|line| line.text).collect();
    let bodies: Vec<_> =
        lines.chunks(IN_A_BODY).map(|lines| list(lines.iter().map(String::as_str))).collect();
    let mut program = Program::start(
        Command::new(tested(RECEIVER))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--store", &format!("sqlite:{}", folder.join("store.db").display())])
            .args(rules),
    );
    let client = Client::plain(program.listening("intake"));
    let (next, answers) = (Mutex::new(bodies.iter()), Mutex::new(Vec::new()));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let Some(body) = next.lock().unwrap().next() else { return };
                    let sent = Instant::now();
                    let headers = [("content-type", "application/json")];
                    let answer = client.post("/k8s_audit", &headers, body).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let alerts = answer.json()["alerts"].as_u64().unwrap();
                    answers.lock().unwrap().push((sent.elapsed(), alerts));
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let last = taken(program.id()).expect("a program that runs");
    let mut answers = answers.into_inner().unwrap();
    answers.sort_unstable();
    let alerts = answers.iter().map(|(_, alerts)| alerts).sum::<u64>();
    let bytes = bodies.iter().map(|body| body.len() as u64).sum();
    let mut row = row("serve", events, bytes, seconds, last.cpu, last.peak, &alerts.to_string());
    for share in [0.5, 0.99] {
        let (took, _) = answers[((answers.len() - 1) as f64 * share) as usize];
        row.push(format!("{:.1}", took.as_secs_f64() * 1e3));
    }
    row
}

fn row(
    what: &str,
    events: usize,
    bytes: u64,
    seconds: f64,
    cpu: f64,
    peak: u64,
    alerts: &str,
) -> Vec<String> {
    let mb = bytes as f64 / 1e6;
    [
        what.to_owned(),
        events.to_string(),
        format!("{mb:.0}"),
        format!("{seconds:.2}"),
        format!("{:.0}", events as f64 / seconds),
        format!("{:.0}", mb / seconds),
        format!("{cpu:.2}"),
        format!("{:.1}", peak as f64 / f64::from(1 << 20)),
        alerts.to_owned(),
    ]
    .into()
}

//! Threads that evaluate chunks, and their findings in the order of the input.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use audit_event::payload;

use super::input::{self, Chunk, Content, Unreadable};
use crate::evaluate::Evaluator;
use crate::store::Alert;

/// What came of a chunk.
#[derive(Default, Debug)]
pub(super) struct Finding {
    pub(super) received: usize,
    pub(super) evaluated: usize,
    pub(super) ignored: usize,
    pub(super) quarantined: usize,
    /// In the order of the input.
    pub(super) alerts: Vec<Alert>,
    /// `FILE:LINE: REASON` for each entry that could not be evaluated.
    pub(super) problems: Vec<String>,
    /// Bytes of input.
    pub(super) bytes: usize,
}

type Job = (Chunk, Sender<Finding>);

/// Why there are no more findings.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// A file can't be read.
    #[error(transparent)]
    Input(#[from] Unreadable),
    /// A thread ended in a panic, which it has printed: a mistake of ours.
    #[error("a part of the input could not be evaluated: please report what is printed above")]
    Worker,
}

/// A finding that is, or will be, there.
enum Expected {
    Finding(Receiver<Finding>),
    Failed(Unreadable),
}

/// Reads `files` and evaluates them; findings come in the order of the input. The threads end with the iterator, or with
/// the process: one may be waiting for input that never comes.
pub(super) fn start(
    files: Vec<PathBuf>,
    evaluator: Arc<Evaluator>,
) -> impl Iterator<Item = Result<Finding, Broken>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (jobs, queue) = sync_channel::<Job>(workers);
    let (order, expected) = sync_channel(2 * workers);
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..workers {
        let (queue, evaluator) = (queue.clone(), evaluator.clone());
        thread::spawn(move || work(&queue, &evaluator));
    }
    thread::spawn(move || read(&files, &jobs, &order));
    expected.into_iter().map(|expected| match expected {
        Expected::Finding(finding) => finding.recv().map_err(|_| Broken::Worker),
        Expected::Failed(error) => Err(error.into()),
    })
}

fn read(files: &[PathBuf], jobs: &SyncSender<Job>, order: &SyncSender<Expected>) {
    for file in files {
        let hand_on = |chunk| {
            let (answer, finding) = channel();
            order.send(Expected::Finding(finding)).is_ok() && jobs.send((chunk, answer)).is_ok()
        };
        if let Err(error) = input::read(file, hand_on) {
            let _ = order.send(Expected::Failed(error));
            return;
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>, evaluator: &Evaluator) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((chunk, answer)) = job else { return };
        let _ = answer.send(evaluate(&chunk, evaluator));
    }
}

fn evaluate(chunk: &Chunk, evaluator: &Evaluator) -> Finding {
    let mut finding = Finding { bytes: chunk.bytes, ..Finding::default() };
    let place = |line: usize| format!("{}:{}", chunk.file, chunk.line + line);
    match &chunk.content {
        Content::Document(text) => finding.add(evaluator, text, || chunk.file.to_string()),
        Content::LongLine => finding.unread(&place(0), "the line is longer than 64 MiB"),
        Content::Lines(text) => {
            for (at, line) in lines(text).enumerate() {
                if !line.trim_ascii().is_empty() {
                    finding.add(evaluator, line, || place(at));
                }
            }
        }
    }
    finding
}

/// The lines of a text, without their line feeds.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    memchr::memchr_iter(b'\n', text).chain([text.len()]).map(move |end| {
        let line = text.get(begin..end).unwrap_or_default();
        begin = end + 1;
        line
    })
}

impl Finding {
    fn add(&mut self, evaluator: &Evaluator, text: &[u8], place: impl Fn() -> String) {
        match evaluator.evaluate(&payload::text(text), None, usize::MAX) {
            Err(malformed) => self.unread(&place(), &malformed.to_string()),
            Ok(outcome) => {
                self.received += outcome.received;
                self.evaluated += outcome.evaluated;
                self.ignored += outcome.ignored;
                self.quarantined += outcome.quarantined.len();
                self.alerts.extend(outcome.alerts);
                let single = outcome.received == 1;
                self.problems.extend(outcome.quarantined.iter().map(|(index, record)| {
                    let entry = if single { String::new() } else { format!("entry {index}: ") };
                    format!("{}: {entry}{}", place(), record.reason)
                }));
            }
        }
    }

    /// A text that is no JSON counts as one entry.
    fn unread(&mut self, place: &str, reason: &str) {
        self.received += 1;
        self.quarantined += 1;
        self.problems.push(format!("{place}: {reason}"));
    }
}

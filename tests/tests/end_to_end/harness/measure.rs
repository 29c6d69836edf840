//! What processes take while something runs: memory and processor time.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look.
const STEP: Duration = Duration::from_millis(250);
/// Rows of a table over time.
const ROWS: usize = 12;
/// What Linux counts processor time in (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Taken {
    /// Memory, in bytes.
    pub(crate) memory: u64,
    /// The most memory it has had so far, in bytes.
    pub(crate) peak: u64,
    /// Processor seconds so far.
    pub(crate) cpu: f64,
}

/// Samples processes until it is dropped. One that is started again goes on under its name.
#[derive(Debug, Clone)]
pub(crate) struct Measure(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    start: Instant,
    processes: Vec<Process>,
    /// What each process took, by the time of the look.
    looks: Vec<(Duration, Vec<Option<Taken>>)>,
}

#[derive(Debug)]
struct Process {
    name: String,
    id: u32,
    /// Of those that had the name before: the most memory and all processor seconds.
    before: (u64, f64),
    last: Option<Taken>,
}

impl Measure {
    pub(crate) fn start() -> Self {
        let state = State { start: Instant::now(), processes: Vec::new(), looks: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let watched = Arc::downgrade(&state);
        thread::spawn(move || {
            while let Some(state) = watched.upgrade() {
                lock(&state).look();
                drop(state);
                thread::sleep(STEP);
            }
        });
        Self(state)
    }

    /// From now on the process called `name` is that one.
    pub(crate) fn follow(&self, name: &str, id: u32) {
        let mut state = lock(&self.0);
        match state.processes.iter_mut().find(|process| process.name == name) {
            Some(process) => {
                process.before = process.last.take().map_or(process.before, |last| (last.peak, last.cpu));
                process.id = id;
            }
            None => {
                state.processes.push(Process { name: name.to_owned(), id, before: (0, 0.0), last: None });
            }
        }
        state.look();
    }

    /// What the process of that name has taken so far.
    #[track_caller]
    pub(crate) fn taken(&self, name: &str) -> Taken {
        let mut state = lock(&self.0);
        state.look();
        let process = state.processes.iter().find(|process| process.name == name);
        process.and_then(|process| process.last).expect("a process that runs and is followed")
    }

    /// Prints memory and processor time over time, and of each process its start, its peak and its end.
    pub(crate) fn print(&self) {
        let mut state = lock(&self.0);
        state.look();
        let last = state.looks.len() - 1;
        let rows: Vec<_> = (0..ROWS.min(last + 1))
            .filter_map(|row| state.looks.get(row * last / (ROWS - 1).min(last).max(1)))
            .map(|(at, looks)| {
                let cells = (0..state.processes.len()).flat_map(|place| {
                    let taken = looks.get(place).copied().flatten();
                    [
                        shown(taken, |taken| mib(taken.memory)),
                        shown(taken, |taken| format!("{:.1}", taken.cpu)),
                    ]
                });
                [format!("{:.1} s", at.as_secs_f64())].into_iter().chain(cells).collect()
            })
            .collect();
        let names = state.processes.iter();
        let columns =
            names.flat_map(|process| ["MiB", "cpu s"].map(|what| format!("{} {what}", process.name)));
        let head: Vec<_> = ["time".to_owned()].into_iter().chain(columns).collect();
        table(&head, &rows);

        let sums = state.processes.iter().enumerate().map(|(place, process)| {
            let first = state.looks.iter().find_map(|(_, looks)| looks.get(place).copied().flatten());
            let [first, last] = [first, process.last].map(|taken| shown(taken, |taken| mib(taken.memory)));
            let (peak, cpu) = process.last.map_or(process.before, |last| (last.peak, last.cpu));
            vec![process.name.clone(), first, mib(peak), last, format!("{cpu:.1}")]
        });
        table(&["process", "first MiB", "peak MiB", "last MiB", "cpu s"], &sums.collect::<Vec<_>>());
    }
}

impl State {
    fn look(&mut self) {
        let at = self.start.elapsed();
        let looks = self.processes.iter_mut().map(|process| {
            let (peak, cpu) = process.before;
            let taken = taken(process.id);
            let taken =
                taken.map(|taken| Taken { peak: taken.peak.max(peak), cpu: taken.cpu + cpu, ..taken });
            process.last = taken.or(process.last);
            taken
        });
        let looks = looks.collect();
        self.looks.push((at, looks));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(taken: Option<Taken>, show: impl Fn(Taken) -> String) -> String {
    taken.map_or("-".to_owned(), show)
}

/// What a process takes; `None` when it is gone.
pub(crate) fn taken(id: u32) -> Option<Taken> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    };
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold blanks; user and system time are the 12th and 13th field behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: f64 =
        [fields.next()?, fields.next()?].iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(Taken { memory: kib("VmRSS:")?, peak: kib("VmHWM:")?, cpu: ticks / TICKS_PER_SECOND })
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Prints rows under a head, each column as wide as it must be.
pub(crate) fn table<H: AsRef<str>>(head: &[H], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(|text| text.as_ref().to_owned()).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
            cells.map(String::len).max().unwrap_or(0)
        })
        .collect();
    for row in [&head].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:>width$}", width = *width));
        println!("  {}", cells.collect::<Vec<_>>().join("  "));
    }
    println!();
}

#[test]
fn a_process_that_is_started_again_keeps_what_it_took() {
    let measure = Measure::start();
    measure.follow("this", std::process::id());
    let first = measure.taken("this");
    assert!(first.memory > 0 && first.peak >= first.memory, "{first:?}");
    measure.follow("this", std::process::id());
    let second = measure.taken("this");
    assert!(second.cpu >= 2.0 * first.cpu && second.peak >= first.peak, "{first:?} {second:?}");
    measure.print();
}

//! Running programs and waiting for what they do.

mod bridge;
mod http;
mod measure;
mod moto;
mod program;
mod python;
mod receiver;

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use bridge::{Bridge, Cloud};
pub(crate) use http::Client;
pub(crate) use measure::{Measure, table, taken};
pub(crate) use moto::{MOTO, Moto};
pub(crate) use program::{Ended, Program, RECEIVER, run, tested};
pub(crate) use python::Packages;
pub(crate) use receiver::{Alert, Receiver, list, sum};

/// How long a condition may take to come true on a slow and busy machine. Nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `condition` gives something.
///
/// # Panics
/// When it doesn't within [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, condition)
}

/// Waits until `value` gives `expected`.
///
/// # Panics
/// When it doesn't within [`PATIENCE`], with the value it gave last.
#[track_caller]
pub(crate) fn becomes<T: PartialEq + Debug>(what: &str, expected: &T, mut value: impl FnMut() -> T) {
    let mut last = None;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let now = value();
        if now == *expected {
            return;
        }
        last = Some(now);
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: expected {expected:?}, still {last:?} after {PATIENCE:?}");
}

/// Waits until `condition` gives something, for so long.
///
/// # Panics
/// When it doesn't.
#[track_caller]
pub(crate) fn within<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A number that differs between runs, or the one in `SEED`; printed, so that a failure can be repeated.
pub(crate) fn seed(test: &str) -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| now_ms() as u64);
    println!("{test}: SEED={seed}");
    seed
}

/// A size of a measurement: the number in the environment under that name, if there is one.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.expect("a clock after 1970").as_millis() as i64
}

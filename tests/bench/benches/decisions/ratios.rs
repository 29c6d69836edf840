//! The rows of each table beside its first one, from what criterion keeps of a run.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where criterion keeps what it measured.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/criterion")
}

/// Prints how many times as fast as the first row of its table each row is, of what was measured since `begin`.
pub(crate) fn print(tables: &[&str], rows: &[&str], begin: SystemTime) {
    println!("\n| | {} |\n| --- |{}", rows.join(" | "), " --- |".repeat(rows.len()));
    for table in tables {
        let times: Vec<_> = rows.iter().map(|row| median(&folder().join(table).join(row), begin)).collect();
        let first = times.first().copied().flatten();
        let cells: Vec<_> = times
            .into_iter()
            .map(|time| {
                first.zip(time).map_or("-".to_owned(), |(first, time)| format!("{:.2}x", first / time))
            })
            .collect();
        println!("| {table} | {} |", cells.join(" | "));
    }
}

/// The median of a row, in nanoseconds a pass.
fn median(row: &Path, begin: SystemTime) -> Option<f64> {
    let file = row.join("new/estimates.json");
    if file.metadata().ok()?.modified().ok()? < begin {
        return None;
    }
    let estimates = std::fs::read(file).ok()?;
    let estimates: serde_json::Value = serde_json::from_slice(&estimates).ok()?;
    estimates.pointer("/median/point_estimate")?.as_f64()
}

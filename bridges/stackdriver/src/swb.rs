//! What stackdriver-webhook-bridge offered besides its work: two files to look into, and two ports.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use audit_bridge::{Convert, Converted, Record};
use audit_service::http::{self, Limits};
use audit_service::listen;
use audit_service::metrics::Metrics;
use audit_service::shutdown::Shutdown;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::config::swb::Swb;
use crate::convert::LogEntries;

/// Converts, and writes what comes and what goes to files.
#[derive(Debug, Default)]
pub struct Tapped {
    entries: Option<Mutex<File>>,
    events: Option<Mutex<File>>,
}

impl Tapped {
    /// The files that the old configuration names; what they hold stays.
    ///
    /// # Errors
    /// When one can't be opened.
    pub fn open(swb: &Swb) -> io::Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map(Mutex::new).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot write `{}`: {error}", path.display()))
            })
        };
        let given = |path: &Option<std::path::PathBuf>| path.as_deref().map(open).transpose();
        Ok(Self { entries: given(&swb.logfile)?, events: given(&swb.outfile)? })
    }
}

impl Convert for Tapped {
    const LIST: &str = LogEntries::LIST;

    fn convert(&self, record: &Record) -> Vec<Converted> {
        append(self.entries.as_ref(), &record.text);
        let converted = LogEntries.convert(record);
        for part in &converted {
            if let Converted::Event(event) = part {
                append(self.events.as_ref(), event);
            }
        }
        converted
    }
}

/// Writes a JSON text as one line. These files are for looking on: a full disk stops nothing.
fn append(file: Option<&Mutex<File>>, json: &str) {
    let Some(file) = file else { return };
    let line = json.replace(['\n', '\r'], "") + "\n";
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = file.write_all(line.as_bytes()) {
        tracing::warn!(%error, "cannot write to `logfile` or `outfile`");
    }
}

/// Serves the old ports until shutdown: `/metrics` and `/health`.
///
/// # Errors
/// When one can't be bound.
pub async fn serve(swb: &Swb, metrics: Metrics, shutdown: &Shutdown) -> io::Result<()> {
    let plain = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let metrics = get(move || async move { (plain, with_old_names(&metrics.encode())) });
    let health = get(|| async { "ok\n" });
    let ports = [
        ("metrics", swb.metrics_listen(), Router::new().route("/metrics", metrics)),
        ("health", swb.health_listen(), Router::new().route("/health", health)),
    ];
    for (name, address, router) in ports {
        let listener = listen::bind(name, address).await?;
        tokio::spawn(http::serve(listener, None, router, Limits::default(), shutdown.clone()));
    }
    Ok(())
}

/// The metrics with those of the old bridge behind them, made from ours.
fn with_old_names(ours: &str) -> String {
    let sum = |name: &str, counts: &dyn Fn(&str) -> bool| -> u64 {
        let samples =
            ours.lines().filter_map(|line| line.strip_prefix("stackdriver_bridge_")?.strip_prefix(name));
        let counted = samples.filter(|sample| counts(sample));
        counted.filter_map(|sample| sample.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let all = |_: &str| true;
    let quarantined = |sample: &str| sample.contains("kind=\"quarantined\"");
    let troubled = |sample: &str| !sample.contains("kind=\"ok\"");
    let mut text = ours.strip_suffix("# EOF\n").unwrap_or(ours).to_owned();
    for (name, help, value) in [
        ("log_fetch_error", "requests to the source that failed", sum("requests_total{", &troubled)),
        ("log_entry_in", "log entries received", sum("records_total{", &all)),
        ("audit_event_out", "audit events that the receiver took", sum("delivered_total{", &all)),
        ("audit_payload_extract_error", "always 0: such entries are quarantined", 0),
        ("audit_payload_convert_error", "log entries quarantined", sum("records_total{", &quarantined)),
        ("audit_event_marshal_error", "always 0", 0),
        ("audit_event_send_error", "posts that had to be repeated", sum("retries_total{", &all)),
    ] {
        let name = format!("swb_poller_{name}");
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_stand_behind_ours() {
        let ours = concat!(
            "# TYPE stackdriver_bridge_records counter\n",
            "stackdriver_bridge_records_total{unit=\"a\",kind=\"event\"} 3\n",
            "stackdriver_bridge_records_total{unit=\"a\",kind=\"quarantined\"} 1\n",
            "stackdriver_bridge_requests_total{unit=\"a\",kind=\"ok\"} 9\n",
            "stackdriver_bridge_requests_total{unit=\"a\",kind=\"throttled\"} 2\n",
            "stackdriver_bridge_delivered_total{unit=\"a\"} 3\n# EOF\n",
        );
        let text = with_old_names(ours);
        for line in [
            "swb_poller_log_entry_in 4",
            "swb_poller_audit_event_out 3",
            "swb_poller_audit_payload_convert_error 1",
            "swb_poller_log_fetch_error 2",
            "swb_poller_audit_event_send_error 0",
        ] {
            assert!(text.lines().any(|seen| seen == line), "{line} is not in {text}");
        }
        assert!(text.starts_with("# TYPE stackdriver_bridge_records counter\n") && !text.contains("# EOF"));
    }

    #[test]
    fn files_hold_a_line_each() {
        let folder = tempfile::tempdir().unwrap();
        let swb = Swb {
            logfile: Some(folder.path().join("log")),
            outfile: Some(folder.path().join("out")),
            ..Swb::default()
        };
        let entry = concat!(
            "{\n  \"timestamp\": \"2026-01-02T03:04:05Z\",\n  \"protoPayload\": {\"serviceName\": \"k8s.io\",\n",
            "  \"methodName\": \"io.k8s.get\", \"resourceName\": \"readyz\"}\n}",
        );
        let converted = Tapped::open(&swb).unwrap().convert(&Record::bare(entry));
        let read =
            |path: &Option<std::path::PathBuf>| std::fs::read_to_string(path.as_ref().unwrap()).unwrap();
        assert_eq!(converted, [Converted::Event(read(&swb.outfile).trim_end().to_owned())]);
        assert_eq!(read(&swb.logfile).lines().count(), 1);
        assert_eq!(LogEntries.convert(&Record::bare(read(&swb.logfile))), converted);
    }
}

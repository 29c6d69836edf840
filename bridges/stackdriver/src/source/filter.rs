//! What is asked of `entries:list`, in the Logging query language.

use audit_bridge::time::Time;

use crate::config::Source;

/// The expression behind the word `leases` in `excludes`: renewals of leases, by far the most of what a cluster writes.
pub(super) const LEASES: &str = r#"protoPayload.methodName:"io.k8s.coordination.v1.leases.""#;

/// The part of the filter that is the same for every slice.
pub(super) fn fixed(source: &Source, project: &str) -> String {
    let logs: Vec<String> =
        source.logs.iter().map(|log| quoted(&format!("projects/{project}/logs/{}", log_id(log)))).collect();
    let mut filter = format!("logName=({})\nresource.type=\"k8s_cluster\"", logs.join(" OR "));
    for (label, value) in [("location", &source.location), ("cluster_name", &source.cluster)] {
        if let Some(value) = value.as_deref().filter(|value| *value != "*") {
            filter.push_str(&format!("\nresource.labels.{label}={}", quoted(value)));
        }
    }
    for exclude in &source.excludes {
        let expression = if exclude == "leases" { LEASES } else { exclude };
        filter.push_str(&format!("\nNOT ({expression})"));
    }
    filter
}

/// What `fixed` finds from a time up to, and without, another one.
pub(super) fn within(fixed: &str, from: Time, to: Time) -> String {
    format!("{fixed}\ntimestamp>=\"{from}\"\ntimestamp<\"{to}\"")
}

/// `activity` and `data_access` are Cloud Audit Logs; any other log is named in full, as
/// `externalaudit.googleapis.com/activity`.
fn log_id(log: &str) -> String {
    let id = if log.contains('/') { log.to_owned() } else { format!("cloudaudit.googleapis.com/{log}") };
    id.replace('/', "%2F")
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

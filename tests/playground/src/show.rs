//! What is printed.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;

use serde::Deserialize;

use crate::parts::{PART, Part};
use crate::play::{Failure, Totals};

/// What of an alert is shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Alert {
    pub(crate) audit_id: String,
    pub(crate) rule: String,
    priority: String,
    output: String,
    time: String,
}

/// Where everything is.
pub(crate) struct Stage<'a> {
    pub(crate) clouds: &'a [(&'static str, String)],
    pub(crate) bridges: &'a [Part],
    pub(crate) bridge_admins: &'a [String],
    pub(crate) intake: &'a str,
    pub(crate) receiver_admin: &'a str,
    pub(crate) receiver_log: &'a Path,
    pub(crate) store: &'a Path,
}

/// Prints the picture and what to try.
pub(crate) fn stage(stage: &Stage<'_>) {
    let Stage { clouds, bridges, bridge_admins, intake, receiver_admin, receiver_log, store } = stage;
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.display();
    let (receiver_log, store) = (receiver_log.display(), store.display());
    let (mut picture, mut metrics) = (String::new(), String::new());
    for (((cloud, place), bridge), admin) in clouds.iter().zip(*bridges).zip(*bridge_admins) {
        let (cloud, name) = (format!("{cloud} (an imitation)"), bridge.name());
        picture += &format!(
            "  {cloud:33}{place}\n        |\n  {name:33}log: {}\n        |\n",
            bridge.log().display()
        );
        metrics +=
            &format!("  curl -s http://{admin}/metrics      what {name} does: lag, sweeps, deliveries\n");
    }
    print(&format!(
        "
{picture}  audit-receiver                   log: {receiver_log}
        |
  alerts, below as they are raised

Look further, in another terminal:
{metrics}  curl -s http://{receiver_admin}/metrics      what the receiver does: received, evaluated, alerts by rule
  curl -s http://{receiver_admin}/readyz       whether it is ready, and if not, why
  {PART}=audit-receiver {program} alerts --store sqlite:{store}
  curl -s http://{intake}/k8s_audit --data '{EXAMPLE}'

Ctrl-C ends it.
"
    ));
}

/// Somebody runs a shell.
const EXAMPLE: &str = concat!(
    r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"my-own","stage":"ResponseStarted","#,
    r#""requestURI":"/api/v1/namespaces/shop/pods/cart-0/exec?command=sh","verb":"get","user":{"username":"me"},"#,
    r#""objectRef":{"resource":"pods","namespace":"shop","name":"cart-0","subresource":"exec"},"#,
    r#""requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.100000Z"}"#
);

/// Prints an alert in a line.
pub(crate) fn alert(alert: &Alert) {
    let Alert { rule, priority, output, time, .. } = alert;
    let clock = time.get(11..19).unwrap_or(time);
    // The output begins with the time and the priority, and ours with the rule; they stand in columns of their own here.
    let output = output.split_once(&format!(": {priority} ")).map_or(output.as_str(), |(_, output)| output);
    let output = output.strip_prefix(rule.as_str()).unwrap_or(output).trim_start();
    let colour = match priority.to_ascii_lowercase().as_str() {
        _ if !stdout().is_terminal() => "",
        "emergency" | "alert" | "critical" | "error" => "\x1b[31m",
        "warning" => "\x1b[33m",
        _ => "\x1b[36m",
    };
    let plain = if colour.is_empty() { "" } else { "\x1b[0m" };
    print(&format!("{clock}  {colour}{priority:<9}{plain} {rule:<26} {}\n", escape(output)));
}

/// Names in an output are a stranger's; they must not steer the terminal.
fn escape(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Prints what came of it.
pub(crate) fn totals(totals: &Totals) {
    let mut rules: Vec<_> = totals.alerts.iter().collect();
    rules.sort();
    let count: usize = totals.alerts.values().sum();
    let mut text = format!("\n{} events, {count} alerts\n", totals.events);
    for (rule, count) in rules {
        text.push_str(&format!("  {count:>6}  {rule}\n"));
    }
    print(&text);
}

/// Prints why it broke off.
pub(crate) fn failure(failure: &Failure) {
    let _ = writeln!(stderr(), "playground: {failure}");
}

/// A reader that has gone away is no reason to break off.
fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}

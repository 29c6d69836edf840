use std::path::Path;

use audit_service::config::load_from;
use serde_json::json;

use super::swb::Swb;
use super::*;

fn load(flags: serde_json::Value) -> Result<Config, String> {
    load_from(Config::default(), None::<&Path>, std::iter::empty(), flags)
        .map_err(|mistakes| mistakes.to_string())
}

fn swb(text: &str) -> Result<Swb, String> {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), text).unwrap();
    Swb::load(file.path()).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn nothing_but_a_receiver_reads_the_cluster_it_runs_in() {
    let config = load(json!({"receiver": {"url": "http://r:1"}})).unwrap();
    assert_eq!(config.sources(), [Source::default()]);
    let config = load(json!({"receiver": {"url": "http://r:1"},
        "subscriptions": [{"name": "projects/p/subscriptions/s"}]}))
    .unwrap();
    assert_eq!(config.sources(), []);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = load(json!({
        "sources": [
            {"project": "", "logs": []},
            {"project": "p", "location": "l"},
            {"project": "p", "cluster": "c"},
            {"project": "p", "cluster": "c"},
        ],
        "subscriptions": [{"name": "s", "ack_deadline": "1s"}],
        "checkpoint": "tape:",
        "requests_per_minute": 0,
        "spare_copies": true,
    }))
    .unwrap_err();
    for key in [
        "sources[0].project",
        "sources[1].cluster",
        "`stackdriver:p:*:c` is read twice",
        "subscriptions[0].name",
        "subscriptions[0].ack_deadline",
        "receiver.url",
        "checkpoint",
        "requests_per_minute",
        "spare_copies",
    ] {
        assert!(mistakes.contains(key), "{key} is not in: {mistakes}");
    }
}

#[test]
fn an_old_file_needs_no_change() {
    let old = swb(concat!(
        "# comment\nurl: http://agent:7765/k8s_audit\nproject:\ncluster: blue\nlogfile: /tmp/l\noutfile:\n",
        "poll_interval: 21s\nlag_interval: 48s\nlog_level: warning\nmax-audit-events-batch: 7\n",
        "supress_object_conversion_errors: false\nprometheus:\n  port: 25001\napi:\n  port: 8183\nnever_heard_of: 1\n",
    ))
    .unwrap();
    assert_eq!(old.metrics_listen().to_string(), "0.0.0.0:25001");
    assert_eq!(old.health_listen().to_string(), "0.0.0.0:8183");
    assert_eq!(old.logfile.as_deref(), Some(Path::new("/tmp/l")));
    assert!(!old.suppress_object_conversion_errors);
    let config = old.config();
    assert_eq!(config.receiver.url.as_ref().unwrap().to_string(), "http://agent:7765/k8s_audit");
    assert_eq!(
        (config.sources[0].project.as_deref(), config.sources[0].cluster.as_deref()),
        (None, Some("blue"))
    );
    assert_eq!(config.poll_interval, Span::secs(21));
    assert_eq!(config.log.level.to_string(), "warn");
    let mut mistakes = Mistakes::default();
    config.check(&mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes}");
    let notes = old.notes().join("\n");
    for key in [
        "url",
        "project",
        "cluster",
        "logfile",
        "outfile",
        "poll_interval",
        "lag_interval (48s)",
        "max-audit-events-batch (7)",
        "prometheus.port",
        "api.port",
        "log_level",
        "supress_object_conversion_errors",
    ] {
        assert!(notes.lines().any(|line| line.starts_with(key)), "{key}");
    }
}

#[test]
fn an_old_file_that_says_nothing_has_the_old_defaults() {
    let old = swb("project:\ncluster:\n").unwrap();
    assert_eq!(old, Swb::default());
    assert_eq!(old.metrics_listen().to_string(), "0.0.0.0:25000");
    assert_eq!(old.health_listen().to_string(), "0.0.0.0:8182");
    assert!(old.config().receiver.url.unwrap().to_string().contains("sysdig-agent"));
    assert!(swb("url: nonsense\n").unwrap_err().contains("url"));
}

use std::path::Path;

use audit_service::config::load_from;
use serde_json::json;

use super::*;

fn load(flags: serde_json::Value) -> Result<Config, String> {
    load_from(Config::default(), None::<&Path>, std::iter::empty(), flags)
        .map_err(|mistakes| mistakes.to_string())
}

#[test]
fn one_cluster_by_flags() {
    let flags = json!({
        "sources": [{"cluster": "prod", "log_group": null}],
        "region": "eu-central-1",
        "receiver": {"url": "http://receiver:6443"},
        "sweeps": "0s",
        "from": "beginning",
    });
    let config = load(flags).unwrap();
    let [log] = &config.logs()[..] else { panic!("{config:?}") };
    assert_eq!((log.cluster.as_str(), log.group.as_str()), ("prod", "/aws/eks/prod/cluster"));
    assert_eq!(log.unit, "cloudwatch:eu-central-1:/aws/eks/prod/cluster");
    assert_eq!(config.sweeps.to_string(), "0s");
}

#[test]
fn clusters_of_one_name_in_two_accounts_are_two_units() {
    let role = |account: &str| Some(format!("arn:aws:iam::{account}:role/reader"));
    let source =
        |account: &str| Source { cluster: Some("prod".into()), role: role(account), ..Source::default() };
    let config = Config {
        sources: vec![source("111122223333"), source("444455556666")],
        region: Some("eu-central-1".into()),
        ..Config::default()
    };
    let logs = config.logs();
    assert_ne!(logs[0].unit, logs[1].unit);
    assert_eq!(logs[1].account.as_deref(), Some("444455556666"));
}

#[test]
fn the_cluster_is_found_in_the_name_of_its_group() {
    for (group, cluster, account) in [
        ("/aws/eks/prod/cluster", Some("prod"), None),
        (
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/eks/prod/cluster:*",
            Some("prod"),
            Some("111122223333"),
        ),
        ("elsewhere", None, None),
    ] {
        let source = Source { log_group: Some(group.into()), ..Source::default() };
        assert_eq!(source.cluster(), cluster);
        let config = Config { region: Some("eu-west-1".into()), ..Config::default() };
        let log = source.log(&config);
        assert_eq!(log.as_ref().map(|log| log.cluster.as_str()), cluster);
        assert_eq!(log.and_then(|log| log.account).as_deref(), account);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let flags = json!({
        "sources": [
            {"log_group": "elsewhere", "account": "12", "role": "reader", "region": "r"},
            {"cluster": "a", "region": "r", "external_id": "x"},
        ],
        "checkpoint": "tape:",
        "requests_per_second": 0,
        "poll_interval": "0s",
        "remember": 0,
        "receiver": {"timeout": "0s", "connect_timeout": "0"},
    });
    let mistakes = load(flags).unwrap_err();
    for key in [
        "sources[0].cluster",
        "sources[0].account",
        "sources[0].role",
        "sources[1].external_id",
        "receiver.url",
        "receiver.timeout",
        "receiver.connect_timeout",
        "checkpoint",
        "requests_per_second",
        "poll_interval",
        "remember",
    ] {
        assert!(mistakes.contains(key), "{key} is not in: {mistakes}");
    }
}

#[test]
fn a_log_that_is_read_twice_is_a_mistake() {
    let source = json!({"cluster": "a", "region": "r"});
    let mistakes = load(json!({"sources": [source, source], "receiver": {"url": "http://r"}})).unwrap_err();
    assert!(mistakes.contains("`cloudwatch:r:/aws/eks/a/cluster` is read twice"), "{mistakes}");
}

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Bytes, Check, Listen, Mistakes, SecretFile, Span, load_from};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    account: String,
    interval: Span,
    limit: Bytes,
    workers: u16,
    quiet: bool,
    regions: Vec<String>,
    sweeps: Vec<Span>,
    receiver: Receiver,
    sources: Vec<Source>,
    auth: Auth,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    url: Option<String>,
    token_file: Option<SecretFile>,
    listen: Listen,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    cluster: String,
    #[serde(default)]
    polls: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Auth {
    None,
    Tokens { file: PathBuf },
    Clusters(Vec<String>),
}

impl Check for Config {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.receiver.url.is_none() {
            mistakes.add("receiver.url", "must be given");
        }
        for (index, source) in self.sources.iter().enumerate().filter(|(_, source)| source.polls == 9) {
            mistakes
                .add(format!("sources[{index}].reason"), format!("must be given for `{}`", source.cluster));
        }
        if self.workers == 0 {
            mistakes.add("workers", "must be at least 1");
        }
    }
}

fn defaults() -> Config {
    Config {
        account: String::new(),
        interval: Span::secs(5),
        limit: Bytes::mib(4),
        workers: 2,
        quiet: false,
        regions: vec!["here".into()],
        sweeps: vec![Span::secs(5)],
        receiver: Receiver {
            url: Some("http://127.0.0.1".into()),
            token_file: None,
            listen: Listen::everywhere(1),
        },
        sources: vec![],
        auth: Auth::None,
        labels: BTreeMap::new(),
    }
}

/// Loads with this file (none if empty), these variables and these flags.
fn load(yaml: &str, variables: &[(&str, &str)], flags: serde_json::Value) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kab.yaml");
    fs::write(&file, yaml).unwrap();
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let given = (!yaml.is_empty()).then_some(file.as_path());
    load_from(defaults(), given, variables, flags)
        .map_err(|mistakes| mistakes.to_string().replace(&folder.path().display().to_string(), "."))
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(load("", &[], json!({})), Ok(defaults()));
    assert_eq!(load("# nothing\n", &[], json!(null)), Ok(defaults()));
    assert_eq!(
        load("receiver:\n", &[], json!({ "regions": [], "receiver": { "url": null } })),
        Ok(defaults())
    );
}

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let yaml = "workers: 3\nlimit: 3MiB\ninterval: 3s\nreceiver: {url: file}\n";
    let config = load(yaml, &[("KAB_LIMIT", "4kB"), ("KAB_INTERVAL", "4s")], json!({ "interval": "6s" }));
    let config = config.unwrap();
    assert_eq!((config.workers, config.limit, config.interval), (3, Bytes(4000), Span::secs(6)));
    assert_eq!(config.receiver, Receiver { url: Some("file".into()), ..defaults().receiver });
}

#[test]
fn a_text_field_takes_any_text() {
    for text in ["0123", "123456789012", "true", "null", "1e3", "[", "~", ""] {
        assert_eq!(load("", &[("KAB_ACCOUNT", text)], json!({})).unwrap().account, text);
    }
    for text in ["0123", "true", "1e3", "'null'"] {
        let config = load(&format!("account: {text}\n"), &[], json!({})).unwrap();
        assert_eq!(config.account, text.trim_matches('\''));
    }
}

#[test]
fn variables_hold_numbers_lists_and_sections() {
    let variables = [
        ("KAB_WORKERS", "7"),
        ("KAB_QUIET", "true"),
        ("KAB_REGIONS", "eu-west-1, 0123"),
        ("KAB_SWEEPS", "[5s, 1m]"),
        ("KAB_SOURCES", "[{cluster: a}, {cluster: 'b, c', polls: 3}]"),
        ("KAB_RECEIVER__LISTEN", "[::1]:0"),
        ("KAB_RECEIVER", "{url: x}"),
        ("KAB_RECEIVER__TOKEN_FILE", "/run/token"),
        ("KAB_AUTH", "{tokens: {file: /t}}"),
        ("OTHER", "1"),
    ];
    let config = load("", &variables, json!({})).unwrap();
    assert_eq!((config.workers, config.quiet), (7, true));
    assert_eq!(config.regions, ["eu-west-1", "0123"]);
    assert_eq!(config.sweeps, [Span::secs(5), Span::secs(60)]);
    assert_eq!(config.sources[1], Source { cluster: "b, c".into(), polls: 3 });
    assert_eq!(config.receiver.url.as_deref(), Some("x"));
    assert_eq!(config.receiver.listen.to_string(), "[::1]:0");
    assert_eq!(config.receiver.token_file.unwrap().path(), "/run/token");
    assert_eq!(config.auth, Auth::Tokens { file: "/t".into() });
    assert_eq!(load("", &[], json!({ "sweeps": "5s,1m" })).unwrap().sweeps.len(), 2);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let yaml = "\
interval: 5parsecs
workers: 70000
recever: {url: http://a}
receiver:
  url: [a]
  tokenfile: /run/token
sources:
  - cluster: a
    polls: -1
  - polls: 2
  - cluster: c
    extra: 1
auth: nobody
";
    let variables = [("KAB_QUIET", "perhaps"), ("KAB_RECEIVER__LISTEN", "localhost"), ("KAB_WROKERS", "1")];
    assert_eq!(
        load(yaml, &variables, json!({ "limit": "4 MiB" })).unwrap_err(),
        "\
13 mistakes in the configuration
  auth = `nobody` (./kab.yaml:13:7): unknown value `nobody`; allowed: `none`, `tokens`, `clusters`
  interval = `5parsecs` (./kab.yaml:1:11): expected a length of time such as `5s`, `1m30s`, `250ms` or `30d`
  limit = `4 MiB` (command line): expected an amount of bytes such as `4MiB`, `500kB` or `1024`
  quiet = `perhaps` (environment variable KAB_QUIET): expected `true` or `false`
  receiver.listen = `localhost` (environment variable KAB_RECEIVER__LISTEN): expected an IP address and a port such as `127.0.0.1:8080` or `[::]:0`
  receiver.tokenfile (./kab.yaml:6:14): unknown key `tokenfile`, did you mean `token_file`? allowed: `url`, `token_file`, `listen`
  receiver.url (./kab.yaml:5:8): expected a text
  recever (./kab.yaml:3:10): unknown key `recever`, did you mean `receiver`? allowed: `account`, `interval`, `limit`, `workers`, `quiet`, `regions`, `sweeps`, `receiver`, `sources`, `auth`, `labels`
  sources[0].polls = `-1` (./kab.yaml:9:12): expected a whole number from 0 to 4294967295
  sources[1].cluster (./kab.yaml:10:5): must be given
  sources[2].extra (./kab.yaml:12:12): unknown key `extra`; allowed: `cluster`, `polls`
  workers = `70000` (./kab.yaml:2:10): expected a whole number from 0 to 65535
  wrokers (environment variable KAB_WROKERS): unknown key `wrokers`, did you mean `workers`? allowed: `account`, `interval`, `limit`, `workers`, `quiet`, `regions`, `sweeps`, `receiver`, `sources`, `auth`, `labels`"
    );
}

#[test]
fn a_check_speaks_unless_the_value_is_known_to_be_wrong() {
    let error = load("workers: 0\n", &[], json!({})).unwrap_err();
    assert_eq!(
        error,
        "1 mistake in the configuration\n  workers = `0` (./kab.yaml:1:10): must be at least 1"
    );
    let error =
        load("receiver: {url: null}\nworkers: 0\n", &[("KAB_WORKERS", "none")], json!({})).unwrap_err();
    assert!(error.contains("expected a whole number") && !error.contains("at least 1"), "{error}");
    assert!(error.contains("receiver.url (./kab.yaml:1:17): must be given"), "{error}");
}

#[test]
fn enums_take_a_variant_with_its_section() {
    assert_eq!(
        load("auth: {tokens: {file: t}}\n", &[], json!({})).unwrap().auth,
        Auth::Tokens { file: "t".into() }
    );
    assert_eq!(
        load("auth: {clusters: [a]}\n", &[], json!({})).unwrap().auth,
        Auth::Clusters(vec!["a".into()])
    );
    assert_eq!(load("auth: {none: }\n", &[], json!({})).unwrap().auth, Auth::None);
    let error = load("auth: {tokens: {fil: t}}\n", &[], json!({})).unwrap_err();
    assert!(
        error.contains("auth.tokens.fil (./kab.yaml:1:22): unknown key `fil`, did you mean `file`?"),
        "{error}"
    );
    let error = load("auth: {tokens: {file: t}, clusters: []}\n", &[], json!({})).unwrap_err();
    assert!(error.contains("auth (./kab.yaml:1:7): expected exactly one key"), "{error}");
}

#[test]
fn a_variant_given_takes_the_place_of_the_default_one() {
    let auth = Auth::Tokens { file: "t".into() };
    let given: Vec<(OsString, OsString)> = vec![("KAB_AUTH".into(), "{clusters: [a]}".into())];
    let config = load_from(Config { auth, ..defaults() }, None, given, ()).unwrap();
    assert_eq!(config.auth, Auth::Clusters(vec!["a".into()]));
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_other_mistakes() {
    let absent = PathBuf::from("/nowhere/kab.yaml");
    let variables: Vec<(OsString, OsString)> = vec![("KAB_WORKERS".into(), "x".into())];
    let error = load_from(defaults(), Some(&absent), variables, ()).unwrap_err().to_string();
    assert!(error.contains("2 mistakes"), "{error}");
    assert!(
        error.contains("cannot read the configuration file `/nowhere/kab.yaml`: No such file"),
        "{error}"
    );
    let error = load("workers: [1\nlimit: 1\n", &[], json!({})).unwrap_err();
    assert!(error.contains("./kab.yaml:2:") && error.contains("is not YAML: "), "{error}");
    for (yaml, expected) in [
        ("workers: 1\nworkers: 2\n", "./kab.yaml:2:1: `workers` is here a second time"),
        ("- a\n", "./kab.yaml:1:1: expected keys and values"),
        ("just text\n", "./kab.yaml:1:1: expected keys and values"),
        ("workers: 1\n---\nworkers: 2\n", "./kab.yaml:3:1: a second document in one file"),
        ("[a]: 1\n", "a key must be a text"),
        ("account: !secret x\n", "the tag `!secret` means nothing here"),
        ("regions: &a [*a]\n", "an alias within what it stands for"),
    ] {
        let error = load(yaml, &[], json!({})).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_key_that_is_there_twice_hides_no_other_mistake() {
    let yaml = "workers: 0\nquiet: true\nworkers: {a: 1, a: 2}\nspeed: 1\nquiet: [x]\n";
    let mistakes = load(yaml, &[], json!({})).unwrap_err();
    for told in [
        "./kab.yaml:3:17: `a` is here a second time",
        "./kab.yaml:3:1: `workers` is here a second time",
        "./kab.yaml:5:1: `quiet` is here a second time",
        "unknown key `speed`",
        "workers = `0` (./kab.yaml:1:10): must be at least 1",
    ] {
        assert!(mistakes.contains(told), "{told} is not in {mistakes}");
    }
    assert!(mistakes.starts_with("5 mistakes"), "{mistakes}");
}

#[test]
fn what_is_missing_is_missing_where_it_should_be() {
    let yaml = "sources:\n  - {cluster: a}\n  - {cluster: b, polls: 9}\n";
    let mistakes = load(yaml, &[], json!({})).unwrap_err();
    assert!(mistakes.contains("sources[1].reason (./kab.yaml:3:5): must be given for `b`"), "{mistakes}");
}

#[test]
fn anchors_work() {
    let config = load("account: &a x\nregions: [*a, y]\n", &[], json!({})).unwrap();
    assert_eq!((config.account.as_str(), config.regions), ("x", vec!["x".to_owned(), "y".to_owned()]));
}

#[test]
fn credentials_in_a_url_are_not_shown() {
    let error = load("interval: postgres://me:hush@db/x\n", &[], json!({})).unwrap_err();
    assert!(error.contains("`postgres://...@db/x`") && !error.contains("hush"), "{error}");
}

#[test]
fn a_value_and_something_inside_it_is_a_mistake() {
    let error = load("", &[("KAB_RECEIVER", "x"), ("KAB_RECEIVER__URL", "y")], json!({})).unwrap_err();
    assert!(error.contains("receiver = `x` (environment variable KAB_RECEIVER): cannot be"), "{error}");
}

proptest! {
    /// Whatever a file holds: an answer, and every round puts something right.
    #[test]
    fn any_file_is_answered(yaml in "([a-z]{1,3}|workers|receiver|sources|auth|: |- |\n|  |\\[|\\]|\\{|\\}|,|&a |\\*a |5s|'|\")*") {
        let _ = load(&yaml, &[], json!({}));
    }

    #[test]
    fn what_is_valid_is_read_back_from_every_layer(
        account in "[ -~]{0,9}", workers in 1_u16.., interval: u32, regions in prop::collection::vec("[a-z0-9]{1,4}", 1..4),
        cluster in "[a-z]{1,3}",
    ) {
        let source = Source { cluster, polls: interval };
        let config = Config {
            account, workers, interval: Span::millis(interval.into()), regions, sources: vec![source], ..defaults()
        };
        let json = serde_json::to_value(&config).unwrap();
        // JSON is YAML.
        prop_assert_eq!(load(&json.to_string(), &[], json!({})), Ok(config.clone()));
        prop_assert_eq!(load("", &[], json.clone()), Ok(config.clone()));
        let variables: Vec<(String, String)> = json.as_object().unwrap().iter().map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("KAB_{}", key.to_uppercase()), text)
        }).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, text)| (&**name, &**text)).collect();
        prop_assert_eq!(load("", &variables, json!({})), Ok(config));
    }
}

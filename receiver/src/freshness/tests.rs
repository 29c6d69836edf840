use audit_service::metrics::Metrics;

use super::*;
use crate::clusters::Ids;
use crate::store::{Filter, Location};

struct Watched {
    _folder: tempfile::TempDir,
    store: Store,
    freshness: Freshness,
    metrics: Metrics,
    counters: Counters,
}

impl Watched {
    async fn new(freshness: Freshness) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("a.db")), Vec::new()).await.unwrap();
        let metrics = Metrics::new("test", "0");
        let counters = Counters::new(&metrics);
        Self { _folder: folder, store, freshness, metrics, counters }
    }

    fn came(&self, (id, name): (&str, &str), bound: bool, seconds_ago: i64) {
        let time = nanoseconds(Timestamp::now()) - seconds_ago * 1_000_000_000;
        let newest = Newest { name: name.to_owned(), time };
        self.freshness.note(&BTreeMap::from([(id.to_owned(), newest)]), bound, &self.counters);
    }

    /// The clusters of all alerts that there are by now.
    async fn silent(&self) -> Vec<String> {
        look(&self.freshness, Some(Duration::from_secs(60)), &self.store, "h", &self.counters).await.unwrap();
        let mut clusters = Vec::new();
        let each = |document: String| {
            let alert: serde_json::Value = serde_json::from_str(&document).unwrap();
            assert_eq!(alert["rule"], native::SILENT);
            clusters.push(alert["cluster"].as_str().unwrap().to_owned());
            true
        };
        self.store.alerts(&Filter::default(), each).await.unwrap();
        clusters
    }

    async fn known(&self) -> Vec<Known> {
        self.freshness.clusters(&self.store).await.unwrap()
    }
}

#[tokio::test]
async fn a_silence_raises_one_alert_and_the_next_another() {
    let watched = Watched::new(Freshness::default()).await;
    let quiet = ("quiet", "quiet");
    watched.came(quiet, false, 100);
    watched.came(("busy", "busy"), false, 1);
    watched.came(("ahead", "ahead"), false, -3600);
    assert_eq!(watched.silent().await, ["quiet"]);
    // An older event changes nothing, nor does looking again.
    watched.came(quiet, false, 200);
    assert_eq!(watched.silent().await, ["quiet"]);
    watched.came(quiet, false, 70);
    assert_eq!(watched.silent().await, ["quiet", "quiet"]);
    watched.came(quiet, false, 0);
    assert_eq!(watched.silent().await.len(), 2);
    let now = Some(nanoseconds(Timestamp::now()));
    assert!(watched.known().await.iter().all(|known| known.newest <= now));
}

#[tokio::test]
async fn nobody_else_keeps_a_bound_cluster_fresh() {
    let ids: Ids = serde_json::from_str(r#"{"prod": "arn:1"}"#).unwrap();
    let watched = Watched::new(Freshness::new([ids.cluster("prod"), ids.cluster("edge")])).await;
    watched.came(("arn:1", "prod"), true, 100);
    watched.came(("edge", "edge"), true, 100);
    // Whatever strangers name: the id, the name, both.
    for claim in [("arn:1", "prod"), ("prod", "prod"), ("arn:9", "prod"), ("edge", "edge")] {
        watched.came(claim, false, 0);
    }
    assert_eq!(watched.silent().await, ["prod", "edge"]);
    let metrics = watched.metrics.encode();
    let gauges = metrics.lines().filter(|line| line.starts_with("test_newest_event_timestamp_seconds{"));
    assert_eq!(gauges.count(), 4, "{metrics}");
    let known = watched.known().await;
    let bound: Vec<_> = known.iter().filter(|known| known.bound).map(|known| known.id.as_str()).collect();
    assert_eq!(bound, ["arn:1", "edge"]);
    assert_eq!(known.len(), 4, "others are known under ids of their own: {known:?}");
}

#[tokio::test]
async fn two_clusters_of_one_name_are_two() {
    let watched = Watched::new(Freshness::default()).await;
    watched.came(("arn:1", "prod"), false, 100);
    watched.came(("arn:2", "prod"), false, 0);
    assert_eq!(watched.silent().await, ["prod"]);
}

#[tokio::test]
async fn a_bound_cluster_that_never_speaks_is_silent() {
    let watched = Watched::new(Freshness::new([Ids::default().cluster("new")])).await;
    assert_eq!((watched.silent().await, watched.silent().await.len()), (vec!["new".to_owned()], 1));
    assert_eq!(watched.known().await[0].newest, None);
}

#[tokio::test]
async fn many_names_push_out_no_bound_cluster() {
    let watched = Watched::new(Freshness::new([Ids::default().cluster("prod")])).await;
    for number in 0..2 * MOST {
        let name = number.to_string();
        watched.came((&name, &name), false, 0);
    }
    watched.came(("prod", "prod"), true, 100);
    assert_eq!(watched.silent().await, ["prod"]);
    assert_eq!(watched.known().await.len(), MOST + 1);
}

#[tokio::test]
async fn an_id_has_one_name_and_a_long_one_keeps_nobody_from_being_silent() {
    let watched = Watched::new(Freshness::default()).await;
    for name in ["prod", "p", "q"] {
        watched.came(("arn:1", name), false, 100);
    }
    // In JSON six bytes each.
    watched.came((&"\u{1}".repeat(500), "n"), false, 100);
    watched.came(("arn:2", &"\u{1}".repeat(500)), false, 100);
    assert_eq!(watched.silent().await, ["prod"]);
    assert_eq!(watched.store.clusters().await.unwrap().len(), 1);
    let metrics = watched.metrics.encode();
    let gauges = metrics.lines().filter(|line| line.starts_with("test_newest_event_timestamp_seconds{"));
    assert_eq!(gauges.count(), 1, "{metrics}");
}

#[test]
fn a_silence_counts_from_when_events_can_be_taken() {
    let (second, begun) = (Duration::from_secs(1), Instant::now());
    let mut since = begun;
    let mut passed =
        |seconds, is_healthy| has_passed(3 * second, &mut since, is_healthy, begun + seconds * second);
    assert_eq!([3, 4].map(|seconds| passed(seconds, true)), [false, true]);
    assert_eq!([8, 9].map(|seconds| passed(seconds, false)), [false, false], "nothing could come");
    assert_eq!([12, 13].map(|seconds| passed(seconds, true)), [false, true]);
    assert!(!has_passed(Duration::ZERO, &mut since, true, begun + 99 * second), "never");
}

#[test]
fn a_key_is_read_as_it_was_written_and_no_name_passes_for_one() {
    for (id, name) in [("a", "a"), ("arn:1", "prod"), ("\u{0}\"", r#"["arn:1","prod"]"#), ("", "")] {
        assert_eq!(read(key(id, name)), (id.to_owned(), name.to_owned()));
    }
    assert_eq!(read("prod".to_owned()), ("prod".to_owned(), "prod".to_owned()));
}

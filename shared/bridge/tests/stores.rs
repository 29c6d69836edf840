//! What every store of checkpoints must do, and what a lease over it then is.

#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_bridge::checkpoint::{
    self, CheckpointStore, CommitFailed, ConfigMapStore, Document, Expected, Lease, Patience, SCHEMA,
    StoreFailed, slug,
};
use audit_fakes::kubernetes::{Kubernetes, Loss, Permission, TOKEN};
use audit_fakes::objects::Objects;
use audit_service::health::Health;
use audit_service::kubernetes::ApiServer;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

const EXPIRY: Duration = Duration::from_secs(1);
const OBJECT: &str = "/api/v1/namespaces/audit/configmaps/checkpoints";

/// A store, and the ways to disturb it.
trait Place {
    /// A store of its own for each process that is played.
    fn store(&self) -> Arc<dyn CheckpointStore>;
    /// Loses the answers to the next writes.
    fn lose(&self, losses: &[Loss]);
}

struct Cluster {
    server: Kubernetes,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Self {
        audit_service::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let server = Kubernetes::start(None);
        // As the chart's role says.
        let rule = |verbs: &[&str], names: &[&str]| Permission {
            verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
            resources: vec!["configmaps".to_owned()],
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        server.permit(vec![rule(&["create"], &[]), rule(&["get", "update"], &["checkpoints"])]);
        Self { server, folder }
    }

    fn configmap(&self, folder: &Path) -> ConfigMapStore {
        let server = ApiServer::at(&format!("http://{}", self.server.address()), folder).unwrap();
        ConfigMapStore::new("audit", "checkpoints", EXPIRY).at(server)
    }
}

impl Place for Cluster {
    fn store(&self) -> Arc<dyn CheckpointStore> {
        Arc::new(self.configmap(self.folder.path()))
    }

    fn lose(&self, losses: &[Loss]) {
        self.server.lose(losses.iter().copied());
    }
}

struct Bucket {
    objects: Objects,
    address: &'static str,
}

impl Place for Bucket {
    fn store(&self) -> Arc<dyn CheckpointStore> {
        let endpoint = self.objects.endpoint();
        checkpoint::open(&format!("{}?expiry=1s&credentials=none&endpoint={endpoint}", self.address)).unwrap()
    }

    fn lose(&self, losses: &[Loss]) {
        // The library tries once more by itself.
        self.objects.lose(losses.iter().flat_map(|&loss| [loss, Loss::Before]));
    }
}

fn places() -> Vec<(&'static str, Box<dyn Place>)> {
    let mut places: Vec<(&'static str, Box<dyn Place>)> = vec![("configmap", Box::new(Cluster::start()))];
    if cfg!(all(feature = "s3", feature = "gs", feature = "az")) {
        for address in ["s3://bucket/some/where", "gs://bucket", "az://account/container/where"] {
            places.push((address, Box::new(Bucket { objects: Objects::start(), address })));
        }
    }
    places
}

fn document(unit: &str, beat: u64) -> Document {
    Document { schema: SCHEMA, unit: unit.into(), owner: "me".into(), beat, position: json!({"at": beat}) }
}

#[tokio::test]
async fn a_document_is_swapped_only_for_the_version_that_was_read() {
    for (name, place) in places() {
        let (store, other) = (place.store(), place.store());
        assert!(store.load("a").await.unwrap().is_none(), "{name}");
        let first = store.store(&document("a", 1), Expected::Absent).await.unwrap();
        let again = other.store(&document("a", 9), Expected::Absent).await;
        assert!(matches!(again, Err(StoreFailed::Conflict(_))), "{name}: {again:?}");
        // Another unit's writes are no conflict.
        other.store(&document("b", 1), Expected::Absent).await.unwrap();
        let second = store.store(&document("a", 2), Expected::Version(first.clone())).await.unwrap();
        let late = other.store(&document("a", 3), Expected::Version(first)).await;
        assert!(matches!(late, Err(StoreFailed::Conflict(_))), "{name}: {late:?}");
        assert_eq!(other.load("a").await.unwrap(), Some((document("a", 2), second)), "{name}");
        assert_eq!(other.load("b").await.unwrap().unwrap().0, document("b", 1), "{name}");
        other.store(&document("a", 7), Expected::Anything).await.unwrap();
        assert_eq!(store.load("a").await.unwrap().unwrap().0, document("a", 7), "{name}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_a_trouble_and_no_race() {
    if !cfg!(all(feature = "s3", feature = "gs", feature = "az")) {
        return;
    }
    audit_service::tls::install();
    for address in ["s3://bucket/some/where", "gs://bucket", "az://account/container/where"] {
        let bucket = Bucket { objects: Objects::start(), address };
        bucket.objects.lose_bucket();
        let taken = Lease::acquire(bucket.store(), "a", "me", Patience::Once).await;
        assert!(matches!(taken, Err(StoreFailed::Unavailable { .. })), "{address}: {taken:?}");
    }
}

#[tokio::test]
async fn lost_answers_are_settled_and_two_writers_at_once_are_told_apart() {
    for (name, place) in places() {
        let mut lease = Lease::acquire(place.store(), "a", "me", Patience::Once).await.unwrap();
        for loss in [Loss::Before, Loss::After] {
            place.lose(&[loss]);
            let mut attempts = 0;
            while lease.commit(Some(json!(format!("{loss:?}")))).await.is_err() {
                attempts += 1;
                assert!(attempts < 3, "{name}: {loss:?}");
            }
            let stored = place.store().load("a").await.unwrap().unwrap().0;
            assert_eq!(stored.position, json!(format!("{loss:?}")), "{name}");
        }
        let (one, two) = (place.store(), place.store());
        let version = one.load("a").await.unwrap().unwrap().1;
        let (mine, yours) = (document("a", 100), document("a", 101));
        let (mine, yours) = tokio::join!(
            one.store(&mine, Expected::Version(version.clone())),
            two.store(&yours, Expected::Version(version)),
        );
        assert_eq!(
            [&mine, &yours].iter().filter(|stored| stored.is_ok()).count(),
            1,
            "{name}: {mine:?} {yours:?}"
        );
    }
}

#[tokio::test]
async fn who_waits_takes_over_from_a_dead_owner_within_the_expiry_and_a_deposed_one_is_told() {
    for (name, place) in places() {
        let mut first = Lease::acquire(place.store(), "a", "first", Patience::Once).await.unwrap();
        first.commit(Some(json!(1))).await.unwrap();
        let store = place.store();
        let begun = Instant::now();
        let condition = Health::new().condition("checkpoint");
        let waiting =
            tokio::spawn(
                async move { Lease::acquire(store, "a", "second", Patience::Endless(&condition)).await },
            );
        // While the owner lives it stays the owner.
        for beat in 2..6 {
            tokio::time::sleep(first.commit_every()).await;
            first.commit(Some(json!(beat))).await.unwrap();
        }
        assert!(!waiting.is_finished(), "{name}");
        let dead = Instant::now();
        let mut second = waiting.await.unwrap().unwrap();
        let took = dead.elapsed();
        assert!(took >= EXPIRY / 2 && begun.elapsed() > EXPIRY, "{name}: {took:?}");
        println!("{name}: taken over after {took:?}");
        assert_eq!(second.position(), Some(&json!(5)), "{name}");
        second.commit(Some(json!(6))).await.unwrap();
        match first.commit(Some(json!(5))).await {
            Err(CommitFailed::Deposed { owner, .. }) => assert_eq!(owner, "second", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        // Who lets go is followed at once.
        second.release().await.unwrap();
        let third = Lease::acquire(place.store(), "a", "third", Patience::Once).await.unwrap();
        assert_eq!(third.position(), Some(&json!(6)), "{name}");
    }
}

#[tokio::test]
async fn a_configmap_keeps_what_others_wrote_into_it() {
    let cluster = Cluster::start();
    cluster.server.put(
        OBJECT,
        json!({"metadata": {"name": "checkpoints", "labels": {"mine": "yes"}}, "data": {"note": "n"}}),
    );
    let store = cluster.store();
    store.store(&document("a", 1), Expected::Absent).await.unwrap();
    let mut changed = cluster.server.object(OBJECT).unwrap();
    changed["data"]["note"] = json!("m");
    cluster.server.put(OBJECT, changed);
    let version = store.load("a").await.unwrap().unwrap().1;
    store.store(&document("a", 2), Expected::Version(version)).await.unwrap();
    let object = cluster.server.object(OBJECT).unwrap();
    assert_eq!(
        (&object["data"]["note"], &object["metadata"]["labels"]["mine"]),
        (&json!("m"), &json!("yes"))
    );
}

#[tokio::test]
async fn one_owner_writes_a_configmap_with_one_call_each_time() {
    let cluster = Cluster::start();
    let mut lease = Lease::acquire(cluster.store(), "a", "me", Patience::Once).await.unwrap();
    let before = cluster.server.calls().len();
    for beat in 0..5 {
        lease.commit(Some(json!(beat))).await.unwrap();
    }
    let calls = cluster.server.calls().split_off(before);
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert!(calls.iter().all(|call| call.verb == "update" && call.status == 200), "{calls:?}");
}

#[tokio::test]
async fn a_configmap_that_is_gone_unreadable_or_forbidden_is_told_and_never_taken_for_none() {
    let cluster = Cluster::start();
    let store = cluster.store();
    store.store(&document("a", 1), Expected::Absent).await.unwrap();
    let object = cluster.server.remove(OBJECT).unwrap();
    let gone = store.load("a").await.unwrap_err();
    assert!(matches!(gone, StoreFailed::Gone(_)) && gone.to_string().contains("checkpoint set"), "{gone}");
    let mut broken = object.clone();
    broken["data"][slug("a")] = json!("{");
    cluster.server.put(OBJECT, broken);
    let unreadable = store.load("a").await.unwrap_err();
    assert!(matches!(unreadable, StoreFailed::Unreadable { .. }), "{unreadable}");
    cluster.server.permit(Vec::new());
    let forbidden = store.load("a").await.unwrap_err().to_string();
    assert!(
        forbidden.contains("`configmap:audit/checkpoints[a-") && forbidden.contains("cannot get"),
        "{forbidden}"
    );
    std::fs::write(cluster.folder.path().join("token"), "another").unwrap();
    let stranger = store.load("a").await.unwrap_err().to_string();
    assert!(stranger.contains("401"), "{stranger}");
}

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use audit_service::health::Health;
use serde_json::{Value, json};

use super::*;

fn document(unit: &str, beat: u64) -> Document {
    Document { schema: SCHEMA, unit: unit.into(), owner: "me".into(), beat, position: json!({"at": beat}) }
}

#[tokio::test]
async fn a_file_is_swapped_only_for_the_version_that_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("made/by/need"));
    assert!(store.load("a").await.unwrap().is_none());
    let first = store.store(&document("a", 1), Expected::Absent).await.unwrap();
    let second = store.store(&document("a", 2), Expected::Version(first.clone())).await.unwrap();
    let late = store.store(&document("a", 3), Expected::Version(first)).await;
    assert!(matches!(late, Err(StoreFailed::Conflict(_))), "{late:?}");
    assert_eq!(store.load("a").await.unwrap(), Some((document("a", 2), second)));
    assert!(store.load("b").await.unwrap().is_none());
}

#[tokio::test]
async fn one_process_holds_a_file_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (FileStore::new(folder.path()), FileStore::new(folder.path()));
    assert!(first.hold("a").await.unwrap());
    assert!(matches!(second.hold("a").await, Err(StoreFailed::InUse { .. })));
    assert!(second.hold("b").await.unwrap());
    drop(first);
    assert!(second.hold("a").await.unwrap());
}

#[tokio::test]
async fn a_checkpoint_that_is_gone_or_unreadable_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    store.store(&document("a", 1), Expected::Absent).await.unwrap();
    let path = folder.path().join(format!("{}.json", slug("a")));
    for content in [
        "{\"schema\":1,\"unit\":\"a\"",
        "{}",
        r#"{"schema":9,"unit":"a","owner":"","beat":1,"position":null}"#,
    ] {
        std::fs::write(&path, content).unwrap();
        let failed = store.load("a").await.unwrap_err();
        assert!(
            matches!(failed, StoreFailed::Unreadable { .. }) && failed.to_string().contains("checkpoint set")
        );
    }
    std::fs::remove_file(&path).unwrap();
    let failed = store.load("a").await.unwrap_err();
    assert!(matches!(failed, StoreFailed::Gone(_)) && failed.to_string().contains("checkpoint set"));
    store.store(&document("a", 5), Expected::Anything).await.unwrap();
    assert_eq!(store.load("a").await.unwrap().unwrap().0, document("a", 5));
}

#[test]
fn whether_a_folder_can_be_written_is_found_out_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    FileStore::new(folder.path().join("to/be/made")).usable().unwrap();
    FileStore::new(folder.path()).usable().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(folder.path().join("file"), "").unwrap();
    for unusable in [folder.path().join("file"), "/proc/nope".into()] {
        let told = FileStore::new(&unusable).usable().unwrap_err().to_string();
        assert!(told.contains(&unusable.display().to_string()), "{told}");
    }
}

#[test]
fn slugs_are_plain_and_differ() {
    let slug = super::slug("cloudwatch:eu-central-1:/aws/eks/Prod/cluster");
    assert!(slug.starts_with("cloudwatch-eu-central-1-aws-eks-prod-cluster-"), "{slug}");
    assert_ne!(super::slug("a/b"), super::slug("a-b"));
    assert!(super::slug(&"x".repeat(500)).len() < 100);
}

/// A store in memory, compare-and-swap only, whose answers can be lost.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    held: Mutex<Option<(Document, u64)>>,
    lose_read: AtomicU32,
    lose_before: AtomicU32,
    lose_after: AtomicU32,
    /// It says of every write that it is a conflict.
    refuses: AtomicBool,
}

impl Remote {
    fn lost(counter: &AtomicU32) -> Result<(), StoreFailed> {
        match counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(StoreFailed::Unavailable {
                place: "remote".into(),
                what: "written",
                reason: "lost".into(),
            }),
            Err(_) => Ok(()),
        }
    }
}

impl CheckpointStore for Remote {
    fn hold<'a>(&'a self, _: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        let held = self.held.lock().unwrap().clone();
        if let Err(lost) = Self::lost(&self.lose_read) {
            return Box::pin(async { Err(lost) });
        }
        Box::pin(async { Ok(held.map(|(document, version)| (document, Version(version.to_string())))) })
    }

    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version> {
        let answer = (|| {
            Self::lost(&self.lose_before)?;
            let mut held = self.held.lock().unwrap();
            let version = held.as_ref().map(|(_, version)| *version);
            let fits = match &expected {
                Expected::Anything => true,
                Expected::Absent => version.is_none(),
                Expected::Version(expected) => {
                    version.is_some_and(|version| version.to_string() == expected.0)
                }
            };
            if !fits || self.refuses.load(Ordering::SeqCst) {
                return Err(StoreFailed::Conflict("remote".into()));
            }
            let version = version.unwrap_or(0) + 1;
            *held = Some((document.clone(), version));
            drop(held);
            Self::lost(&self.lose_after)?;
            Ok(Version(version.to_string()))
        })();
        Box::pin(async { answer })
    }
}

fn position(store: &Remote) -> Value {
    store.held.lock().unwrap().as_ref().unwrap().0.position.clone()
}

#[tokio::test]
async fn a_refusal_where_nobody_has_written_is_no_conflict_and_commits_nothing() {
    let store = Arc::new(Remote::default());
    store.refuses.store(true, Ordering::SeqCst);
    let taken = Lease::acquire(store.clone(), "a", "me", Patience::Once).await;
    assert!(matches!(taken, Err(StoreFailed::Unavailable { .. })), "{taken:?}");
    store.refuses.store(false, Ordering::SeqCst);
    let mut lease = Lease::acquire(store.clone(), "a", "me", Patience::Once).await.unwrap();
    lease.commit(Some(json!(1))).await.unwrap();
    store.refuses.store(true, Ordering::SeqCst);
    let refused = lease.commit(Some(json!(2))).await;
    assert!(matches!(refused, Err(CommitFailed::Store(StoreFailed::Unavailable { .. }))), "{refused:?}");
    assert_eq!((position(&store), lease.position()), (json!(1), Some(&json!(1))));
    store.refuses.store(false, Ordering::SeqCst);
    lease.commit(Some(json!(2))).await.unwrap();
    assert_eq!(position(&store), json!(2));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading_back() {
    let store = Arc::new(Remote::default());
    let mut lease = Lease::acquire(store.clone(), "a", "me", Patience::Once).await.unwrap();
    assert_eq!(lease.position(), None);
    for lose in [&store.lose_before, &store.lose_after] {
        lose.store(1, Ordering::SeqCst);
        assert!(matches!(lease.commit(Some(json!(1))).await, Err(CommitFailed::Store(_))));
        lease.commit(Some(json!(2))).await.unwrap();
        assert_eq!((position(&store), lease.position()), (json!(2), Some(&json!(2))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_process_takes_over_when_nothing_changes_and_the_old_owner_learns_it() {
    let store = Arc::new(Remote::default());
    let mut first = Lease::acquire(store.clone(), "a", "first", Patience::Once).await.unwrap();
    first.commit(Some(json!(1))).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        let condition = Health::new().condition("checkpoint");
        async move { Lease::acquire(store, "a", "second", Patience::Endless(&condition)).await.unwrap() }
    });
    // While the owner renews, nobody takes over.
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        first.commit(None).await.unwrap();
    }
    assert!(!waiting.is_finished());
    let second = waiting.await.unwrap();
    assert_eq!(second.position(), Some(&json!(1)));
    match first.commit(Some(json!(2))).await {
        Err(CommitFailed::Deposed { owner, .. }) => assert_eq!(owner, "second"),
        other => panic!("{other:?}"),
    }
    assert_eq!(position(&store), json!(1));
}

#[tokio::test(start_paused = true)]
async fn a_released_unit_is_free_at_once() {
    let store = Arc::new(Remote::default());
    let first = Lease::acquire(store.clone(), "a", "first", Patience::Once).await.unwrap();
    first.release().await.unwrap();
    let before = tokio::time::Instant::now();
    let _second = Lease::acquire(store, "a", "second", Patience::Once).await.unwrap();
    assert_eq!(before.elapsed(), std::time::Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_work_is_waited_out_and_told() {
    let store = Arc::new(Remote::default());
    let mut first = Lease::acquire(store.clone(), "a", "first", Patience::Once).await.unwrap();
    let health = Health::new();
    let condition = health.condition("checkpoint");
    condition.ready();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { Lease::acquire(store, "a", "second", Patience::Endless(&condition)).await.unwrap() }
    });
    store.lose_read.store(3, Ordering::SeqCst);
    while health.is_ready() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    while !health.is_ready() {
        first.commit(None).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    // Who reads once does not wait.
    store.lose_read.store(1, Ordering::SeqCst);
    let once = Lease::acquire(store.clone(), "a", "third", Patience::Once).await;
    assert!(matches!(once, Err(StoreFailed::Unavailable { .. })), "{once:?}");
    // Nor does a store that fails when the unit is free end the wait.
    store.lose_before.store(2, Ordering::SeqCst);
    drop(first);
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_reads_once_waits_for_an_owner_that_may_be_dead_and_not_for_one_that_lives() {
    let store = Arc::new(Remote::default());
    let dead = Lease::acquire(store.clone(), "a", "dead", Patience::Once).await.unwrap();
    drop(dead);
    let mut alive = Lease::acquire(store.clone(), "a", "alive", Patience::Once).await.unwrap();
    let refused = tokio::spawn({
        let store = store.clone();
        async move { Lease::acquire(store, "a", "once", Patience::Once).await }
    });
    while !refused.is_finished() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        alive.commit(None).await.unwrap();
    }
    match refused.await.unwrap() {
        Err(StoreFailed::InUse { by, .. }) => assert_eq!(by, "alive"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_reads_once_is_told_who_holds_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let held = Lease::acquire(Arc::new(FileStore::new(folder.path())), "a", "host/7", Patience::Once).await;
    let refused = Lease::acquire(Arc::new(FileStore::new(folder.path())), "a", "b", Patience::Once).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("`a` is in use by the running bridge `host/7`"), "{told}");
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_vanishes_is_never_taken_for_none() {
    let store = Arc::new(Remote::default());
    let mut owner = Lease::acquire(store.clone(), "a", "owner", Patience::Once).await.unwrap();
    owner.commit(Some(json!(1))).await.unwrap();
    let health = Health::new();
    let condition = health.condition("checkpoint");
    condition.ready();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { Lease::acquire(store, "a", "standby", Patience::Endless(&condition)).await.unwrap() }
    });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let document = store.held.lock().unwrap().take();
    for _ in 0..2 {
        let gone = owner.commit(Some(json!(2))).await.unwrap_err();
        assert!(matches!(gone, CommitFailed::Store(StoreFailed::Gone(_))), "{gone}");
    }
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert!(store.held.lock().unwrap().is_none() && !waiting.is_finished());
    assert!(health.failing()[0].1.contains("checkpoint set"), "{:?}", health.failing());
    *store.held.lock().unwrap() = document;
    assert_eq!(waiting.await.unwrap().position(), Some(&json!(1)));
}

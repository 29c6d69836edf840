use std::os::unix::fs::PermissionsExt;

use audit_rules::Priority;
use uuid::Uuid;

use super::*;
use crate::activity::{Activity, Entry};

fn location(folder: &tempfile::TempDir) -> Location {
    Location::Sqlite(folder.path().join("alerts.db"))
}

fn alert(id: u128) -> Alert {
    Alert {
        id: Uuid::from_u128(id),
        time: id as i64,
        rule: format!("rule {}", id % 2),
        priority: Priority::Warning,
        tags: Vec::new(),
        cluster: "prod".to_owned(),
        subject: Subject::default(),
        document: format!("{{\"id\":{id}}}"),
    }
}

fn batch(ids: impl IntoIterator<Item = u128>) -> Batch {
    Batch { alerts: ids.into_iter().map(alert).collect(), ..Batch::default() }
}

fn pool(store: &Store) -> &sqlx::SqlitePool {
    let Database::Sqlite(sqlite) = &store.reader else { panic!("not SQLite") };
    &sqlite.pool
}

async fn documents(store: &Store, filter: Filter) -> Vec<String> {
    let mut all = Vec::new();
    store
        .alerts(&filter, |document| {
            all.push(document);
            true
        })
        .await
        .unwrap();
    all
}

#[tokio::test]
async fn an_identity_is_stored_once_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), vec!["stdout".into()]).await.unwrap();
    assert_eq!(store.record(batch([1, 2])).await.unwrap().new, [true, true]);
    assert_eq!(store.record(batch([2, 3, 3])).await.unwrap().new, [false, true, false]);
    drop(store);
    let store = Store::open(&location(&folder), vec!["stdout".into()]).await.unwrap();
    assert_eq!(store.record(batch([3, 4])).await.unwrap().new, [false, true]);
    assert_eq!(documents(&store, Filter::default()).await.len(), 4);
}

#[tokio::test]
async fn requests_at_once_are_each_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), vec!["stdout".into()]).await.unwrap();
    let all = (0..200u128).map(|at| {
        let store = store.clone();
        tokio::spawn(async move { store.record(batch([at / 2])).await })
    });
    let mut new = 0;
    for answer in all.collect::<Vec<_>>() {
        new += answer.await.unwrap().unwrap().new.iter().filter(|new| **new).count();
    }
    assert_eq!(new, 100);
}

#[tokio::test]
async fn an_output_sees_an_alert_until_it_says_that_it_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), vec!["stdout".into(), "file".into()]).await.unwrap();
    store.record(batch([1, 2, 3])).await.unwrap();
    let waiting = store.waiting("stdout", 2).await.unwrap();
    assert_eq!(
        waiting.iter().map(|alert| alert.document.as_str()).collect::<Vec<_>>(),
        [r#"{"id":1}"#, r#"{"id":2}"#]
    );
    store.settled("stdout", waiting.iter().map(|alert| alert.seq).collect(), Vec::new()).await.unwrap();
    let left = store.waiting("stdout", 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(store.waiting("file", 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_same_record_is_quarantined_once_per_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), Vec::new()).await.unwrap();
    let record = |cluster: &str| Quarantined {
        reason: "no time".to_owned(),
        cluster: cluster.to_owned(),
        source: "intake".to_owned(),
        record: b"{\"kind\":\"Event\"}\0".to_vec(),
    };
    for cluster in ["a", "b", "a"] {
        store.record(Batch { quarantined: vec![record(cluster)], ..Batch::default() }).await.unwrap();
    }
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM quarantine").fetch_one(pool(&store)).await.unwrap();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn a_record_is_kept_without_secrets_and_known_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), Vec::new()).await.unwrap();
    let record = |value: &str| Quarantined {
        reason: "no time".to_owned(),
        cluster: "prod".to_owned(),
        source: "intake".to_owned(),
        record: format!(
            "{{\"objectRef\":{{\"resource\":\"secrets\"}},\"requestObject\":{{\"data\":{{\"a\":\"{value}"
        )
        .into_bytes(),
    };
    let quarantined = vec![record("first"), record("second"), record("first")];
    store.record(Batch { quarantined, ..Batch::default() }).await.unwrap();
    let kept = super::quarantined(&location(&folder), 0, None, 9).await.unwrap();
    assert_eq!(kept.len(), 2, "what differs in what is left out differs");
    for kept in kept {
        assert_eq!(
            String::from_utf8(kept.quarantined.record),
            String::from_utf8(record("[redacted]").record)
        );
    }
    let all = store.with_redaction(Redact::NOTHING);
    all.record(Batch { quarantined: vec![record("third")], ..Batch::default() }).await.unwrap();
    assert_eq!(
        super::quarantined(&location(&folder), 2, None, 9).await.unwrap()[0].quarantined,
        record("third")
    );
}

#[tokio::test]
async fn large_records_are_listed_without_themselves_and_read_few_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), Vec::new()).await.unwrap();
    let record = |mib: usize| Quarantined {
        reason: "odd".to_owned(),
        cluster: format!("of {mib}"),
        source: String::new(),
        record: vec![b'x'; mib << 20],
    };
    let quarantined = [5, 5, 9, 1].map(record).into_iter().enumerate().map(|(at, mut record)| {
        record.record.push(at as u8);
        record
    });
    store.record(Batch { quarantined: quarantined.collect(), ..Batch::default() }).await.unwrap();
    let listed = store.quarantine_list(0, None, 9).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.bytes >> 20).collect::<Vec<_>>(), [5, 5, 9, 1]);
    let read = async |after, cluster, limit| {
        let kept = super::quarantined(&location(&folder), after, cluster, limit).await.unwrap();
        kept.iter().map(|kept| kept.seq).collect::<Vec<_>>()
    };
    assert_eq!(read(0, None, 9).await, [1, 2]);
    assert_eq!(read(0, None, 1).await, [1]);
    assert_eq!(read(2, None, 9).await, [3]);
    assert_eq!(read(3, None, 9).await, [4]);
    assert_eq!(read(0, Some("of 5"), 9).await, [1, 2]);
    assert!(read(4, None, 9).await.is_empty());
}

#[tokio::test]
async fn filters_narrow_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), Vec::new()).await.unwrap();
    store.record(batch(1..=10)).await.unwrap();
    let count = async |filter| documents(&store, filter).await.len();
    assert_eq!(count(Filter { since: Some(4), until: Some(6), ..Filter::default() }).await, 2);
    assert_eq!(count(Filter { rule: Some("rule 1".to_owned()), ..Filter::default() }).await, 5);
    assert_eq!(count(Filter { cluster: Some("dev".to_owned()), ..Filter::default() }).await, 0);
    assert_eq!(count(Filter { priority: Some(Priority::Critical), ..Filter::default() }).await, 0);
    assert_eq!(count(Filter { priority: Some(Priority::Notice), ..Filter::default() }).await, 10);
    let last = documents(&store, Filter { last: Some(2), ..Filter::default() }).await;
    assert_eq!(last, [r#"{"id":9}"#, r#"{"id":10}"#]);
}

#[tokio::test]
async fn only_the_owner_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&Location::Sqlite(path), vec!["stdout".into()]).await.unwrap();
    store.record(batch([1])).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn a_file_that_is_removed_takes_no_more_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), vec!["stdout".into()]).await.unwrap();
    let path = folder.path().join("alerts.db");
    std::fs::remove_file(&path).unwrap();
    let answer = store.record(batch([1])).await;
    assert!(matches!(answer, Err(StoreError::Gone { .. })), "{answer:?}");
    assert!(store.health().borrow().is_err());
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Location::Sqlite(folder.path().join("no/such/alerts.db"));
    let message = Store::open(&missing, Vec::new()).await.unwrap_err().to_string();
    assert!(message.contains("create its folder"), "{message}");
    let other = folder.path().join("other.db");
    std::fs::write(&other, "something else entirely, and quite a lot of it".repeat(100)).unwrap();
    let message = Store::open(&Location::Sqlite(other), Vec::new()).await.unwrap_err().to_string();
    assert!(message.contains("must be its own"), "{message}");
}

#[tokio::test]
async fn what_is_silenced_is_stored_and_not_sent_until_the_silence_ends() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(&folder);
    let store = Store::open(&location, vec!["stdout".into()]).await.unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let silence = |user: &str, expires_at| {
        let (rule, user) = (Some("rule 1".to_owned()), Some(user.to_owned()));
        Silence {
            rule,
            user,
            reason: "known".to_owned(),
            author: "me".to_owned(),
            expires_at,
            ..Silence::default()
        }
        .named()
    };
    let (by_eve, over) = (silence("eve", now + 60_000), silence("bob", now - 1));
    add_silence(&location, &by_eve).await.unwrap();
    add_silence(&location, &over).await.unwrap();
    let by = |id, user: &str| {
        let subject = Subject { user: user.to_owned(), ..Subject::default() };
        Alert { subject, ..alert(id) }
    };
    let record = async |alerts: Vec<Alert>| store.record(Batch { alerts, ..Batch::default() }).await.unwrap();
    let recorded = record(vec![by(1, "eve"), by(3, "bob"), by(2, "eve")]).await;
    assert_eq!(recorded, Recorded { new: vec![true; 3], silenced: 1, ..Recorded::default() });
    let waits = async || {
        store.waiting("stdout", 9).await.unwrap().iter().map(|alert| alert.id.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(waits().await, [3, 2]);
    assert_eq!(documents(&store, Filter::default()).await.len(), 3);
    assert!(remove_silence(&location, &by_eve.id, "you", now + 1).await.unwrap());
    assert!(!remove_silence(&location, &by_eve.id, "you", now + 2).await.unwrap());
    record(vec![by(5, "eve")]).await;
    assert_eq!(waits().await, [3, 2, 5]);
    let all = silences(&location).await.unwrap();
    assert_eq!(all.len(), 2, "what was removed or is over is told still");
    let removed = all.iter().find(|silence| silence.id == by_eve.id).unwrap();
    assert_eq!((removed.removed_at, removed.removed_by.as_deref()), (Some(now + 1), Some("you")));
}

#[tokio::test]
async fn alerts_alike_are_the_first_and_then_how_many_more() {
    let folder = tempfile::tempdir().unwrap();
    let group = Some(Duration::from_millis(300));
    let chat = Route { group, ..Route::from("http/chat") };
    let store = Store::open(&location(&folder), vec![chat, "stdout".into()]).await.unwrap();
    let documented = |id: u128| Alert { document: format!("{{\"output\":\"{id}\"}}"), ..alert(id) };
    let record = async |ids: std::ops::Range<u128>| {
        let alerts = ids.map(documented).collect();
        store.record(Batch { alerts, ..Batch::default() }).await.unwrap();
    };
    // Two rules; the odd ones are alike, so are the even ones.
    record(0..6).await;
    record(6..8).await;
    let sent = async || -> Vec<String> {
        let waiting = store.waiting("http/chat", 99).await.unwrap();
        store
            .settled("http/chat", waiting.iter().map(|alert| alert.seq).collect(), Vec::new())
            .await
            .unwrap();
        waiting.into_iter().map(|alert| alert.document).collect()
    };
    assert_eq!(sent().await, [r#"{"output":"0"}"#, r#"{"output":"1"}"#]);
    let mut more = Vec::new();
    while more.len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        store.close_groups().await.unwrap();
        more.extend(sent().await);
    }
    assert!(more[0].contains("6 (3 more in") && more[1].contains("7 (3 more in"), "{more:?}");
    assert_eq!(store.waiting("stdout", 99).await.unwrap().len(), 8, "of no concern to other outputs");
    // Silence ends a group, and the next is a first again.
    while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM alert_groups")
        .fetch_one(pool(&store))
        .await
        .unwrap()
        > 0
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
        store.close_groups().await.unwrap();
    }
    record(8..9).await;
    assert_eq!(sent().await, [r#"{"output":"8"}"#]);
}

#[tokio::test]
async fn a_group_whose_alerts_are_gone_waits_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Route { group: Some(Duration::ZERO), ..Route::from("http/chat") };
    let store = Store::open(&location(&folder), vec![chat]).await.unwrap();
    store.record(batch(0..6)).await.unwrap();
    retain(&store, Keep { alerts_since: i64::MAX, ..Keep::default() }).await;
    store.close_groups().await.unwrap();
    assert_eq!(store.backlogs().await.unwrap(), []);
}

async fn retain(store: &Store, keep: Keep) -> u64 {
    let mut removed = 0;
    loop {
        let retained = store.retain(keep).await.unwrap();
        removed += retained.rows;
        if retained == Retained::default() {
            return removed;
        }
    }
}

async fn scalar(store: &Store, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool(store)).await.unwrap()
}

fn entry(id: u128, user: &str) -> Activity {
    let entry = Entry { user: user.to_owned(), command: Some("x".repeat(500)), ..Entry::default() };
    let (id, started) = (Uuid::from_u128(id), id as i64);
    Activity { id, started, ended: None, code: None, cluster: String::new(), entry }
}

#[tokio::test]
async fn what_retention_removes_is_known_still_and_no_output_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), vec!["stdout".into()]).await.unwrap();
    let record = |byte| Quarantined {
        reason: String::new(),
        cluster: String::new(),
        source: String::new(),
        record: vec![byte; 1000],
    };
    store
        .record(Batch { quarantined: vec![record(1), record(1), record(2)], ..batch(0..2500) })
        .await
        .unwrap();
    // Of a request the stages are one entry, counted once.
    let activity = (0..200).map(|id| entry(id % 100, "eve")).collect();
    store.record(Batch { activity, ..Batch::default() }).await.unwrap();
    let counted = async || {
        let kinds = store.usage().await.unwrap().kinds;
        let told = |kind: &str| kinds.iter().find(|(name, _)| name == kind).unwrap().1;
        for (kind, sql) in [
            ("alerts", "SELECT coalesce(sum(size), 0) FROM alerts"),
            ("quarantine", "SELECT coalesce(sum(size), 0) FROM quarantine"),
            ("activity", "SELECT coalesce(sum(size), 0) FROM activity"),
            ("identities", "SELECT count(*) * 100 FROM identities"),
        ] {
            assert_eq!(told(kind), scalar(&store, sql).await, "{kind}");
        }
    };
    counted().await;
    let before = store.usage().await.unwrap().filled.unwrap();
    let keep = Keep { bytes: Some(before * 2 / 3), ..Keep::default() };
    let first = store.retain(keep).await.unwrap();
    assert!(first.unwritten > 0 && first.unwritten <= first.rows, "{first:?}");
    assert!(first.rows + retain(&store, keep).await > 500);
    counted().await;
    let usage = store.usage().await.unwrap();
    assert!(
        usage.file.unwrap() <= before * 2 / 3 && usage.filled > Some(before / 3),
        "{usage:?} of {before}"
    );
    let alerts = documents(&store, Filter::default()).await;
    assert_eq!(alerts.last().unwrap(), r#"{"id":2499}"#);
    assert_eq!(store.waiting("stdout", 9999).await.unwrap().len(), alerts.len());
    assert!(store.record(batch(0..2500)).await.unwrap().new.iter().all(|new| !new));
    assert_eq!(retain(&store, Keep { alerts_since: i64::MAX, ..keep }).await, alerts.len() as u64 + 100);
    counted().await;
    store.seen(BTreeMap::from([("a".to_owned(), 2)])).await.unwrap();
}

#[tokio::test]
async fn an_identity_goes_long_after_its_event_was_seen_last_and_not_before_its_alert() {
    const DAY: i64 = 86_400_000;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&location(&folder), Vec::new()).await.unwrap();
    store.record(batch(1..=4)).await.unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    // As if so many days ago.
    let seen = async |id: u128, days: i64| {
        let sql = "UPDATE identities SET stored_at = $1 WHERE id = $2";
        let id = Uuid::from_u128(id).as_bytes().to_vec();
        sqlx::query(sql).bind(now - days * DAY).bind(id).execute(pool(&store)).await.unwrap();
    };
    for (id, days) in [(1, 40), (2, 40), (3, 20), (4, 40)] {
        seen(id, days).await;
    }
    let keep = Keep {
        alerts_since: now - 90 * DAY,
        identities_since: now - 30 * DAY,
        identities_surely: now - DAY,
        ..Keep::default()
    };
    assert_eq!(retain(&store, keep).await, 0, "the alerts are there");
    // Seen again counts as seen.
    assert_eq!(store.record(batch([2])).await.unwrap().new, [false]);
    let keep = Keep { alerts_since: i64::MAX, ..keep };
    assert_eq!(retain(&store, keep).await, 4 + 2);
    assert_eq!(store.record(batch(1..=4)).await.unwrap().new, [true, false, false, true]);
    // When there is no room for alerts because of them, the oldest go, down to a day.
    retain(&store, keep).await;
    seen(3, 20).await;
    let many = Keep { bytes: Some(500), ..keep };
    assert_eq!(retain(&store, many).await, 1, "the one of 20 days ago");
    assert_eq!(store.record(batch(1..=4)).await.unwrap().new, [false, false, true, false]);
}

#[tokio::test]
async fn a_user_is_erased_and_a_record_is_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(&folder);
    let store = Store::open(&location, vec!["stdout".into()]).await.unwrap();
    let subject = Subject { user: "eve".to_owned(), ..Subject::default() };
    let alerts = vec![Alert { subject, ..alert(1) }, alert(2)];
    let record = Quarantined {
        reason: "odd".to_owned(),
        cluster: "prod".to_owned(),
        source: "intake".to_owned(),
        record: vec![7],
    };
    let of_eve = Quarantined { record: br#"{"user":{"username":"eve"},"ob"#.to_vec(), ..record.clone() };
    let records = vec![of_eve, record.clone()];
    let activity = vec![entry(1, "eve"), entry(2, "bob"), entry(3, "eve")];
    store.record(Batch { alerts, quarantined: records, activity, ..Batch::default() }).await.unwrap();
    let erased = erase(&location, "eve", "me", 1).await.unwrap();
    assert_eq!((erased.alerts, erased.activity, erased.quarantined), (1, 2, 1));
    let again = erase(&location, "eve", "you", 2).await.unwrap();
    assert_eq!((again.alerts, again.activity, again.quarantined), (0, 0, 0));
    let noted = erasures(&location).await.unwrap();
    assert_eq!(noted, [erased, again]);
    assert!(!serde_json::to_string(&noted).unwrap().contains("eve"));
    assert_eq!(documents(&store, Filter::default()).await, [r#"{"id":2}"#]);
    assert_eq!(store.waiting("stdout", 9).await.unwrap().len(), 1);
    let counted = ("prod".to_owned(), "intake".to_owned(), "odd".to_owned(), 1);
    assert_eq!(quarantine_counts(&location).await.unwrap(), [counted]);
    assert_eq!(quarantined(&location, 0, Some("dev"), 9).await.unwrap(), []);
    let kept = quarantined(&location, 0, Some("prod"), 9).await.unwrap();
    assert_eq!(kept[0].quarantined, record);
    store.record(Batch { released: vec![kept[0].seq], ..Batch::default() }).await.unwrap();
    assert_eq!(quarantined(&location, 0, None, 9).await.unwrap(), []);
    let used: i64 = sqlx::query_scalar("SELECT bytes FROM usage WHERE what = 'quarantine'")
        .fetch_one(pool(&store))
        .await
        .unwrap();
    assert_eq!(used, 0);
}

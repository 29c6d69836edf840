use audit_service::metrics::Metrics;

use super::*;
use crate::store::Filter;

fn batch(ids: std::ops::Range<u128>) -> Batch {
    let alert = |id| crate::store::Alert {
        id: uuid::Uuid::from_u128(id),
        document: format!("{{\"id\":{id},\"x\":\"{}\"}}", "x".repeat(2000)),
        ..Default::default()
    };
    Batch { alerts: ids.map(alert).collect(), ..Batch::default() }
}

async fn retention(folder: &tempfile::TempDir, options: Options) -> Retention {
    let store = Store::open(&Location::Sqlite(folder.path().join("a.db")), Vec::new()).await.unwrap();
    let counters = Arc::new(Counters::new(&Metrics::new("test", "0")));
    Retention { options, store, hostname: "h".to_owned(), counters }
}

async fn documents(store: &Store) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    let each = |document: String| {
        all.push(serde_json::from_str(&document).unwrap());
        true
    };
    store.alerts(&Filter::default(), each).await.unwrap();
    all
}

#[tokio::test]
async fn on_a_disk_that_is_low_the_oldest_make_room_and_it_is_told_once_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let kept = retention(&folder, Options::default()).await;
    let now = Timestamp::now();
    for body in 0..20 {
        kept.store.record(batch(body * 1000..(body + 1) * 1000)).await.unwrap();
    }
    kept.look(Some(1 << 30), now).await.unwrap();
    assert_eq!(documents(&kept.store).await.len(), 20_000, "there is enough");
    let before = kept.store.usage().await.unwrap();
    for _ in 0..2 {
        kept.look(Some(1000), now).await.unwrap();
        // The intake goes on in the room that was made.
        kept.store.record(batch(50_000..50_100)).await.unwrap();
    }
    let after = kept.store.usage().await.unwrap();
    assert_eq!(after.file, before.file, "the file takes no more of the disk");
    assert!(kept.store.room().await.unwrap() > ROOM / 2);
    let all = documents(&kept.store).await;
    let told = |alert: &&serde_json::Value| alert["rule"] == native::DISK_LOW;
    assert_eq!(all.iter().filter(told).count(), 1);
    assert!(all[0]["id"].as_u64() > Some(4000) && all.len() > 10_000, "{} {}", all[0]["id"], all.len());
    let repeated = kept.store.record(batch(0..100)).await.unwrap();
    assert!(repeated.new.iter().all(|new| !new), "identities hold");
}

#[tokio::test]
async fn a_file_keeps_to_its_size_and_shrinks_to_a_smaller_one() {
    let folder = tempfile::tempdir().unwrap();
    let most = |mib| Options { size: Some(Bytes::mib(mib)), ..Options::default() };
    let mut kept = retention(&folder, most(8)).await;
    let now = Timestamp::now();
    for body in 0..20 {
        kept.store.record(batch(body * 500..(body + 1) * 500)).await.unwrap();
        kept.look(None, now).await.unwrap();
        let usage = kept.store.usage().await.unwrap();
        assert!(usage.file.unwrap() <= 8 << 20, "{usage:?}");
    }
    let filled = kept.store.usage().await.unwrap().filled.unwrap();
    assert!(filled > 6 << 20, "no more went than had to: {filled}");
    kept.options = most(2);
    kept.look(None, now).await.unwrap();
    kept.store.close().await;
    let size = folder.path().join("a.db").metadata().unwrap().len();
    assert!(size <= 2 << 20, "{size}");
}

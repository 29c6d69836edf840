//! The store on a real PostgreSQL, and two receivers that share one.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test that fails here fails"
)]

mod receivers;
mod server;

use audit_receiver::activity::{Activity, Entry};
use audit_receiver::outputs::Only;
use audit_receiver::store::{
    self, ActivityFilter, Alert, AlertsWanted, Batch, Filter, Keep, Location, Quarantined, Route, Silence,
    Store, StoreError, Subject,
};
use server::Server;
use uuid::Uuid;

fn alert(id: u128) -> Alert {
    let rule = format!("rule {}", id % 2);
    Alert {
        id: Uuid::from_u128(id),
        time: id as i64,
        rule,
        document: format!("{{\"id\":{id}}}"),
        ..Alert::default()
    }
}

fn batch(ids: impl IntoIterator<Item = u128>) -> Batch {
    Batch { alerts: ids.into_iter().map(alert).collect(), ..Batch::default() }
}

async fn open(url: &str) -> Store {
    let only = Only { rules: vec!["rule 1".to_owned()], ..Only::default() };
    let routes = vec!["stdout".into(), Route { output: "http/x".into(), only, group: None }];
    Store::open(&url.parse::<Location>().unwrap(), routes).await.unwrap()
}

async fn documents(store: &Store, filter: Filter) -> Vec<String> {
    let mut all = Vec::new();
    let each = |document| {
        all.push(document);
        true
    };
    store.alerts(&filter, each).await.unwrap();
    all
}

#[tokio::test]
async fn two_stores_on_one_database_are_one() {
    let Some(server) = Server::start() else { return };
    let url = server.database("shared").await;
    let (one, two) = (open(&url).await, open(&url).await);
    assert_eq!(one.record(batch([1, 2])).await.unwrap().new, [true, true]);
    assert_eq!(two.record(batch([2, 3, 3])).await.unwrap().new, [false, true, false]);

    // Any number at once, in any order: each is new to exactly one.
    let both = (0..200u128).map(|at| {
        let store = if at % 2 == 0 { one.clone() } else { two.clone() };
        let ids: Vec<_> = (0..10).map(|step| 1000 + (at * 37 + step * 101) % 500).collect();
        tokio::spawn(async move { store.record(batch(ids)).await.unwrap().new })
    });
    let mut new = 0;
    for answer in both.collect::<Vec<_>>() {
        new += answer.await.unwrap().into_iter().filter(|new| *new).count();
    }
    let all = documents(&one, Filter::default()).await;
    assert_eq!(new + 3, all.len());

    // One of them feeds an output, until it ends.
    assert_eq!((one.lead("stdout").await, two.lead("stdout").await), (Ok(true), Ok(false)));
    let waiting = one.waiting("stdout", 10_000).await.unwrap();
    assert_eq!(waiting.len(), all.len());
    one.settled("stdout", waiting[1..].iter().map(|alert| alert.seq).collect(), Vec::new()).await.unwrap();
    one.settled("stdout", Vec::new(), vec![(waiting[0].seq, "\0no".to_owned())]).await.unwrap();
    let backlogs = two.backlogs().await.unwrap();
    assert_eq!((backlogs[1].waiting, backlogs[1].refused), (0, 1));
    let ones = documents(&two, Filter { rule: Some("rule 1".to_owned()), ..Filter::default() }).await.len();
    assert_eq!(backlogs[0].waiting as usize, ones);
    one.close().await;
    assert_eq!(two.lead("stdout").await, Ok(true));

    let last =
        documents(&two, Filter { since: Some(2), until: Some(4), last: Some(1), ..Filter::default() }).await;
    assert_eq!(last, [r#"{"id":3}"#]);
    // Silences and groups.
    let location = url.parse::<Location>().unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let silence =
        Silence { rule: Some("rule 0".to_owned()), expires_at: now + 60_000, ..Silence::default() }.named();
    store::add_silence(&location, &silence).await.unwrap();
    let chat = Route { group: Some(std::time::Duration::ZERO), ..Route::from("http/chat") };
    let three = Store::open(&location, vec![chat]).await.unwrap();
    assert_eq!(three.record(batch(2000..2010)).await.unwrap().silenced, 5);
    assert_eq!(three.waiting("http/chat", 9).await.unwrap().len(), 1);
    three.close_groups().await.unwrap();
    assert_eq!(three.waiting("http/chat", 9).await.unwrap().len(), 2);
    assert!(store::remove_silence(&location, &silence.id, "me", now).await.unwrap());
    assert_eq!(store::silences(&location).await.unwrap().len(), 1);

    // What PostgreSQL can't keep must not come back for ever.
    let record = Quarantined {
        reason: "odd\0".to_owned(),
        cluster: "\0".to_owned(),
        source: String::new(),
        record: vec![0, 255],
    };
    let alerts = vec![Alert { cluster: "a\0b".to_owned(), ..alert(9) }];
    two.record(Batch { alerts, quarantined: vec![record], ..Batch::default() }).await.unwrap();

    // Retention, erasing, quarantine, clusters.
    let kept = store::quarantined(&location, 0, Some("\0"), 9).await.unwrap();
    assert_eq!((kept.len(), kept[0].quarantined.record.as_slice()), (1, &[0, 255][..]));
    assert_eq!(store::quarantine_counts(&location).await.unwrap()[0].3, 1);
    two.record(Batch { released: vec![kept[0].seq], ..Batch::default() }).await.unwrap();
    assert_eq!(store::quarantined(&location, 0, None, 9).await.unwrap(), []);
    two.seen([("a".to_owned(), 5)].into()).await.unwrap();
    two.seen([("a".to_owned(), 4)].into()).await.unwrap();
    assert_eq!(two.clusters().await.unwrap(), [("a".to_owned(), 5)]);
    let entry = Entry { user: "eve".to_owned(), command: Some("\0".to_owned()), ..Entry::default() };
    let stage = |ended| Activity {
        id: Uuid::nil(),
        started: 1,
        ended,
        code: None,
        cluster: String::new(),
        entry: entry.clone(),
    };
    for ended in [None, Some(7), None] {
        two.record(Batch { activity: vec![stage(ended)], ..Batch::default() }).await.unwrap();
    }
    let eve = ActivityFilter { user: Some("eve".to_owned()), ..ActivityFilter::default() };
    assert_eq!(store::activity(&location, &eve).await.unwrap()[0].ended, Some(7));
    let erased = store::erase(&location, "eve", "me", 1).await.unwrap();
    assert_eq!((erased.alerts, erased.activity, erased.quarantined), (0, 1, 0));
    assert_eq!(store::erasures(&location).await.unwrap(), [erased]);
    let left = documents(&two, Filter::default()).await.len();
    let identities = async || {
        let kinds = two.usage().await.unwrap().kinds;
        kinds.into_iter().find(|(kind, _)| kind == "identities").unwrap().1
    };
    let known = identities().await;
    let keep = Keep { bytes: Some(known + 10_000), ..Keep::default() };
    let removed = two.retain(keep).await.unwrap().rows as usize;
    let rest = documents(&two, Filter::default()).await.len();
    assert!(removed > 0 && rest == left - removed && rest * 400 <= 10_000, "{left} {removed} {rest}");
    assert_eq!(identities().await, known);
    assert_eq!(store::erase(&location, "", "me", 2).await.unwrap().alerts as usize, rest);
    assert_eq!(two.record(batch([1, 2])).await.unwrap().new, [false, false]);
    // Identities go when they are old.
    while two.retain(Keep { identities_since: i64::MAX, ..Keep::default() }).await.unwrap().rows > 0 {}
    assert_eq!(identities().await, 0);
    assert_eq!(two.record(batch([1, 2])).await.unwrap().new, [true, true]);
    two.close().await;
}

#[tokio::test]
async fn a_name_that_is_longer_than_indexes_take_is_stored() {
    let Some(server) = Server::start() else { return };
    let url = server.database("names").await;
    let store = open(&url).await;
    // Nothing to compress.
    let name = (0..1000u32).map(|part| Uuid::new_v5(&Uuid::nil(), &part.to_be_bytes()).to_string());
    let subject = Subject { user: name.collect(), ..Subject::default() };
    let wanted = AlertsWanted { user: Some(subject.user.clone()), ..AlertsWanted::default() };
    store
        .record(Batch { alerts: vec![Alert { subject, ..alert(1) }, alert(2)], ..Batch::default() })
        .await
        .unwrap();
    assert_eq!(store.page(i64::MAX, &wanted, 9).await.unwrap().len(), 1);
    let user = wanted.user.unwrap();
    assert_eq!(store::erase(&url.parse().unwrap(), &user, "me", 1).await.unwrap().alerts, 1);
}

#[tokio::test]
async fn a_server_that_crashes_is_waited_for() {
    let Some(mut server) = Server::start() else { return };
    let store = open(&server.database("crashing").await).await;
    store.record(batch([1])).await.unwrap();
    server.crash();
    // The connection broke; what failed is tried again by its sender.
    let mut answer = store.record(batch([1, 2])).await;
    for _ in 0..10 {
        match answer {
            Ok(_) => break,
            Err(StoreError::Unwritable { .. } | StoreError::Unanswered { .. }) => {
                answer = store.record(batch([1, 2])).await;
            }
            Err(_) => break,
        }
    }
    assert_eq!(answer.unwrap().new, [false, true]);
    assert!(store.health().borrow().is_ok());
    store.close().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_the_password() {
    let location: Location = "postgres://me:secret@127.0.0.1:1/db".parse().unwrap();
    let error = Store::open(&location, Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1/db") && !error.contains("secret"), "{error}");
}

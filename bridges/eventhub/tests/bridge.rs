//! The whole bridge in process, between a fake namespace and a fake receiver.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails here fails")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_bridge::check::{Format, Outcome, Report};
use audit_bridge::checkpoint::{
    CheckpointStore, Document, Expected, FileStore, Pending, StoreFailed, Version,
};
use audit_bridge::deliver::{HttpReceiver, Options, ReceiverUrl};
use audit_fakes::azure::blob::Blobs;
use audit_fakes::azure::{EventHubs, Hub};
use audit_fakes::receiver::Receiver;
use audit_service::config::{Listen, Span};
use audit_service::exit::Failure;
use audit_service::shutdown::Shutdown;
use eventhub_bridge::config::{Config, StartCheckpoints};
use eventhub_bridge::{check, run};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const RESOURCE: &str =
    "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/SHOP";

/// A message of one record, the event of that number.
fn message(number: usize) -> String {
    let log = format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"auditID\":\"{number}\",\"stage\":\"ResponseComplete\",\
         \"stageTimestamp\":\"2026-01-02T03:04:05Z\"}}\n"
    );
    json!({"records": [{"category": "kube-audit", "resourceId": RESOURCE, "properties": {"log": log}}]})
        .to_string()
}

struct World {
    fake: EventHubs,
    hub: Hub,
    receiver: Receiver,
    folder: tempfile::TempDir,
    config: Config,
}

impl World {
    fn new(partitions: usize) -> Self {
        audit_service::tls::install();
        let fake = EventHubs::start();
        let hub = fake.hub("audit", partitions);
        let receiver = Receiver::start();
        let folder = tempfile::tempdir().unwrap();
        let string = folder.path().join("connection-string");
        std::fs::write(&string, fake.connection_string("audit")).unwrap();
        let mut config = Config {
            connection_string_file: Some(string.into()),
            checkpoint: format!("file:{}", folder.path().join("checkpoints").display()),
            from: audit_bridge::time::From::Beginning,
            answer_timeout: Span::secs(10),
            ..Config::default()
        };
        config.admin.listen = "127.0.0.1:0".parse::<Listen>().unwrap();
        config.receiver.url = Some(receiver.url().parse().unwrap());
        Self { fake, hub, receiver, folder, config }
    }

    fn put(&self, numbers: std::ops::Range<usize>, partitions: usize) {
        for number in numbers {
            self.hub.put(number % partitions, message(number));
        }
    }

    fn http(&self) -> HttpReceiver {
        let url: ReceiverUrl = self.receiver.url().parse().unwrap();
        HttpReceiver::new("test", url, &Options::default()).unwrap()
    }

    async fn once(&self) -> Result<(), Failure> {
        run::run(self.config.clone(), self.http(), true, Shutdown::new()).await
    }

    fn replica(&self, store: &Arc<dyn CheckpointStore>) -> Replica {
        let shutdown = Shutdown::new();
        let (config, http, store, stop) =
            (self.config.clone(), self.http(), Arc::clone(store), shutdown.clone());
        let look = Some(Duration::from_millis(200));
        let task = tokio::spawn(async move { run::run_with(config, http, store, false, stop, look).await });
        Replica { shutdown, task }
    }

    /// With `start_checkpoints` in that container.
    fn after_another_reader(self, blobs: &Blobs, container: &str) -> Self {
        let string = self.folder.path().join("storage");
        std::fs::write(&string, blobs.connection_string()).unwrap();
        let start = StartCheckpoints {
            container: container.to_owned(),
            connection_string_file: Some(string.into()),
            connection_string_variable: None,
        };
        Self { config: Config { start_checkpoints: Some(start), ..self.config.clone() }, ..self }
    }

    /// With the default `from`, an hour ago.
    fn since_an_hour_ago(self) -> Self {
        Self { config: Config { from: Config::default().from, ..self.config.clone() }, ..self }
    }

    /// How often each event was taken.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for event in self.receiver.events() {
            *counts.entry(event["auditID"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Waits until every one of so many events was taken.
    async fn all(&self, events: usize) {
        eventually("every event", || self.counts().len() >= events).await;
        assert_eq!(self.counts().len(), events);
    }
}

struct Replica {
    shutdown: Shutdown,
    task: JoinHandle<Result<(), Failure>>,
}

impl Replica {
    async fn stop(self) {
        self.shutdown.request();
        self.task.await.unwrap().unwrap();
    }
}

async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(90);
    while !is() {
        assert!(tokio::time::Instant::now() < patience, "{what} took too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Checkpoints that any replica may write, as in a cluster.
#[derive(Debug, Default)]
struct Shared(Mutex<HashMap<String, (Document, u64)>>);

impl Shared {
    fn owners(&self) -> BTreeMap<String, usize> {
        let mut owners = BTreeMap::new();
        for (document, _) in self.0.lock().unwrap().values() {
            *owners.entry(document.owner.clone()).or_default() += 1;
        }
        owners
    }
}

impl CheckpointStore for Shared {
    fn hold<'a>(&'a self, _: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn load<'a>(&'a self, unit: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        let found = self.0.lock().unwrap().get(unit).cloned();
        Box::pin(async move { Ok(found.map(|(document, version)| (document, Version(version.to_string())))) })
    }

    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version> {
        let mut documents = self.0.lock().unwrap();
        let version = documents.get(&document.unit).map_or(0, |(_, version)| *version);
        let fits = match expected {
            Expected::Absent => version == 0,
            Expected::Version(Version(expected)) => expected == version.to_string(),
            Expected::Anything => true,
        };
        let stored = if fits {
            documents.insert(document.unit.clone(), (document.clone(), version + 1));
            Ok(Version((version + 1).to_string()))
        } else {
            Err(StoreFailed::Conflict(document.unit.clone()))
        };
        Box::pin(async move { stored })
    }
}

#[tokio::test]
async fn once_reads_up_to_now_and_the_next_time_goes_on() {
    let world = World::new(4);
    world.put(0..100, 4);
    world.once().await.unwrap();
    assert_eq!(world.receiver.len(), 100);
    world.put(100..150, 4);
    world.once().await.unwrap();
    assert_eq!(world.receiver.len(), 150, "nothing twice after a clean end");
    world.all(150).await;
    let event = world.receiver.events().pop().unwrap();
    assert_eq!(event["annotations"]["cluster_name"], "shop");
}

#[tokio::test]
async fn every_event_through_faults_of_every_kind() {
    let world = World::new(8);
    let store: Arc<dyn CheckpointStore> = Arc::new(FileStore::new(world.folder.path().join("checkpoints")));
    let replica = world.replica(&store);
    let mut sent = 0;
    let faults: [&dyn Fn(); 7] = [
        &|| world.fake.cut(),
        &|| world.hub.detach(3, "amqp:link:detach-forced"),
        &|| {
            world.fake.refuse_next(["com.microsoft:server-busy", "amqp:internal-error", "amqp:link:redirect"])
        },
        &|| world.fake.end_tokens(),
        &|| world.receiver.refuse_next(audit_fakes::receiver::status(503, None)),
        &|| world.receiver.keep_next(audit_fakes::receiver::status(500, None)),
        &|| world.fake.set_down(true),
    ];
    for fault in faults {
        world.put(sent..sent + 200, 8);
        sent += 200;
        eventually("some events", || world.counts().len() > sent - 150).await;
        fault();
        world.put(sent..sent + 200, 8);
        sent += 200;
    }
    world.fake.set_down(false);
    world.all(sent).await;
    replica.stop().await;
    // Stopped cleanly: a successor has nothing to do.
    let before = world.receiver.len();
    drop(store);
    world.once().await.unwrap();
    assert_eq!(world.receiver.len(), before);
}

#[tokio::test]
async fn replicas_share_evenly_hand_over_and_lose_nothing() {
    let world = World::new(16);
    let shared = Arc::new(Shared::default());
    let store: Arc<dyn CheckpointStore> = Arc::clone(&shared) as _;
    let mut sent = 0;
    let mut put = |count: usize| {
        world.put(sent..sent + count, 16);
        sent += count;
        sent
    };
    let first = world.replica(&store);
    put(160);
    eventually("all units at one", || shared.owners().values().eq(&[16])).await;
    let second = world.replica(&store);
    let third = world.replica(&store);
    put(160);
    eventually("three even shares", || {
        let mut shares: Vec<usize> = shared.owners().into_values().collect();
        shares.sort_unstable();
        shares == [5, 5, 6]
    })
    .await;
    let all = put(160);
    world.all(all).await;
    second.stop().await;
    // Killed, not stopped: its leases must expire.
    third.task.abort();
    put(160);
    eventually("all units at one again", || shared.owners().values().eq(&[16])).await;
    let all = put(160);
    world.all(all).await;
    first.stop().await;
    assert_eq!(shared.owners(), BTreeMap::from([(String::new(), 16)]), "all let go");
}

#[tokio::test]
async fn positions_of_microsofts_processors_are_gone_on_from() {
    let blobs = Blobs::start();
    let world = World::new(3).after_another_reader(&blobs, "checkpoints");
    world.put(0..30, 3);
    // The first as .NET and Python name it, the second as Go does, the third not at all.
    blobs.checkpoint("checkpoints/127.0.0.1/audit/$default/checkpoint/0", "1:20480:5", Some(5));
    blobs.checkpoint("checkpoints/127.0.0.1/audit/$Default/checkpoint/1", "1:28672:7", None);
    world.once().await.unwrap();
    let mut expected: Vec<usize> = (6..10).map(|n| n * 3).chain((8..10).map(|n| n * 3 + 1)).collect();
    expected.extend((0..10).map(|n| n * 3 + 2));
    let mut taken: Vec<usize> = world.counts().into_keys().map(|number| number.parse().unwrap()).collect();
    taken.sort_unstable();
    expected.sort_unstable();
    assert_eq!(taken, expected);

    // Our own checkpoints count from now on.
    blobs.checkpoint("checkpoints/127.0.0.1/audit/$default/checkpoint/0", "-1", None);
    world.once().await.unwrap();
    assert_eq!(world.receiver.len(), expected.len());
}

#[tokio::test]
async fn positions_that_cannot_be_read_are_no_reason_to_begin_elsewhere() {
    let blobs = Blobs::start();
    let world = World::new(1).after_another_reader(&blobs, "checkpoints");
    world.put(0..1, 1);
    let failure = world.once().await.unwrap_err();
    assert!(format!("{failure:?}").contains("there is no container `http"), "{failure:?}");
    assert!(format!("{failure:?}").contains("/checkpoints`"), "{failure:?}");
    let string = world.folder.path().join("storage");
    std::fs::write(&string, blobs.connection_string().replace("AccountKey=", "AccountKey=AAAA")).unwrap();
    let failure = world.once().await.unwrap_err();
    assert!(format!("{failure:?}").contains("Storage Blob Data Reader"), "{failure:?}");
    assert!(world.receiver.is_empty());
}

#[tokio::test]
async fn a_container_without_any_position_of_this_hub_is_warned_of() {
    let blobs = Blobs::start();
    blobs.checkpoint("checkpoints/127.0.0.1/another/$default/checkpoint/0", "1:20480:5", Some(5));
    let world = World::new(1).after_another_reader(&blobs, "checkpoints");
    world.put(0..1, 1);
    let log = world.folder.path().join("log");
    let lines =
        tracing_subscriber::fmt().with_writer(Arc::new(std::fs::File::create(&log).unwrap())).finish();
    let said = tracing::subscriber::set_default(lines);
    world.once().await.unwrap();
    drop(said);
    let log = std::fs::read_to_string(log).unwrap();
    let warned =
        |line: &str| line.contains("WARN") && line.contains("no position of the earlier reader was found");
    assert!(log.lines().any(warned), "{log}");
    world.all(1).await;
}

#[tokio::test]
async fn a_partition_that_the_hub_gains_while_it_is_read_is_read_from_its_beginning() {
    let world = World::new(2).since_an_hour_ago();
    let shared = Arc::new(Shared::default());
    let store: Arc<dyn CheckpointStore> = Arc::clone(&shared) as _;
    let replicas = [world.replica(&store), world.replica(&store)];
    world.put(0..20, 2);
    world.all(20).await;
    world.hub.grow(4);
    for (partition, number) in [(2, 20), (3, 21)] {
        world.hub.put_at(partition, 1_000, message(number));
    }
    world.all(22).await;
    eventually("even shares", || shared.owners().values().eq(&[2, 2])).await;
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_partition_that_the_hub_gained_meanwhile_is_read_from_its_beginning() {
    let world = World::new(3).since_an_hour_ago();
    // Older than wanted.
    (0..3).for_each(|partition| _ = world.hub.put_at(partition, 1_000, message(partition)));
    world.hub.put(0, message(3));
    world.once().await.unwrap();
    assert_eq!(world.counts().into_keys().collect::<Vec<_>>(), ["3"], "a first start begins as told");
    world.hub.grow(4);
    world.hub.put_at(3, 1_000, message(4));
    world.once().await.unwrap();
    // Those on which nothing came keep to where they began.
    assert_eq!(world.counts().into_keys().collect::<Vec<_>>(), ["3", "4"]);
}

#[tokio::test]
async fn a_poison_record_is_kept_and_delays_nobody() {
    let world = World::new(2);
    world.put(0..10, 2);
    world.hub.put(0, "not json");
    world.put(10..20, 2);
    let store: Arc<dyn CheckpointStore> = Arc::new(FileStore::new(world.folder.path().join("checkpoints")));
    let quarantine = world.folder.path().join("quarantine.jsonl");
    let config = Config {
        quarantine: format!("file:{}", quarantine.display()).parse().unwrap(),
        ..world.config.clone()
    };
    let world = World { config, ..world };
    let replica = world.replica(&store);
    world.all(20).await;
    eventually("the record in the quarantine", || quarantine.exists()).await;
    replica.stop().await;
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&quarantine).unwrap()).unwrap();
    assert_eq!(kept["record"], "not json");
    assert!(kept["source"].as_str().unwrap().contains("sequence number 5"), "{kept}");
}

async fn checked(world: &World) -> (Outcome, String) {
    let mut out = Vec::new();
    let mut report = Report::new(&mut out, Format::Text);
    let outcome = check::run(&world.config, &world.http(), false, &mut report).await.unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn check_says_what_is_there_and_what_is_missing() {
    let world = World::new(4);
    let (outcome, text) = checked(&world).await;
    assert_eq!(outcome, Outcome::Warn, "{text}");
    assert!(text.contains("4 partitions, all empty"), "{text}");

    world.put(0..40, 4);
    let (outcome, text) = checked(&world).await;
    assert_eq!(outcome, Outcome::Ok, "{text}");
    for says in ["the connection string in `", "kube-audit (40) from shop", "canary"] {
        assert!(text.contains(says), "{says} is not in: {text}");
    }
    world.once().await.unwrap();
    world.put(40..43, 4);
    let (_, text) = checked(&world).await;
    assert!(
        text.contains("3 messages wait to be read: 1 in partition 0, 1 in partition 1, 1 in partition 2"),
        "{text}"
    );

    let store: Arc<dyn CheckpointStore> = Arc::new(Shared::default());
    let replica = world.replica(&store);
    eventually("readers", || (0..4).all(|partition| world.hub.readers(partition) == 1)).await;
    let (outcome, text) = checked(&world).await;
    assert_eq!(outcome, Outcome::Warn, "{text}");
    assert!(text.contains("`$Default` is being read"), "{text}");
    assert!((0..4).all(|partition| world.hub.readers(partition) == 1), "the running bridge keeps its links");
    replica.stop().await;

    let config = Config { event_hub: Some("nothing".to_owned()), ..world.config.clone() };
    let string = world.folder.path().join("namespace");
    std::fs::write(&string, world.fake.connection_string("audit").replace("EntityPath=audit;", "")).unwrap();
    let world = World { config: Config { connection_string_file: Some(string.into()), ..config }, ..world };
    let (outcome, text) = checked(&world).await;
    assert_eq!(outcome, Outcome::Fail, "{text}");
    assert!(text.contains("check the names of the event hub"), "{text}");
}

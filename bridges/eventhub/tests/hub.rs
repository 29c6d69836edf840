//! The hub and its partitions against a namespace that checks what they do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails here fails"
)]

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_bridge::checkpoint::{CheckpointStore, FileStore, Lease, Patience};
use audit_bridge::deliver::{Answer, Deliverer, Keep, NoAnswer, Target, Transport};
use audit_bridge::metrics::Metrics;
use audit_bridge::time::From;
use audit_bridge::unit::Unit;
use audit_bridge::{Batch, Convert, Converted, Record, Source};
use audit_fakes::azure::{self, EventHubs, Hub as FakeHub, Selector};
use audit_service::client::{Client, Options};
use audit_service::health::Health;
use audit_service::shutdown::Shutdown;
use eventhub_bridge::amqp::{Condition, Endpoint, Failure, Start};
use eventhub_bridge::config::{self, Config};
use eventhub_bridge::credentials::{Credentials, Entra, Identity};
use eventhub_bridge::hub::{Hub, Settings, Unavailable};
use eventhub_bridge::source::{HubMetrics, Partition, Position, Reading};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

fn hub_with(fake: &EventHubs, credentials: Credentials, answer_within: Duration) -> Arc<Hub> {
    let endpoint = Endpoint {
        namespace: "shop.servicebus.windows.net".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: fake.address().port(),
        websocket: false,
        tls: None,
        answer_within,
    };
    let settings = Settings {
        endpoint,
        hub: "audit".to_owned(),
        group: "$Default".to_owned(),
        epoch: Some(0),
        reader: "test".to_owned(),
    };
    Arc::new(Hub::new(settings, credentials))
}

fn hub(fake: &EventHubs) -> Arc<Hub> {
    let policy = fake.connection_string("audit").parse().unwrap();
    hub_with(fake, Credentials::Policy(policy), Duration::from_secs(5))
}

fn reading(hub: &Arc<Hub>, once: bool) -> Reading {
    Reading {
        hub: Arc::clone(hub),
        from: From::Beginning,
        once,
        budget: 64 << 20,
        sharing: Arc::new(AtomicUsize::new(0)),
        metrics: Metrics::default(),
        hub_metrics: HubMetrics::default(),
    }
}

fn partition(reading: &Reading, id: &str, position: Option<Position>) -> Partition {
    Partition::new(reading, &format!("audit/{id}"), id, position, Health::new().condition("partition"))
}

async fn next(partition: &mut Partition) -> Option<Batch<Position>> {
    tokio::time::timeout(SOON, partition.next()).await.expect("messages in time").expect("no giving up")
}

/// Reads until so many messages came.
async fn take(partition: &mut Partition, messages: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < messages {
        let batch = next(partition).await.expect("more messages");
        texts.extend(batch.records.into_iter().map(|record| record.text));
    }
    texts
}

fn numbers(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn fill(hub: &FakeHub, partition: usize, range: std::ops::Range<i64>) {
    for number in range {
        hub.put(partition, number.to_string());
    }
}

#[tokio::test]
async fn describes_itself_and_is_read_from_where_one_wants() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 4);
    for number in 0..10_i64 {
        held.put_at(2, 1_000 * number, number.to_string());
    }
    let hub = hub(&fake);
    assert_eq!(hub.partitions().await.unwrap(), ["0", "1", "2", "3"]);
    let properties = hub.partition("2").await.unwrap();
    assert_eq!((properties.first, properties.last, properties.is_empty), (0, 9, false));
    assert_eq!(properties.last_enqueued.unwrap().as_milliseconds(), 9_000);
    assert!(hub.partition("0").await.unwrap().is_empty);

    let reading = reading(&hub, true);
    for (position, first) in [
        (None, 0),
        (Some(r#"{"sequence":4}"#), 5),
        (Some(r#"{"offset":"1:24576:6"}"#), 7),
        (Some(r#"{"since":"1970-01-01T00:00:07.500Z"}"#), 8),
        (Some(r#"{"sequence":9}"#), 10),
        (Some(r#"{"since":"1970-01-01T00:00:09Z"}"#), 10),
    ] {
        let position = position.map(|text| serde_json::from_str(text).unwrap());
        let mut partition = partition(&reading, "2", position);
        let mut texts = Vec::new();
        while let Some(batch) = next(&mut partition).await {
            assert_eq!(batch.position.unwrap().sequence, batch.records.last().unwrap().text.parse().ok());
            texts.extend(batch.records.into_iter().map(|record| record.text));
        }
        assert_eq!(texts, numbers(first..10));
    }
    assert_eq!(fake.connections(), 1);
    hub.close().await;
}

#[tokio::test]
async fn messages_of_a_megabyte_and_many_small_ones_arrive_whole() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    let large = "x".repeat(1_000_000);
    held.put(0, large.clone());
    fill(&held, 0, 0..3_000);
    held.put(0, large.clone());
    let hub = hub(&fake);
    let reading = reading(&hub, true);
    let texts = take(&mut partition(&reading, "0", None), 3_002).await;
    assert!(texts.first() == Some(&large) && texts.last() == Some(&large));
    assert_eq!(texts[1..3_001], numbers(0..3_000));
}

#[tokio::test]
async fn what_is_not_delivered_yet_fits_into_the_budget_and_what_is_makes_room() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    fill(&held, 0, 0..50);
    let large = "x".repeat(1_000_000);
    (0..20).for_each(|_| _ = held.put(0, large.clone()));
    let hub = hub(&fake);
    let reading = Reading { budget: 6 << 20, ..reading(&hub, false) };
    let mut read = partition(&reading, "0", None);
    let mut waiting = Vec::new();
    let mut all = 0;
    while all < 70 {
        let bytes = waiting.iter().flat_map(|batch: &Batch<Position>| &batch.records).map(|r| r.text.len());
        let bytes: usize = bytes.sum();
        assert!(bytes <= 6 << 20, "{bytes} bytes wait");
        if bytes > 5 << 20 {
            // No more comes until something is delivered.
            let more = tokio::time::timeout(Duration::from_millis(300), read.next()).await;
            assert!(more.is_err(), "{more:?}");
            waiting.clear();
        }
        let batch = next(&mut read).await.unwrap();
        all += batch.records.len();
        waiting.push(batch);
    }
    assert_eq!(fake.attached().len(), 1);
}

#[tokio::test]
async fn comes_back_from_whatever_the_service_does() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 2);
    let hub = hub(&fake);
    let reading = reading(&hub, false);
    let mut read = partition(&reading, "1", None);
    fill(&held, 1, 0..10);
    assert_eq!(take(&mut read, 10).await, numbers(0..10));
    let mut count = 10;
    for trouble in ["amqp:link:detach-forced", "com.microsoft:timeout", "amqp:internal-error"] {
        held.detach(1, trouble);
        fill(&held, 1, count..count + 10);
        assert_eq!(take(&mut read, 10).await, numbers(count..count + 10), "{trouble}");
        count += 10;
    }
    fake.cut();
    fill(&held, 1, count..count + 10);
    assert_eq!(take(&mut read, 10).await, numbers(count..count + 10), "cut");
    count += 10;
    fake.refuse_next(["amqp:link:redirect", "com.microsoft:operation-cancelled"]);
    held.detach(1, "amqp:link:detach-forced");
    fill(&held, 1, count..count + 10);
    assert_eq!(take(&mut read, 10).await, numbers(count..count + 10), "refused");
    assert_eq!(held.readers(1), 1);
    // Each time behind the last message that was read.
    let starts: Vec<Selector> =
        fake.attached().into_iter().map(|attached| attached.selector).skip(1).collect();
    assert!(!starts.contains(&Selector::Offset("-1".to_owned())), "{starts:?}");
}

#[tokio::test]
async fn a_reader_with_the_same_epoch_takes_over_and_the_old_one_is_told() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    fill(&held, 0, 0..5);
    let (one, other) = (hub(&fake), hub(&fake));
    let (mut old, _) = one.attach("0", &Start::Earliest).await.unwrap();
    old.allow(100).await.unwrap();
    let _new = other.attach("0", &Start::Earliest).await.unwrap();
    let failure = loop {
        match tokio::time::timeout(SOON, old.next()).await.unwrap() {
            Ok(_) => {}
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.condition(), Some(Condition::Stolen));
    assert_eq!(held.readers(0), 1);
}

#[tokio::test]
async fn tokens_are_renewed_before_they_end_and_put_anew_when_they_ended_early() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    let entra = fake.entra();
    entra.set_life(Duration::from_secs(2));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{}\n", azure::entra::FEDERATED)).unwrap();
    let identity = Identity::Workload {
        authority: entra.url(),
        tenant: azure::entra::TENANT.to_owned(),
        client: azure::entra::CLIENT.to_owned(),
        token_file: file.into(),
    };
    let hub = hub_with(&fake, Credentials::Entra(by(identity)), Duration::from_secs(5));
    let reading = reading(&hub, false);
    let mut read = partition(&reading, "0", None);
    fill(&held, 0, 0..1);
    take(&mut read, 1).await;
    let mut sent = 1;
    while fake.tokens_put() < 3 {
        fill(&held, 0, sent..sent + 1);
        assert_eq!(take(&mut read, 1).await, numbers(sent..sent + 1));
        sent += 1;
    }
    assert_eq!(fake.attached().len(), 1, "renewal leaves the link alone");

    fake.end_tokens();
    fill(&held, 0, sent..sent + 1);
    assert_eq!(take(&mut read, 1).await, numbers(sent..sent + 1));
    assert_eq!(fake.attached().len(), 2, "a new token, a new link");
}

fn by(identity: Identity) -> Entra {
    audit_service::tls::install();
    let client = Client::new("test", &Options::default()).unwrap();
    Entra { identity, resource: "https://eventhubs.azure.net".to_owned(), client }
}

#[tokio::test]
async fn every_identity_gets_its_token_and_refusals_say_why() {
    let fake = EventHubs::start();
    fake.hub("audit", 1);
    let entra = fake.entra();
    let folder = tempfile::tempdir().unwrap();
    let secret = |text: &str| {
        let path = folder.path().join(fastrand::u64(..).to_string());
        std::fs::write(&path, text).unwrap();
        path.into()
    };
    let (authority, tenant, client) =
        (entra.url(), azure::entra::TENANT.to_owned(), azure::entra::CLIENT.to_owned());
    let application = |text| Identity::Secret {
        authority: authority.clone(),
        tenant: tenant.clone(),
        client: client.clone(),
        secret_file: secret(text),
    };
    for identity in [
        application(azure::entra::SECRET),
        Identity::Managed { endpoint: entra.url(), client: None },
        Identity::Managed { endpoint: entra.url(), client: Some(client.clone()) },
    ] {
        let hub = hub_with(&fake, Credentials::Entra(by(identity)), Duration::from_secs(5));
        assert_eq!(hub.partitions().await.unwrap(), ["0"]);
    }
    let wrong_secret = application("wrong");
    let wrong = Identity::Workload { authority, tenant, client, token_file: secret("of another cluster") };
    for (identity, hint) in
        [(wrong_secret, "the client secret is wrong"), (wrong, "the federated credential must name")]
    {
        let hub = hub_with(&fake, Credentials::Entra(by(identity)), Duration::from_secs(5));
        let problem = hub.partitions().await.unwrap_err();
        assert!(problem.to_string().contains(hint), "{problem}");
        assert_eq!(problem.kind(), "credentials");
    }
    let forged = fake.connection_string("audit").replace("SharedAccessKey=", "SharedAccessKey=x");
    let hub = hub_with(&fake, Credentials::Policy(forged.parse().unwrap()), Duration::from_secs(5));
    assert_eq!(hub.partitions().await.unwrap_err().kind(), "unauthorized-access");
}

#[tokio::test]
async fn silence_is_noticed() {
    let fake = EventHubs::start();
    fake.hub("audit", 1);
    let policy = fake.connection_string("audit").parse().unwrap();
    let hub = hub_with(&fake, Credentials::Policy(policy), Duration::from_millis(300));
    hub.partitions().await.unwrap();
    fake.hang();
    let problem = hub.partitions().await.unwrap_err();
    assert!(matches!(problem, Unavailable::Wire(Failure::Silent { .. })), "{problem}");
    // The silent connection is forgotten; of many who ask at once, one waits in vain for all of them.
    hub.partitions().await.unwrap();
    fake.hang();
    let asked = (0..8).map(|_| {
        let hub = Arc::clone(&hub);
        tokio::spawn(async move { hub.partition("0").await })
    });
    let mut silent = 0;
    for answer in asked.collect::<Vec<_>>() {
        if let Err(Unavailable::Wire(Failure::Silent { .. })) = answer.await.unwrap() {
            silent += 1;
        }
    }
    assert_eq!(silent, 1);
    // The next question goes over a new connection.
    assert_eq!(hub.partitions().await.unwrap(), ["0"]);
}

#[tokio::test]
async fn a_link_on_which_nothing_comes_although_messages_wait_is_made_anew() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    let policy = fake.connection_string("audit").parse().unwrap();
    let hub = hub_with(&fake, Credentials::Policy(policy), Duration::from_secs(1));
    let reading = reading(&hub, false);
    let mut read = partition(&reading, "0", None);
    fill(&held, 0, 0..5);
    assert_eq!(take(&mut read, 5).await, numbers(0..5));
    held.mute(0);
    fill(&held, 0, 5..10);
    assert_eq!(take(&mut read, 5).await, numbers(5..10));
    assert_eq!(fake.attached().len(), 2);
}

#[tokio::test]
async fn so_is_one_on_which_nothing_ever_came() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    let policy = fake.connection_string("audit").parse().unwrap();
    let hub = hub_with(&fake, Credentials::Policy(policy), Duration::from_secs(1));
    let reading = reading(&hub, false);
    let mut read = partition(&reading, "0", None);
    let mute = async {
        while held.readers(0) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        held.mute(0);
        fill(&held, 0, 0..5);
    };
    let (texts, ()) = tokio::join!(take(&mut read, 5), mute);
    assert_eq!(texts, numbers(0..5));
    assert_eq!(fake.attached().len(), 2);
}

#[tokio::test]
async fn a_partition_that_is_not_read_any_more_leaves_no_lag_behind() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    let hub = hub(&fake);
    let registry = audit_service::metrics::Metrics::new("test", "0");
    let reading = Reading { hub_metrics: HubMetrics::new(&registry), ..reading(&hub, false) };
    let gauges = ["test_lag{", "test_enqueued{"];
    fill(&held, 0, 0..5);
    let mut read = partition(&reading, "0", None);
    take(&mut read, 5).await;
    // It is asked how far behind it is once nothing more comes.
    let counted = async {
        while !gauges.iter().all(|gauge| registry.encode().contains(gauge)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        more = read.next() => panic!("{more:?}"),
        () = counted => {}
    }
    drop(read);
    let counted = registry.encode();
    assert!(!gauges.iter().any(|gauge| counted.contains(gauge)), "{counted}");
}

#[tokio::test]
async fn over_tls_with_an_authority_of_ones_own() {
    audit_service::tls::install();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let fake = EventHubs::start_at("127.0.0.1:0".parse().unwrap(), Some(Arc::new(server).into()));
    let held = fake.hub("audit", 1);
    fill(&held, 0, 0..100);
    let string = folder.path().join("string");
    std::fs::write(&string, fake.connection_string("audit")).unwrap();
    let mut config = Config {
        connection_string_file: Some(string.into()),
        endpoint_url: Some(format!("amqps://localhost:{}", fake.address().port())),
        answer_timeout: audit_service::config::Span::secs(5),
        ..Config::default()
    };
    let open = |config: &Config| {
        let target = config.target().unwrap();
        let settings = Settings {
            endpoint: target.endpoint,
            hub: target.hub,
            group: "$Default".to_owned(),
            epoch: Some(0),
            reader: "test".to_owned(),
        };
        Arc::new(Hub::new(settings, target.credentials))
    };
    let stranger = open(&config).partitions().await.unwrap_err();
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    config.tls.ca_file = Some(ca_file);
    for transport in [config::Transport::Amqp, config::Transport::Websocket] {
        config.transport = transport;
        let hub = open(&config);
        let reading = reading(&hub, true);
        assert_eq!(take(&mut partition(&reading, "0", None), 100).await, numbers(0..100));
    }
    assert_eq!(fake.websockets(), 1);
}

#[tokio::test]
async fn through_a_websocket_messages_of_every_size_come_and_cuts_are_outlived() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    let large = "x".repeat(1_000_000);
    held.put(0, large.clone());
    fill(&held, 0, 0..500);
    let settings = hub(&fake);
    let endpoint = Endpoint { websocket: true, ..settings.settings().endpoint.clone() };
    let settings = Settings {
        endpoint,
        hub: "audit".to_owned(),
        group: "$Default".to_owned(),
        epoch: Some(0),
        reader: "test".to_owned(),
    };
    let policy = fake.connection_string("audit").parse().unwrap();
    let hub = Arc::new(Hub::new(settings, Credentials::Policy(policy)));
    let reading = reading(&hub, false);
    let mut read = partition(&reading, "0", None);
    let texts = take(&mut read, 501).await;
    assert_eq!((texts[0].len(), &texts[1..]), (large.len(), &numbers(0..500)[..]));
    fake.cut();
    fill(&held, 0, 500..600);
    assert_eq!(take(&mut read, 100).await, numbers(500..600));
    assert_eq!(fake.websockets(), 2);
}

#[tokio::test]
async fn an_expired_position_begins_at_the_oldest_message() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    fill(&held, 0, 0..10);
    let hub = hub(&fake);
    let registry = audit_service::metrics::Metrics::new("test", "0");
    let reading = Reading { hub_metrics: HubMetrics::new(&registry), ..reading(&hub, true) };
    let mut read = partition(&reading, "0", None);
    let first = next(&mut read).await.unwrap();
    let position: Position = first.position.unwrap();
    drop(read);
    fill(&held, 0, 10..20);
    held.keep(0, 5);
    let mut read = partition(&reading, "0", Some(position.clone()));
    assert_eq!(take(&mut read, 5).await, numbers(15..20));
    let gone = 15 - position.sequence.unwrap() - 1;
    let counted = registry.encode();
    assert!(counted.contains(&format!("test_missed_total{{unit=\"audit/0\"}} {gone}")), "{counted}");

    // A hub that was made anew numbers from zero.
    for position in [
        r#"{"sequence":4711,"offset":"9:9:9"}"#,
        // Offsets of the old hub may be such of the new one.
        r#"{"sequence":18,"offset":"1:65536:16"}"#,
    ] {
        let mut read = partition(&reading, "0", serde_json::from_str(position).ok());
        assert_eq!(take(&mut read, 5).await, numbers(15..20), "{position}");
    }
    let counted = registry.encode();
    assert!(counted.contains("test_replaced_total{unit=\"audit/0\"} 2"), "{counted}");
}

/// Takes everything.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<String>>>);

impl Transport for Taken {
    async fn post(&self, target: Target, body: bytes::Bytes) -> Result<Answer, NoAnswer> {
        assert_eq!(target, Target::Events);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let events = body["items"].as_array().unwrap().iter().map(|event| event["auditID"].to_string());
        self.0.lock().unwrap().extend(events);
        Ok(Answer { status: 200, ..Answer::default() })
    }
}

/// One audit event a message.
struct Numbered;

impl Convert for Numbered {
    const LIST: &'static str = "records";

    fn convert(&self, record: &Record) -> Vec<Converted> {
        vec![Converted::Event(format!("{{\"auditID\":{}}}", record.text))]
    }
}

#[tokio::test]
async fn the_position_in_a_hub_that_was_made_anew_is_committed_and_read_on_from() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    fill(&held, 0, 0..10);
    let hub = hub(&fake);
    let reading = reading(&hub, true);
    let store: Arc<dyn CheckpointStore> = Arc::new(FileStore::new(tempfile::tempdir().unwrap().keep()));
    let mut old = Lease::acquire(Arc::clone(&store), "audit/0", "old", Patience::Once).await.unwrap();
    old.commit(Some(json!({"sequence": 4711, "offset": "9:9:9"}))).await.unwrap();
    old.release().await.unwrap();
    let taken = Taken::default();
    for (more, committed) in [(0, 9), (0, 9), (5, 14)] {
        fill(&held, 0, 10..10 + more);
        let lease = Lease::acquire(Arc::clone(&store), "audit/0", "new", Patience::Once).await.unwrap();
        let position = serde_json::from_value(lease.position().unwrap().clone()).unwrap();
        let health = Health::new();
        let condition = health.condition("receiver");
        let unit = Unit {
            name: "audit/0".to_owned(),
            source: partition(&reading, "0", Some(position)),
            convert: Arc::new(Numbered),
            deliverer: Arc::new(Deliverer::new(
                taken.clone(),
                Keep::Receiver,
                "audit/0",
                condition,
                Metrics::default(),
            )),
            lease,
            condition: health.condition("checkpoint"),
            metrics: Metrics::default(),
        };
        tokio::time::timeout(SOON, unit.run(&Shutdown::new())).await.expect("in time").unwrap();
        let stored = store.load("audit/0").await.unwrap().unwrap().0.position;
        assert_eq!((&stored["hub"], &stored["sequence"]), (&json!(1), &json!(committed)), "{stored}");
        assert_eq!(*taken.0.lock().unwrap(), numbers(0..committed + 1));
    }
}

#[tokio::test]
async fn what_somebody_must_mend_ends_reading_once_and_waits_otherwise() {
    let fake = EventHubs::start();
    let held = fake.hub("audit", 1);
    fill(&held, 0, 0..1);
    let hub = hub(&fake);
    held.set_disabled(true);
    let once = reading(&hub, true);
    let mut read = partition(&once, "0", None);
    let gave_up = tokio::time::timeout(SOON, read.next()).await.unwrap().unwrap_err();
    assert!(gave_up.to_string().contains("entity-disabled"), "{gave_up}");

    let health = Health::new();
    let daemon = reading(&hub, false);
    let mut read = Partition::new(&daemon, "audit/0", "0", None, health.condition("audit/0"));
    let mend = async {
        while !health.failing().iter().any(|(_, reason)| reason.contains("switched off")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        held.set_disabled(false);
    };
    let (texts, ()) = tokio::join!(take(&mut read, 1), mend);
    assert_eq!(texts, ["0"]);
    assert!(health.is_ready());
}

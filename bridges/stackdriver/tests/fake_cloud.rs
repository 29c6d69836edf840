//! The binary against a Cloud Logging, a Pub/Sub and a metadata server on the wire.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit_fakes::gcp::pubsub::PubSub;
use audit_fakes::gcp::{self, Fault, Gcp, GcpError, Operation};
use audit_fakes::program::{Program, await_true, text};
use audit_fakes::receiver::{self, Receiver};
use audit_fakes::traffic::Traffic;
use serde_json::{Value, json};
use tonic::Code;

const SUBSCRIPTION: &str = "projects/demo-project/subscriptions/audit";

struct Cloud {
    gcp: Gcp,
    pubsub: PubSub,
    receiver: Receiver,
    folder: tempfile::TempDir,
    /// Where the bridge looks for Pub/Sub.
    pubsub_url: String,
}

impl Cloud {
    fn new() -> Self {
        let (gcp, pubsub) = (Gcp::start(), PubSub::start());
        gcp.set_quota(None);
        pubsub.subscribe(SUBSCRIPTION, Duration::from_secs(600));
        let pubsub_url = pubsub.endpoint();
        Self { gcp, pubsub, receiver: Receiver::start(), folder: tempfile::tempdir().unwrap(), pubsub_url }
    }

    /// `count` entries from `start_ms` on, many at one time.
    fn entries(seed: u64, count: usize, start_ms: i64) -> impl Iterator<Item = Value> {
        let mut traffic = Traffic::new(seed);
        (0..count).map(move |index| {
            let line = traffic.line(start_ms + index as i64 / 50);
            gcp::entry(&serde_json::from_str(&line.text).unwrap())
        })
    }

    /// Puts `count` entries of ten minutes ago.
    fn fill(&self, seed: u64, count: usize) {
        Self::entries(seed, count, now_ms() - 600_000).for_each(|entry| self.gcp.put(entry));
    }

    /// The same of now.
    fn go_on(&self, seed: u64, count: usize) {
        Self::entries(seed, count, now_ms()).for_each(|entry| self.gcp.put(entry));
    }

    fn publish(&self, seed: u64, count: usize) {
        for entry in Self::entries(seed, count, now_ms()) {
            self.pubsub.publish(SUBSCRIPTION, entry.to_string());
        }
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackdriver-bridge"));
        let checkpoint = format!("file:{}", self.folder.path().join("checkpoints").display());
        command
            .args(["--endpoint-url", &self.gcp.endpoint(), "--metadata-url", &self.gcp.endpoint()])
            .args(["--pubsub-endpoint-url", &self.pubsub_url])
            .args(["--receiver-url", &self.receiver.url(), "--checkpoint", &checkpoint])
            .args(["--admin-listen", "127.0.0.1:0", "--poll-interval", "100ms"])
            .args(flags)
            .env_clear()
            .env("KAB_REQUESTS_PER_MINUTE", "6000");
        command
    }

    fn once(&self, flags: &[&str]) -> Output {
        self.command(&[&["run", "--once"], flags].concat()).output().unwrap()
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
fn once_reads_the_cluster_it_runs_in_up_to_now() {
    let cloud = Cloud::new();
    cloud.gcp.require_issued_tokens();
    cloud.gcp.set_paging(|paging| {
        paging.entries = 200;
        paging.empty_every = 3;
        paging.trailing_token = true;
    });
    cloud.fill(1, 1500);
    for (location, cluster) in [("europe-west1", "other"), ("us-east1", gcp::CLUSTER)] {
        let mut entry = Cloud::entries(9, 1, now_ms() - 1000).next().unwrap();
        entry["resource"]["labels"] =
            json!({"project_id": gcp::PROJECT, "location": location, "cluster_name": cluster});
        cloud.gcp.put(entry);
    }
    let output = cloud.once(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(cloud.receiver.len(), 1500);
    assert!(cloud.receiver.arrived().values().all(|times| *times == 1));
    let event = cloud.receiver.events().remove(0);
    assert_eq!(event["annotations"]["cluster_name"], gcp::CLUSTER);
    assert_eq!(event["annotations"]["cluster_id"], "demo-project/europe-west1/demo");
    let shown = cloud.command(&["checkpoint", "show"]).output().unwrap();
    let shown = text(&shown.stdout);
    assert!(shown.contains(r#""unit":"stackdriver:demo-project:europe-west1:demo""#), "{shown}");
}

#[test]
fn all_clusters_of_a_project_are_one_source_and_noise_can_be_left_out() {
    let cloud = Cloud::new();
    let mut wanted = 0;
    for (index, mut entry) in Cloud::entries(5, 400, now_ms() - 60_000).enumerate() {
        entry["resource"]["labels"]["cluster_name"] = json!(["blue", "green"][index % 2]);
        let method = entry["protoPayload"]["methodName"].as_str().unwrap();
        wanted += usize::from(!method.starts_with("io.k8s.coordination.v1.leases."));
        cloud.gcp.put(entry);
    }
    let config = cloud.folder.path().join("config.yaml");
    std::fs::write(&config, "sources:\n- {project: demo-project, cluster: '*', excludes: [leases]}\n")
        .unwrap();
    let output = cloud.once(&["--config", config.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(wanted < 400);
    assert_eq!(cloud.receiver.len(), wanted);
    let clusters: Vec<Value> =
        cloud.receiver.events().iter().map(|event| event["annotations"]["cluster_id"].clone()).collect();
    for name in ["blue", "green"] {
        assert!(clusters.contains(&json!(format!("demo-project/europe-west1/{name}"))), "{name}");
    }
}

#[test]
fn faults_of_every_kind_lose_nothing() {
    let cloud = Cloud::new();
    cloud.gcp.set_paging(|paging| {
        paging.entries = 100;
        paging.empty_every = 4;
    });
    cloud.fill(2, 1000);
    let error = |error| Fault::Error(error);
    cloud.gcp.fail_randomly(
        7,
        150,
        vec![
            error(GcpError::quota_exceeded("demo-project")),
            error(GcpError::unavailable()),
            error(GcpError::unauthenticated()),
            error(GcpError::permission_denied()),
            error(GcpError::invalid("page_token is invalid or has expired")),
            Fault::Close,
            Fault::Cut,
        ],
    );
    for code in [503, 429, 500, 302] {
        cloud.receiver.refuse_next(receiver::status(code, None));
    }
    cloud.receiver.keep_next(receiver::status(500, None));
    let bridge = Program::start(cloud.command(&["--sweeps", "0s,5s"]));
    cloud.receiver.wait_for(1000);
    cloud.gcp.expire_page_tokens();
    cloud.go_on(3, 500);
    cloud.receiver.wait_for(1500);
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn a_kill_loses_nothing_and_repeats_little() {
    let cloud = Cloud::new();
    cloud.fill(4, 2000);
    let bridge = Program::start(cloud.command(&["--sweeps", "0s,2s"]));
    cloud.receiver.wait_for(500);
    drop(bridge);
    cloud.go_on(5, 500);
    let bridge = Program::start(cloud.command(&["--sweeps", "0s,2s"]));
    cloud.receiver.wait_for(2500);
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn late_entries_are_found_by_an_older_sweep() {
    let cloud = Cloud::new();
    let bridge = Program::start(cloud.command(&["--sweeps", "0s,1s,4s"]));
    for (index, entry) in Cloud::entries(6, 300, now_ms()).enumerate() {
        cloud.gcp.put_late(Duration::from_millis(index as u64 % 3 * 1300), entry);
    }
    cloud.receiver.wait_for(300);
    assert!(cloud.receiver.arrived().values().all(|times| *times == 1));
    let metrics = bridge.get("admin", "/metrics");
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("stackdriver_bridge_late_total") && !line.ends_with(" 0"))
    );
}

#[test]
fn a_permission_that_is_granted_later_shows_in_readiness() {
    let cloud = Cloud::new();
    let denied = Fault::Error(GcpError::permission_denied());
    cloud.gcp.fail_always(Operation::EntriesList, Some(denied));
    let bridge = Program::start(cloud.command(&["--sweeps", "0s"]));
    await_true("the permission to be missed", || bridge.ready().contains("roles/logging.viewer"));
    // What one sweep has read it does not read again.
    cloud.fill(4, 100);
    cloud.gcp.heal();
    cloud.receiver.wait_for(100);
    await_true("readiness", || bridge.ready().ends_with("ok\n"));
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn the_metadata_server_may_come_later() {
    let cloud = Cloud::new();
    cloud.gcp.fail_always(Operation::Metadata, Some(Fault::Close));
    cloud.fill(4, 100);
    let bridge = Program::start(cloud.command(&["--credentials", "anonymous"]));
    await_true("the server to be missed", || bridge.ready().contains("metadata server"));
    cloud.gcp.heal();
    cloud.receiver.wait_for(100);
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn what_cannot_be_converted_is_kept_and_delays_nobody() {
    let cloud = Cloud::new();
    cloud.fill(8, 50);
    let mut broken = Cloud::entries(9, 1, now_ms() - 1000).next().unwrap();
    broken["protoPayload"]["methodName"] = Value::Null;
    cloud.gcp.put(broken);
    let mut other = Cloud::entries(10, 1, now_ms() - 1000).next().unwrap();
    other["protoPayload"]["serviceName"] = json!("container.googleapis.com");
    cloud.gcp.put(other);
    let kept = cloud.folder.path().join("quarantine.jsonl");
    let mut command = cloud.command(&["run", "--once"]);
    let output = command.env("KAB_QUARANTINE", format!("file:{}", kept.display())).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(cloud.receiver.len(), 50);
    let kept = std::fs::read_to_string(kept).unwrap();
    assert!(kept.contains("`protoPayload` must have a `methodName`"), "{kept}");
    assert_eq!(kept.lines().count(), 1);
}

#[test]
fn messages_are_acknowledged_behind_their_delivery() {
    let cloud = Cloud::new();
    cloud.receiver.refuse_always(Some(receiver::status(503, None)));
    cloud.publish(1, 700);
    let bridge =
        Program::start(cloud.command(&["--credentials", "anonymous", "--subscription", SUBSCRIPTION]));
    await_true("a post", || cloud.receiver.posts() > 1);
    assert_eq!((cloud.pubsub.acknowledged(), cloud.pubsub.backlog(SUBSCRIPTION)), (0, 700));
    cloud.receiver.refuse_always(None);
    cloud.receiver.wait_for(700);
    await_true("acknowledgements", || cloud.pubsub.backlog(SUBSCRIPTION) == 0);
    assert_eq!((cloud.receiver.len(), cloud.pubsub.nacked()), (700, 0));
    // What is under way when told to stop is delivered, and acknowledged.
    cloud.publish(2, 300);
    cloud.receiver.wait_for(800);
    assert_eq!(bridge.stop(), 0);
    let (left, delivered) = (cloud.pubsub.backlog(SUBSCRIPTION), cloud.receiver.arrived().len());
    assert_eq!(left + delivered, 1000, "{left} left, {delivered} delivered");
}

#[test]
fn an_outage_longer_than_the_ack_deadline_costs_no_redelivery() {
    let cloud = Cloud::new();
    let config = cloud.folder.path().join("config.yaml");
    let subscription = format!("subscriptions:\n- {{name: {SUBSCRIPTION}, ack_deadline: 10s}}\n");
    std::fs::write(&config, subscription + "credentials: anonymous\n").unwrap();
    cloud.receiver.refuse_always(Some(receiver::status(503, None)));
    cloud.publish(1, 200);
    let bridge = Program::start(cloud.command(&["--config", config.to_str().unwrap()]));
    // Each message lives through two deadlines.
    await_true("leases to be extended", || cloud.pubsub.extended() >= 3 * 200);
    cloud.receiver.refuse_always(None);
    await_true("acknowledgements", || cloud.pubsub.backlog(SUBSCRIPTION) == 0);
    assert_eq!((cloud.receiver.len(), cloud.pubsub.nacked()), (200, 0));
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn streams_that_break_and_a_subscription_that_is_created_later() {
    let cloud = Cloud::new();
    let other = "projects/demo-project/subscriptions/later";
    cloud.pubsub.refuse_next([Code::PermissionDenied, Code::Unavailable]);
    let bridge = Program::start(cloud.command(&["--credentials", "anonymous", "--subscription", other]));
    await_true("the subscription to be missed", || bridge.ready().contains(other));
    cloud.pubsub.subscribe(other, Duration::from_secs(600));
    let entries: Vec<Value> = Cloud::entries(3, 400, now_ms()).collect();
    let mut half = 0;
    for part in entries.chunks(100) {
        part.iter().for_each(|entry| cloud.pubsub.publish(other, entry.to_string()));
        half += part.len();
        cloud.receiver.wait_for(half);
        let code = if half % 200 == 0 { Code::Unavailable } else { Code::NotFound };
        cloud.pubsub.break_streams(code);
    }
    await_true("acknowledgements", || cloud.pubsub.backlog(other) == 0);
    assert!(cloud.pubsub.streams() >= 4);
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn a_pub_sub_that_does_not_answer_shows_in_readiness() {
    let mut cloud = Cloud::new();
    let flags = ["--credentials", "anonymous", "--subscription", SUBSCRIPTION];
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cloud.pubsub_url = format!("http://{nobody}");
    let bridge = Program::start(cloud.command(&flags));
    await_true("Pub/Sub to be missed", || bridge.ready().contains("does not answer"));
    assert_eq!(bridge.stop(), 0);

    cloud.pubsub_url = cloud.pubsub.endpoint();
    cloud.pubsub.forbid(true);
    let bridge =
        Program::start(cloud.command(&["--credentials", "anonymous", "--subscription", SUBSCRIPTION]));
    await_true("the permission to be missed", || bridge.ready().contains("roles/pubsub.subscriber"));
    cloud.publish(1, 1);
    await_true("readiness", || bridge.ready().ends_with("ok\n"));
}

#[test]
fn workload_identity_federation_gives_tokens() {
    let cloud = Cloud::new();
    cloud.gcp.require_issued_tokens();
    cloud.fill(1, 20);
    let path = |name: &str| cloud.folder.path().join(name).display().to_string();
    std::fs::write(path("subject"), "signed by somebody else").unwrap();
    let file = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/other",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", cloud.gcp.endpoint()),
        "credential_source": {"file": path("subject")},
    });
    std::fs::write(path("federation.json"), file.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackdriver-bridge"));
    command
        .args([
            "run",
            "--once",
            "--project",
            gcp::PROJECT,
            "--location",
            gcp::LOCATION,
            "--cluster",
            gcp::CLUSTER,
        ])
        .args(["--endpoint-url", &cloud.gcp.endpoint(), "--receiver-url", &cloud.receiver.url()])
        .args(["--checkpoint", &format!("file:{}", path("checkpoints"))])
        .env_clear()
        .env("GOOGLE_APPLICATION_CREDENTIALS", path("federation.json"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!((cloud.receiver.len(), cloud.gcp.count(Operation::Token)), (20, 1));
}

#[test]
fn a_killed_reader_hands_over_to_another_replica() {
    let cloud = Cloud::new();
    let flags = ["--credentials", "anonymous", "--subscription", SUBSCRIPTION];
    // The fake waits for the dead no longer than this.
    cloud.pubsub.subscribe(SUBSCRIPTION, Duration::from_secs(8));
    cloud.receiver.refuse_always(Some(receiver::status(503, None)));
    cloud.publish(1, 500);
    let (first, second) = (Program::start(cloud.command(&flags)), Program::start(cloud.command(&flags)));
    await_true("posts", || cloud.receiver.posts() > 2);
    drop(first);
    cloud.receiver.refuse_always(None);
    cloud.receiver.wait_for(500);
    await_true("acknowledgements", || cloud.pubsub.backlog(SUBSCRIPTION) == 0);
    assert_eq!(second.stop(), 0);
}

#[test]
fn what_a_sink_exports_twice_is_delivered_once() {
    let cloud = Cloud::new();
    for entry in Cloud::entries(1, 100, now_ms()) {
        for _ in 0..2 {
            cloud.pubsub.publish(SUBSCRIPTION, entry.to_string());
        }
    }
    let output = cloud.once(&["--credentials", "anonymous", "--subscription", SUBSCRIPTION]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!((cloud.receiver.len(), cloud.pubsub.backlog(SUBSCRIPTION)), (100, 0));
}

#[test]
fn an_old_configuration_drives_it_unchanged() {
    let cloud = Cloud::new();
    cloud.fill(1, 200);
    let path = |name: &str| cloud.folder.path().join(name).display().to_string();
    let old = format!(
        "url: {}\nproject:\ncluster:\nlogfile: {}\noutfile: {}\npoll_interval: 5s\nlag_interval: 30s\nlog_level: info\n\
         prometheus:\n  port: 0\napi:\n  port: 0\n",
        cloud.receiver.url(),
        path("entries"),
        path("events"),
    );
    std::fs::write(path("swb-config.yaml"), old).unwrap();
    let command = cloud.command(&["--swb-config", &path("swb-config.yaml")]);
    let bridge = Program::start_with(command, &["admin", "metrics", "health"]);
    let writes = |entry: &Value| entry["logName"].as_str().unwrap().ends_with("activity");
    let count = Cloud::entries(1, 200, 0).filter(writes).count();
    cloud.receiver.wait_for(count);
    assert!(bridge.get("health", "/health").starts_with("HTTP/1.1 200"));
    await_true("metrics", || {
        bridge.get("metrics", "/metrics").contains(&format!("\nswb_poller_audit_event_out {count}\n"))
    });
    assert_eq!(bridge.stop(), 0);
    assert_eq!(cloud.receiver.len(), count);
    let events = std::fs::read_to_string(path("events")).unwrap();
    assert_eq!(events.lines().count(), count);
    let converted = cloud.command(&["convert", &path("entries")]).output().unwrap();
    assert_eq!(text(&converted.stdout), events);
}

#[test]
fn check_says_what_is_wrong_and_what_mends_it() {
    let cloud = Cloud::new();
    let check = |flags: &[&str]| {
        let output = cloud.command(&[&["check"], flags].concat()).output().unwrap();
        (output.status.success(), text(&output.stdout))
    };
    let (fine, report) = check(&[]);
    assert!(!fine && report.contains("[fail]") && report.contains("no entry within a day"), "{report}");
    cloud.go_on(1, 200);
    let (fine, report) = check(&[]);
    assert!(
        fine && report.contains("[ok]   credentials") && report.contains("the newest entry is"),
        "{report}"
    );
    assert!(report.contains("has evaluated a canary event"), "{report}");
    cloud.gcp.hide_data_access(true);
    let (_, report) = check(&[]);
    assert!(report.contains("roles/logging.privateLogViewer"), "{report}");

    let pubsub = ["--subscription", SUBSCRIPTION];
    let topic = "projects/demo-project/topics/audit";
    let writer = "serviceAccount:service-1@gcp-sa-logging.iam.gserviceaccount.com";
    cloud.gcp.set_sinks(vec![
        json!({"destination": format!("pubsub.googleapis.com/{topic}"), "writerIdentity": writer}),
    ]);
    cloud.pubsub.describe(&format!("{topic}:getIamPolicy"), json!({"bindings": []}));
    let (fine, report) = check(&pubsub);
    assert!(
        !fine && report.contains("may not publish") && report.contains("add-iam-policy-binding"),
        "{report}"
    );
    let granted = json!({"bindings": [{"role": "roles/pubsub.publisher", "members": [writer]}]});
    cloud.pubsub.describe(&format!("{topic}:getIamPolicy"), granted);
    let (fine, report) = check(&pubsub);
    assert!(fine && report.contains("its writer may publish"), "{report}");
    let (fine, report) = check(&["--subscription", "projects/demo-project/subscriptions/absent"]);
    assert!(!fine && report.contains("[fail] subscription"), "{report}");
    let (fine, report) = check(&["--offline", "--poll-interval", "100ms"]);
    assert!(fine && report.contains("[ok]   quota"), "{report}");
}

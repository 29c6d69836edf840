//! Two replicas of a bridge over each store of checkpoints: one reads, and when it dies the other goes on.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_fakes::aws::Aws;
use audit_fakes::azure::{self, EventHubs};
use audit_fakes::gcp::Gcp;
use audit_fakes::kubernetes::{Kubernetes, TOKEN};
use audit_fakes::objects::Objects;
use audit_fakes::traffic::{Line, Traffic};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use crate::gke::entry;
use crate::harness::{MOTO, Moto, Program, Receiver, becomes, eventually, now_ms, seed, table, tested};
use crate::pipeline::{GROUP, STREAM, expected};

#[test]
fn a_second_bridge_takes_over_by_a_file() {
    by_file(deaths(3));
}

#[test]
fn a_second_bridge_takes_over_by_a_configmap() {
    by_configmap(deaths(3));
}

#[test]
fn a_second_bridge_takes_over_by_a_bucket_of_s3() {
    by_s3(deaths(3));
}

#[test]
fn a_second_bridge_takes_over_by_a_bucket_of_cloud_storage() {
    by_gs(deaths(3));
}

#[test]
fn a_second_bridge_takes_over_by_a_blob_container() {
    by_az(deaths(3));
}

#[test]
#[ignore = "takes minutes; .ci/long runs it"]
fn twenty_owners_die_over_each_store() {
    let stores = [by_file, by_configmap, by_s3, by_gs, by_az];
    let rows: Vec<_> = stores.iter().filter_map(|die_by| die_by(deaths(20))).collect();
    table(&["store", "deaths", "events", "min s", "median s", "max s"], &rows);
}

/// How many owners die: `DEATHS` of the environment, or as many as given.
fn deaths(usual: usize) -> usize {
    std::env::var("DEATHS").ok().and_then(|deaths| deaths.parse().ok()).unwrap_or(usual)
}

/// A row of the table; none where what the store needs can't be had.
type Row = Option<Vec<String>>;

fn by_file(deaths: usize) -> Row {
    let folder = TempDir::new().unwrap();
    over_cloudwatch("file", deaths, &format!("file:{}", folder.path().display()), &[])
}

fn by_configmap(deaths: usize) -> Row {
    let folder = TempDir::new().unwrap();
    let server = cluster(&folder);
    let port = server.address().port().to_string();
    let account = folder.path().display().to_string();
    let env = [
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
        ("KUBERNETES_SERVICE_PORT", &port),
        ("KUBERNETES_SERVICE_ACCOUNT", &account),
    ];
    let row = over_cloudwatch("configmap", deaths, "configmap:audit/checkpoints?expiry=1s", &env);
    let object = server.object("/api/v1/namespaces/audit/configmaps/checkpoints").unwrap();
    assert_eq!(object["data"].as_object().unwrap().len(), 1, "{object}");
    row
}

/// The API server of a cluster, whose authority and token are in `folder`.
fn cluster(folder: &TempDir) -> Kubernetes {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.path().join("ca.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    Kubernetes::start(Some(Arc::new(tls)))
}

fn by_s3(deaths: usize) -> Row {
    let moto = Moto::start()?;
    let make = "import sys, boto3; boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', \
                aws_access_key_id='a', aws_secret_access_key='b').create_bucket(Bucket='checkpoints')";
    let mut python = MOTO.python().expect("what moto runs with");
    assert!(python.args(["-c", make, &moto.endpoint()]).status().unwrap().success());
    let address = format!("s3://checkpoints/prod?expiry=1s&endpoint={}", moto.endpoint());
    over_cloudwatch("s3", deaths, &address, &[])
}

fn over_cloudwatch(name: &str, deaths: usize, checkpoint: &str, env: &[(&str, &str)]) -> Row {
    let aws = Aws::start();
    aws.set_quota(None);
    let stream = aws.group(GROUP).stream(STREAM);
    let bridge = || {
        let mut bridge = Command::new(tested(env!("CARGO_BIN_EXE_tested-cloudwatch-bridge")));
        bridge
            .args(["--log-group", GROUP, "--region", "eu-central-1", "--endpoint-url", &aws.endpoint()])
            .args(["--sweeps", "100ms,1s,5s", "--poll-interval", "100ms", "--checkpoint", checkpoint])
            .env_clear()
            .envs([("AWS_ACCESS_KEY_ID", "AKIAFAKE"), ("AWS_SECRET_ACCESS_KEY", "fake")])
            .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("KAB_REQUESTS_PER_SECOND", "50")])
            .envs(env.iter().copied());
        bridge
    };
    Some(die(name, deaths, &bridge, &|line| drop(stream.put(line.at_ms, &line.text))))
}

fn by_gs(deaths: usize) -> Row {
    let (gcp, objects) = (Gcp::start(), Objects::start());
    gcp.set_quota(None);
    let endpoint = gcp.endpoint();
    let checkpoint =
        format!("gs://checkpoints/prod?expiry=1s&credentials=none&endpoint={}", objects.endpoint());
    let bridge = || {
        let mut bridge = Command::new(tested(env!("CARGO_BIN_EXE_tested-stackdriver-bridge")));
        bridge
            .args(["--endpoint-url", &endpoint, "--metadata-url", &endpoint, "--checkpoint", &checkpoint])
            .args(["--sweeps", "100ms,1s,5s", "--poll-interval", "100ms"])
            .env_clear()
            .env("KAB_REQUESTS_PER_MINUTE", "3000");
        bridge
    };
    Some(die("gs", deaths, &bridge, &|line| gcp.put(entry(line))))
}

fn by_az(deaths: usize) -> Row {
    let (hubs, objects, folder) = (EventHubs::start(), Objects::start(), TempDir::new().unwrap());
    // One partition is one unit, which one of the two reads.
    let hub = hubs.hub("audit", 1);
    let string = folder.path().join("string");
    std::fs::write(&string, hubs.connection_string("audit")).unwrap();
    let checkpoint =
        format!("az://account/checkpoints/prod?expiry=1s&credentials=none&endpoint={}", objects.endpoint());
    let bridge = || {
        let mut bridge = Command::new(tested(env!("CARGO_BIN_EXE_tested-eventhub-bridge")));
        bridge
            .args(["--from", "earliest", "--checkpoint", &checkpoint])
            .env_clear()
            .env("KAB_CONNECTION_STRING_FILE", &string);
        bridge
    };
    Some(die("az", deaths, &bridge, &|line| {
        hub.put(0, json!({ "records": [azure::record(&line.text)] }).to_string());
    }))
}

/// Lets two bridges read one log, and kills whichever reads, again and again, while events keep coming. Every event is
/// an incident, so one that is not evaluated is an alert that is not there. Gives the row of the table.
fn die(name: &str, deaths: usize, bridge: &dyn Fn() -> Command, put: &(dyn Fn(&Line) + Sync)) -> Vec<String> {
    let seed = seed(name);
    let receiver = Receiver::start();
    let replica = || {
        let mut command = bridge();
        command.args(["--receiver-url", &receiver.url(), "--admin-listen", "127.0.0.1:0"]);
        Program::start(&mut command)
    };
    let reads =
        |replica: &Program| replica.stderr().iter().any(|line| line.contains(r#""message":"reading""#));
    let mut replicas = [replica(), replica()];
    let done = AtomicBool::new(false);
    let (lines, mut took) = thread::scope(|scope| {
        let ends = Ends(&done);
        let feeding = scope.spawn(|| {
            let mut traffic = Traffic::new(seed).with_incidents(1000);
            let mut lines = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let line = traffic.line(now_ms());
                put(&line);
                lines.push(line);
                thread::sleep(Duration::from_millis(10));
            }
            lines
        });
        let mut owner = eventually("an owner", || replicas.iter().position(reads));
        let mut took = Vec::new();
        for _ in 0..deaths {
            assert!(!reads(&replicas[1 - owner]), "two of them read");
            let known = receiver.alerts().len();
            eventually("news", || (receiver.alerts().len() > known).then_some(()));
            replicas[owner].kill();
            let died = Instant::now();
            eventually("another owner", || reads(&replicas[1 - owner]).then_some(()));
            took.push(died.elapsed());
            replicas[owner] = replica();
            owner = 1 - owner;
        }
        drop(ends);
        (feeding.join().unwrap(), took)
    });
    becomes("alerts", &expected(&lines), || receiver.raised());
    took.sort();
    let times = [took.first(), took.get(took.len() / 2), took.last()];
    let times = times.map(|time| time.map_or("-".to_owned(), |time| format!("{:.2}", time.as_secs_f64())));
    let row = [name.to_owned(), deaths.to_string(), lines.len().to_string()];
    let row: Vec<_> = row.into_iter().chain(times).collect();
    println!("{name}: deaths, events, takeover in seconds (min, median, max): {}", row[1..].join(", "));
    row
}

/// Ends the feeding, also when a check fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

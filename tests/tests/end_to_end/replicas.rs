//! Two replicas of a bridge over each store of checkpoints: one reads, and when it dies the other goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_fakes::aws::Aws;
use audit_fakes::kubernetes::{Kubernetes, TOKEN};
use audit_fakes::traffic::Traffic;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::harness::{Bridge, Cloud, MOTO, Moto, Receiver, becomes, eventually, now_ms, seed};
use crate::pipeline::{GROUP, STREAM, expected};

/// Where checkpoints are, and what a bridge must know to get there.
struct Store {
    address: String,
    env: Vec<(&'static str, String)>,
}

/// The API server of a cluster, whose authority and token are in `folder`.
fn cluster(folder: &TempDir) -> (Kubernetes, Store) {
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
    let server = Kubernetes::start(Some(Arc::new(tls)));
    let env = vec![
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1".to_owned()),
        ("KUBERNETES_SERVICE_PORT", server.address().port().to_string()),
        ("KUBERNETES_SERVICE_ACCOUNT", folder.path().display().to_string()),
    ];
    (server, Store { address: "configmap:audit/checkpoints?expiry=1s".to_owned(), env })
}

#[test]
fn a_second_bridge_takes_over_by_a_file_and_by_a_configmap() {
    by_file(3);
    by_configmap(3);
}

#[test]
fn a_second_bridge_takes_over_by_a_bucket() {
    by_bucket(3);
}

#[test]
#[ignore = "takes minutes; .ci/long runs it"]
fn twenty_owners_die_over_each_store() {
    by_file(20);
    by_configmap(20);
    by_bucket(20);
}

fn by_file(deaths: usize) {
    let folder = TempDir::new().unwrap();
    let address = format!("file:{}", folder.path().display());
    die("file", deaths, &Store { address, env: Vec::new() });
}

fn by_configmap(deaths: usize) {
    let folder = TempDir::new().unwrap();
    let (server, store) = cluster(&folder);
    die("configmap", deaths, &store);
    let object = server.object("/api/v1/namespaces/audit/configmaps/checkpoints").unwrap();
    assert_eq!(object["data"].as_object().unwrap().len(), 1, "{object}");
}

fn by_bucket(deaths: usize) {
    let Some(moto) = Moto::start() else { return };
    let make = "import sys, boto3; boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', \
                aws_access_key_id='a', aws_secret_access_key='b').create_bucket(Bucket='checkpoints')";
    let mut python = MOTO.python().expect("what moto runs with");
    assert!(python.args(["-c", make, &moto.endpoint()]).status().unwrap().success());
    let address = format!("s3://checkpoints/prod?expiry=1s&endpoint={}", moto.endpoint());
    die("s3", deaths, &Store { address, env: Vec::new() });
}

/// Lets two bridges read one log, and kills whichever reads, again and again, while events keep coming.
fn die(name: &str, deaths: usize, store: &Store) {
    let seed = seed(name);
    let aws = Aws::start();
    aws.set_quota(None);
    aws.group(GROUP).stream(STREAM);
    let receiver = Receiver::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let replica = || {
        let bridge = Bridge::new(&cloud).checkpoint_address(&store.address);
        store.env.iter().fold(bridge, |bridge, (key, value)| bridge.set(key, value)).started()
    };
    let mut replicas = [replica(), replica()];
    let reads = |bridge: &mut Bridge| {
        bridge.program().stderr().iter().any(|line| line.contains(r#""message":"reading""#))
    };
    let done = AtomicBool::new(false);
    let (lines, took) = thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            let mut traffic = Traffic::new(seed).with_incidents(1000);
            let stream = aws.group(GROUP).stream(STREAM);
            let mut lines = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let line = traffic.line(now_ms());
                stream.put(line.at_ms, &line.text);
                lines.push(line);
                thread::sleep(Duration::from_millis(10));
            }
            lines
        });
        let mut took = Vec::new();
        let mut owner = eventually("an owner", || replicas.iter_mut().position(reads));
        for _ in 0..deaths {
            assert!(!reads(&mut replicas[1 - owner]), "two of them read");
            let known = receiver.alerts().len();
            eventually("news", || (receiver.alerts().len() > known).then_some(()));
            replicas[owner].kill();
            let died = Instant::now();
            eventually("another owner", || reads(&mut replicas[1 - owner]).then_some(()));
            took.push(died.elapsed());
            replicas[owner].restart();
            owner = 1 - owner;
        }
        done.store(true, Ordering::Relaxed);
        (feeding.join().unwrap(), took)
    });
    becomes("alerts", &expected(&lines), || receiver.raised());
    let longest = took.iter().max().unwrap();
    println!(
        "{name}: {deaths} owners died, {} events, followed after at most {longest:?}: {took:?}",
        lines.len()
    );
}

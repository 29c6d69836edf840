//! Two receivers on one database, killed again and again while events are posted to both.
//!
//! `TEST_EVENTS` posts another number of events and makes a measurement of it (run it with `--nocapture`).

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use audit_service::shutdown::Shutdown;

use super::server::{Server, connect};

const RULE: &str = "- rule: Any\n  desc: d\n  condition: ka.verb exists\n  output: o\n  priority: NOTICE\n  source: k8s_audit\n";

/// Events in a body.
const TOGETHER: usize = 20;

/// Bodies under way at once.
const SENDERS: usize = 8;

struct Receiver {
    process: Child,
    address: SocketAddr,
}

impl Receiver {
    fn start(config: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_audit-receiver"))
            .arg("--config")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut told = Vec::new();
        let address = lines.by_ref().map(|line| line.unwrap()).find_map(|line| {
            let address =
                line.split_once("listening intake ").map(|(_, address)| address.trim().parse().unwrap());
            told.push(line);
            address
        });
        let address = address.unwrap_or_else(|| panic!("the receiver did not start: {told:#?}"));
        // Somebody must go on reading.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn body(number: usize) -> String {
    let event = |at: usize| {
        format!(
            r#"{{"kind":"Event","auditID":"{at:08}","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z"}}"#
        )
    };
    (number * TOGETHER..(number + 1) * TOGETHER).map(|at| event(at) + "\n").collect()
}

/// A server in Falco's form that counts each identity.
async fn sink() -> (SocketAddr, Arc<Mutex<HashMap<String, usize>>>) {
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let keep = seen.clone();
    let handler = move |axum::Json(alert): axum::Json<serde_json::Value>| {
        *keep.lock().unwrap().entry(alert["uuid"].as_str().unwrap().to_owned()).or_default() += 1;
        async {}
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/", axum::routing::post(handler));
    tokio::spawn(audit_service::http::serve(listener, None, router, Default::default(), Shutdown::new()));
    (address, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_double_nothing() {
    let Some(server) = Server::start() else { return };
    let bodies = std::env::var("TEST_EVENTS").map_or(1000, |events| events.parse().unwrap()) / TOGETHER;
    let url = server.database("killed").await;
    audit_service::tls::install();
    let (sink, seen) = sink().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULE).unwrap();
    let config = folder.path().join("config.yaml");
    let rules = folder.path().join("rules.yaml");
    std::fs::write(
        &config,
        format!(
            "listen: 127.0.0.1:0\nadmin: {{listen: '127.0.0.1:0'}}\nstore: {url}\nrules: ['{}']\n\
             outputs: {{stdout: false, http: {{sink: {{url: 'http://{sink}/'}}}}}}\n",
            rules.display()
        ),
    )
    .unwrap();
    let start = {
        let config = config.clone();
        async move || {
            let config = config.clone();
            tokio::task::spawn_blocking(move || Receiver::start(&config)).await.unwrap()
        }
    };
    let receivers = [start().await, start().await];
    let addresses = Arc::new(Mutex::new(receivers.each_ref().map(|receiver| receiver.address)));

    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).no_proxy().build().unwrap();
    let begun = Instant::now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let senders = (0..SENDERS).map(|sender| {
        let (client, addresses, next) = (client.clone(), addresses.clone(), next.clone());
        tokio::spawn(async move {
            let (mut waits, mut turn) = (Vec::new(), sender);
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= bodies {
                    return waits;
                }
                // Every third goes to both.
                let mut answers = 0;
                while answers < 1 + usize::from(number % 3 == 0) {
                    turn += 1;
                    let address = addresses.lock().unwrap()[turn % 2];
                    let sent = Instant::now();
                    let post = client.post(format!("http://{address}/k8s_audit/prod")).body(body(number));
                    match post.send().await {
                        Ok(answer) if answer.status() == 200 => {
                            waits.push(sent.elapsed());
                            answers += 1;
                        }
                        _ => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
            }
        })
    });
    let senders: Vec<_> = senders.collect();

    let mut receivers = receivers;
    let mut kills = 0;
    while next.load(std::sync::atomic::Ordering::Relaxed) < bodies {
        let at = kills % 2;
        let target = (kills + 1) * bodies / 8;
        while next.load(std::sync::atomic::Ordering::Relaxed) < target.min(bodies) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        receivers[at].kill();
        receivers[at] = start().await;
        addresses.lock().unwrap()[at] = receivers[at].address;
        kills += 1;
    }
    let mut waits = Vec::new();
    for sender in senders {
        waits.extend(sender.await.unwrap());
    }
    let took = begun.elapsed();
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    eprintln!(
        "{} events, {kills} kills, {:.0} events/s; answered after {:.1} ms (median), {:.1} (p99), {:.1} (longest)",
        bodies * TOGETHER,
        (bodies * TOGETHER) as f64 / took.as_secs_f64(),
        at(50),
        at(99),
        at(100)
    );

    let mut database = connect(&url).await;
    let count = async |sql: &'static str, database: &mut sqlx::PgConnection| -> i64 {
        sqlx::query_scalar(sql).fetch_one(database).await.unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM alerts", &mut database).await as usize, bodies * TOGETHER);
    assert_eq!(
        count("SELECT count(DISTINCT id) FROM alerts", &mut database).await as usize,
        bodies * TOGETHER
    );
    while count("SELECT count(*) FROM deliveries", &mut database).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let stored: HashSet<String> = sqlx::query_scalar("SELECT document FROM alerts")
        .fetch_all(&mut database)
        .await
        .unwrap()
        .iter()
        .map(|document: &String| {
            let document: serde_json::Value = serde_json::from_str(document).unwrap();
            document["uuid"].as_str().unwrap().to_owned()
        })
        .collect();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.keys().cloned().collect::<HashSet<_>>(), stored);
    eprintln!(
        "{} alerts came, {} of them again",
        seen.len(),
        seen.values().filter(|times| **times > 1).count()
    );
}

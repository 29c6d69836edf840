//! Receivers on one database, killed again and again while events are posted to all of them.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use audit_fakes::program::Program;
use audit_service::shutdown::Shutdown;

use super::server::{Server, connect};

const RULE: &str = "- rule: Any\n  desc: d\n  condition: ka.verb = create\n  output: o\n  priority: NOTICE\n  source: k8s_audit\n";

/// Bodies under way at once.
const SENDERS: usize = 8;

fn receiver(config: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-receiver"));
    command.arg("--config").arg(config);
    Program::start_with(command, &["intake"])
}

fn intake(receiver: &Program) -> String {
    receiver.address("intake").to_owned()
}

/// What is posted, to how many, and what happens meanwhile.
struct Run {
    /// Receivers on the one database.
    receivers: usize,
    /// How many times one of them is killed.
    kills: usize,
    bodies: usize,
    /// Events in a body.
    together: usize,
    /// Every so many events raise an alert.
    every: usize,
    /// Every so many bodies are posted twice.
    twice: usize,
}

/// What came of it.
struct Figures {
    events: usize,
    alerts: usize,
    again: usize,
    seconds: f64,
    /// How long bodies waited for their answer, milliseconds, the shortest first.
    waits: Vec<f64>,
}

impl Figures {
    fn wait(&self, percent: usize) -> f64 {
        self.waits[(self.waits.len() - 1) * percent / 100]
    }

    fn events_a_second(&self) -> f64 {
        self.events as f64 / self.seconds
    }
}

impl Run {
    fn events(&self) -> usize {
        self.bodies * self.together
    }

    fn alerts(&self) -> usize {
        self.events().div_ceil(self.every)
    }

    fn body(&self, number: usize) -> String {
        let event = |at: usize| {
            let verb = if at.is_multiple_of(self.every) { "create" } else { "get" };
            format!(
                r#"{{"kind":"Event","auditID":"{at:08}","stage":"ResponseComplete","verb":"{verb}","stageTimestamp":"2026-01-02T03:04:05Z"}}"#
            )
        };
        (number * self.together..(number + 1) * self.together).map(|at| event(at) + "\n").collect()
    }
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

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_double_nothing() {
    let Some(server) = Server::start() else { return };
    let bodies = number("TEST_EVENTS", 1000) / 20;
    let run = Run { receivers: 2, kills: 8, bodies, together: 20, every: 1, twice: 3 };
    let figures = post(&server, "killed", run).await;
    eprintln!(
        "{} events, {:.0} events/s; answered after {:.1} ms (median), {:.1} (p99), {:.1} (longest); {} alerts came, {} of them again",
        figures.events,
        figures.events_a_second(),
        figures.wait(50),
        figures.wait(99),
        figures.wait(100),
        figures.alerts,
        figures.again
    );
}

/// `EVENTS` (2000), `TOGETHER` (100) in a body, one in `ALERT_EVERY` (1) of which raises an alert.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: run it in a release build"]
async fn what_one_receiver_does_and_two() {
    let Some(server) = Server::start() else { return };
    let (together, every) = (number("TOGETHER", 100), number("ALERT_EVERY", 1));
    let bodies = number("EVENTS", 2000) / together;
    println!(
        "{} events, {together} in a body, {SENDERS} bodies at once, an alert from 1 in {every}",
        bodies * together
    );
    println!(
        "receivers  kills  events/s  alerts/s  answered after ms: p50     p99  longest  alerts  sent again"
    );
    for (name, receivers, kills) in [("one", 1, 0), ("two", 2, 0), ("two_killed", 2, 8)] {
        // What is posted twice would make those without kills look slower than they are.
        let twice = if kills == 0 { usize::MAX } else { 3 };
        let figures = post(&server, name, Run { receivers, kills, bodies, together, every, twice }).await;
        println!(
            "{receivers:9} {kills:6} {:9.0} {:9.0} {:22.1} {:7.1} {:8.1} {:7} {:11}",
            figures.events_a_second(),
            figures.alerts as f64 / figures.seconds,
            figures.wait(50),
            figures.wait(99),
            figures.wait(100),
            figures.alerts,
            figures.again
        );
    }
}

/// Posts to a new database of that name; every alert must be there once, and have come to the output.
async fn post(server: &Server, name: &str, run: Run) -> Figures {
    let url = server.database(name).await;
    audit_service::tls::install();
    let (sink, seen) = sink().await;
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    std::fs::write(&rules, RULE).unwrap();
    let config = folder.path().join("config.yaml");
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
            tokio::task::spawn_blocking(move || receiver(&config)).await.unwrap()
        }
    };
    let mut receivers = Vec::new();
    for _ in 0..run.receivers {
        receivers.push(start().await);
    }
    let addresses: Vec<_> = receivers.iter().map(intake).collect();
    let (addresses, run) = (Arc::new(Mutex::new(addresses)), Arc::new(run));

    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).no_proxy().build().unwrap();
    let begun = Instant::now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let senders = (0..SENDERS).map(|sender| {
        let (client, addresses, next, run) = (client.clone(), addresses.clone(), next.clone(), run.clone());
        tokio::spawn(async move {
            let (mut waits, mut turn) = (Vec::new(), sender);
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= run.bodies {
                    return waits;
                }
                let mut answers = 0;
                while answers < 1 + usize::from(number.is_multiple_of(run.twice) && run.twice < run.bodies) {
                    turn += 1;
                    let address = addresses.lock().unwrap()[turn % run.receivers].clone();
                    let sent = Instant::now();
                    let post = client.post(format!("http://{address}/k8s_audit/prod")).body(run.body(number));
                    match post.send().await {
                        Ok(answer) if answer.status() == 200 => {
                            waits.push(sent.elapsed().as_secs_f64() * 1e3);
                            answers += 1;
                        }
                        _ => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    for kill in 0..run.kills {
        let target = (kill + 1) * run.bodies / (run.kills + 1);
        while next.load(std::sync::atomic::Ordering::Relaxed) < target {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let at = kill % run.receivers;
        receivers.remove(at).kill();
        receivers.insert(at, start().await);
        addresses.lock().unwrap()[at] = intake(&receivers[at]);
    }
    let mut waits = Vec::new();
    for sender in senders {
        waits.extend(sender.await.unwrap());
    }
    let seconds = begun.elapsed().as_secs_f64();
    waits.sort_unstable_by(f64::total_cmp);

    let mut database = connect(&url).await;
    let count = async |sql: &'static str, database: &mut sqlx::PgConnection| -> usize {
        sqlx::query_scalar::<_, i64>(sql).fetch_one(database).await.unwrap() as usize
    };
    assert_eq!(count("SELECT count(*) FROM alerts", &mut database).await, run.alerts());
    assert_eq!(count("SELECT count(DISTINCT id) FROM alerts", &mut database).await, run.alerts());
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
    let again = seen.values().filter(|times| **times > 1).count();
    Figures { events: run.events(), alerts: seen.len(), again, seconds, waits }
}

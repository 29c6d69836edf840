//! A store at its size under load: the intake goes on, the oldest is gone, identities hold.
//!
//! `EVENTS` (6000) and `SIZE_MIB` (4) make a measurement of it (run it with `--nocapture`).

#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::io::BufRead;
use std::process::Command;
use std::time::Instant;

use audit_fakes::program::Program;

const RULE: &str = "- rule: Any\n  desc: d\n  condition: ka.verb exists\n  output: \"%ka.uri %jevt.obj\"\n  priority: NOTICE\n  source: k8s_audit\n";

/// Events in a body.
const TOGETHER: usize = 200;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

fn body(number: usize) -> String {
    let event = |at: usize| {
        format!(
            r#"{{"kind":"Event","auditID":"{at:08}","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z","x":"{}"}}"#,
            "x".repeat(500)
        )
    };
    (number * TOGETHER..(number + 1) * TOGETHER).map(|at| event(at) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_at_its_size_takes_what_comes() {
    let (bodies, most) = (number("EVENTS", 6000) / TOGETHER, number("SIZE_MIB", 4) as u64);
    audit_service::tls::install();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("rules.yaml"), RULE).unwrap();
    let config = format!(
        "listen: 127.0.0.1:0\nadmin: {{listen: '127.0.0.1:0'}}\nstore: sqlite:{}\nrules: ['{}']\n\
         retention: {{size: {most}MiB}}\noutputs: {{stdout: false}}\n",
        at("a.db").display(),
        at("rules.yaml").display()
    );
    std::fs::write(at("config.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-receiver"));
    command.arg("--config").arg(at("config.yaml"));
    let receiver = Program::start_with(command, &["intake", "admin"]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |number: usize| -> serde_json::Value {
        let url = format!("http://{}/k8s_audit/prod", receiver.address("intake"));
        let answer = client.post(url).body(body(number)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    let size = |name: &str| at(name).metadata().map_or(0, |file| file.len());
    let (mut waits, mut file, mut log) = (Vec::new(), 0, 0);
    let begun = Instant::now();
    for number in 0..bodies {
        let sent = Instant::now();
        assert_eq!(post(number).await["alerts"], TOGETHER);
        waits.push(sent.elapsed().as_secs_f64() * 1e3);
        (file, log) = (file.max(size("a.db")), log.max(size("a.db-wal")));
    }
    let took = begun.elapsed().as_secs_f64();
    // Until it is looked at once more.
    let usage = async |kind: &str| -> u64 {
        let text = client
            .get(format!("http://{}/metrics", receiver.address("admin")))
            .send()
            .await
            .unwrap()
            .text()
            .await;
        let name = format!("store_size_bytes{{kind=\"{kind}\"}} ");
        let found = text.unwrap().lines().find_map(|line| Some(line.split_once(&name)?.1.parse().unwrap()));
        found.unwrap_or_default()
    };
    while usage("identities").await < (bodies * TOGETHER * 100) as u64 || usage("file").await > most << 20 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let stored = Command::new(env!("CARGO_BIN_EXE_audit-receiver"))
        .args(["alerts", "--store", &format!("sqlite:{}", at("a.db").display())])
        .output()
        .unwrap();
    let stored: Vec<serde_json::Value> =
        stored.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let oldest: usize = stored.first().unwrap()["audit_id"].as_str().unwrap().parse().unwrap();
    let newest: usize = stored.last().unwrap()["audit_id"].as_str().unwrap().parse().unwrap();
    let mut repeated = 0;
    for number in 0..bodies {
        repeated += usize::from(post(number).await["alerts"] == 0);
    }
    waits.sort_unstable_by(f64::total_cmp);
    let percent = |percent: usize| waits.get((waits.len() - 1) * percent / 100).unwrap();
    println!("events posted, all answered 200        {}", bodies * TOGETHER);
    println!("events/s                               {:.0}", (bodies * TOGETHER) as f64 / took);
    println!(
        "answered after, ms (p50, p99, longest) {:.1} {:.1} {:.1}",
        percent(50),
        percent(99),
        percent(100)
    );
    println!("size to keep, bytes                    {}", most << 20);
    println!("largest file, largest log beside it    {file} {log}");
    println!("file at the end                        {}", usage("file").await);
    println!("alerts kept, the first and the last    {} {oldest} {newest}", stored.len());
    println!("bodies sent again, of them no alert    {bodies} {repeated}");
    assert_eq!((newest, repeated), (bodies * TOGETHER - 1, bodies));
    assert!(oldest > 0 && stored.len() == newest - oldest + 1);
}

//! Reviews instead of an audit log: what becomes of them, and how long an API server waits.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{RECEIVER, Receiver, becomes, run, table, tested};

/// Tells of every event.
const EVERYTHING: &str = "
- rule: Everything
  desc: d
  condition: ka.verb exists
  output: '%ka.verb %ka.target.resource %ka.target.subresource %jevt.value[/stage] %ka.response.code'
  priority: INFO
  source: k8s_audit
";

/// A receiver that takes the reviews of the cluster `edge`.
struct Reviewed {
    receiver: Receiver,
    _folder: TempDir,
}

impl Reviewed {
    /// With these rules besides those of the generated traffic.
    fn start(rules: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("secret"), "0123456789abcdef").unwrap();
        let secrets = json!([{"file": path("secret"), "cluster": "edge"}]);
        let config = json!({"admission": {"secrets": secrets}, "outputs": {"stdout": false}});
        std::fs::write(path("config.yaml"), config.to_string()).unwrap();
        let (config, more) = (path("config.yaml"), path("rules.yaml"));
        let mut args = vec!["--config", &config, "--match", "all"];
        if let Some(rules) = rules {
            std::fs::write(&more, rules).unwrap();
            args.extend(["--rules", &more]);
        }
        Self { receiver: Receiver::start_with(&args), _folder: folder }
    }

    fn sender(&self) -> Sender {
        Sender::connect(self.receiver.intake())
    }

    fn count(&self, metric: &str) -> u64 {
        self.receiver.metric(&format!("audit_receiver_{metric}_total"), "") as u64
    }
}

/// A connection that is kept open, as API servers do.
struct Sender(BufReader<TcpStream>);

impl Sender {
    fn connect(receiver: SocketAddr) -> Self {
        let connection = TcpStream::connect(receiver).unwrap();
        connection.set_nodelay(true).unwrap();
        Self(BufReader::new(connection))
    }

    /// Shows a review, and gives what is answered.
    fn show(&mut self, review: &str) -> Value {
        let head = "POST /admission/0123456789abcdef?timeout=3s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{review}", review.len());
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let (key, value) = line.split_once(':').unwrap_or_default();
            if key.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

fn review(uid: &str, operation: &str, resource: &str, sub: &str, more: Value) -> String {
    let resource = json!({"group": "", "version": "v1", "resource": resource});
    let mut request = json!({
        "uid": uid, "operation": operation, "resource": resource, "requestResource": resource, "dryRun": false,
        "subResource": sub, "requestSubResource": sub, "name": "web", "namespace": "shop",
        "userInfo": {"username": "eve", "groups": ["system:authenticated"]},
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).to_string()
}

/// One of each kind; `number` tells its uids from those of others.
fn reviews(number: usize) -> Vec<String> {
    let uid = |kind: &str| format!("{kind}-{number}");
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:1", "securityContext": {"privileged": true}}]}});
    let shell = json!({"object": {"kind": "PodExecOptions", "command": ["sh"], "stdin": true, "tty": true}});
    vec![
        review(
            &uid("create"),
            "CREATE",
            "pods",
            "",
            json!({"object": pod, "options": {"kind": "CreateOptions"}}),
        ),
        review(
            &uid("update"),
            "UPDATE",
            "pods",
            "",
            json!({"object": pod, "oldObject": pod, "options": {"kind": "UpdateOptions"}}),
        ),
        review(
            &uid("delete"),
            "DELETE",
            "pods",
            "",
            json!({"oldObject": pod, "options": {"kind": "DeleteOptions"}}),
        ),
        review(&uid("exec"), "CONNECT", "pods", "exec", shell),
        review(&uid("forward"), "CONNECT", "pods", "portforward", json!({"object": {"ports": [8080]}})),
        review(&uid("lease"), "UPDATE", "leases", "", json!({"object": {}})),
        review(&uid("status"), "UPDATE", "pods", "status", json!({"object": pod})),
    ]
}

#[test]
fn reviews_become_events_that_rules_match() {
    let reviewed = Reviewed::start(Some(EVERYTHING));
    let mut sender = reviewed.sender();
    for (number, review) in reviews(0).iter().chain(&reviews(0)).enumerate() {
        let answer = sender.show(review);
        assert_eq!(answer["response"]["allowed"], true, "{number}: {answer}");
    }
    let seen = [
        ("create-0", "create pods <NA> ResponseComplete 201"),
        ("delete-0", "delete pods <NA> ResponseComplete 200"),
        ("exec-0", "create pods exec ResponseStarted 101"),
        ("forward-0", "create pods portforward ResponseStarted 101"),
        ("update-0", "update pods <NA> ResponseComplete 200"),
    ];
    becomes("events", &seen.map(|(id, output)| (id.to_owned(), output.to_owned())).to_vec(), || {
        told(&reviewed)
    });
    assert_eq!((reviewed.count("ignored"), reviewed.count("reviews_lost")), (4, 0));
}

/// Audit id and output of each event, sorted.
fn told(reviewed: &Reviewed) -> Vec<(String, String)> {
    let ended = run(Command::new(tested(RECEIVER)).args(["alerts", "--store", &reviewed.receiver.store()]));
    let mut told: Vec<_> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|alert: &Value| alert["rule"] == "Everything")
        .map(|alert| {
            let output = alert["output"].as_str().unwrap();
            // Behind time and priority.
            let output = output.splitn(3, ' ').nth(2).unwrap_or(output);
            (alert["audit_id"].as_str().unwrap().to_owned(), output.to_owned())
        })
        .collect();
    told.sort();
    told
}

/// The reviews of `REVIEWS`, a file with one a line, as they are or under the key `body`; or else ours.
fn recorded() -> Vec<String> {
    let Some(path) = std::env::var_os("REVIEWS") else { return reviews(0) };
    let text = std::fs::read_to_string(path).unwrap();
    let read = |line| {
        let mut document: Value = serde_json::from_str(line).unwrap();
        if document.get("body").is_some() { document["body"].take() } else { document }.to_string()
    };
    text.lines().map(read).collect()
}

#[test]
#[ignore = "tells what becomes of the reviews in the file REVIEWS"]
fn recorded_reviews_become_events() {
    let reviewed = Reviewed::start(Some(EVERYTHING));
    let mut sender = reviewed.sender();
    let reviews = recorded();
    reviews.iter().for_each(|review| assert_eq!(sender.show(review)["response"]["allowed"], true));
    let handled = || reviewed.count("evaluated") + reviewed.count("ignored");
    becomes("reviews evaluated or left out", &(reviews.len() as u64), handled);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    becomes("alerts", &(reviewed.count("evaluated") as usize), || told(&reviewed).len());
    told(&reviewed).into_iter().for_each(|(_, output)| *kinds.entry(output).or_default() += 1);
    println!(
        "{} reviews, {} left out, {} lost",
        reviews.len(),
        reviewed.count("ignored"),
        reviewed.count("reviews_lost")
    );
    let rows = kinds.iter().map(|(kind, count)| {
        let mut row: Vec<_> = kind.split(' ').map(str::to_owned).collect();
        row.push(count.to_string());
        row
    });
    table(&["verb", "resource", "subresource", "stage", "code", "events"], &rows.collect::<Vec<_>>());
}

#[test]
#[ignore = "measures: RATE reviews a second, for SECONDS, from SENDERS connections"]
fn how_long_an_api_server_waits() {
    let size =
        |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (rate, seconds, senders) = (size("RATE", 500), size("SECONDS", 2), size("SENDERS", 8));
    let total = rate * seconds;
    let reviewed = Reviewed::start(None);
    let begun = Instant::now();
    let mut waited: Vec<Duration> = thread::scope(|scope| {
        let sending: Vec<_> = (0..senders)
            .map(|first| {
                let mut sender = reviewed.sender();
                scope.spawn(move || {
                    let mut waited = Vec::new();
                    for number in (first..total).step_by(senders) {
                        let all = reviews(number);
                        // Reviews come when they come: what a slow answer delays counts as waiting.
                        let due = begun + Duration::from_secs_f64(number as f64 / rate as f64);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let answer = sender.show(&all[number % all.len()]);
                        waited.push(due.elapsed());
                        assert_eq!(answer["response"]["allowed"], true, "{answer}");
                    }
                    waited
                })
            })
            .collect();
        sending.into_iter().flat_map(|sending| sending.join().unwrap()).collect()
    });
    let took = begun.elapsed();
    becomes("reviews accounted for", &(total as u64), || {
        reviewed.count("evaluated") + reviewed.count("ignored") + reviewed.count("reviews_lost")
    });
    let settled = begun.elapsed();
    waited.sort();
    let share = |share: f64| waited[((waited.len() - 1) as f64 * share) as usize];
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
    table(
        &[
            "reviews/s",
            "reviews",
            "lost",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "all evaluated after s",
        ],
        &[vec![
            format!("{:.0}", total as f64 / took.as_secs_f64()),
            total.to_string(),
            reviewed.count("reviews_lost").to_string(),
            ms(share(0.5)),
            ms(share(0.9)),
            ms(share(0.99)),
            ms(share(0.999)),
            ms(share(1.0)),
            format!("{:.1}", settled.as_secs_f64()),
        ]],
    );
}

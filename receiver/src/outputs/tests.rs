use std::sync::Mutex;

use audit_service::metrics::Metrics;
use futures_util::StreamExt;
use uuid::Uuid;

use super::*;
use crate::store::{Alert, Batch, Location, Route};

/// Fails every other time, after writing.
#[derive(Clone, Default)]
struct Flaky {
    written: Arc<Mutex<Vec<String>>>,
    attempts: u32,
}

impl Output for Flaky {
    fn name(&self) -> &str {
        "flaky"
    }

    async fn write(&mut self, alerts: &[Waiting]) -> Progress {
        self.attempts += 1;
        self.written.lock().unwrap().extend(alerts.iter().map(|alert| alert.document.clone()));
        let failed = self.attempts % 2 == 1;
        Progress::all_or_none(alerts, if failed { Err(io::Error::other("no reader")) } else { Ok(()) })
    }
}

fn batch(ids: std::ops::Range<u128>) -> Batch {
    let alerts =
        ids.map(|id| Alert { id: Uuid::from_u128(id), document: format!("{id:03}"), ..Alert::default() });
    Batch { alerts: alerts.collect(), ..Batch::default() }
}

#[tokio::test]
async fn every_alert_is_written_at_least_once_whatever_fails() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("alerts.db"));
    let store = Store::open(&location, vec!["flaky".into()]).await.unwrap();
    let output = Flaky::default();
    let written = output.written.clone();
    let counters = Arc::new(Counters::new(&Metrics::new("test", "0")));
    let shutdown = Shutdown::new();
    // Some before it starts, some while it runs.
    store.record(batch(0..100)).await.unwrap();
    let feeding = tokio::spawn(feed(output, store.clone(), counters, shutdown.clone()));
    store.record(batch(100..150)).await.unwrap();
    while !store.waiting("flaky", 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shutdown.request();
    feeding.await.unwrap();
    let mut written = written.lock().unwrap().clone();
    assert!(written.len() > 150, "an attempt that failed is repeated");
    written.sort_unstable();
    written.dedup();
    assert_eq!(written, (0..150).map(|id| format!("{id:03}")).collect::<Vec<_>>());
}

/// A server that answers what `answer` says to the text of each body, and keeps those that it takes.
async fn server(
    answer: impl Fn(&str) -> u16 + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<(Option<String>, String)>>>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (answer, keep) = (Arc::new(answer), taken.clone());
    let handler = move |headers: axum::http::HeaderMap, body: String| {
        let (answer, keep) = (answer.clone(), keep.clone());
        async move {
            let status = axum::http::StatusCode::from_u16(answer(&body)).unwrap();
            if status.is_success() {
                let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                keep.lock().unwrap().push((token, body));
            }
            status
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/", axum::routing::post(handler));
    let limits = audit_service::http::Limits::default();
    tokio::spawn(audit_service::http::serve(listener, None, router, limits, Shutdown::new()));
    (url, taken)
}

fn http(url: &str, more: &str) -> Http {
    audit_service::tls::install();
    let config: config::Http =
        serde_json::from_str(&format!("{{\"url\":\"{url}\",\"in_flight\":3{more}}}")).unwrap();
    Http::new("http/test".into(), config).unwrap()
}

fn waiting(ids: std::ops::Range<u128>) -> Vec<Waiting> {
    ids.map(|id| Waiting {
        seq: id as i64,
        id: Uuid::from_u128(id),
        document: format!("{{\"rule\":\"{id:03}\"}}"),
    })
    .collect()
}

#[tokio::test]
async fn a_refused_alert_stands_in_nobodys_way_and_a_server_in_trouble_keeps_all() {
    let (url, taken) = server(|body| if body.contains("003") { 400 } else { 200 }).await;
    for form in ["falco", "alertmanager", "otlp"] {
        let progress = http(&url, &format!(",\"form\":\"{form}\"")).write(&waiting(0..10)).await;
        assert_eq!((progress.written.len(), progress.refused[0].0), (9, 3), "{form}");
        assert!(progress.refused[0].1.contains("400") && progress.failed.is_none());
    }
    assert_eq!(
        taken.lock().unwrap()[..9].iter().filter(|(_, body)| body.starts_with("{\"rule\"")).count(),
        9
    );
    for status in [301, 401, 404, 429, 500, 503] {
        let (url, _) = server(move |_| status).await;
        let progress = http(&url, "").write(&waiting(0..10)).await;
        assert!(progress.written.is_empty() && progress.refused.is_empty(), "{status}");
        assert!(progress.failed.unwrap().0.contains(&status.to_string()));
    }
    let progress = http("http://127.0.0.1:1/secret", "").write(&waiting(0..1)).await;
    assert!(!progress.failed.as_ref().unwrap().0.contains("secret"), "{progress:?}");
}

#[tokio::test]
async fn an_answer_is_read_to_its_end() {
    let handler = move || {
        let pieces = [r#"{"partialSuccess":{"#, r#""rejectedLogRecords":"1","errorMessage":"odd"}}"#];
        let pieces = futures_util::stream::iter(pieces).then(async |piece| {
            // Each is sent before the next is there.
            tokio::task::yield_now().await;
            Ok::<_, io::Error>(piece)
        });
        std::future::ready(axum::body::Body::from_stream(pieces))
    };
    let router = axum::Router::new().route("/", axum::routing::post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(audit_service::http::serve(listener, None, router, Default::default(), Shutdown::new()));
    let progress = http(&url, r#","form":"otlp""#).write(&waiting(0..1)).await;
    assert_eq!(progress.refused, [(0, "odd".to_owned())]);
}

#[tokio::test]
async fn a_token_is_read_for_each_request() {
    let (url, taken) = server(|_| 204).await;
    let token = tempfile::NamedTempFile::new().unwrap();
    let mut output = http(&url, &format!(",\"token_file\":\"{}\"", token.path().display()));
    assert!(output.write(&waiting(0..1)).await.failed.unwrap().0.contains("is empty"));
    for secret in ["one", "two"] {
        std::fs::write(token.path(), secret).unwrap();
        output.write(&waiting(0..1)).await;
    }
    let tokens: Vec<_> = taken.lock().unwrap().iter().filter_map(|(token, _)| token.clone()).collect();
    assert_eq!(tokens, ["Bearer one", "Bearer two"]);
}

#[tokio::test]
async fn a_server_is_known_by_its_certificate_and_told_what_files_hold() {
    audit_service::tls::install();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let tls = audit_service::tls::ServerFiles {
        certificate_file: file("tls.crt", &made.cert.pem()),
        key_file: file("tls.key", &made.signing_key.serialize_pem()),
        client_ca_file: None,
        client_certificate: Default::default(),
    };
    let key = file("key", "secret\n");
    let handler = async |headers: axum::http::HeaderMap| {
        let known = headers["x-key"] == "secret" && headers["x-team"] == "blue";
        if known { axum::http::StatusCode::OK } else { axum::http::StatusCode::BAD_REQUEST }
    };
    let router = axum::Router::new().route("/", axum::routing::post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let acceptor = Some(audit_service::tls::Acceptor::new(tls).unwrap());
    tokio::spawn(audit_service::http::serve(listener, acceptor, router, Default::default(), Shutdown::new()));
    let more = format!(r#","headers":{{"x-team":"blue"}},"header_files":{{"x-key":"{}"}}"#, key.display());
    let stranger = http(&url, &more).write(&waiting(0..1)).await;
    assert!(stranger.failed.unwrap().0.contains("certificate"));
    let trusting = format!(r#"{more},"tls":{{"ca_file":"{}"}}"#, folder.path().join("tls.crt").display());
    assert_eq!(http(&url, &trusting).write(&waiting(0..3)).await.written, [0, 1, 2]);
}

#[tokio::test]
async fn what_waits_and_what_is_refused_is_counted_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("alerts.db"));
    let only = Only { clusters: vec!["prod".to_owned()], ..Only::default() };
    let routes = vec![Route { output: "http/test".into(), only, group: None }, "stdout".into()];
    let store = Store::open(&location, routes).await.unwrap();
    let mut alerts = batch(0..20);
    alerts.alerts.iter_mut().take(10).for_each(|alert| alert.cluster = "prod".to_owned());
    store.record(alerts).await.unwrap();
    let (url, _) = server(|body| if body == "003" { 422 } else { 200 }).await;
    let counters = Arc::new(Counters::new(&Metrics::new("test", "0")));
    let shutdown = Shutdown::new();
    let feeding = tokio::spawn(feed(http(&url, ",\"rate\":7"), store.clone(), counters, shutdown.clone()));
    while !store.waiting("http/test", 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shutdown.request();
    feeding.await.unwrap();
    let backlogs = store.backlogs().await.unwrap();
    let counts: Vec<_> = backlogs.iter().map(|backlog| (backlog.waiting, backlog.refused)).collect();
    assert_eq!(counts, [(0, 1), (20, 0)]);
    assert_eq!(crate::store::retry(&location, "http/test").await, Ok(1));
    assert_eq!(store.waiting("http/test", 9).await.unwrap()[0].document, "003");
    assert!(backlogs[0].oldest.is_none() && backlogs[1].oldest.is_some());
}

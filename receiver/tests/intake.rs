//! The HTTP contract of the intake, over its router with a real store.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test that fails here fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit_receiver::evaluate::Evaluator;
use audit_receiver::intake::{self, Access, Intake, Limits, TokenFile};
use audit_receiver::metrics::Counters;
use audit_receiver::rules::Rules;
use audit_receiver::store::{self, ActivityFilter, Filter, Location, Store};
use audit_rules::{Matching, Options, SourceFile};
use audit_service::metrics::Metrics;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

const RULE: &str = "
- rule: Create
  desc: d
  condition: ka.verb = create
  output: created in %ka.cluster.name
  priority: WARNING
  source: k8s_audit
";

struct Receiver {
    folder: tempfile::TempDir,
    store: Store,
    metrics: Metrics,
    router: Router,
}

impl Receiver {
    async fn start() -> Self {
        Self::with(Access::Open, Limits::new(1 << 20, 4 << 20, Duration::from_secs(30))).await
    }

    async fn with(access: Access, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&Location::Sqlite(database(folder.path())), vec!["stdout".into()]).await.unwrap();
        let rules = [SourceFile { name: "r.yaml".to_owned(), text: RULE.to_owned() }];
        let rules = Rules::of(audit_rules::load(&rules, &Options::default()), Matching::First).unwrap();
        let metrics = Metrics::new("audit-receiver", "0");
        let router = intake::router(Arc::new(Intake {
            pace: None,
            fresh: Default::default(),
            ids: Default::default(),
            access,
            limits,
            evaluator: Arc::new(Evaluator::new(rules, "host".to_owned()).with_native(true)),
            workers: Arc::new(Semaphore::new(2)),
            store: store.clone(),
            counters: Arc::new(Counters::new(&metrics)),
            admission: None,
        }));
        Self { folder, store, metrics, router }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.respond(request).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        self.send(Request::post(path).body(body.into()).unwrap()).await
    }

    async fn stored(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let each = |document: String| {
            all.push(serde_json::from_str(&document).unwrap());
            true
        };
        self.store.alerts(&Filter::default(), each).await.unwrap();
        all
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("alerts.db")
}

fn event(id: &str, verb: &str) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": "ResponseComplete", "verb": verb,
        "stageTimestamp": "2026-01-02T03:04:05.000006Z", "annotations": {"cluster_name": "own"},
    })
}

fn answer(received: usize, ignored: usize, alerts: usize) -> Value {
    json!({"received": received, "evaluated": received - ignored, "ignored": ignored, "quarantined": [], "alerts": alerts})
}

#[tokio::test]
async fn every_shape_is_taken_on_the_path_alone() {
    let receiver = Receiver::start().await;
    let mut item = event("list", "create");
    item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [item]});
    let mut rooted = event("rooted", "create");
    rooted["openshift"] = json!({"cluster_id": "x"});
    let mut beta = event("beta", "create");
    beta["apiVersion"] = "audit.k8s.io/v1beta1".into();
    let lines = format!("{}\n{}", event("line 1", "create"), event("line 2", "get"));
    let mixed = json!([event("array", "create"), {"kind": "Pod"}, [list.clone()]]);
    for (body, expected) in [
        (list.to_string(), answer(1, 0, 1)),
        (event("single", "create").to_string(), answer(1, 0, 1)),
        (rooted.to_string(), answer(1, 0, 1)),
        (beta.to_string(), answer(1, 0, 1)),
        (lines, answer(2, 0, 1)),
        // The list's event is known by now.
        (mixed.to_string(), answer(3, 1, 1)),
        (
            json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []}).to_string(),
            answer(0, 0, 0),
        ),
    ] {
        assert_eq!(
            receiver.post("/k8s_audit?timeout=30s", body.clone()).await,
            (StatusCode::OK, expected),
            "{body}"
        );
    }
    let alerts = receiver.stored().await;
    assert_eq!(alerts.len(), 6);
    assert!(alerts.iter().all(|alert| alert["cluster"] == "own"));
}

#[tokio::test]
async fn what_is_sent_again_raises_nothing_again() {
    let receiver = Receiver::start().await;
    let body = json!([event("a", "create"), event("b", "create")]).to_string();
    assert_eq!(receiver.post("/k8s_audit", body.clone()).await.1["alerts"], 2);
    assert_eq!(receiver.post("/k8s_audit", body).await.1["alerts"], 0);
    assert_eq!(receiver.stored().await.len(), 2);
}

#[tokio::test]
async fn the_path_names_the_cluster_whatever_the_event_says() {
    let receiver = Receiver::start().await;
    receiver.post("/k8s_audit/pr%C3%B6d?timeout=30s", event("a", "create").to_string()).await;
    let alerts = receiver.stored().await;
    assert_eq!(
        (&alerts[0]["cluster"], &alerts[0]["output_fields"]["ka.cluster.name"]),
        (&json!("pröd"), &json!("pröd"))
    );
}

#[tokio::test]
async fn broken_bodies_are_refused_whole_with_the_place() {
    let receiver = Receiver::start().await;
    let whole =
        json!({"items": [event("a", "create"), event("b", "create")], "kind": "EventList"}).to_string();
    for (body, offset) in [(&whole[..whole.len() - 1], whole.len() - 1), ("{]", 1), ("", 0), (" \n", 0)] {
        let (status, problem) = receiver.post("/k8s_audit", body.to_owned()).await;
        assert_eq!(
            (status, &problem["offset"]),
            (StatusCode::BAD_REQUEST, &json!(offset)),
            "{body}: {problem}"
        );
    }
    assert_eq!(receiver.stored().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_bad_event_among_good_ones_is_kept_and_told() {
    let receiver = Receiver::start().await;
    let body = json!([event("a", "create"), {"kind": "Event"}, event("b", "create")]);
    let (status, answer) = receiver.post("/k8s_audit", body.to_string()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&answer["evaluated"], &answer["alerts"], &answer["quarantined"][0]["index"]),
        (&json!(2), &json!(3), &json!(1))
    );
    let metrics = receiver.metrics.encode();
    for line in ["received_total 3", "evaluated_total 2", "ignored_total 0", "quarantined_total 1"] {
        assert!(metrics.contains(&format!("audit_receiver_{line}\n")), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn a_bridges_records_are_kept_and_raise_one_alert() {
    let receiver = Receiver::start().await;
    let records = json!({"records": [{"reason": "cut", "source": "logs/x", "record": "{\"kind\":"}]});
    assert_eq!(
        receiver.post("/quarantine", records.to_string()).await,
        (StatusCode::OK, json!({"quarantined": 1}))
    );
    receiver.post("/quarantine", records.to_string()).await;
    let alerts = receiver.stored().await;
    assert_eq!((alerts.len(), &alerts[0]["rule"]), (1, &json!("Unreadable audit event")));
    let (status, problem) =
        receiver.post("/quarantine", json!({"records": [{"source": "x"}]}).to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["error"].as_str().unwrap().starts_with("record 0: "), "{problem}");
}

#[tokio::test]
async fn records_are_within_the_bounds_of_bodies() {
    let receiver = Receiver::start().await;
    let records = vec![json!({"reason": "", "source": "", "record": 0}); 20_000];
    let (status, problem) = receiver.post("/quarantine", json!({"records": records}).to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["error"].as_str().unwrap().contains("too many records"), "{problem}");
    assert_eq!(receiver.stored().await, Vec::<Value>::new());
}

#[tokio::test]
async fn methods_and_paths_are_told_apart() {
    let receiver = Receiver::start().await;
    let get = Request::get("/k8s_audit").body(Body::empty()).unwrap();
    assert_eq!(receiver.send(get).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(receiver.post("/", "{}").await.0, StatusCode::NOT_FOUND);
    let long = format!("/k8s_audit/{}", "a".repeat(257));
    assert_eq!(receiver.post(&long, "{}").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_stranger_is_refused_before_the_body_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, "secret\n").unwrap();
    let access = Access::known(vec![TokenFile { file, cluster: "prod".into() }]).unwrap();
    let receiver = Receiver::with(access, Limits::new(1 << 20, 4 << 20, Duration::from_secs(30))).await;
    let never = || Body::from_stream(futures_util::stream::pending::<std::io::Result<&'static str>>());
    let refused = receiver.respond(Request::post("/k8s_audit").body(never()).unwrap()).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers().contains_key("www-authenticate"));
    let known = |path: &str, body: Body| {
        Request::post(path).header("authorization", "Bearer secret").body(body).unwrap()
    };
    assert_eq!(receiver.send(known("/k8s_audit/dev", never())).await.0, StatusCode::FORBIDDEN);
    let body = event("a", "create").to_string();
    assert_eq!(receiver.send(known("/k8s_audit", body.into())).await.0, StatusCode::OK);
    assert_eq!(receiver.stored().await[0]["cluster"], "prod");
}

#[tokio::test]
async fn too_much_is_refused_in_the_words_of_http() {
    let receiver = Receiver::with(Access::Open, Limits::new(1000, 64 << 10, Duration::from_secs(30))).await;
    let large = " ".repeat(1001);
    assert_eq!(receiver.post("/k8s_audit", large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let foreign = Request::post("/k8s_audit").header("content-encoding", "br").body(Body::from("x")).unwrap();
    assert_eq!(receiver.send(foreign).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    let receiver = Receiver::with(Access::Open, Limits::new(1 << 20, 1, Duration::from_secs(30))).await;
    let busy = receiver.respond(Request::post("/k8s_audit").body(Body::from("{}")).unwrap()).await;
    assert_eq!(busy.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(busy.headers()["retry-after"], "2");
}

#[tokio::test]
async fn what_can_not_be_stored_is_not_acknowledged() {
    let receiver = Receiver::start().await;
    std::fs::remove_file(database(receiver.folder.path())).unwrap();
    for _ in 0..2 {
        let request = Request::post("/k8s_audit").body(Body::from(event("a", "create").to_string())).unwrap();
        let refused = receiver.respond(request).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "2");
    }
    // Once it is known, nothing is taken, also what would store nothing.
    assert_eq!(
        receiver.post("/k8s_audit", event("a", "get").to_string()).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn activity_is_joined_from_its_stages_in_any_order() {
    let receiver = Receiver::start().await;
    for stage in ["ResponseComplete", "ResponseStarted", "ResponseComplete"] {
        let mut event = event("exec", "get");
        event["stage"] = stage.into();
        event["requestURI"] = "/api/v1/namespaces/web/pods/p/exec?command=id".into();
        event["objectRef"] =
            json!({"resource": "pods", "subresource": "exec", "namespace": "web", "name": "p"});
        event["requestReceivedTimestamp"] = "2026-01-02T03:04:04Z".into();
        assert_eq!(receiver.post("/k8s_audit", event.to_string()).await.0, StatusCode::OK);
    }
    let location = Location::Sqlite(database(receiver.folder.path()));
    let all = |namespace: &str| ActivityFilter {
        namespace: Some(namespace.to_owned()),
        ..ActivityFilter::default()
    };
    let shown = store::activity(&location, &all("web")).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].ended.unwrap() - shown[0].started, 1_000_006_000);
    assert!(shown[0].document.contains(r#""command":"id""#), "{}", shown[0].document);
    assert_eq!(store::activity(&location, &all("db")).await.unwrap(), []);
}

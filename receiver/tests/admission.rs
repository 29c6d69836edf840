//! Reviews of clusters without an audit log, over the router with a real store.

#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::sync::Arc;
use std::time::Duration;

use audit_receiver::evaluate::Evaluator;
use audit_receiver::intake::{self, Access, Admission, AdmissionOptions, Intake, Limits, TokenFile, Worker};
use audit_receiver::metrics::Counters;
use audit_receiver::rules::Rules;
use audit_receiver::store::{Filter, Location, Store};
use audit_rules::{Matching, Options, SourceFile};
use audit_service::config::Bytes;
use audit_service::metrics::Metrics;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// As Falco's shipped rules ask: a command in a pod begins with a `create`.
const RULE: &str = "
- rule: Exec
  desc: d
  condition: ka.stage = ResponseStarted and ka.verb = create and ka.target.subresource = exec and ka.response.code = 101
  output: '%ka.uri.param[command] in %ka.cluster.name'
  priority: WARNING
  source: k8s_audit
";

struct Receiver {
    folder: tempfile::TempDir,
    store: Store,
    metrics: Metrics,
    router: Option<Router>,
    workers: Arc<Semaphore>,
    reviewers: JoinSet<()>,
}

impl Receiver {
    async fn start(queue: Bytes) -> Self {
        Self::start_within(queue, Limits::new(1 << 20, 4 << 20, Duration::from_secs(30))).await
    }

    async fn start_within(queue: Bytes, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&Location::Sqlite(folder.path().join("alerts.db")), Vec::new()).await.unwrap();
        let rules = [SourceFile { name: "r.yaml".to_owned(), text: RULE.to_owned() }];
        let rules = Rules::of(audit_rules::load(&rules, &Options::default()), Matching::First).unwrap();
        let metrics = Metrics::new("audit-receiver", "0");
        let worker = Worker {
            fresh: Default::default(),
            // What is lost is told whatever else is not.
            evaluator: Arc::new(Evaluator::new(rules, "host".to_owned()).with_native(false)),
            workers: Arc::new(Semaphore::new(2)),
            store: store.clone(),
            counters: Arc::new(Counters::new(&metrics)),
        };
        let secret = |cluster: &str| {
            let file = folder.path().join(cluster);
            std::fs::write(&file, format!("secret-of-{cluster}")).unwrap();
            TokenFile { file, cluster: cluster.into() }
        };
        let options =
            AdmissionOptions { secrets: vec![secret("edge"), secret("other")], queue, ..Default::default() };
        let (admission, reviewers) = Admission::new(&options, &Default::default(), &worker).unwrap();
        let workers = worker.workers.clone();
        let router = intake::router(Arc::new(Intake {
            pace: None,
            fresh: Default::default(),
            ids: Default::default(),
            access: Access::known(Vec::new()).unwrap(),
            limits,
            evaluator: worker.evaluator,
            workers: worker.workers,
            store: worker.store,
            counters: worker.counters,
            admission: Some(admission),
        }));
        Self { folder, store, metrics, router: Some(router), workers, reviewers }
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post(path).body(body.into()).unwrap();
        let response = self.router.clone().unwrap().oneshot(request).await.unwrap();
        // The API server would wait and try again, and its user with it.
        assert!(!response.headers().contains_key("retry-after"), "{response:?}");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Closes the door, waits for what waits, and gives the alerts.
    async fn finish(&mut self) -> Vec<Value> {
        self.router = None;
        while let Some(ended) = self.reviewers.join_next().await {
            ended.unwrap();
        }
        let mut all = Vec::new();
        let each = |document: String| {
            all.push(serde_json::from_str(&document).unwrap());
            true
        };
        self.store.alerts(&Filter::default(), each).await.unwrap();
        all
    }

    fn counts(&self, line: &str) -> bool {
        self.metrics.encode().contains(&format!("audit_receiver_{line}\n"))
    }
}

fn review(uid: &str, resource: &str, sub: &str) -> String {
    let kind = json!({"group": "", "version": "v1", "resource": resource});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": uid, "operation": "CONNECT", "resource": kind, "requestResource": kind, "requestSubResource": sub,
        "subResource": sub, "name": "a", "namespace": "n", "userInfo": {"username": "eve"}, "dryRun": false,
        "object": {"command": ["sh"], "stdin": true}, "oldObject": null, "options": null}})
    .to_string()
}

#[tokio::test]
async fn a_review_is_allowed_and_alerts_once_however_often_it_is_shown() {
    let mut receiver = Receiver::start(Bytes::mib(1)).await;
    let allowed = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "response": {"allowed": true, "uid": "u1"}});
    for _ in 0..3 {
        let answer =
            receiver.post("/admission/secret-of-edge?timeout=3s", review("u1", "pods", "exec")).await;
        assert_eq!(answer, (StatusCode::OK, allowed.clone()));
    }
    receiver.post("/admission/secret-of-other", review("u1", "pods", "exec")).await;
    receiver.post("/admission/secret-of-edge", review("u2", "pods", "portforward")).await;
    receiver.post("/admission/secret-of-edge", review("u3", "pods", "status")).await;
    let alerts = receiver.finish().await;
    let mut clusters: Vec<_> = alerts.iter().map(|alert| alert["cluster"].as_str().unwrap()).collect();
    clusters.sort_unstable();
    assert_eq!(clusters, ["edge", "other"], "{alerts:?}");
    assert_eq!((&alerts[0]["audit_id"], &alerts[0]["stage"]), (&json!("u1"), &json!("ResponseStarted")));
    assert!(alerts[0]["output"].as_str().unwrap().contains("sh in "), "{}", alerts[0]);
    assert!(receiver.counts("received_total 6") && receiver.counts("evaluated_total 5"));
    assert!(receiver.counts("ignored_total 1"));
}

#[tokio::test]
async fn strangers_and_other_bodies_are_refused_and_what_the_latter_tell_is_lost() {
    let mut receiver = Receiver::start(Bytes::mib(1)).await;
    for path in ["/admission/wrong", "/admission/", "/admission"] {
        assert_eq!(receiver.post(path, review("u", "pods", "exec")).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for body in ["", "{", "{}"] {
        assert_eq!(
            receiver.post("/admission/secret-of-edge", body).await.0,
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    let mut lost = 0;
    for alert in receiver.finish().await {
        assert_eq!(
            (&alert["rule"], &alert["cluster"]),
            (&json!("Admission reviews lost"), &json!("edge")),
            "{alert}"
        );
        lost += alert["output_fields"]["reviews.lost"].as_u64().unwrap();
    }
    assert_eq!(lost, 3);
    assert!(receiver.counts("reviews_lost_total{cluster=\"edge\"} 3"));
}

#[tokio::test]
async fn a_flood_is_answered_counted_and_told_and_pushes_out_no_other_cluster() {
    let mut receiver = Receiver::start(Bytes(4000)).await;
    // Nothing is evaluated meanwhile.
    let busy = receiver.workers.clone().acquire_many_owned(2).await.unwrap();
    let mut lost = 0;
    for number in 0..50 {
        let (status, answer) =
            receiver.post("/admission/secret-of-edge", review(&number.to_string(), "pods", "exec")).await;
        assert_eq!((status, &answer["response"]["allowed"]), (StatusCode::OK, &json!(true)));
    }
    receiver.post("/admission/secret-of-other", review("calm", "pods", "exec")).await;
    drop(busy);
    let alerts = receiver.finish().await;
    assert!(alerts.iter().any(|alert| alert["cluster"] == "other" && alert["audit_id"] == "calm"));
    let raised = alerts.iter().filter(|alert| alert["cluster"] == "edge" && alert["rule"] == "Exec").count();
    for alert in alerts.iter().filter(|alert| alert["rule"] == "Admission reviews lost") {
        assert_eq!((&alert["cluster"], &alert["priority"]), (&json!("edge"), &json!("Critical")));
        lost += alert["output_fields"]["reviews.lost"].as_u64().unwrap();
    }
    assert!(raised > 0 && lost > 0, "{raised} raised, {lost} lost");
    assert_eq!(raised as u64 + lost, 50);
    assert!(receiver.counts(&format!("reviews_lost_total{{cluster=\"edge\"}} {lost}")));
    assert!(receiver.folder.path().exists());
}

#[tokio::test]
async fn what_can_not_be_read_is_refused_at_once_counted_and_told() {
    let no_memory = Limits::new(1 << 20, 0, Duration::from_secs(30));
    let mut receiver = Receiver::start_within(Bytes::mib(1), no_memory).await;
    let (status, _) = receiver.post("/admission/secret-of-edge", review("u", "pods", "exec")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let (status, _) = receiver.post("/admission/wrong", review("u", "pods", "exec")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let alerts = receiver.finish().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["rule"], "Admission reviews lost");
    assert_eq!(alerts[0]["output_fields"]["reviews.lost"], 1);
    assert!(receiver.counts("reviews_lost_total{cluster=\"edge\"} 1"));
}

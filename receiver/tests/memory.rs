//! Hostile bodies cost bounded memory. In a process of its own, because the measure is the process's peak.

#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::GzipEncoder;
use audit_receiver::evaluate::Evaluator;
use audit_receiver::intake::{self, Access, Intake, Limits};
use audit_receiver::metrics::Counters;
use audit_receiver::rules::Rules;
use audit_receiver::store::{Location, Store};
use audit_rules::Matching;
use audit_service::metrics::Metrics;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::sync::Semaphore;
use tower::ServiceExt;

const LIMIT: usize = 64 << 20;

const HEAD: &str = r#"{"kind":"Event","auditID":"1","stage":"ResponseComplete","verb":"create","stageTimestamp":"2026-01-02T03:04:05Z","requestObject":"#;

/// A body that is never in memory as a whole on this side.
fn streamed(head: &str, middle: &'static str, times: usize, tail: &str) -> Body {
    let ends = |text: &str| std::iter::once(Bytes::copy_from_slice(text.as_bytes()));
    let per_piece = 100_000 / middle.len();
    let piece = Bytes::from(middle.repeat(per_piece));
    let pieces = ends(head).chain(std::iter::repeat_n(piece, times / per_piece)).chain(ends(tail));
    Body::from_stream(futures_util::stream::iter(pieces.map(std::io::Result::Ok)))
}

async fn post(router: &Router, path: &str, encoding: &str, body: Body) -> StatusCode {
    let request = Request::post(path).header("content-encoding", encoding).body(body).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn peak_memory_is_a_small_multiple_of_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::Sqlite(folder.path().join("alerts.db")), Vec::new()).await.unwrap();
    let router = intake::router(Arc::new(Intake {
        pace: None,
        fresh: Default::default(),
        ids: Default::default(),
        access: Access::Open,
        limits: Limits::new(LIMIT, 4 * LIMIT, Duration::from_secs(300)),
        evaluator: Arc::new(Evaluator::new(Rules::load(&[], Matching::All).unwrap(), String::new())),
        workers: Arc::new(Semaphore::new(2)),
        store,
        counters: Arc::new(Counters::new(&Metrics::new("audit-receiver", "0"))),
        admission: None,
    }));
    let before = peak();

    // One event of 60 MB; with a cluster of the path it is copied to carry the name.
    let large = || streamed(&format!("{HEAD}\""), "0123456789", 6_000_000, "\"}");
    assert_eq!(post(&router, "/k8s_audit", "identity", large()).await, StatusCode::OK);
    assert_eq!(post(&router, "/k8s_audit/prod", "identity", large()).await, StatusCode::OK);

    // As deep as it is long.
    let deep = streamed(HEAD, "[", 30_000_000, &format!("{}}}", "]".repeat(30_000_000)));
    assert_eq!(post(&router, "/k8s_audit", "identity", deep).await, StatusCode::OK);
    let deep = streamed("", r#"{"items":["#, 5_000_000, "");
    assert_eq!(post(&router, "/k8s_audit", "identity", deep).await, StatusCode::BAD_REQUEST);

    // As many entries as there can be.
    let many = streamed("[0", ",0", 25_000_000, "]");
    assert_eq!(post(&router, "/k8s_audit", "identity", many).await, StatusCode::BAD_REQUEST);

    // A thousand times larger than what was sent.
    let mut bomb = Vec::new();
    GzipEncoder::new(BufReader::new(tokio::io::repeat(b' ').take(100 << 20)))
        .read_to_end(&mut bomb)
        .await
        .unwrap();
    assert_eq!(post(&router, "/k8s_audit", "gzip", bomb.into()).await, StatusCode::PAYLOAD_TOO_LARGE);

    let grown = peak() - before;
    assert!(grown < 3 * LIMIT, "{} MiB", grown >> 20);
}

//! The admin port: what operators and probes ask.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::health::Health;
use crate::http::{self, Limits};
use crate::metrics::{self, Metrics};
use crate::shutdown::Shutdown;

/// Serves `/healthz` (200 while the process answers), `/readyz` (200 `ok`, or 503 with a line `NAME: REASON`
/// for each condition that is not met), `/metrics`, and the routes of `extra`, in plain HTTP until `shutdown`:
/// one of its own, requested last, keeps probes and scrapes answered while everything else drains.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    extra: Router,
    shutdown: Shutdown,
) {
    http::serve(listener, None, router(health, metrics).merge(extra), Limits::default(), shutdown).await;
}

/// The routes by themselves, without those that a binary adds.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readyz(&health)))
        .route(
            "/metrics",
            get(async move || ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.encode())),
        )
}

fn readyz(health: &Health) -> impl IntoResponse + use<> {
    let failing = health.failing();
    if failing.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let lines =
        failing.iter().map(|(name, reason)| format!("{name}: {}\n", reason.replace('\n', " "))).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use axum::Router;
    use axum::routing::get;

    use crate::{health::Health, listen, metrics::Metrics, shutdown::Shutdown};

    #[tokio::test]
    async fn answers_probes_scrapes_and_extra_routes() {
        let (health, shutdown) = (Health::new(), Shutdown::new());
        let store = health.condition("store");
        let listener = listen::bind("admin", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let extra = Router::new().route("/extra", get(async || "more"));
        let metrics = Metrics::new("audit-receiver", "1");
        let serving = tokio::spawn(super::serve(listener, health, metrics, extra, shutdown.clone()));

        let client = crate::client::Client::new("test", &crate::client::Options::default()).unwrap().get();
        let ask = async |path: &str| {
            let answer = client.get(format!("{base}{path}")).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(ask("/healthz").await, (200, "ok\n".into()));
        assert_eq!(ask("/readyz").await, (503, "store: starting\n".into()));
        store.not_ready("disk full:\n0 bytes left");
        assert_eq!(ask("/readyz").await, (503, "store: disk full: 0 bytes left\n".into()));
        store.ready();
        assert_eq!(ask("/readyz").await, (200, "ok\n".into()));
        assert!(ask("/metrics").await.1.contains("build_info"));
        assert_eq!(ask("/extra").await, (200, "more".into()));
        assert_eq!(ask("/absent").await.0, 404);

        shutdown.request();
        serving.await.unwrap();
    }
}

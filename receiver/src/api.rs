//! What the receiver tells programs and pages on its admin port: JSON, read only. `openapi.json` describes it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use audit_service::config::SecretFile;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::evaluate::Evaluator;
use crate::freshness::Freshness;
use crate::outputs;
use crate::store::{AlertsWanted, Store, StoreError};

/// The description of the API.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Most entries of a page.
const MOST: u32 = 1000;

/// Entries of a page unless others are asked for.
const USUAL: u32 = 100;

/// What answers are made from.
#[derive(Debug)]
pub struct Api {
    /// Where what is told is kept.
    pub store: Store,
    /// Knows the rules in use.
    pub evaluator: Arc<Evaluator>,
    /// Knows which clusters should be heard of.
    pub fresh: Arc<Freshness>,
    /// The outputs that are configured.
    pub outputs: Vec<Arc<str>>,
    /// Holds the token that requests must bear. Without one only this machine may ask, if the port is its own.
    pub token: Option<SecretFile>,
    /// Where the port is.
    pub listen: SocketAddr,
}

/// The routes.
pub fn router(api: Api) -> Router {
    let api = Arc::new(api);
    Router::new()
        .route("/api/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], OPENAPI)))
        .route("/api/v1/alerts", get(alerts))
        .route("/api/v1/activity", get(activity))
        .route("/api/v1/clusters", get(clusters))
        .route("/api/v1/rules", get(rules))
        .route("/api/v1/quarantine", get(quarantine))
        .route("/api/v1/silences", get(silences))
        .route("/api/v1/outputs", get(output_list))
        .layer(from_fn_with_state(api.clone(), guard))
        .with_state(api)
}

/// Why there is no answer.
enum Refused {
    Token,
    NoToken,
    Host,
    Parameter(&'static str),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Token => {
                (StatusCode::UNAUTHORIZED, "send the token of `admin.token_file` as bearer token".to_owned())
            }
            Self::NoToken => (
                StatusCode::FORBIDDEN,
                "other machines can reach this port: set `admin.token_file` to use the API".to_owned(),
            ),
            Self::Host => (StatusCode::FORBIDDEN, "without a token, ask for localhost".to_owned()),
            Self::Parameter(name) => (StatusCode::BAD_REQUEST, format!("`{name}` can't be read")),
            Self::Store(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        };
        (status, Json(json!({"error": error}))).into_response()
    }
}

async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Result<Response, Refused> {
    api.admit(request.headers(), request.uri())?;
    Ok(next.run(request).await)
}

impl Api {
    fn admit(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
        let Some(token) = &self.token else {
            if !self.listen.ip().is_loopback() {
                return Err(Refused::NoToken);
            }
            // A page of a stranger in a browser on this machine can ask too, but for a name of its own.
            let host = headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
                .or_else(|| uri.authority().map(|host| host.as_str()));
            return if host.is_some_and(is_this_machine) { Ok(()) } else { Err(Refused::Host) };
        };
        let token = token.read().map_err(|_| Refused::Token)?;
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().trim();
        // Comparing digests tells a guesser nothing by its time.
        if Sha256::digest(given) == Sha256::digest(token.expose()) { Ok(()) } else { Err(Refused::Token) }
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The parameters of a request.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn number(&self, name: &'static str) -> Result<Option<i64>, Refused> {
        self.text(name).map(|text| text.parse().map_err(|_| Refused::Parameter(name))).transpose()
    }

    fn limit(&self) -> Result<u32, Refused> {
        match self.number("limit")? {
            None => Ok(USUAL),
            Some(limit) => u32::try_from(limit)
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or(Refused::Parameter("limit")),
        }
    }
}

type Answer = Result<Json<Value>, Refused>;

/// A page, and what to give as `before` (or `after`) for the next one, if there may be one.
fn page(items: Vec<Value>, next: Option<Value>, limit: u32) -> Json<Value> {
    let next = next.filter(|_| items.len() == limit as usize);
    Json(json!({"items": items, "next": next}))
}

/// A page of what is known as a whole: by place in the list.
fn part(items: impl Iterator<Item = Value>, uri: &Uri) -> Answer {
    let query = Query::of(uri);
    let limit = if query.text("limit").is_some() { query.limit()? } else { MOST } as usize;
    let after = query.number("after")?.unwrap_or(0);
    let after = usize::try_from(after).map_err(|_| Refused::Parameter("after"))?;
    let mut items = items.skip(after);
    let page: Vec<_> = items.by_ref().take(limit).collect();
    let next = items.next().map(|_| after + page.len());
    Ok(Json(json!({"items": page, "next": next})))
}

fn time(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default().to_string()
}

fn read(document: &str) -> Value {
    serde_json::from_str(document).unwrap_or_default()
}

async fn alerts(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let query = Query::of(&uri);
    let (before, limit) = (query.number("before")?.unwrap_or(i64::MAX), query.limit()?);
    let wanted =
        AlertsWanted { rule: query.text("rule"), cluster: query.text("cluster"), user: query.text("user") };
    let stored = api.store.page(before, &wanted, limit).await?;
    let next = stored.last().map(|last| last.seq.into());
    let items = stored.iter().map(
        |stored| json!({"number": stored.seq, "silence": stored.silenced, "alert": read(&stored.document)}),
    );
    Ok(page(items.collect(), next, limit))
}

async fn activity(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let query = Query::of(&uri);
    let limit = query.limit()?;
    let (before, id) = match query.text("before") {
        None => (i64::MAX, String::new()),
        Some(place) => place
            .split_once('.')
            .and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())))
            .ok_or(Refused::Parameter("before"))?,
    };
    let entries = api.store.activity_page(before, &id, limit).await?;
    let next = entries.last().map(|(id, last)| format!("{}.{id}", last.started).into());
    let items = entries.iter().map(|(_, shown)| {
        json!({
            "started": time(shown.started), "ended": shown.ended.map(time), "code": shown.code,
            "cluster": shown.cluster, "entry": read(&shown.document),
        })
    });
    Ok(page(items.collect(), next, limit))
}

async fn clusters(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    let clusters = api.fresh.clusters(&api.store).await?;
    let items = clusters.iter().map(|known| {
        json!({
            "cluster": known.name, "id": known.id, "bound": known.bound, "newest": known.newest.map(time),
            "age_seconds": known.newest.map(|newest| now.saturating_sub(newest) / 1_000_000_000),
        })
    });
    part(items, &uri)
}

async fn rules(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let now = Timestamp::now();
    let since = |hours| {
        let time = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or_default();
        i64::try_from(time.as_nanosecond()).unwrap_or(i64::MIN)
    };
    let hits = api.store.hits(since(24), since(7 * 24)).await?;
    let rules = api.evaluator.rules();
    let items = rules.all().iter().map(|rule| {
        let (day, week) =
            hits.iter().find(|(name, ..)| *name == rule.name).map_or((0, 0), |(_, day, week)| (*day, *week));
        json!({
            "rule": rule.name, "priority": rule.priority.as_str(), "tags": rule.tags, "enabled": rule.enabled,
            "alerts_24h": day, "alerts_7d": week,
        })
    });
    part(items, &uri)
}

async fn quarantine(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let query = Query::of(&uri);
    let (after, limit) = (query.number("after")?.unwrap_or(0), query.limit()?);
    let listed = api.store.quarantine_list(after, query.text("cluster").as_deref(), limit).await?;
    let next = listed.last().map(|last| last.seq.into());
    let items = listed.iter().map(|listed| {
        let stored_at = Timestamp::from_millisecond(listed.stored_at).unwrap_or_default().to_string();
        json!({
            "number": listed.seq, "stored_at": stored_at, "cluster": listed.cluster, "source": listed.source,
            "reason": listed.reason, "bytes": listed.bytes,
        })
    });
    Ok(page(items.collect(), next, limit))
}

async fn silences(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let now = Timestamp::now().as_millisecond();
    let silences = api.store.silences().await?;
    let items = silences.iter().map(|silence| {
        let at = |millis: i64| Timestamp::from_millisecond(millis).unwrap_or_default().to_string();
        json!({
            "id": silence.id, "rule": silence.rule, "cluster": silence.cluster, "user": silence.user,
            "namespace": silence.namespace, "reason": silence.reason, "author": silence.author,
            "created_at": at(silence.created_at), "expires_at": at(silence.expires_at),
            "removed_at": silence.removed_at.map(at), "removed_by": silence.removed_by,
            "in_force": silence.is_in_force(now),
        })
    });
    part(items, &uri)
}

async fn output_list(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let backlogs = outputs::standing(&api.outputs, &api.store).await?;
    let items = backlogs.iter().map(|backlog| {
        let oldest = backlog.oldest.map(|oldest| Timestamp::from_millisecond(oldest).unwrap_or_default().to_string());
        json!({"output": backlog.output, "waiting": backlog.waiting, "set_aside": backlog.refused, "oldest_waiting": oldest})
    });
    part(items, &uri)
}

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use audit_rules::{Matching, Options, SourceFile, load};
use axum::body::Body;
use tower::ServiceExt;

use super::*;
use crate::activity::{Activity, Entry};
use crate::rules::Rules;
use crate::store::{Alert, Batch, Location, Quarantined, Silence, add_silence};

const RULE: &str = "- rule: r\n  desc: d\n  condition: ka.verb exists\n  output: o\n  priority: NOTICE\n  source: k8s_audit\n";

async fn api(folder: &tempfile::TempDir, token: Option<SecretFile>, listen: &str) -> Router {
    let location = Location::Sqlite(folder.path().join("alerts.db"));
    let store = Store::open(&location, vec!["stdout".into()]).await.unwrap();
    let file = SourceFile { name: "r.yaml".to_owned(), text: RULE.to_owned() };
    let rules = Rules::of(load(&[file], &Options::default()), Matching::First).unwrap();
    let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap();
    let alert = |id: u128| {
        let document = format!("{{\"rule\":\"r\",\"id\":{id}}}");
        Alert { id: uuid::Uuid::from_u128(id), time: now, rule: "r".to_owned(), document, ..Alert::default() }
    };
    let record = Quarantined {
        reason: "odd".to_owned(),
        cluster: "prod".to_owned(),
        source: "s".to_owned(),
        record: vec![1],
    };
    let activity = |id: u128| Activity {
        id: uuid::Uuid::from_u128(id),
        started: 7,
        ended: None,
        code: Some(101),
        cluster: "prod".to_owned(),
        entry: Entry { name: id.to_string(), ..Entry::default() },
    };
    let batch = Batch {
        alerts: (0..5).map(alert).collect(),
        quarantined: vec![record],
        activity: (0..5).map(activity).collect(),
        ..Batch::default()
    };
    store.record(batch).await.unwrap();
    store.seen([("prod".to_owned(), now)].into()).await.unwrap();
    add_silence(&location, &Silence { rule: Some("x".to_owned()), ..Silence::default() }.named())
        .await
        .unwrap();
    let evaluator = Arc::new(Evaluator::new(rules, String::new()));
    let fresh = Arc::new(Freshness::default());
    let outputs = vec!["stdout".into(), "http/idle".into()];
    router(Api { store, evaluator, fresh, outputs, token, listen: listen.parse().unwrap() })
}

async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = axum::http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

const LOCAL: [(&str, &str); 1] = [("host", "localhost:8080")];

#[tokio::test]
async fn answers_are_what_the_description_says() {
    let folder = tempfile::tempdir().unwrap();
    let router = api(&folder, None, "127.0.0.1:8080").await;
    let described: Value = serde_json::from_str(OPENAPI).unwrap();
    assert_eq!(ask(&router, "/api/openapi.json", &LOCAL).await, (200, described.clone()));
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let paths = described["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 7);
    for (path, described) in paths {
        let (status, answer) = ask(&router, path, &LOCAL).await;
        let schema =
            &described["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"];
        assert_eq!((status, keys(&answer)), (200, keys(schema)), "{path}");
        let item = &schema["items"]["items"]["properties"];
        assert_eq!(keys(&answer["items"][0]), keys(item), "{path}");
    }
}

#[tokio::test]
async fn pages_show_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let router = api(&folder, None, "127.0.0.1:8080").await;
    for (path, key) in [("/api/v1/alerts", "alert"), ("/api/v1/activity", "entry")] {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let (_, page) = ask(&router, &format!("{path}?limit=2{next}"), &LOCAL).await;
            all.extend(page["items"].as_array().unwrap().iter().map(|item| item[key].to_string()));
            match &page["next"] {
                Value::Null => break,
                Value::String(place) => next = format!("&before={place}"),
                place => next = format!("&before={place}"),
            }
        }
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (5, 5), "{path}");
    }
    assert_eq!(ask(&router, "/api/v1/alerts?rule=other", &LOCAL).await.1["items"], json!([]));
    assert_eq!(ask(&router, "/api/v1/rules", &LOCAL).await.1["items"][0]["alerts_24h"], 5);
    let outputs = ask(&router, "/api/v1/outputs", &LOCAL).await.1;
    assert_eq!([&outputs["items"][0], &outputs["items"][1]].map(|output| output["waiting"].clone()), [0, 5]);
    let first = ask(&router, "/api/v1/outputs?limit=1", &LOCAL).await.1;
    let second = ask(&router, "/api/v1/outputs?limit=1&after=1", &LOCAL).await.1;
    assert_eq!((&first["next"], &second["next"]), (&json!(1), &json!(null)));
    assert_eq!([&first, &second].map(|page| page["items"][0]["output"].clone()), ["http/idle", "stdout"]);
    for wrong in [
        "/api/v1/rules?after=-1",
        "/api/v1/alerts?limit=0",
        "/api/v1/alerts?before=x",
        "/api/v1/activity?before=7",
    ] {
        assert_eq!(ask(&router, wrong, &LOCAL).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn strangers_are_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "secret\n").unwrap();
    let guarded = api(&folder, Some(file.into()), "0.0.0.0:8080").await;
    let status = async |router: &Router, name, value| ask(router, "/api/v1/alerts", &[(name, value)]).await.0;
    assert_eq!(status(&guarded, "authorization", "Bearer secret").await, 200);
    assert_eq!(status(&guarded, "authorization", "Bearer secre").await, 401);
    assert_eq!(status(&guarded, "host", "localhost").await, 401);
    let folder = tempfile::tempdir().unwrap();
    let local = api(&folder, None, "[::1]:8080").await;
    for (host, expected) in
        [("[::1]:8080", 200), ("127.0.0.1", 200), ("evil.example:8080", 403), ("localhost.evil", 403)]
    {
        assert_eq!(status(&local, "host", host).await, expected, "{host}");
    }
    let folder = tempfile::tempdir().unwrap();
    let open = api(&folder, None, "0.0.0.0:8080").await;
    assert_eq!(status(&open, "host", "localhost").await, 403);
}

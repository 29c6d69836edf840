//! Who is let in where.

use std::process::{Command, Stdio};

use audit_service::tls::ClientFiles;
use serde_json::{Value, json};

use crate::client::{ask, becomes, get};
use crate::target::Target;

fn event(id: &str, cluster: &str) -> String {
    json!({
        "kind": "Event", "auditID": id, "stage": "ResponseComplete", "verb": "create",
        "stageTimestamp": "2026-01-02T03:04:05Z", "annotations": {"cluster_name": cluster, "cluster_id": format!("arn:{cluster}")},
    })
    .to_string()
}

fn alerts(target: &Target) -> Vec<Value> {
    let page: Value = serde_json::from_str(&get(target.admin, "/api/v1/alerts", &[]).1).unwrap();
    page["items"].as_array().unwrap().iter().map(|item| item["alert"].clone()).collect()
}

const CLUSTERS: &str = "clusters: {prod: 'arn:prod', dev: 'arn:dev'}";

#[test]
fn tokens_bind_to_clusters_and_follow_their_files() {
    let config = format!(
        "{CLUSTERS}\nauth: {{tokens: [{{file: $DIR/prod, cluster: prod}}, {{file: $DIR/bridge, cluster: [prod, dev]}}, {{file: $DIR/any}}]}}\n\
         outputs: {{stdout: false}}"
    );
    let target = Target::start(&config, |folder| {
        for (name, tokens) in [("prod", "one\ntwo\n"), ("bridge", "fan-in\n"), ("any", "free\n")] {
            std::fs::write(folder.join(name), tokens).unwrap();
        }
    });
    let post = |path: &str, token: &str, body: &str| ask(target.intake, path, token, body);
    // Several tokens at once, for one cluster whatever the event says.
    for token in ["one", "two"] {
        assert_eq!(post("/k8s_audit", token, &event(token, "edge")).1["alerts"], 1, "{token}");
    }
    assert!(alerts(&target).iter().all(|alert| alert["cluster"] == "prod"));
    // One token for several clusters, of which an event leaves none.
    let body = format!("{}\n{}\n{}", event("a", "prod"), event("b", "dev"), event("c", "edge"));
    let (status, answer) = post("/k8s_audit", "fan-in", &body);
    assert_eq!(
        (status, &answer["alerts"], &answer["quarantined"][0]["index"]),
        (200, &json!(3), &json!(2)),
        "{answer}"
    );
    assert_eq!(post("/k8s_audit/dev", "fan-in", &event("d", "prod")).1["alerts"], 1);
    assert_eq!(post("/k8s_audit/edge", "fan-in", &event("e", "dev")).0, 403);
    assert_eq!(post("/k8s_audit/dev", "one", &event("e", "dev")).0, 403);
    // One event is one, whichever way it comes.
    for (path, token) in [("/k8s_audit", "one"), ("/k8s_audit/prod", "free"), ("/k8s_audit", "free")] {
        assert_eq!(post(path, token, &event("a", "prod")).1["alerts"], 0, "{path} {token}");
    }
    // A stranger's word doesn't make a bound cluster fresh.
    let freshness =
        || -> Value { serde_json::from_str(&get(target.admin, "/api/v1/clusters", &[]).1).unwrap() };
    post("/k8s_audit", "free", &event("f", "other"));
    becomes("freshness", || freshness()["items"].as_array().unwrap().len() == 3);
    let bound: Vec<_> = freshness()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].clone(), item["bound"].clone()))
        .collect();
    assert_eq!(
        bound,
        [
            (json!("arn:dev"), json!(true)),
            (json!("arn:other"), json!(false)),
            (json!("arn:prod"), json!(true))
        ]
    );
    // A token that is taken out of its file is none any more, and a new one is one.
    std::fs::write(target.folder.path().join("prod"), "three\n").unwrap();
    becomes("the new token", || post("/k8s_audit", "three", &event("g", "prod")).0 == 200);
    becomes("the old token", || post("/k8s_audit", "one", &event("h", "prod")).0 == 401);
}

#[tokio::test]
async fn client_certificates_bind_to_clusters() {
    audit_service::tls::install();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("ca.crt"), root.pem()).unwrap();
    for name in ["localhost", "bridge.example", "stranger.example"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let made =
            rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(at(&format!("{name}.crt")), made.pem()).unwrap();
        std::fs::write(at(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let files = folder.path().display();
    let config = format!(
        "tls: {{certificate_file: {files}/localhost.crt, key_file: {files}/localhost.key, client_ca_file: {files}/ca.crt}}\n\
         certificates: [{{name: bridge.example, cluster: [prod, dev]}}]\n{CLUSTERS}\noutputs: {{stdout: false}}"
    );
    let target = Target::start(&config, |_| {});
    let client = |name: &str| {
        let tls = ClientFiles {
            ca_file: Some(at("ca.crt")),
            certificate_file: Some(at(&format!("{name}.crt"))),
            key_file: Some(at(&format!("{name}.key"))),
        };
        let options = audit_service::client::Options { tls, ..Default::default() };
        audit_service::client::Client::new("test", &options).unwrap().get()
    };
    let url = |path: &str| format!("https://localhost:{}{path}", target.intake.port());
    let post = async |name: &str, path: &str, cluster: &str| {
        let answer = client(name).post(url(path)).body(event("a", cluster)).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    assert_eq!(post("stranger.example", "/k8s_audit", "prod").await.0, 401);
    let (status, answer) = post("bridge.example", "/k8s_audit", "dev").await;
    assert!(status == 200 && answer.contains("\"alerts\":1"), "{status} {answer}");
    let (status, answer) = post("bridge.example", "/k8s_audit", "edge").await;
    assert!(status == 200 && answer.contains("arn:edge"), "{status} {answer}");
    assert_eq!(post("bridge.example", "/k8s_audit/edge", "dev").await.0, 403);
    let without = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    assert!(
        without.post(url("/k8s_audit")).body("{}").send().await.is_err(),
        "no handshake without a certificate"
    );
}

#[test]
fn a_port_that_others_reach_is_not_opened_without_a_word() {
    let run = |args: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), "listen: 0.0.0.0:0\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_audit-receiver"));
        command.current_dir(folder.path()).args(args).stdout(Stdio::null()).output().unwrap()
    };
    let ended = run(&["--config", "config.yaml"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("auth: none"), "{ended:?}");
}

#[test]
fn the_api_needs_its_token_and_probes_do_not() {
    let config = "admin: {listen: '127.0.0.1:0', token_file: $DIR/token}\noutputs: {stdout: false}";
    let target = Target::start(config, |folder| std::fs::write(folder.join("token"), "secret\n").unwrap());
    let status = |path: &str, headers: &[(&str, &str)]| get(target.admin, path, headers).0;
    for open in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(open, &[("host", "evil.example")]), 200, "{open}");
    }
    let paths = [
        "openapi.json",
        "v1/alerts",
        "v1/activity",
        "v1/clusters",
        "v1/rules",
        "v1/quarantine",
        "v1/silences",
        "v1/outputs",
    ];
    for path in paths.map(|path| format!("/api/{path}")) {
        assert_eq!(status(&path, &[]), 401, "{path}");
        assert_eq!(status(&path, &[("authorization", "Bearer wrong")]), 401, "{path}");
        assert_eq!(status(&path, &[("authorization", "Bearer secret")]), 200, "{path}");
    }
    std::fs::write(target.folder.path().join("token"), "other\n").unwrap();
    assert_eq!(status("/api/v1/alerts", &[("authorization", "Bearer secret")]), 401);
    assert_eq!(status("/api/v1/alerts", &[("authorization", "Bearer other")]), 200);

    let open = Target::start("outputs: {stdout: false}", |_| {});
    let by = |host: &str| get(open.admin, "/api/v1/alerts", &[("host", host)]).0;
    assert_eq!([by("localhost:1"), by("127.0.0.1"), by("evil.example")], [200, 200, 403]);
}

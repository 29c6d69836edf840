use std::path::Path;

use audit_service::config::load_from;
use serde_json::{Value, json};

use super::*;

fn load(flags: Value) -> Result<Config, String> {
    load_from(Config::default(), None::<&Path>, std::iter::empty(), flags)
        .map_err(|mistakes| mistakes.to_string())
}

fn string_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_connection_string_says_all_there_is_to_say() {
    audit_service::tls::install();
    let file = string_file(
        "Endpoint=sb://Shop.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=audit\n",
    );
    let config =
        load(json!({"connection_string_file": file.path(), "receiver": {"url": "http://r"}})).unwrap();
    let target = config.target().unwrap();
    assert_eq!(target.endpoint.to_string(), "amqps://shop.servicebus.windows.net:5671");
    assert_eq!(
        (target.hub.as_str(), config.consumer_group.as_str(), config.epoch),
        ("audit", "$Default", Some(0))
    );

    let other = Config { event_hub: Some("other".to_owned()), ..config };
    assert!(matches!(other.target(), Err(Unusable::OtherHub { .. })));
}

#[test]
fn namespaces_endpoints_and_emulators() {
    audit_service::tls::install();
    let of = |namespace: &str, url: Option<&str>| {
        let config = Config {
            namespace: Some(namespace.to_owned()),
            event_hub: Some("audit".to_owned()),
            endpoint_url: url.map(str::to_owned),
            ..Config::default()
        };
        let endpoint = config.target().unwrap().endpoint;
        (endpoint.namespace.clone(), endpoint.to_string())
    };
    let names = |namespace: &str, endpoint: &str| (namespace.to_owned(), endpoint.to_owned());
    let public = "shop.servicebus.windows.net";
    assert_eq!(of("Shop", None), names(public, "amqps://shop.servicebus.windows.net:5671"));
    assert_eq!(of(public, Some("amqps://10.0.0.5")), names(public, "amqps://10.0.0.5:5671"));
    let gov = "shop.servicebus.usgovcloudapi.net";
    assert_eq!(of(gov, Some("amqp://localhost:1234/")), names(gov, "amqp://localhost:1234"));

    let file = string_file(
        "Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true;EntityPath=h",
    );
    let config = Config { connection_string_file: Some(file.path().to_owned().into()), ..Config::default() };
    assert_eq!(config.target().unwrap().endpoint.to_string(), "amqp://localhost:5672");
}

#[test]
fn through_a_websocket_the_port_is_that_of_the_web() {
    audit_service::tls::install();
    for (url, endpoint) in [
        (None, "wss://shop.servicebus.windows.net:443"),
        (Some("amqps://10.0.0.5"), "wss://10.0.0.5:443"),
        (Some("amqp://localhost:8080"), "ws://localhost:8080"),
    ] {
        let config = Config {
            namespace: Some("shop".to_owned()),
            event_hub: Some("audit".to_owned()),
            endpoint_url: url.map(str::to_owned),
            transport: serde_json::from_str("\"websocket\"").unwrap(),
            ..Config::default()
        };
        assert_eq!(config.target().unwrap().endpoint.to_string(), endpoint);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = load(json!({
        "endpoint_url": "https://a",
        "consumer_group": "",
        "answer_timeout": "0s",
        "buffer": "1kB",
        "identity": {"client_secret_file": "/a", "federated_token_file": "/b"},
        "start_checkpoints": {"container": "checkpoints"},
        "checkpoint": "tape:",
        "event_hubs": "typo",
    }))
    .unwrap_err();
    for key in [
        "namespace",
        "endpoint_url",
        "consumer_group",
        "answer_timeout",
        "buffer",
        "identity.tenant_id",
        "identity.client_id",
        "identity.federated_token_file",
        "start_checkpoints.container",
        "checkpoint = ",
        "receiver.url",
        "did you mean `event_hub`",
    ] {
        assert!(mistakes.contains(key), "{key} is not in: {mistakes}");
    }
}

#[test]
fn the_forwarders_environment_is_taken_over_and_each_variable_named_once() {
    let environment = |name: &str| {
        Some(
            match name {
                "EhubNamespaceConnectionString" => {
                    "Endpoint=sb://a/;SharedAccessKeyName=b;SharedAccessKey=secret"
                }
                "BlobStorageConnectionString" => "AccountName=a;AccountKey=secret",
                "BlobContainerName" => "kubeauditlogcontainer",
                "EventHubName" => "insights-logs-kube-audit",
                "WebSinkURL" => "http://sysdig-agent:7765/k8s_audit",
                "VerboseLevel" => "3",
                "PostMaxRetries" => "5",
                "PostRetryIncrementalDelay" => "1000",
                _ => return None,
            }
            .to_owned(),
        )
    };
    let mut config = Config::default();
    let forwarder = Forwarder::adopt(&mut config, environment);
    let mut mistakes = Mistakes::default();
    config.check(&mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes}");
    assert_eq!(config.event_hub.as_deref(), Some("insights-logs-kube-audit"));
    assert_eq!(config.receiver.url.unwrap().to_string(), "http://sysdig-agent:7765/k8s_audit");
    assert_eq!(config.start_checkpoints.unwrap().container, "kubeauditlogcontainer");
    assert_eq!(forwarder.notes.len(), 8);
    assert!(!forwarder.notes.concat().contains("secret"));
    assert_eq!(Forwarder::adopt(&mut Config::default(), |_| None), Forwarder::default());
}

#[test]
fn an_address_of_the_forwarder_that_is_none_is_told_with_its_value() {
    let environment = |name: &str| (name == "WebSinkURL").then(|| "falco:9765/x".to_owned());
    let mut config = Config::default();
    let forwarder = Forwarder::adopt(&mut config, environment);
    let mistakes = load_from(config.clone(), None::<&Path>, std::iter::empty(), json!({})).unwrap_err();
    let told = forwarder.explain(mistakes).to_string();
    let line = "receiver.url = `falco:9765/x` (environment variable WebSinkURL): expected the receiver's URL such as";
    assert!(told.contains(line) && told.contains("namespace"), "{told}");
    let flags = json!({"namespace": "n", "event_hub": "h", "receiver": {"url": "http://r"}});
    assert!(load_from(config, None::<&Path>, std::iter::empty(), flags).is_ok());
}

#[test]
fn identities() {
    use crate::credentials::{Credentials, Identity};
    audit_service::tls::install();
    let client =
        audit_service::client::Client::new("test", &audit_service::client::Options::default()).unwrap();
    let aks = |name: &str| {
        Some(
            match name {
                "AZURE_TENANT_ID" => "tenant",
                "AZURE_CLIENT_ID" => "client",
                "AZURE_FEDERATED_TOKEN_FILE" => "/var/run/secrets/azure/tokens/azure-identity-token",
                "AZURE_AUTHORITY_HOST" => "https://login.microsoftonline.us/",
                _ => return None,
            }
            .to_owned(),
        )
    };
    let options = IdentityOptions::default();
    let workload = options.entra("r", client.clone(), aks);
    assert!(
        matches!(&workload.identity, Identity::Workload { authority, .. } if authority.ends_with(".us/"))
    );
    assert_eq!(Credentials::Entra(workload).who(), "workload identity `client`");
    let managed = options.entra("r", client.clone(), |_| None).identity;
    assert!(matches!(managed, Identity::Managed { client: None, .. }));
    let options =
        IdentityOptions { client_secret_file: Some(std::path::PathBuf::from("/s").into()), ..options };
    assert!(matches!(options.entra("r", client, aks).identity, Identity::Secret { .. }));
}

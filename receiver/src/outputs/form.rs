//! What is posted: pure, from stored documents to a body.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The form in which a server takes alerts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Falco's JSON, one alert a request, as falcosidekick and whatever else takes Falco's `http_output`.
    #[default]
    Falco,
    /// Alertmanager's API v2, which has no identities: alerts that share their labels are one there.
    Alertmanager,
    /// Log records of OpenTelemetry, OTLP/HTTP in JSON.
    Otlp,
}

/// The fields of an alert that are labels in Alertmanager: few, so that its grouping and silences work.
const LABELS: [(&str, &str); 5] = [
    ("user", "ka.user.name"),
    ("verb", "ka.verb"),
    ("namespace", "ka.target.namespace"),
    ("resource", "ka.target.resource"),
    ("name", "ka.target.name"),
];

impl Form {
    /// Most alerts in one request.
    pub fn at_once(self) -> usize {
        match self {
            Self::Falco => 1,
            Self::Alertmanager | Self::Otlp => 64,
        }
    }

    /// The body of a request, from alerts as they are stored.
    pub fn body<'a>(self, mut documents: impl Iterator<Item = &'a str>) -> String {
        match self {
            Self::Falco => documents.next().unwrap_or_default().to_owned(),
            Self::Alertmanager => {
                documents.map(|document| alertmanager(&read(document))).collect::<Json>().to_string()
            }
            Self::Otlp => {
                let records: Vec<_> = documents.map(|document| record(document, &read(document))).collect();
                let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
                json!({"resourceLogs": [{
                    "resource": {"attributes": [attribute("service.name", "audit-receiver")]},
                    "scopeLogs": [{"scope": {"name": "audit-receiver"}, "logRecords": records}],
                }]})
                .to_string()
            }
        }
    }

    /// Why an answer of success is none, if it isn't: a collector may refuse records in a 200.
    pub fn refusal(self, answer: &str) -> Option<String> {
        if self != Self::Otlp {
            return None;
        }
        let partial = read(answer).get("partialSuccess").cloned()?;
        let rejected = match partial.get("rejectedLogRecords")? {
            Json::String(number) => number.parse().ok()?,
            number => number.as_i64()?,
        };
        let said =
            || partial.get("errorMessage").and_then(Json::as_str).unwrap_or("no reason given").to_owned();
        (rejected > 0).then(said)
    }
}

/// A document in Falco's form whose fields tell which alert it is.
pub(super) fn identified(document: &str) -> String {
    let mut document = read(document);
    let keys = ["uuid", "audit_id", "cluster"];
    let known = keys.map(|key| (format!("alert.{key}"), document.get(key).cloned().unwrap_or_default()));
    if let Some(Json::Object(fields)) = document.get_mut("output_fields") {
        fields.extend(known);
    }
    document.to_string()
}

/// What is stored is JSON; anything else would be posted as null.
fn read(document: &str) -> Json {
    serde_json::from_str(document).unwrap_or_default()
}

fn text<'a>(document: &'a Json, key: &str) -> &'a str {
    document.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn alertmanager(document: &Json) -> Json {
    let mut labels = serde_json::Map::new();
    let mut label = |name: &str, value: &str| {
        if !value.is_empty() {
            labels.insert(name.to_owned(), value.into());
        }
    };
    label("alertname", text(document, "rule"));
    label("severity", &text(document, "priority").to_lowercase());
    label("cluster", text(document, "cluster"));
    label("source", text(document, "source"));
    let fields = document.get("output_fields").unwrap_or(&Json::Null);
    for (name, field) in LABELS {
        label(name, text(fields, field));
    }
    let annotation = |key| text(document, key);
    json!({
        "labels": labels,
        "annotations": {"summary": annotation("output"), "uuid": annotation("uuid"), "audit_id": annotation("audit_id")},
        "startsAt": annotation("time"),
    })
}

fn record(document: &str, read: &Json) -> Json {
    let time = read.get("output_fields").and_then(|fields| fields.get("evt.time")).and_then(Json::as_i64);
    // https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber, appendix B for syslog's names
    let (number, name) = match text(read, "priority") {
        "Emergency" => (21, "FATAL"),
        "Alert" => (19, "ERROR3"),
        "Critical" => (18, "ERROR2"),
        "Error" => (17, "ERROR"),
        "Warning" => (13, "WARN"),
        "Notice" => (10, "INFO2"),
        "Debug" => (5, "DEBUG"),
        _ => (9, "INFO"),
    };
    let attributes: Vec<_> = [
        ("rule", "rule"),
        ("uuid", "uuid"),
        ("audit_id", "audit_id"),
        ("k8s.cluster.name", "cluster"),
        ("priority", "priority"),
    ]
    .iter()
    .map(|(name, key)| json!({"key": name, "value": {"stringValue": text(read, key)}}))
    .collect();
    json!({
        "timeUnixNano": time.unwrap_or_default().to_string(),
        "severityNumber": number,
        "severityText": name,
        "body": {"stringValue": document},
        "attributes": attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"rule":"R","priority":"Warning","cluster":"prod","source":"k8s_audit","output":"o","time":"2026-01-02T03:04:05Z","uuid":"u","audit_id":"a","output_fields":{"evt.time":7,"ka.user.name":"eve","ka.verb":null}}"#;

    #[test]
    fn falco_is_posted_as_it_is_stored() {
        assert_eq!(Form::Falco.body([DOCUMENT].into_iter()), DOCUMENT);
    }

    #[test]
    fn fields_tell_which_alert_it_is_where_that_is_asked_for() {
        let identified: Json = serde_json::from_str(&identified(DOCUMENT)).unwrap();
        let fields = &identified["output_fields"];
        assert_eq!((&fields["alert.uuid"], &fields["alert.cluster"]), (&json!("u"), &json!("prod")));
        assert_eq!((&fields["ka.user.name"], &identified["uuid"]), (&json!("eve"), &json!("u")));
    }

    #[test]
    fn alertmanager_gets_labels_that_it_can_group_by() {
        let body: Json = serde_json::from_str(&Form::Alertmanager.body([DOCUMENT; 2].into_iter())).unwrap();
        assert_eq!(
            body[1],
            json!({
                "labels": {"alertname": "R", "severity": "warning", "cluster": "prod", "source": "k8s_audit", "user": "eve"},
                "annotations": {"summary": "o", "uuid": "u", "audit_id": "a"},
                "startsAt": "2026-01-02T03:04:05Z",
            })
        );
    }

    #[test]
    fn otlp_has_the_whole_document_and_its_refusals_are_found() {
        let body: Json = serde_json::from_str(&Form::Otlp.body([DOCUMENT].into_iter())).unwrap();
        let record = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!((&record["timeUnixNano"], &record["severityNumber"]), (&json!("7"), &json!(13)));
        assert_eq!(record["body"]["stringValue"], DOCUMENT);
        let refused = r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#;
        assert_eq!(Form::Otlp.refusal(refused).as_deref(), Some("too old"));
        for taken in ["", "{}", r#"{"partialSuccess":{"rejectedLogRecords":0}}"#] {
            assert_eq!(Form::Otlp.refusal(taken), None);
        }
    }
}

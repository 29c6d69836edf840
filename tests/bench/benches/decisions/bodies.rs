//! What is posted, the same in every run.

use std::fmt::Write;

use audit_fakes::traffic::Traffic;

/// 2025-02-03, in milliseconds since 1970.
const START_MS: i64 = 1_738_540_800_000;

/// So many lists of so many events of a busy cluster.
pub(crate) fn traffic(lists: usize, events: usize) -> Vec<String> {
    let lines: Vec<_> = Traffic::new(1).lines(START_MS, 40).take(lists * events).collect();
    lines.chunks(events).map(|events| list(events.iter().map(|line| line.text.as_str()))).collect()
}

/// A list as kube-apiserver posts it.
pub(crate) fn list<'a>(events: impl IntoIterator<Item = &'a str>) -> String {
    let events: Vec<_> = events.into_iter().collect();
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#,
        events.join(",")
    )
}

/// A list of one event of at least so many bytes, nearly all of them the environment of a pod's container.
pub(crate) fn big_event(bytes: usize) -> String {
    let mut settings = String::new();
    for number in 0.. {
        if settings.len() >= bytes {
            break;
        }
        let separator = if number > 0 { "," } else { "" };
        let setting =
            format!(r#"{{"name":"SETTING_{number}","value":"the \"value\" of {}"}}"#, number * 7919);
        write!(settings, "{separator}{setting}").expect("a string takes all");
    }
    list([format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"7d4f4c2e-0000-4000-8000-000000000001","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods","verb":"create","user":{{"username":"alice@example.com","groups":["system:authenticated"]}},"sourceIPs":["10.0.3.17"],"userAgent":"kubectl/v1.33.2","objectRef":{{"resource":"pods","namespace":"shop","name":"big","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":201}},"requestObject":{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"big","namespace":"shop"}},"spec":{{"containers":[{{"name":"web","image":"registry.example.com/shop/web:1.7","env":[{settings}],"securityContext":{{"privileged":false}}}}]}}}},"requestReceivedTimestamp":"2025-02-03T04:05:06.123456Z","stageTimestamp":"2025-02-03T04:05:06.130021Z","annotations":{{"authorization.k8s.io/decision":"allow"}}}}"#
    )
    .as_str()])
}

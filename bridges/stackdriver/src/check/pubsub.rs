//! A subscription, its topic, and whether its sink may write: a sink without the right to publish is silent about it.

use audit_bridge::check::Finding;
use serde_json::Value;

use crate::source::{Asked, Google};

/// What there is to say about a subscription.
pub(super) async fn findings(google: &Google, name: &str) -> Vec<Finding> {
    let title = format!("subscription {name}");
    let subscription = match google.pubsub(name).await {
        Ok(subscription) => subscription,
        Err(Asked { problem, status: Some(404) }) => {
            return vec![Finding::fail(title, problem, "create it on the topic of the sink")];
        }
        Err(Asked { problem, .. }) => {
            let hint = "grant `roles/pubsub.subscriber` and `roles/pubsub.viewer` on it";
            return vec![Finding::fail(title, problem, hint)];
        }
    };
    let text = |pointer| subscription.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let topic = text("/topic");
    let mut findings = vec![Finding::ok(title.as_str(), format!("reads topic {topic}"))];
    if topic == "_deleted-topic_" {
        let hint = "create topic and subscription anew";
        return vec![Finding::fail(title, "its topic was deleted", hint)];
    }
    if subscription.get("deadLetterPolicy").is_some() {
        let hint = "remove it: during an outage it would move events away from the bridge";
        findings.push(Finding::fail(format!("{title}: dead letters"), "it has a dead-letter policy", hint));
    }
    if subscription.pointer("/pushConfig/pushEndpoint").is_some() {
        let hint = "make it a pull subscription";
        findings.push(Finding::fail(format!("{title}: delivery"), "it pushes", hint));
    }
    if !text("/expirationPolicy/ttl").is_empty() {
        let found = format!("it expires after {} without a reader", text("/expirationPolicy/ttl"));
        let hint = "gcloud pubsub subscriptions update ... --expiration-period=never";
        findings.push(Finding::warn(format!("{title}: expiry"), found, hint));
    }
    findings.push(match google.may_consume(name).await {
        Ok(true) => Finding::ok(format!("{title}: permission"), "it may be read"),
        Ok(false) => {
            let grant = "gcloud pubsub subscriptions add-iam-policy-binding ... --role=roles/pubsub.subscriber --member=...";
            Finding::fail(format!("{title}: permission"), "it may not be read", grant)
        }
        Err(asked) => Finding::warn(format!("{title}: permission"), asked.problem, "is this an emulator?"),
    });
    findings.push(sink(google, name, topic).await);
    findings
}

/// The sinks of the subscription's project that write into the topic, and whether they may.
async fn sink(google: &Google, subscription: &str, topic: &str) -> Finding {
    let title = format!("sink into {topic}");
    let project = subscription.split('/').nth(1).unwrap_or_default();
    let hint = "grant `roles/logging.viewer` and `roles/pubsub.viewer` to have this checked";
    let (sinks, policy) = match (google.sinks(project).await, google.policy(topic).await) {
        (Ok(sinks), Ok(policy)) => (sinks, policy),
        (Err(asked), _) | (_, Err(asked)) => return Finding::warn(title, asked.problem, hint),
    };
    let destination = format!("pubsub.googleapis.com/{topic}");
    let mut writers = sinks
        .get("sinks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|sink| sink.get("destination").and_then(Value::as_str) == Some(&destination))
        .filter_map(|sink| sink.get("writerIdentity").and_then(Value::as_str))
        .peekable();
    if writers.peek().is_none() {
        let hint = "create a sink with that destination, unless it stands in another project, folder or organization";
        return Finding::warn(title, format!("no sink of project `{project}` writes into it"), hint);
    }
    match writers.find(|writer| !may_publish(&policy, writer)) {
        None => Finding::ok(title, "its writer may publish"),
        Some(writer) => Finding::fail(
            title,
            format!("its writer `{writer}` may not publish: no entry arrives, and nobody is told"),
            format!(
                "gcloud pubsub topics add-iam-policy-binding {topic} --member={writer} --role=roles/pubsub.publisher"
            ),
        ),
    }
}

fn may_publish(policy: &Value, member: &str) -> bool {
    let bindings = policy.get("bindings").and_then(Value::as_array).into_iter().flatten();
    bindings
        .filter(|binding| {
            let role = binding.get("role").and_then(Value::as_str).unwrap_or_default();
            matches!(role, "roles/pubsub.publisher" | "roles/pubsub.editor" | "roles/pubsub.admin")
        })
        .filter_map(|binding| binding.get("members").and_then(Value::as_array))
        .flatten()
        .any(|entry| entry.as_str() == Some(member))
}

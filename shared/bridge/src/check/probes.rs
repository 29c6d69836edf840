//! What every bridge checks alike: that its receiver takes an event, and that its checkpoints can be read.

use super::Finding;
use crate::checkpoint;
use crate::deliver::{Answer, HttpReceiver, Target, Transport};
use crate::time::{From, Time};

/// An event that no rule minds.
pub fn canary(binary: &str, now: Time) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{binary}-check-{}","stage":"ResponseComplete","requestURI":"/readyz","verb":"get","user":{{"username":"system:anonymous:{binary}-check"}},"sourceIPs":["127.0.0.1"],"userAgent":"{binary}/check","responseStatus":{{"metadata":{{}},"code":200}},"requestReceivedTimestamp":"{now}","stageTimestamp":"{now}"}}"#,
        now.as_millis()
    )
}

/// Sends one event.
pub async fn receiver(name: impl Into<String>, receiver: &HttpReceiver, event: &str) -> Finding {
    let url = receiver.url();
    let body = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{event}]}}"#);
    match receiver.post(Target::Events, body.into()).await {
        Err(problem) => Finding::fail(
            name,
            problem.to_string(),
            "check `receiver.url`, and that the network lets this through",
        ),
        Ok(answer) if !answer.is_success() => {
            Finding::fail(name, format!("`{url}`: {answer}"), mend(&answer))
        }
        Ok(answer) => match answer.receipt() {
            Some(receipt) if receipt.received == 1 => {
                Finding::ok(name, format!("`{url}` has evaluated a canary event"))
            }
            Some(receipt) => Finding::fail(
                name,
                format!("`{url}` received {} events of 1", receipt.received),
                "what stands between here and the receiver?",
            ),
            None => Finding::ok(
                name,
                format!("`{url}` took a canary event; it is none of ours ({})", status(&answer)),
            ),
        },
    }
}

/// What mends a refusal.
fn mend(answer: &Answer) -> &'static str {
    match answer.status {
        401 => {
            "write one of the tokens that the receiver lists under `auth.tokens` for this cluster into the file \
             `receiver.token_file` (or give a client certificate in `receiver.tls`)"
        }
        403 => {
            "give this bridge a token or certificate that the receiver's configuration binds to this cluster, or to none"
        }
        404 | 405 => "give `receiver.url` with the path `/k8s_audit`, or without any",
        429 | 503 => {
            "the receiver is there and has too much to do, or its store does not answer: see its log"
        }
        _ => "see what the answer says about it, and the receiver's log",
    }
}

fn status(answer: &Answer) -> String {
    format!("HTTP {}, no receipt", answer.status)
}

/// Whether the store at `address` takes checkpoints, as far as that can be told without asking anybody.
pub fn place(address: &str) -> Option<Finding> {
    let failed = checkpoint::open(address).ok()?.usable().err()?;
    Some(Finding::fail("checkpoints", failed.to_string(), "set `checkpoint` to a folder that can be written"))
}

/// Reads the checkpoints of `units` at `address`; those that have none begin at `from`.
pub async fn checkpoints(address: &str, units: impl IntoIterator<Item = &str>, from: From) -> Finding {
    let name = "checkpoints";
    let store = match checkpoint::open(address) {
        Ok(store) => store,
        Err(unknown) => return Finding::fail(name, unknown.to_string(), "set `checkpoint`"),
    };
    let (mut known, mut first) = (0, 0);
    for unit in units {
        match store.load(unit).await {
            Ok(Some(_)) => known += 1,
            Ok(None) => first += 1,
            Err(failed) => {
                return Finding::fail(name, failed.to_string(), "a bridge does not start like this");
            }
        }
    }
    Finding::ok(name, format!("`{address}`: {known} known, {first} to begin at `{from}`"))
}

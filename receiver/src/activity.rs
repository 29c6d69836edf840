//! Who was inside what: commands in pods, tunnels to them, containers put into them, requests through proxies. Pure.

use audit_event::json::Raw;
use audit_event::{Event, Field};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::evaluate::{Located, nanoseconds};
use crate::identity;
use crate::redact::Redact;
use crate::rules::cut_text;

/// Most addresses of one request that are kept.
const MOST_SOURCES: usize = 100;

/// One stage of a request that went into something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activity {
    /// The same for all stages of the request.
    pub id: Uuid,
    /// When it began, nanoseconds since 1970.
    pub started: i64,
    /// When it ended, if this stage says so, nanoseconds since 1970.
    pub ended: Option<i64>,
    /// The answer's status.
    pub code: Option<i64>,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// What it was.
    pub entry: Entry,
}

/// What is said of it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// `exec`, `attach`, `portforward`, `ephemeralcontainers`, `proxy`.
    pub kind: String,
    /// The user's name.
    pub user: String,
    /// Whom the user acted as.
    pub impersonated: Option<String>,
    /// `pods`, `nodes` or `services`.
    pub resource: String,
    /// Of the target.
    pub namespace: String,
    /// Name of the pod, node or service.
    pub name: String,
    /// The container that was asked for, or put there.
    pub container: Option<String>,
    /// The command, port or path, secrets left out; `None` when that can't be known.
    pub command: Option<String>,
    /// Why the command is not known.
    pub unknown: Option<String>,
    /// Where the request came from.
    pub source: Vec<String>,
    /// What the client calls itself.
    pub agent: String,
    /// The event's.
    pub audit_id: String,
}

impl Entry {
    /// Bytes of its texts.
    pub fn size(&self) -> usize {
        let Self { kind, user, resource, namespace, name, agent, audit_id, source, .. } = self;
        let Self { impersonated, container, command, unknown, .. } = self;
        let texts = [kind, user, resource, namespace, name, agent, audit_id].into_iter().chain(source);
        texts.chain([impersonated, container, command, unknown].into_iter().flatten()).map(String::len).sum()
    }
}

/// What an event says of a request into something, if it is about one. Texts are as long as those in alerts at most.
pub fn of(event: &Located<'_>, redact: &Redact) -> Option<Activity> {
    let (located, event) = (event, event.event);
    let target = |key| event.get(Field::ObjectRef)?.get(key).map(string);
    let kind = target("subresource")?;
    let resource = target("resource")?;
    match (resource.as_str(), kind.as_str()) {
        ("pods", "exec" | "attach" | "portforward" | "ephemeralcontainers")
        | ("pods" | "nodes" | "services", "proxy") => {}
        _ => return None,
    }
    let ended = matches!(event.text(Field::Stage).as_deref(), Some("ResponseComplete" | "Panic"));
    let received = event.text(Field::RequestReceivedTimestamp);
    let received = received.as_deref().and_then(audit_event::Timestamp::parse);
    let started = received.and_then(|time| i64::try_from(time.as_nanoseconds()).ok());
    let code = event.get(Field::ResponseStatus).and_then(|status| status.get("code"));
    Some(Activity {
        id: request(located),
        started: started.unwrap_or_else(|| nanoseconds(event)),
        ended: ended.then(|| nanoseconds(event)),
        code: code.and_then(|code| code.text().parse().ok()),
        cluster: located.cluster.clone().into_owned(),
        entry: redact.event(event, |kept| entry(kind, resource, kept, redact)),
    })
}

fn entry(kind: String, resource: String, event: &Event<'_>, redact: &Redact) -> Entry {
    let target = |key| event.get(Field::ObjectRef).and_then(|target| target.get(key)).map(string);
    let target = |key| target(key).unwrap_or_default();
    let user = |field| event.get(field).and_then(|user| user.get("username")).map(string);
    let text = |field| event.text(field).unwrap_or_default().into_owned();
    let said = said(&kind, event);
    let mut entry = Entry {
        user: user(Field::User).unwrap_or_default(),
        impersonated: user(Field::ImpersonatedUser),
        namespace: target("namespace"),
        name: target("name"),
        container: said.container,
        command: said.command.map(|command| redact.command(&command)),
        unknown: said.unknown.map(str::to_owned),
        source: event
            .get(Field::SourceIps)
            .map(|all| all.elements().take(MOST_SOURCES).map(string).collect())
            .unwrap_or_default(),
        agent: text(Field::UserAgent),
        audit_id: text(Field::AuditId),
        resource,
        kind,
    };
    let Entry { user, namespace, name, agent, audit_id, source, .. } = &mut entry;
    [user, namespace, name, agent, audit_id].into_iter().chain(source).for_each(cut_text);
    let Entry { impersonated, container, command, .. } = &mut entry;
    [impersonated, container, command].into_iter().flatten().for_each(cut_text);
    entry
}

/// The stages of a request share these; its audit ID alone is the caller's to choose.
fn request(located: &Located<'_>) -> Uuid {
    let text = |field| located.event.text(field).unwrap_or_default();
    let user = located.event.get(Field::User).and_then(|user| user.get("username")).map(string);
    let parts = [
        located.cluster.clone(),
        text(Field::AuditId),
        text(Field::RequestReceivedTimestamp),
        text(Field::Verb),
        text(Field::RequestUri),
        user.unwrap_or_default().into(),
    ];
    let mut told = Vec::new();
    for part in parts {
        told.extend_from_slice(&(part.len() as u64).to_be_bytes());
        told.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&identity::ACTIVITY, &told)
}

#[derive(Default)]
struct Said {
    container: Option<String>,
    command: Option<Vec<String>>,
    unknown: Option<&'static str>,
}

fn said(kind: &str, event: &Event<'_>) -> Said {
    let uri = event.text(Field::RequestUri).unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
    let all = |name: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    };
    let body = |path: &[&str]| event.get(Field::RequestObject).and_then(|body| body.at(path));
    let container = || all("container").into_iter().next().or_else(|| body(&["container"]).map(string));
    match kind {
        "exec" => {
            let mut command = all("command");
            if command.is_empty() {
                command = body(&["command"]).map(strings).unwrap_or_default();
            }
            let known = !command.is_empty();
            Said {
                container: container(),
                command: known.then_some(command),
                unknown: (!known).then_some("the event has neither the query nor the body of the request"),
            }
        }
        "attach" => Said {
            container: container(),
            unknown: Some("whoever attaches gets what runs in the container"),
            ..Said::default()
        },
        "portforward" => {
            let mut ports = all("ports");
            if ports.is_empty() {
                ports = body(&["ports"]).map(strings).unwrap_or_default();
            }
            let known = !ports.is_empty();
            Said {
                command: known.then_some(ports),
                unknown: (!known).then_some("the ports are named inside of the tunnel"),
                ..Said::default()
            }
        }
        "ephemeralcontainers" => {
            let added = body(&["spec", "ephemeralContainers"]).and_then(|all| all.elements().last());
            let of = |key| added.and_then(|added| added.get(key));
            let image = of("image").map(string);
            let command = image.map(|image| {
                let command = of("command").into_iter().chain(of("args")).flat_map(strings);
                std::iter::once(image).chain(command).collect()
            });
            Said {
                container: of("name").map(string),
                unknown: command.is_none().then_some("the audit policy leaves out the body of the request"),
                command,
            }
        }
        _ => Said {
            command: path.split_once("/proxy").map(|(_, path)| {
                let verb = event.text(Field::Verb).unwrap_or_default();
                vec![verb.into_owned(), if path.is_empty() { "/" } else { path }.to_owned()]
            }),
            ..Said::default()
        },
    }
}

fn string(raw: Raw<'_>) -> String {
    raw.string().map_or_else(|| raw.text().to_owned(), |text| text.into_owned())
}

fn strings(raw: Raw<'_>) -> Vec<String> {
    // What was left out is a text.
    raw.string().map_or_else(|| raw.elements().map(string).collect(), |text| vec![text.into_owned()])
}

#[cfg(test)]
mod tests;

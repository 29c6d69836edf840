//! Identities: what makes sending an event twice harmless.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::event::{Event, Field};
use crate::json::{Kind, Raw};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// The identity of an audit event: the same for every copy of one event, whichever way it came, and not the caller's to
/// choose. kube-apiserver takes `auditID` from the request header `Audit-ID` as it is, so alone it proves nothing.
///
/// It is the first 16 bytes of the SHA-256 over these components, in this order: the text `audit-event/1`, cluster id,
/// `auditID`, `stage`, `requestReceivedTimestamp`, `stageTimestamp`, `verb`, `requestURI`, `user.username`, then of
/// `objectRef`: `resource`, `namespace`, `name`, `uid`, `apiGroup`, `apiVersion`, `resourceVersion`, `subresource`.
/// A component is one byte 0 when absent, else one byte 1, its length in bytes as a 64-bit big-endian number, and its
/// bytes. Strings count decoded; any other value as its JSON text. Times count as decimal nanoseconds since 1970, so
/// that another spelling of one instant is the same; a time that can't be read counts as its text. Where one of the two
/// times is absent the other serves as both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// The identity of `event` in the cluster of that id (`None` when the cluster is not known).
    pub fn of(event: &Event<'_>, cluster: Option<&str>) -> Self {
        let value = |field| event.get(field).and_then(content);
        let received = instant(event.get(Field::RequestReceivedTimestamp));
        let stage = instant(event.get(Field::StageTimestamp));
        let user = event.get(Field::User).and_then(|user| user.get("username")).and_then(content);
        let object = |name| event.get(Field::ObjectRef).and_then(|object| object.get(name)).and_then(content);

        let mut hash = Sha256::new();
        component(&mut hash, Some("audit-event/1"));
        component(&mut hash, cluster);
        component(&mut hash, value(Field::AuditId).as_deref());
        component(&mut hash, value(Field::Stage).as_deref());
        component(&mut hash, received.as_deref().or(stage.as_deref()));
        component(&mut hash, stage.as_deref().or(received.as_deref()));
        component(&mut hash, value(Field::Verb).as_deref());
        component(&mut hash, value(Field::RequestUri).as_deref());
        component(&mut hash, user.as_deref());
        for name in [
            "resource",
            "namespace",
            "name",
            "uid",
            "apiGroup",
            "apiVersion",
            "resourceVersion",
            "subresource",
        ] {
            component(&mut hash, object(name).as_deref());
        }
        let digest: [u8; 32] = hash.finalize().into();
        Self(std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default()))
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

fn component(hash: &mut Sha256, value: Option<&str>) {
    match value {
        None => hash.update([0]),
        Some(value) => {
            hash.update([1]);
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
        }
    }
}

/// A string's content, any other value's text; `null` is absent.
fn content(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    match raw.kind() {
        Kind::Null => None,
        Kind::String => raw.string(),
        _ => Some(Cow::Borrowed(raw.text())),
    }
}

fn instant(raw: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    let text = content(raw?)?;
    match Timestamp::parse(&text) {
        Some(time) => Some(Cow::Owned(time.as_nanoseconds().to_string())),
        None => Some(text),
    }
}

impl fmt::Display for EventId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

//! One audit event: its text, and where each field of the envelope stands in it.

use std::borrow::Cow;

use crate::json::{Key, Malformed, Raw, Scanner, write_string};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// The top-level fields of an audit event (kubernetes/apiserver `pkg/apis/audit/v1/types.go`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the Kubernetes ones")]
pub enum Field {
    Kind,
    ApiVersion,
    Level,
    AuditId,
    Stage,
    RequestUri,
    Verb,
    User,
    ImpersonatedUser,
    SourceIps,
    UserAgent,
    ObjectRef,
    ResponseStatus,
    RequestObject,
    ResponseObject,
    RequestReceivedTimestamp,
    StageTimestamp,
    Annotations,
}

impl Field {
    const COUNT: usize = Field::Annotations as usize + 1;

    /// The field of that name in the JSON form, if it is one of the envelope's.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "kind" => Self::Kind,
            "apiVersion" => Self::ApiVersion,
            "level" => Self::Level,
            "auditID" => Self::AuditId,
            "stage" => Self::Stage,
            "requestURI" => Self::RequestUri,
            "verb" => Self::Verb,
            "user" => Self::User,
            "impersonatedUser" => Self::ImpersonatedUser,
            "sourceIPs" => Self::SourceIps,
            "userAgent" => Self::UserAgent,
            "objectRef" => Self::ObjectRef,
            "responseStatus" => Self::ResponseStatus,
            "requestObject" => Self::RequestObject,
            "responseObject" => Self::ResponseObject,
            "requestReceivedTimestamp" => Self::RequestReceivedTimestamp,
            "stageTimestamp" => Self::StageTimestamp,
            "annotations" => Self::Annotations,
            _ => return None,
        })
    }
}

/// The envelope's fields of one object, each where it stands; of equal names the first counts.
#[derive(Clone, Default, Debug)]
pub(crate) struct Fields<'a>([Option<Raw<'a>>; Field::COUNT]);

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, field: Field) -> Option<Raw<'a>> {
        self.0.get(field as usize).copied().flatten()
    }

    pub(crate) fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        self.get(field)?.string()
    }

    /// Whether `apiVersion` is of `audit.k8s.io` (any version), or absent.
    pub(crate) fn is_audit_group(&self) -> bool {
        self.get(Field::ApiVersion).is_none_or(|version| {
            version.string().is_some_and(|version| version.starts_with("audit.k8s.io/"))
        })
    }

    /// Keeps `value` if `key` is one of the envelope's fields and the first of its name.
    pub(crate) fn keep(&mut self, key: Key<'a>, value: Raw<'a>) {
        let field = Field::named(key.text()).or_else(|| Field::named(&key.name()));
        if let Some(slot) = field.and_then(|field| self.0.get_mut(field as usize)) {
            slot.get_or_insert(value);
        }
    }
}

/// An `audit.k8s.io` event, borrowed from the payload it came in. Bodies and unknown fields stay unread text.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    raw: Raw<'a>,
    fields: Fields<'a>,
    stage_timestamp: Timestamp,
}

/// Why an object that should be an audit event can't be used as one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// The text is no JSON value, or more than one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A list of events holds something that is no object.
    #[error("an audit event must be a JSON object")]
    NotAnObject,
    /// Another kind, or an API group other than `audit.k8s.io`.
    #[error("not an audit event: kind `{kind}`, apiVersion `{api_version}`")]
    OtherKind {
        /// The object's `kind`, empty when absent.
        kind: String,
        /// The object's `apiVersion`, empty when absent.
        api_version: String,
    },
    /// An EventList without the array `items`.
    #[error("an EventList must have an array `items`")]
    NoItems,
    /// An event's time is its `stageTimestamp`; without one it can't be placed.
    #[error("`stageTimestamp` must be an RFC 3339 time, found {0}")]
    StageTimestamp(String),
}

impl<'a> Event<'a> {
    /// Reads one event from a text that holds nothing else. `kind` must be `Event` and `apiVersion`, if there is one, of
    /// `audit.k8s.io`.
    pub fn parse(text: &'a str) -> Result<Self, Unusable> {
        Self::read(text, false)
    }

    /// [`Event::parse`] for an event of an EventList, which needs no kind of its own.
    pub fn parse_item(text: &'a str) -> Result<Self, Unusable> {
        Self::read(text, true)
    }

    fn read(text: &'a str, in_list: bool) -> Result<Self, Unusable> {
        let raw = Raw::parse(text)?;
        let mut fields = Fields::default();
        for (key, value) in raw.members() {
            fields.keep(key, value);
        }
        if raw.kind() != crate::json::Kind::Object {
            return Err(Unusable::NotAnObject);
        }
        Self::from_fields(raw, fields, in_list)
    }

    /// An event from an object whose fields are known. In an EventList an item needs no kind of its own.
    pub(crate) fn from_fields(raw: Raw<'a>, fields: Fields<'a>, in_list: bool) -> Result<Self, Unusable> {
        let kind = fields.get(Field::Kind);
        let is_event = match kind {
            Some(kind) => kind.string().as_deref() == Some("Event"),
            None => in_list,
        };
        if !is_event || !fields.is_audit_group() {
            let show = |field| fields.text(field).map_or(String::new(), |text| excerpt(&text));
            return Err(Unusable::OtherKind {
                kind: show(Field::Kind),
                api_version: show(Field::ApiVersion),
            });
        }
        let stage_timestamp =
            fields.text(Field::StageTimestamp).and_then(|text| Timestamp::parse(&text)).ok_or_else(|| {
                let found =
                    fields.get(Field::StageTimestamp).map_or("nothing".to_owned(), |raw| excerpt(raw.text()));
                Unusable::StageTimestamp(found)
            })?;
        Ok(Self { raw, fields, stage_timestamp })
    }

    /// The event as it came, whole.
    pub fn raw(&self) -> Raw<'a> {
        self.raw
    }

    /// The value of a field of the envelope, if present.
    pub fn get(&self, field: Field) -> Option<Raw<'a>> {
        self.fields.get(field)
    }

    /// The decoded content of a field that is a string.
    pub fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        self.fields.text(field)
    }

    /// The annotation of that key, if it is a string.
    pub fn annotation(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(Field::Annotations)?.get(key)?.string()
    }

    /// `stageTimestamp`: when the stage was reached, which is the event's time.
    pub fn stage_timestamp(&self) -> Timestamp {
        self.stage_timestamp
    }

    /// Appends the event's text to `out` with `annotations` set, each (key, value) in place of what the event says
    /// under that key. Everything else, unknown fields included, is copied as it came.
    pub fn write_annotated(&self, out: &mut String, annotations: &[(&str, &str)]) {
        if annotations.is_empty() {
            return out.push_str(self.raw.text());
        }
        let text = self.raw.text();
        let (before, behind) = match self.get(Field::Annotations).and_then(|own| own.range_in(text)) {
            Some(own) => (text.get(..own.start).unwrap_or_default(), text.get(own.end..).unwrap_or_default()),
            None => (text.strip_suffix('}').unwrap_or(text).trim_end(), "}"),
        };
        out.push_str(before);
        if self.get(Field::Annotations).is_none() {
            out.push_str(if before.ends_with('{') { "\"annotations\":" } else { ",\"annotations\":" });
        }
        self.write_annotations(out, annotations);
        out.push_str(behind);
    }

    fn write_annotations(&self, out: &mut String, annotations: &[(&str, &str)]) {
        let mut separator = '{';
        for (key, value) in self.get(Field::Annotations).into_iter().flat_map(Raw::members) {
            if annotations.iter().any(|(set, _)| key.is(set)) {
                continue;
            }
            out.push(separator);
            separator = ',';
            out.extend(["\"", key.text(), "\":", value.text()]);
        }
        for (key, value) in annotations {
            out.push(separator);
            separator = ',';
            write_string(out, key);
            out.push(':');
            write_string(out, value);
        }
        out.push('}');
    }
}

/// Reads the object at the scanner, keeping the envelope's fields. `take` sees each value before it is read and may
/// read it itself.
pub(crate) fn read_object<'a>(
    scanner: &mut Scanner<'a>,
    mut take: impl FnMut(Key<'a>, &mut Scanner<'a>) -> Result<bool, Malformed>,
) -> Result<Fields<'a>, Malformed> {
    let mut fields = Fields::default();
    scanner.open(b'{');
    while let Some(key) = scanner.member_name()? {
        if !take(key, scanner)? {
            let value = scanner.value()?;
            fields.keep(key, value);
        }
    }
    Ok(fields)
}

/// The head of a text that came from outside, short enough for a message.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

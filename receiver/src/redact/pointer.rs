//! Places in a document.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A JSON pointer (RFC 6901), as in Falco's `jevt.value[/requestObject/spec]`. `*` stands for any member or element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pointer(Vec<String>);

/// Not a pointer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a path is given as `/requestObject/spec/...`, from the event's root, found `{0}`")]
pub struct NoPointer(String);

/// Fields without which there is no event, or another.
const NEEDED: [&str; 11] = [
    "kind",
    "apiVersion",
    "level",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "user",
    "objectRef",
    "stageTimestamp",
    "requestReceivedTimestamp",
];

impl Pointer {
    /// Whether it leads to `place`, names of members and numbers of elements from the root.
    pub(super) fn leads_to<'a>(&self, place: impl ExactSizeIterator<Item = &'a str>) -> bool {
        place.len() == self.0.len() && place.zip(&self.0).all(|(is, wanted)| wanted == "*" || is == wanted)
    }

    /// Whether an event is not the same without it.
    pub(super) fn is_needed(&self) -> bool {
        matches!(self.0.as_slice(), [field] if field == "*" || NEEDED.contains(&field.as_str()))
    }
}

impl FromStr for Pointer {
    type Err = NoPointer;

    fn from_str(text: &str) -> Result<Self, NoPointer> {
        let segments = text.strip_prefix('/').ok_or_else(|| NoPointer(text.to_owned()))?;
        let decoded = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
        Ok(Self(segments.split('/').map(decoded).collect()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1")))
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

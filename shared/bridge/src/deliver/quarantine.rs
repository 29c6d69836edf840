//! Where records go that can't be delivered as events.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::{fmt, mem};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::MOST_BYTES;

/// A record in the quarantine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Why it is there.
    pub reason: String,
    /// Where it came from.
    pub source: String,
    /// What it says, whole.
    pub record: String,
}

/// The place of the quarantine: `receiver` or `file:PATH`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// The receiver's own, `POST /quarantine`: the place for ours.
    #[default]
    Receiver,
    /// A local file of JSON lines: for receivers without one.
    File(PathBuf),
}

/// A text that names no quarantine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected `receiver` or `file:PATH`")]
pub struct UnknownKeep;

impl FromStr for Keep {
    type Err = UnknownKeep;

    fn from_str(text: &str) -> Result<Self, UnknownKeep> {
        match text.split_once(':') {
            None if text == "receiver" => Ok(Self::Receiver),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(UnknownKeep),
        }
    }
}

impl TryFrom<String> for Keep {
    type Error = UnknownKeep;

    fn try_from(text: String) -> Result<Self, UnknownKeep> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receiver => f.write_str("receiver"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// A record must be quarantined and can't be: the receiver has no quarantine, or does not take this record into it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a record cannot be quarantined with the receiver: {0}; for a receiver without a quarantine set `quarantine: file:PATH`"
)]
pub struct NoPlace(pub String);

#[derive(Serialize)]
struct Records<'a> {
    records: &'a [Kept],
}

/// The body of a request to the receiver's quarantine.
pub(super) fn body(records: &[Kept]) -> Bytes {
    // Strings only: nothing that could fail.
    serde_json::to_vec(&Records { records }).unwrap_or_default().into()
}

/// Records in bodies of bounded size.
pub(super) fn bodies(kept: Vec<Kept>) -> Vec<Vec<Kept>> {
    let mut bodies = Vec::new();
    let (mut body, mut bytes) = (Vec::new(), 0);
    for record in kept {
        if !body.is_empty() && bytes + record.record.len() > MOST_BYTES {
            bodies.push(mem::take(&mut body));
            bytes = 0;
        }
        bytes += record.record.len();
        body.push(record);
    }
    bodies.push(body);
    bodies
}

/// Appends records to the file, one JSON object a line; durable when it returns. The error says what the system said.
pub(super) async fn append(path: PathBuf, kept: Arc<[Kept]>) -> Result<(), String> {
    let file = path.clone();
    let written = tokio::task::spawn_blocking(move || append_now(&file, &kept)).await;
    let problem = match written {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(format!("a record cannot be quarantined in `{}`: {problem}", path.display()))
}

pub(super) fn append_now(path: &Path, kept: &[Kept]) -> io::Result<()> {
    let created = !path.exists();
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    // Other units write to it, too.
    file.lock()?;
    let before = file.metadata()?.len();
    let mut text = String::new();
    if ends_within_a_line(&mut file, before)? {
        text.push('\n');
    }
    for record in kept {
        text.push_str(&serde_json::to_string(record)?);
        text.push('\n');
    }
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // Half a line on a full disk would stand there for each try.
        let _ = file.set_len(before);
        return Err(error);
    }
    match path.parent().filter(|_| created) {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether the last writer was killed halfway.
fn ends_within_a_line(file: &mut File, len: u64) -> io::Result<bool> {
    // A pipe or a device has no end to look at.
    if len == 0 {
        return Ok(false);
    }
    let mut last = [0; 1];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

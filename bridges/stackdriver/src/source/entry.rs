//! What tells a log entry from every other, and when it was.

use audit_bridge::Record;
use audit_bridge::sweep::{Found, RecordId};
use audit_bridge::time::Time;
use audit_event::Timestamp;
use audit_event::json::Raw;

/// The entry with its identity: log (a sink may gather those of many projects), insert ID and time and, as the two entries of a request that runs long share the first,
/// which of them it is. An entry whose time can't be read is taken to be of `from`: what is asked for by time has one, and
/// it must not fall out of every slice.
pub(super) fn found(entry: Raw<'_>, from: Time) -> Found<Record> {
    let (mut id, mut log, mut at, mut received, mut first, mut last) = ("", "", "", "", "", "");
    for (key, value) in entry.members() {
        let text = || value.quoted().unwrap_or_default();
        match key.text() {
            "insertId" => id = text(),
            "logName" => log = text(),
            "timestamp" => at = text(),
            "receiveTimestamp" => received = text(),
            "operation" => {
                first = value.get("first").map_or("", Raw::text);
                last = value.get("last").map_or("", Raw::text);
            }
            _ => {}
        }
    }
    let parts = [id, at, first, last, log];
    // Nothing to tell it by: only an equal text is the same.
    let id = if id.is_empty() {
        RecordId::of(&[entry.text().as_bytes()])
    } else {
        RecordId::of(&parts.map(str::as_bytes))
    };
    let [insert_id, at, ..] = parts;
    let time = read_time(at);
    Found {
        id,
        time: time.unwrap_or(from),
        ingested: read_time(received),
        record: Record {
            origin: format!("insertId `{insert_id}` at `{at}`"),
            time,
            ..Record::bare(entry.text())
        },
    }
}

fn read_time(text: &str) -> Option<Time> {
    Some(Time::from_millis(Timestamp::parse(text)?.as_milliseconds()))
}

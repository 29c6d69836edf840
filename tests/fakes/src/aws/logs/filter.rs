//! `FilterLogEvents`.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Excluded, Included};

use serde::Deserialize;
use serde_json::{Value, json};

use super::group::{Key, StoredEvent, StoredSeries};
use super::token::Token;
use super::{GroupName, Reply, reply};
use crate::aws::credentials::Caller;
use crate::aws::{AwsError, State};

/// The request. A pattern is refused, so that nothing can rely on one that this fake doesn't have.
#[derive(Debug, Deserialize, Hash)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    #[serde(flatten)]
    group: GroupName,
    #[serde(default)]
    log_stream_names: Vec<String>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

impl Query {
    fn check(&self) -> Result<(), AwsError> {
        let invalid = |message: &str| Err(AwsError::invalid_parameter(message));
        if !self.log_stream_names.is_empty() && self.log_stream_name_prefix.is_some() {
            return invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
        }
        if self.limit.is_some_and(|limit| !(1..=10_000).contains(&limit)) {
            return invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint");
        }
        if self.start_time.unwrap_or(0) < 0 || self.end_time.unwrap_or(0) < 0 {
            return invalid(
                "1 validation error detected: Value at 'startTime' must be greater than or equal to 0",
            );
        }
        if self.start_time.unwrap_or(0) > self.end_time.unwrap_or(i64::MAX) {
            return invalid("End time should not be before start time.");
        }
        if self.filter_pattern.as_deref().is_some_and(|pattern| !pattern.is_empty()) {
            return invalid("Invalid filter pattern: this fake has none");
        }
        Ok(())
    }

    /// What a token is bound to: everything but the token.
    fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.group, &self.log_stream_names, &self.log_stream_name_prefix).hash(&mut hasher);
        (self.start_time, self.end_time, self.limit).hash(&mut hasher);
        hasher.finish()
    }

    fn wants(&self, stream: &str) -> bool {
        match &self.log_stream_name_prefix {
            Some(prefix) => stream.starts_with(prefix),
            None => {
                self.log_stream_names.is_empty() || self.log_stream_names.iter().any(|name| name == stream)
            }
        }
    }
}

/// A page ends when it is full by count or bytes; only the absence of a token ends the query.
pub(super) fn answer(state: &mut State, caller: &Caller, query: &Query, now: i64) -> Result<Reply, AwsError> {
    query.check()?;
    let group = state.groups.get(&query.group.resolve(caller)?).ok_or_else(AwsError::no_such_group)?;
    let paging = &mut state.paging;
    let identity = query.identity();
    let from = match &query.next_token {
        Some(text) => Token::read(text, paging, identity, now)?,
        None => Token { after: None },
    };
    paging.pages += 1;
    let empty = paging.empty_every > 0 && paging.pages.is_multiple_of(paging.empty_every);

    let first = Key { timestamp: query.start_time.unwrap_or(0), ingested: i64::MIN, number: 0 };
    let last = Key { timestamp: query.end_time.unwrap_or(i64::MAX), ingested: i64::MAX, number: u64::MAX };
    let start = from.after.map_or(Included(first), Excluded);
    let stored = group
        .events
        .range((start, Included(last)))
        .filter(|(_, event)| event.visible_ms <= now && query.wants(&event.stream))
        .map(|(key, event)| (*key, Place::Stored(event)));
    let series = group.series.iter().filter(|series| query.wants(&series.stream)).map(|series| {
        let keys = series.keys(start).take_while(move |key| *key <= last);
        Box::new(keys.map(move |key| (key, Place::Series(series)))) as Readable<'_>
    });
    let sources = [Box::new(stored) as Readable<'_>].into_iter().chain(series);
    let mut sources: Vec<_> = sources.map(Iterator::peekable).collect();

    let most = if empty { 0 } else { query.limit.unwrap_or(10_000).min(paging.events) };
    let mut events: Vec<Value> = Vec::new();
    let (mut bytes, mut reached) = (0, from);
    let more = loop {
        let ahead = sources.iter_mut().filter_map(|source| Some((source.peek()?.0, source)));
        let Some((key, place)) = ahead.min_by_key(|(key, _)| *key).and_then(|(_, source)| source.next())
        else {
            break false;
        };
        if events.len() == most {
            break true;
        }
        let (stream, id, message) = place.event(&key);
        bytes += message.len() + 26;
        if bytes > paging.bytes && !events.is_empty() {
            break true;
        }
        events.push(row(&key, stream, &id, &message));
        reached.after = Some(key);
    };
    let more = more || (paging.trailing_token && !events.is_empty());
    let count = events.len();
    let mut page = json!({"events": events, "searchedLogStreams": []});
    if more {
        page["nextToken"] = reached.issue(paging, identity, now).into();
    }
    Ok(reply(&page, count))
}

type Readable<'a> = Box<dyn Iterator<Item = (Key, Place<'a>)> + 'a>;

/// Where an event is kept.
enum Place<'a> {
    Stored(&'a StoredEvent),
    Series(&'a StoredSeries),
}

impl<'a> Place<'a> {
    /// Stream, ID and message.
    fn event(&self, key: &Key) -> (&'a str, Cow<'a, str>, Cow<'a, str>) {
        match self {
            Self::Stored(event) => (&event.stream, Cow::from(&event.id), Cow::from(&*event.message)),
            Self::Series(series) => {
                let (id, message) = series.event(key);
                (&series.stream, Cow::from(id), Cow::from(message))
            }
        }
    }
}

fn row(key: &Key, stream: &str, id: &str, message: &str) -> Value {
    json!({
        "eventId": id,
        "ingestionTime": key.ingested,
        "logStreamName": stream,
        "message": message,
        "timestamp": key.timestamp,
    })
}

//! Cloud Logging: `POST /v2/entries:list` over entries that become readable late.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::filter::Filter;
use super::{GcpError, Reply, State};

/// How result pages are cut. The defaults are the service's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The most entries a page holds, whatever the caller asks for; starts at 1000.
    pub entries: usize,
    /// Every how many pages one is empty and has a token, although more is to come; 0, the start, is never.
    pub empty_every: usize,
    /// Whether the last page has a token too, which leads to an empty page without one; starts as false.
    pub trailing_token: bool,
    /// How long a token is good for, in milliseconds; starts at 24 hours.
    pub token_life_ms: i64,
    /// Tokens of an earlier generation are expired.
    pub(super) generation: u64,
    /// Pages given so far.
    pages: usize,
}

impl Default for Paging {
    fn default() -> Self {
        let token_life_ms = 24 * 3600 * 1000;
        Self { entries: 1000, empty_every: 0, trailing_token: false, token_life_ms, generation: 0, pages: 0 }
    }
}

/// Every entry, by time, insert ID and order of putting.
pub(super) type Entries = BTreeMap<(Timestamp, Arc<str>, u64), Stored>;

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) entry: Value,
    pub(super) readable_ms: i64,
}

/// The request. Fields that the service doesn't know are an error there, too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    resource_names: Vec<String>,
    #[serde(default)]
    filter: String,
    order_by: Option<String>,
    page_size: Option<i64>,
    page_token: Option<String>,
}

impl Query {
    fn check(&self) -> Result<(), GcpError> {
        if self.resource_names.is_empty() || self.resource_names.len() > 100 {
            return Err(GcpError::invalid("1 to 100 resource names must be given"));
        }
        if self.filter.len() > 20_000 {
            return Err(GcpError::invalid("The filter is too long"));
        }
        if !matches!(self.order_by.as_deref(), None | Some("timestamp asc" | "timestamp desc")) {
            return Err(GcpError::invalid("order_by must be `timestamp asc` or `timestamp desc`"));
        }
        if !(1..=1000).contains(&self.page_size.unwrap_or(50)) {
            return Err(GcpError::invalid("page_size must be between 1 and 1000"));
        }
        Ok(())
    }

    /// What a token is bound to: everything but the token.
    fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.resource_names, &self.filter, &self.order_by, self.page_size).hash(&mut hasher);
        hasher.finish()
    }

    fn is_descending(&self) -> bool {
        self.order_by.as_deref() == Some("timestamp desc")
    }

    fn project(&self) -> &str {
        self.resource_names.first().and_then(|name| name.strip_prefix("projects/")).unwrap_or_default()
    }
}

/// Which project's quota a request is of.
pub(super) fn project(body: &[u8]) -> String {
    serde_json::from_slice::<Query>(body).map_or(String::new(), |query| query.project().to_owned())
}

/// A page ends when it is full; only the absence of a token ends the query.
pub(super) fn list(state: &mut State, body: &[u8], now: i64) -> Result<Reply, GcpError> {
    let query: Query = serde_json::from_slice(body).map_err(|error| GcpError::invalid(error.to_string()))?;
    query.check()?;
    let filter = Filter::parse(&query.filter)?;
    let paging = &mut state.paging;
    let identity = query.identity();
    let after = match &query.page_token {
        Some(text) => read_token(text, paging, identity, now)?,
        None => None,
    };
    paging.pages += 1;
    let empty = paging.empty_every > 0 && paging.pages.is_multiple_of(paging.empty_every);
    let asked = query.page_size.unwrap_or(50) as usize;
    let most = if empty { 0 } else { asked.min(paging.entries) };

    let hidden = state.data_access_hidden;
    let (from, to) = filter.span();
    let (first, last) = ((from, Arc::from(""), 0), (to, Arc::from("\u{10ffff}"), u64::MAX));
    let descending = query.is_descending();
    let bounds = match after.clone() {
        None => (Included(first), Included(last)),
        Some(reached) if descending => (Included(first), Excluded(reached)),
        Some(reached) => (Excluded(reached), Included(last)),
    };
    let range = (from <= to).then(|| state.entries.range(bounds)).into_iter().flatten();
    let mut readable: Box<dyn Iterator<Item = (&Key, &Stored)>> =
        if descending { Box::new(range.rev()) } else { Box::new(range) };
    let wanted = |stored: &Stored| {
        let log = stored.entry["logName"].as_str().unwrap_or_default();
        let belongs = query.resource_names.iter().any(|name| log.starts_with(&format!("{name}/")));
        let private = hidden && log.ends_with("data_access");
        stored.readable_ms <= now && belongs && !private && filter.matches(&stored.entry)
    };
    let mut entries: Vec<&Value> = Vec::new();
    let mut reached = after;
    let more = loop {
        let Some((key, stored)) = readable.find(|(_, stored)| wanted(stored)) else { break false };
        // Within one result, entries of one time and insert ID are one.
        if reached.as_ref().is_some_and(|last| (last.0, &last.1) == (key.0, &key.1)) {
            reached = Some(key.clone());
            continue;
        }
        if entries.len() == most {
            break true;
        }
        entries.push(&stored.entry);
        reached = Some(key.clone());
    };
    let more = more || (paging.trailing_token && !entries.is_empty());
    let count = entries.len();
    let mut page = json!({});
    if !entries.is_empty() {
        page["entries"] = json!(entries);
    }
    if more {
        page["nextPageToken"] = token(reached, paging, identity, now).into();
    }
    Ok(Reply::json(page.to_string(), count))
}

type Key = (Timestamp, Arc<str>, u64);

fn token(after: Option<Key>, paging: &Paging, query: u64, now: i64) -> String {
    let place = after.map_or(String::from("-"), |(time, id, number)| format!("{time}/{number}/{id}"));
    format!("{}/{now}/{query}/{place}", paging.generation)
}

fn read_token(text: &str, paging: &Paging, query: u64, now: i64) -> Result<Option<Key>, GcpError> {
    let read = || {
        let [generation, issued, of, place] = text.splitn(4, '/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let fresh = generation.parse() == Ok(paging.generation)
            && now - issued.parse::<i64>().ok()? <= paging.token_life_ms;
        if !fresh || of.parse() != Ok(query) {
            return None;
        }
        if place == "-" {
            return Some(None);
        }
        let [time, number, id] = place.splitn(3, '/').collect::<Vec<_>>()[..] else { return None };
        Some(Some((time.parse().ok()?, Arc::from(id), number.parse().ok()?)))
    };
    read().ok_or_else(|| GcpError::invalid("page_token is invalid or has expired"))
}

//! CloudWatch Logs: the awsJson1.1 protocol over groups of streams of events.

mod describe;
mod event_id;
mod filter;
mod group;
mod token;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) use group::Groups;
pub use group::{Group, Series, Stream};

use super::credentials::Caller;
use super::{AwsError, Operation, Place, Reply, State};

/// How result pages are cut. The defaults are the service's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The most events a page holds, whatever the caller's limit; starts at 10,000.
    pub events: usize,
    /// The most bytes of messages a page holds, unless a single event is larger; starts at 1 MiB.
    pub bytes: usize,
    /// Every how many pages one is empty and has a token, although more is to come; 0, the start, is never.
    /// 1 would never end.
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
        Self {
            events: 10_000,
            bytes: 1 << 20,
            empty_every: 0,
            trailing_token: false,
            token_life_ms: 24 * 3600 * 1000,
            generation: 0,
            pages: 0,
        }
    }
}

pub(super) fn answer(
    state: &mut State,
    operation: Operation,
    caller: &Caller,
    body: &[u8],
    now: i64,
) -> Result<Reply, AwsError> {
    if let Some(refused) = &caller.refused {
        return Err(refused.clone());
    }
    match operation {
        Operation::FilterLogEvents => filter::answer(state, caller, &read(body)?, now),
        Operation::DescribeLogGroups => describe::groups(state, caller, &read(body)?),
        _ => describe::streams(state, caller, &read(body)?, now),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    serde_json::from_slice(body)
        .map_err(|error| AwsError::new(400, "SerializationException", error.to_string()))
}

fn reply(body: &serde_json::Value, events: usize) -> Reply {
    Reply { content_type: "application/x-amz-json-1.1", body: body.to_string(), events }
}

/// The two ways to name a log group, of which a request has exactly one.
#[derive(Debug, Deserialize, Hash)]
#[serde(rename_all = "camelCase")]
struct GroupName {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
}

impl GroupName {
    /// Which group is meant. An identifier may be an ARN of another account, which must then end without `:*`.
    fn resolve(&self, caller: &Caller) -> Result<(Place, String), AwsError> {
        let own = |name: &str| (caller.place.clone(), name.to_owned());
        match (&self.log_group_name, &self.log_group_identifier) {
            (Some(name), None) => Ok(own(name)),
            (None, Some(identifier)) => match identifier.split(':').collect::<Vec<_>>()[..] {
                [name] => Ok(own(name)),
                ["arn", _, "logs", region, account, "log-group", name] => {
                    Ok((Place { account: account.to_owned(), region: region.to_owned() }, name.to_owned()))
                }
                _ => Err(AwsError::invalid_parameter(format!("Invalid log group identifier: {identifier}"))),
            },
            (Some(_), Some(_)) => Err(AwsError::invalid_parameter(
                "LogGroup name and log group ARN are mutually exclusive parameters.",
            )),
            (None, None) => {
                Err(AwsError::invalid_parameter("Either logGroupName or logGroupIdentifier is required"))
            }
        }
    }
}

fn group_arn(place: &Place, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", place.region, place.account)
}

#[cfg(test)]
mod tests;

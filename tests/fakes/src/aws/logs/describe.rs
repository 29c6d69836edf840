//! `DescribeLogGroups` and `DescribeLogStreams`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{GroupName, Reply, group_arn, reply};
use crate::aws::credentials::Caller;
use crate::aws::{AwsError, State};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupsQuery {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn groups(state: &State, caller: &Caller, query: &GroupsQuery) -> Result<Reply, AwsError> {
    let rows = state
        .groups
        .iter()
        .filter(|((place, name), _)| {
            *place == caller.place
                && query.log_group_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
                && query.log_group_name_pattern.as_ref().is_none_or(|pattern| name.contains(pattern))
        })
        .map(|((place, name), group)| {
            let arn = group_arn(place, name);
            json!({
                "arn": format!("{arn}:*"),
                "creationTime": group.created_ms,
                "logGroupArn": arn,
                "logGroupClass": "STANDARD",
                "logGroupName": name,
                "metricFilterCount": 0,
                "storedBytes": 0,
            })
        })
        .collect();
    page("logGroups", rows, query.limit, query.next_token.as_deref())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamsQuery {
    #[serde(flatten)]
    group: GroupName,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    #[serde(default)]
    descending: bool,
    limit: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn streams(
    state: &State,
    caller: &Caller,
    query: &StreamsQuery,
    now: i64,
) -> Result<Reply, AwsError> {
    let by_time = query.order_by.as_deref() == Some("LastEventTime");
    if by_time && query.log_stream_name_prefix.is_some() {
        return Err(AwsError::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let (place, name) = query.group.resolve(caller)?;
    let arn = group_arn(&place, &name);
    let group = state.groups.get(&(place, name)).ok_or_else(AwsError::no_such_group)?;
    let mut rows: Vec<Value> = group
        .streams
        .iter()
        .filter(|(name, _)| {
            query.log_stream_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
        })
        .map(|(name, stream)| {
            let mut row = json!({
                "arn": format!("{arn}:log-stream:{name}"),
                "creationTime": stream.created_ms,
                "logStreamName": &**name,
                "storedBytes": 0,
            });
            let events =
                || group.events.iter().filter(|(_, event)| event.stream == *name && event.visible_ms <= now);
            if let (Some((first, _)), Some((last, _))) = (events().next(), events().next_back()) {
                row["firstEventTimestamp"] = first.timestamp.into();
                row["lastEventTimestamp"] = last.timestamp.into();
                row["lastIngestionTime"] = last.ingested.into();
            }
            row
        })
        .collect();
    if by_time {
        rows.sort_by_key(|row| row["lastEventTimestamp"].as_i64());
    }
    if query.descending {
        rows.reverse();
    }
    page("logStreams", rows, query.limit, query.next_token.as_deref())
}

/// Cuts a listing by count; its token is the number of rows already given.
fn page(key: &str, rows: Vec<Value>, limit: Option<usize>, token: Option<&str>) -> Result<Reply, AwsError> {
    let invalid = || AwsError::invalid_parameter("The specified nextToken is invalid.");
    let given = token.map_or(Ok(0), str::parse::<usize>).map_err(|_| invalid())?;
    let limit = limit.unwrap_or(50);
    let more = rows.len() > given + limit;
    let mut answer = json!({key: rows.into_iter().skip(given).take(limit).collect::<Vec<_>>()});
    if more {
        answer["nextToken"] = (given + limit).to_string().into();
    }
    Ok(reply(&answer, 0))
}

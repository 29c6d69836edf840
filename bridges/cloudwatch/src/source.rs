//! The seam to the AWS SDK: no type of it leaves this module.

mod clock;
mod connect;
mod trouble;
mod web_identity;

use audit_bridge::Record;
use audit_bridge::sweep::driver::{Page, ReadFailed, TimedLog};
use audit_bridge::sweep::{Found, RecordId, Request};
use audit_bridge::time::Time;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use tokio::sync::RwLock;

use crate::config::Log;
use crate::convert::{AUDIT_STREAMS, origin};
use clock::ServerDate;
use trouble::Trouble;
pub(crate) use trouble::audit_logging;

/// The audit streams of one log group.
#[derive(Debug)]
pub struct AuditLog {
    log: Log,
    endpoint_url: Option<String>,
    client: RwLock<Client>,
}

/// Who AWS says we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// The role or user.
    pub arn: String,
}

impl AuditLog {
    /// The log of that configuration; nothing is asked of AWS yet.
    pub async fn open(log: Log, endpoint_url: Option<String>) -> Self {
        let client = RwLock::new(Client::new(&connect::config(&log, endpoint_url.as_deref()).await));
        Self { log, endpoint_url, client }
    }

    /// The credentials were refused although the SDK holds them valid: forget them.
    async fn reconnect(&self) {
        let fresh = Client::new(&connect::config(&self.log, self.endpoint_url.as_deref()).await);
        *self.client.write().await = fresh;
    }
}

/// Who reads `log`: for its cluster's account, and for `check`.
///
/// # Errors
/// As reading has them; STS answers without any permission.
pub async fn identity(log: &Log, endpoint_url: Option<&str>) -> Result<Identity, ReadFailed> {
    // A client that is asked once learns how far the clock is off only by asking again.
    let settings = connect::retrying(connect::config(log, endpoint_url).await);
    let client = aws_sdk_sts::Client::new(&settings);
    match client.get_caller_identity().send().await {
        Ok(found) => Ok(Identity {
            account: found.account().unwrap_or_default().to_owned(),
            arn: found.arn().unwrap_or_default().to_owned(),
        }),
        Err(error) => Err(Trouble::of(&error).failure(log, false)),
    }
}

impl TimedLog for AuditLog {
    async fn read(&self, request: &Request) -> Result<Page, ReadFailed> {
        let client = self.client.read().await.clone();
        let date = ServerDate::default();
        let mut query = client
            .filter_log_events()
            .log_stream_name_prefix(AUDIT_STREAMS)
            .start_time(request.from.as_millis())
            // Whether the end counts in is not to be relied on: what lies at it is left to the next slice.
            .end_time(request.to.as_millis())
            .set_next_token(request.token.clone());
        query = if self.log.group.starts_with("arn:") {
            query.log_group_identifier(&self.log.group)
        } else {
            query.log_group_name(&self.log.group)
        };
        match query.customize().interceptor(date.clone()).send().await {
            Ok(page) => {
                let token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
                let found =
                    page.events.unwrap_or_default().into_iter().map(|event| found(event, request.from));
                Ok(Page { found: found.collect(), token, served: date.get() })
            }
            Err(error) => {
                let trouble = Trouble::of(&error);
                if trouble.is_of_credentials() {
                    self.reconnect().await;
                }
                Err(trouble.failure(&self.log, request.token.is_some()))
            }
        }
    }
}

fn found(event: FilteredLogEvent, from: Time) -> Found<Record> {
    let stream = event.log_stream_name.unwrap_or_default();
    let id = event.event_id.unwrap_or_default();
    let text = event.message.unwrap_or_default();
    // A record without a time was found in this slice and must not fall out of it.
    let time = event.timestamp.map_or(from, Time::from_millis);
    // The id is unique in its group; where there is none, the text tells.
    let told = if id.is_empty() { &text } else { &id };
    let key = RecordId::of(&[stream.as_bytes(), &time.as_millis().to_be_bytes(), told.as_bytes()]);
    let record = Record { origin: origin(&stream, &id), time: Some(time), ..Record::bare(text) };
    Found { id: key, time, ingested: event.ingestion_time.map(Time::from_millis), record }
}

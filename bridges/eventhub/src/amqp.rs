//! What of AMQP 1.0 an Event Hub reader needs, over `fe2o3-amqp`: a connection, requests (`$cbs`, `$management`), and a
//! link per partition.
//!
//! Nothing here waits for ever: a call on a link that was detached without a word does not return (fe2o3-amqp #200), so
//! every answer has its time. What the service says is wrong comes out as a [`Condition`], which decides what to do
//! about it. No type of the AMQP crates leaves this module.

use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionStopReason, OpenError};
use fe2o3_amqp::link::{
    DetachError, IllegalLinkStateError, LinkStateError, ReceiverAttachError, RecvError, SendError,
    SenderAttachError, SessionStopReason,
};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp::types::definitions::Error as Stated;

mod cbs;
mod condition;
mod connection;
mod management;
mod partition;
mod request;
mod value;

pub use cbs::Cbs;
pub use condition::{Condition, Reaction};
pub use connection::{Connection, Endpoint};
pub use management::{HubProperties, Management, PartitionProperties};
pub use partition::{Address, Message, PartitionLink, Received, Start};
use request::{Reply, Requests};

/// Why something on the wire did not work out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// No answer came in time; whether the other side did it is not known.
    #[error("{what}: no answer within {limit:?}")]
    Silent {
        /// What was asked.
        what: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// The service says why.
    #[error("{what}: {condition}: {description}")]
    Refused {
        /// What was asked, or what ended.
        what: &'static str,
        /// Its reason, sorted.
        condition: Condition,
        /// Its words.
        description: String,
    },
    /// The connection, the session or the link is gone, without a reason from the service.
    #[error("{what}: {reason}")]
    Lost {
        /// What was asked, or what ended.
        what: &'static str,
        /// What this side saw.
        reason: String,
    },
}

impl Failure {
    /// The service's reason, if it gave one.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Refused { condition, .. } => Some(*condition),
            Self::Silent { .. } | Self::Lost { .. } => None,
        }
    }

    fn of(what: &'static str, error: impl Told) -> Self {
        match error.stated() {
            Some(stated) => Self::Refused {
                what,
                condition: Condition::of(&stated.condition),
                description: readable(stated.description.as_deref().unwrap_or("no description")),
            },
            None => Self::Lost { what, reason: readable(&error.to_string()) },
        }
    }
}

/// Waits for an answer, but not for ever.
async fn within<T, E: Told>(
    limit: Duration,
    what: &'static str,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| Failure::of(what, error)),
        Err(_) => Err(Failure::Silent { what, limit }),
    }
}

/// A text of the service, fit for one line of a log.
fn readable(text: &str) -> String {
    const LONGEST: usize = 400;
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

/// An error of the AMQP crate, with what the service stated in it.
trait Told: std::fmt::Display {
    fn stated(&self) -> Option<&Stated>;
}

fn of_connection(reason: &ConnectionStopReason) -> Option<&Stated> {
    match reason {
        ConnectionStopReason::RemoteClosedWithError(stated) => Some(stated),
        _ => None,
    }
}

fn of_session(reason: &SessionStopReason) -> Option<&Stated> {
    match reason {
        SessionStopReason::RemoteEndedWithError(stated) => Some(stated),
        SessionStopReason::ConnectionStopped(reason) => of_connection(reason),
        _ => None,
    }
}

fn of_link(state: &LinkStateError) -> Option<&Stated> {
    match state {
        LinkStateError::RemoteClosedWithError(stated) | LinkStateError::RemoteDetachedWithError(stated) => {
            Some(stated)
        }
        LinkStateError::SessionStopped(reason) => of_session(reason),
        _ => None,
    }
}

impl Told for OpenError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::RemoteClosedWithError(stated) => Some(stated),
            _ => None,
        }
    }
}

impl Told for BeginError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::ConnectionStopped(reason) => of_connection(reason),
            Self::RemoteEndedWithError(stated) => Some(stated),
            _ => None,
        }
    }
}

impl Told for SenderAttachError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::RemoteClosedWithError(stated) => Some(stated),
            Self::SessionStopped(reason) => of_session(reason),
            _ => None,
        }
    }
}

impl Told for ReceiverAttachError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::RemoteClosedWithError(stated) => Some(stated),
            Self::SessionStopped(reason) => of_session(reason),
            _ => None,
        }
    }
}

impl Told for RecvError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::LinkStateError(state) => of_link(state),
            _ => None,
        }
    }
}

impl Told for SendError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::LinkStateError(state) => of_link(state),
            Self::Detached(
                DetachError::RemoteDetachedWithError(stated) | DetachError::RemoteClosedWithError(stated),
            ) => Some(stated),
            Self::Detached(DetachError::SessionStopped(reason)) => of_session(reason),
            _ => None,
        }
    }
}

impl Told for IllegalLinkStateError {
    fn stated(&self) -> Option<&Stated> {
        match self {
            Self::SessionStopped(reason) => of_session(reason),
            Self::IllegalState => None,
        }
    }
}

impl Told for fe2o3_amqp_ws::Error {
    fn stated(&self) -> Option<&Stated> {
        None
    }
}

impl Told for std::io::Error {
    fn stated(&self) -> Option<&Stated> {
        None
    }
}

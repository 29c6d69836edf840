use std::fmt;
use std::time::Duration;

use fe2o3_amqp::types::definitions::ErrorCondition;
use fe2o3_amqp::types::primitives::Symbol;

/// What the service says is wrong. Each calls for something else, so each is told apart; the names are those of the
/// wire without their prefixes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Condition {
    /// Another reader with the same or a higher epoch took the partition.
    Stolen,
    /// The link was detached by the service: upgrades, load balancing, half an hour without traffic.
    DetachForced,
    /// The connection was closed by the service, for the same reasons.
    ConnectionForced,
    /// More than the throughput units allow.
    ServerBusy,
    /// The service gave up waiting for itself.
    Timeout,
    /// The token is missing, expired, or of somebody who may not read.
    Unauthorized,
    /// No such namespace, hub, consumer group or partition.
    NotFound,
    /// The hub is switched off.
    EntityDisabled,
    /// The position is not in the log: older than what is kept, or of another hub of the same name.
    OutOfRange,
    /// Too many readers or connections for the tier.
    QuotaExceeded,
    /// Anything else.
    Other,
}

/// What to do about a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// Attach again, backing off; it happens in the best of hubs.
    Retry,
    /// Give the partition up for at least so long: somebody else has it, or the service asks for rest.
    Rest(Duration),
    /// Attach again with a new token.
    Authorize,
    /// Look at what the partition holds and start where it begins.
    Reposition,
    /// A person must mend something; keep trying meanwhile.
    Mend,
}

impl Condition {
    /// The condition of a wire name (AMQP 1.0 part 2, section 2.8, and those under `com.microsoft:`).
    pub fn named(symbol: &str) -> Self {
        match symbol {
            "amqp:link:stolen" => Self::Stolen,
            "amqp:link:detach-forced" | "amqp:link:redirect" => Self::DetachForced,
            "amqp:connection:forced" | "amqp:connection:redirect" => Self::ConnectionForced,
            "com.microsoft:server-busy" => Self::ServerBusy,
            "com.microsoft:timeout" | "com.microsoft:operation-cancelled" => Self::Timeout,
            "amqp:unauthorized-access" | "com.microsoft:auth-failed" => Self::Unauthorized,
            "amqp:not-found" => Self::NotFound,
            "com.microsoft:entity-disabled" => Self::EntityDisabled,
            "com.microsoft:argument-out-of-range" | "com.microsoft:argument-error" => Self::OutOfRange,
            "amqp:resource-limit-exceeded" => Self::QuotaExceeded,
            _ => Self::Other,
        }
    }

    pub(super) fn of(condition: &ErrorCondition) -> Self {
        let symbol = match condition {
            ErrorCondition::AmqpError(error) => Symbol::from(error),
            ErrorCondition::ConnectionError(error) => Symbol::from(error),
            ErrorCondition::SessionError(error) => Symbol::from(error),
            ErrorCondition::LinkError(error) => Symbol::from(error),
            ErrorCondition::Custom(symbol) => symbol.clone(),
        };
        Self::named(symbol.as_str())
    }

    /// The condition of the status that `$cbs` and `$management` answer with.
    pub(super) fn status(code: i32) -> Self {
        match code {
            401 | 403 => Self::Unauthorized,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            429 | 503 => Self::ServerBusy,
            _ => Self::Other,
        }
    }

    /// What to do about it.
    pub fn reaction(self) -> Reaction {
        match self {
            Self::Stolen => Reaction::Rest(Duration::from_secs(30)),
            // The service asks for at least 4 s; its own clients wait 4 to 10.
            Self::ServerBusy => Reaction::Rest(Duration::from_secs(5)),
            Self::DetachForced | Self::ConnectionForced | Self::Timeout | Self::Other => Reaction::Retry,
            Self::Unauthorized => Reaction::Authorize,
            Self::OutOfRange => Reaction::Reposition,
            Self::NotFound | Self::EntityDisabled | Self::QuotaExceeded => Reaction::Mend,
        }
    }

    /// The name, as metrics and logs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stolen => "stolen",
            Self::DetachForced => "detach-forced",
            Self::ConnectionForced => "connection-forced",
            Self::ServerBusy => "server-busy",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized-access",
            Self::NotFound => "not-found",
            Self::EntityDisabled => "entity-disabled",
            Self::OutOfRange => "argument-out-of-range",
            Self::QuotaExceeded => "resource-limit-exceeded",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

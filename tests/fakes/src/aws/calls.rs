//! The log of what was asked.

use std::collections::HashMap;

use bytes::Bytes;
use hyper::Request;

use super::{Fault, Outcome, Place};

/// What the fake can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the AWS API")]
pub enum Operation {
    FilterLogEvents,
    DescribeLogGroups,
    DescribeLogStreams,
    GetCallerIdentity,
    AssumeRole,
    AssumeRoleWithWebIdentity,
    /// `GET /v1/credentials`, the endpoint of the EKS Pod Identity agent.
    PodIdentity,
}

impl Operation {
    /// Which operation a request is for: the target header of Logs, the form of STS, the path of Pod Identity.
    pub(super) fn of(request: &Request<Bytes>, form: &HashMap<String, String>) -> Option<Self> {
        if request.uri().path() == "/v1/credentials" {
            return Some(Self::PodIdentity);
        }
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        match target.or_else(|| form.get("Action").map(String::as_str))? {
            "Logs_20140328.FilterLogEvents" => Some(Self::FilterLogEvents),
            "Logs_20140328.DescribeLogGroups" => Some(Self::DescribeLogGroups),
            "Logs_20140328.DescribeLogStreams" => Some(Self::DescribeLogStreams),
            "GetCallerIdentity" => Some(Self::GetCallerIdentity),
            "AssumeRole" => Some(Self::AssumeRole),
            "AssumeRoleWithWebIdentity" => Some(Self::AssumeRoleWithWebIdentity),
            _ => None,
        }
    }

    pub(super) fn is_logs(self) -> bool {
        matches!(self, Self::FilterLogEvents | Self::DescribeLogGroups | Self::DescribeLogStreams)
    }

    pub(super) fn is_sts(self) -> bool {
        matches!(self, Self::GetCallerIdentity | Self::AssumeRole | Self::AssumeRoleWithWebIdentity)
    }

    /// The IAM action that permits it, such as `logs:FilterLogEvents`.
    pub fn action(self) -> String {
        let service = if self.is_logs() { "logs" } else { "sts" };
        format!("{service}:{self:?}")
    }
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// By which account, in which region.
    pub place: Place,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The code of the error that was answered, such as `ThrottlingException`.
    pub error: Option<String>,
    /// Whether the answer was withheld, cut or late.
    pub disturbed: bool,
    /// How many log events the answer had.
    pub events: usize,
}

#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

impl Calls {
    pub(super) fn note(&mut self, now: i64, fault: Option<&Fault>, outcome: &Outcome) {
        self.0.push(Call {
            operation: outcome.operation,
            place: outcome.place.clone(),
            at_ms: now,
            error: outcome.result.as_ref().err().map(|error| error.code.to_owned()),
            disturbed: fault.is_some_and(|fault| !matches!(fault, Fault::Error(_))),
            events: outcome.result.as_ref().map_or(0, |reply| reply.events),
        });
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.0.clone()
    }

    pub(super) fn count(&self, operation: Operation) -> usize {
        self.0.iter().filter(|call| call.operation == operation).count()
    }
}

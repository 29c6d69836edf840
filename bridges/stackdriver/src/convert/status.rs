//! The response status: what the API server said where the entry repeats it, else what `google.rpc.Code` says of it.

use std::borrow::Cow;

use audit_event::json::{Kind, Raw};

use super::entry::{Payload, text};
use super::target::Target;
use super::write::Object;

#[cfg(test)]
mod tests;

/// A `responseStatus` of `audit.k8s.io/v1`.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Status<'a> {
    /// The response is a `Status` with a code: repeated as sent.
    Said(Raw<'a>),
    /// From the code of the entry.
    Coded {
        /// `None` for a code that nobody has defined.
        code: Option<Http>,
        message: Option<Cow<'a, str>>,
        /// The response, if it is a `Status` without a code, as for a delete.
        outcome: Option<Raw<'a>>,
    },
}

/// An HTTP status, and whether it is more than another spelling of what the entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Http {
    pub(super) code: u16,
    pub(super) inferred: bool,
}

impl<'a> Status<'a> {
    pub(super) fn read(payload: &Payload<'a>, target: &Target<'_>, forbidden: bool) -> Self {
        let response = payload.response.filter(|response| is_status(*response));
        if let Some(response) = response
            && response.get("code").is_some_and(is_http_code)
        {
            return Self::Said(response);
        }
        let status = |key| payload.status.and_then(|status| status.get(key));
        let code = match status("code") {
            None => Some(0),
            Some(code) => code.text().parse().ok(),
        };
        Self::Coded {
            code: code.and_then(|code| http(code, target, forbidden)),
            message: text(status("message")).filter(|message| !is_code_name(message)),
            outcome: response,
        }
    }

    /// Writes the members, and says which of them are inferred.
    pub(super) fn write(&self, status: &mut Object<'_>, inferred: &mut Vec<&str>) {
        drop(status.object("metadata"));
        match self {
            Self::Said(response) => {
                for key in ["status", "message", "reason", "details", "code"] {
                    if let Some(value) = response.get(key) {
                        status.raw(key, value);
                    }
                }
            }
            Self::Coded { code, message, outcome } => {
                let said = |key| text(outcome.and_then(|outcome| outcome.get(key)));
                let failed = || code.filter(|http| http.code >= 400).map(|_| Cow::Borrowed("Failure"));
                status.text_if("status", said("status").or_else(failed));
                status.text_if("message", said("message").or_else(|| message.clone()));
                if let Some(reason) = said("reason") {
                    status.text("reason", &reason);
                } else if let Some(reason) = code.and_then(|http| reason(http.code)) {
                    status.text("reason", reason);
                    inferred.push("responseStatus.reason");
                }
                let details = outcome.and_then(|outcome| outcome.get("details"));
                if let Some(details) = details.filter(|details| details.kind() == Kind::Object) {
                    status.raw("details", details);
                }
                if let Some(http) = code {
                    status.number("code", http.code);
                    if http.inferred {
                        inferred.push("responseStatus.code");
                    }
                }
            }
        }
    }
}

/// A `Status` of the API machinery. No custom resource can be one: its version would name its group.
fn is_status(response: Raw<'_>) -> bool {
    let is = |key, values: &[&str]| {
        response.get(key).and_then(Raw::string).is_some_and(|value| values.contains(&&*value))
    };
    is("kind", &["Status"])
        && is("apiVersion", &["v1", "meta.k8s.io/v1"])
        && response.get("@type").and_then(Raw::string).is_none_or(|name| name.ends_with("k8s.io/v1.Status"))
}

fn is_http_code(code: Raw<'_>) -> bool {
    code.kind() == Kind::Number && code.text().parse().is_ok_and(|code: u16| (100..600).contains(&code))
}

/// The HTTP status behind a `google.rpc.Code`. Those that GKE was seen to use for one HTTP status only are no
/// inference: 10 is every 409, 7 every 403, 16 is 401 and 5 is 404 (googleapis/googleapis `google/rpc/code.proto`
/// gives the rest).
fn http(code: i64, target: &Target<'_>, forbidden: bool) -> Option<Http> {
    let subresource = target.subresource();
    let upgrades = matches!(subresource, Some("exec" | "attach" | "portforward"));
    let (code, inferred) = match code {
        0 if forbidden => (403, true),
        0 if upgrades => (101, true),
        0 if target.verb == "create" && subresource != Some("proxy") => (201, true),
        0 => (200, true),
        // There is no code for a switch of protocols.
        2 if upgrades || subresource == Some("proxy") => (101, true),
        5 => (404, false),
        6 | 10 => (409, false),
        7 => (403, false),
        16 => (401, false),
        1 => (499, true),
        3 | 9 | 11 => (400, true),
        4 => (504, true),
        8 => (429, true),
        12 => (501, true),
        14 => (503, true),
        2 | 13 | 15 => (500, true),
        _ => return None,
    };
    Some(Http { code, inferred })
}

/// The reason that goes with a status, where there is but one.
fn reason(code: u16) -> Option<&'static str> {
    match code {
        401 => Some("Unauthorized"),
        403 => Some("Forbidden"),
        404 => Some("NotFound"),
        _ => None,
    }
}

/// Entries of 2020 repeat the code's name as the message.
fn is_code_name(message: &str) -> bool {
    message.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

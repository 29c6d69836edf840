//! How severe an alert is.

use std::fmt;
use std::str::FromStr;

/// Severity of a rule, most severe first: `Emergency < Debug`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "syslog's severities")]
pub enum Priority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl Priority {
    /// All, most severe first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// The name as alerts print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Not one of the eight names, nor `info`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no priority; there are emergency, alert, critical, error, warning, notice, info and debug")]
pub struct UnknownPriority(String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    /// Case does not matter; `info` is `informational`.
    fn from_str(name: &str) -> Result<Self, UnknownPriority> {
        if name.eq_ignore_ascii_case("info") {
            return Ok(Self::Informational);
        }
        Self::ALL
            .into_iter()
            .find(|priority| name.eq_ignore_ascii_case(priority.as_str()))
            .ok_or_else(|| UnknownPriority(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_printed_capitalised() {
        for priority in Priority::ALL {
            assert_eq!(priority.to_string().to_uppercase().parse(), Ok(priority));
        }
        assert_eq!("INFO".parse(), Ok(Priority::Informational));
        assert!("urgent".parse::<Priority>().is_err());
    }

    #[test]
    fn the_most_severe_is_the_least() {
        assert!(Priority::ALL.is_sorted());
        assert!(Priority::Emergency < Priority::Debug);
    }
}

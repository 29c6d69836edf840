//! Points in time and spans of it, as positions, flags and logs show them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit_service::config::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z: the grain in which cloud logs are indexed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(i64);

impl Time {
    /// Later than every record.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// What this machine's clock says, which may be wrong.
    pub fn of_machine() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis))
    }

    /// From the date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn of_http(date: &str) -> Option<Self> {
        let time =
            jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(date).ok()?;
        Some(Self(time.as_millisecond()))
    }

    /// This much later.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This much earlier.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The point halfway between this and a later one, rounded down.
    pub fn halfway(self, later: Self) -> Self {
        self.plus(later.since(self) / 2)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC with three digits of fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// A text that is no RFC 3339 time.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time such as `2026-11-23T04:40:00Z`")]
pub struct NoTime(String);

impl FromStr for Time {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let time: jiff::Timestamp = text.parse().map_err(|_| NoTime(text.to_owned()))?;
        Ok(Self(time.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a unit without a checkpoint begins: `beginning` (or `earliest`), `latest`, a time, or a span ago (`-1h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// At the first record there is.
    Beginning,
    /// At that time.
    At(Time),
    /// This long ago.
    Ago(Duration),
}

impl Default for From {
    fn default() -> Self {
        Self::Ago(Duration::from_secs(3600))
    }
}

impl From {
    /// The point in time that is meant, seen from `now`; never later than that.
    pub fn resolve(self, now: Time) -> Time {
        match self {
            Self::Beginning => Time::from_millis(0),
            Self::At(time) => time.min(now),
            Self::Ago(span) => now.minus(span),
        }
    }
}

/// A text that is no starting point.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is no starting point: write `beginning`, a time such as `2026-11-23T04:40:00Z`, or a span ago such as `-1h`"
)]
pub struct NoStart(String);

impl FromStr for From {
    type Err = NoStart;

    fn from_str(text: &str) -> Result<Self, NoStart> {
        let wrong = || NoStart(text.to_owned());
        match text.trim() {
            "beginning" | "earliest" => Ok(Self::Beginning),
            "latest" => Ok(Self::Ago(Duration::ZERO)),
            ago if ago.starts_with('-') => {
                let span: Span = ago.trim_start_matches('-').parse().map_err(|_| wrong())?;
                Ok(Self::Ago(span.0))
            }
            time => time.parse().map(Self::At).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("beginning"),
            Self::At(time) => time.fmt(f),
            Self::Ago(span) => write!(f, "-{}", Span(*span)),
        }
    }
}

impl Serialize for From {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for From {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_points() {
        let now = Time::from_millis(10_000_000);
        assert_eq!("-1h".parse::<From>().unwrap().resolve(now), now.minus(Duration::from_secs(3600)));
        assert_eq!("beginning".parse::<From>().unwrap().resolve(now), Time::from_millis(0));
        assert_eq!("1970-01-01T00:00:01Z".parse::<From>().unwrap().resolve(now), Time::from_millis(1000));
        assert_eq!("2400-01-01T00:00:01Z".parse::<From>().unwrap().resolve(now), now);
        assert_eq!("latest".parse::<From>().unwrap().resolve(now), now);
        assert_eq!("earliest".parse::<From>().unwrap(), From::Beginning);
        assert!("yesterday".parse::<From>().is_err());
        for text in ["beginning", "-1h30m", "2026-11-23T04:40:00.000Z"] {
            assert_eq!(text.parse::<From>().unwrap().to_string(), text);
        }
    }
}

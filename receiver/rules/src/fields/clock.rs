//! Forms of an event's time.

use audit_event::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::value::Value;

/// A form in which rules see the time of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clock {
    LocalTime,
    LocalTimeSeconds,
    Iso8601,
    LocalDateTime,
    LocalDateTimeSeconds,
    Raw,
    RawSeconds,
    RawNanoseconds,
    Relative,
    RelativeSeconds,
    RelativeNanoseconds,
}

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since 1970 as the language counts them: unsigned, so that earlier times wrap to huge ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wrapping is what is meant")]
pub(crate) fn nanoseconds(time: Timestamp) -> u64 {
    time.as_nanoseconds() as u64
}

/// The time in a form. `first` is the time of the first event.
pub(crate) fn value(clock: Clock, time: Timestamp, first: u64, zone: &TimeZone) -> Value<'static> {
    let now = nanoseconds(time);
    let relative = now.wrapping_sub(first);
    let local = |format: &str| Value::text(written(now, zone, format).into_bytes());
    match clock {
        Clock::LocalTime => local("%H:%M:%S.%9f"),
        Clock::LocalTimeSeconds => local("%H:%M:%S"),
        Clock::LocalDateTime => local("%Y-%m-%d %H:%M:%S.%9f"),
        Clock::LocalDateTimeSeconds => local("%Y-%m-%d %H:%M:%S"),
        Clock::Iso8601 => Value::text(utc(time, "+0000").into_bytes()),
        Clock::Raw => Value::Number(now),
        Clock::RawSeconds => Value::Number(now / SECOND),
        Clock::RawNanoseconds => Value::Number(now % SECOND),
        Clock::Relative => Value::Number(relative),
        Clock::RelativeSeconds => Value::Number(relative / SECOND),
        Clock::RelativeNanoseconds => Value::Number(relative % SECOND),
    }
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn` in UTC, with `zone` behind.
pub(crate) fn utc(time: Timestamp, zone: &str) -> String {
    written(nanoseconds(time), &TimeZone::fixed(Offset::UTC), "%Y-%m-%dT%H:%M:%S.%9f") + zone
}

fn written(nanoseconds: u64, zone: &TimeZone, format: &str) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds));
    time.map(|time| time.to_zoned(zone.clone()).strftime(format).to_string()).unwrap_or_default()
}

//! Event times.

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp {
    nanoseconds: i128,
}

impl Timestamp {
    /// Reads an RFC 3339 time as Go's `time.Parse(time.RFC3339Nano)` does: `T` and a zone are required, impossible dates
    /// are refused, digits behind the ninth of the fraction are cut.
    pub fn parse(text: &str) -> Option<Self> {
        let (seconds, rest) = text.split_at_checked(19)?;
        let digits_end = rest.find(['Z', '+', '-'])?;
        let (fraction, zone) = rest.split_at_checked(digits_end)?;
        let civil: jiff::civil::DateTime = plain_date_time(seconds)?;
        let nanoseconds = match fraction.strip_prefix(['.', ',']) {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits
                    .bytes()
                    .chain(std::iter::repeat(b'0'))
                    .take(9)
                    .fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0'))
            }
            None if fraction.is_empty() => 0,
            _ => return None,
        };
        let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
        Some(Self { nanoseconds: i128::from(utc - zone_seconds(zone)?) * 1_000_000_000 + nanoseconds })
    }

    /// From nanoseconds since the epoch.
    pub fn from_nanoseconds(nanoseconds: i128) -> Self {
        Self { nanoseconds }
    }

    /// Nanoseconds since the epoch.
    pub fn as_nanoseconds(self) -> i128 {
        self.nanoseconds
    }

    /// Milliseconds since the epoch, rounded down.
    pub fn as_milliseconds(self) -> i64 {
        i64::try_from(self.nanoseconds.div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }
}

/// `YYYY-MM-DDTHH:MM:SS`, digits and separators exactly there.
fn plain_date_time(text: &str) -> Option<jiff::civil::DateTime> {
    let number = |from: usize, to: usize| -> Option<i16> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let separators = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    if !separators.iter().all(|(at, separator)| text.get(*at..at + 1) == Some(separator)) {
        return None;
    }
    let small = |from: usize| number(from, from + 2).and_then(|value| i8::try_from(value).ok());
    jiff::civil::DateTime::new(number(0, 4)?, small(5)?, small(8)?, small(11)?, small(14)?, small(17)?, 0)
        .ok()
}

/// `Z`, `+HH:MM` or `-HH:MM` as seconds east of UTC.
fn zone_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, offset) = match zone.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let number = |digits: &str, below: i64| -> Option<i64> {
        let valid = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|value| valid && *value < below)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339 in UTC with nine digits of fraction: `2026-11-23T04:40:04.745560000Z`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_nanosecond(self.nanoseconds) {
            Ok(time) => write!(f, "{time:.9}"),
            Err(_) => write!(f, "{}ns", self.nanoseconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_writes() {
        for (text, nanoseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-02T03:04:05Z", 1_767_323_045_000_000_000),
            ("2026-01-02T03:04:05.1Z", 1_767_323_045_100_000_000),
            ("2026-01-02T03:04:05.123456Z", 1_767_323_045_123_456_000),
            ("2026-01-02T03:04:05.1234567899Z", 1_767_323_045_123_456_789),
            ("2026-01-02T05:34:05+02:30", 1_767_323_045_000_000_000),
            ("2026-01-02T02:04:05.5-01:00", 1_767_323_045_500_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000),
            ("1969-12-31T23:59:59.5Z", -500_000_000),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().as_nanoseconds(), nanoseconds, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_point_in_time() {
        for text in [
            "",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05Z",
            "2026-01-02t03:04:05Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:04:60Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05.xZ",
            "2026-01-02T03:04:05z",
            "2026-01-02T03:04:05+0100",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05Z ",
            "26-01-02T03:04:05Z",
            "+026-01-02T03:04:05Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanoseconds in -62_135_596_800_000_000_000_i128..253_402_300_799_000_000_000) {
            let time = Timestamp::from_nanoseconds(nanoseconds);
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = Timestamp::parse(&text);
        }
    }
}

//! `alerts`: what the store holds.

use std::io::{BufWriter, Write};

use audit_rules::Priority;
use audit_service::config::Span;
use clap::Args;
use jiff::Timestamp;

use super::{Done, Stopped, block_on};
use crate::store::{self, Filter, Location};

const NANOS_IN_MILLI: i64 = 1_000_000;

/// Arguments of `alerts`.
#[derive(Debug, Args)]
pub struct Alerts {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
    /// Events at or after this time: RFC 3339, or so long ago (`1h`, `30d`)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Events before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Stored at or after this time, which is when the receiver raised them, however long after their events
    #[arg(long, value_name = "TIME", value_parser = time)]
    stored_since: Option<i64>,
    /// Of the rule of this name
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// From the cluster of this name
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// As severe as this or more
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// The newest so many
    #[arg(long, value_name = "COUNT")]
    last: Option<u32>,
}

impl Alerts {
    /// Prints them in the order in which they were stored.
    ///
    /// # Errors
    /// When the store can't be read or stdout not be written.
    pub fn run(self) -> Result<Done, Stopped> {
        let Self { store, since, until, stored_since, rule, cluster, priority, last } = self;
        let stored_since = stored_since.map(|time| time / NANOS_IN_MILLI);
        let filter =
            Filter { since, until, stored_since, rule, cluster, priority, last, ..Filter::default() };
        let mut stdout = BufWriter::new(std::io::stdout().lock());
        let mut written = Ok(());
        let each = |document: String| {
            written = writeln!(stdout, "{document}");
            written.is_ok()
        };
        block_on(store::read_alerts(&store, &filter, each))?;
        written.and_then(|()| stdout.flush()).map_err(|error| Stopped::writing(&error))?;
        Ok(Done::Well)
    }
}

/// A time as people give it, in nanoseconds since 1970.
pub(super) fn time(text: &str) -> Result<i64, String> {
    let time = match (text.parse::<Timestamp>(), text.parse::<Span>()) {
        (Ok(time), _) => Some(time),
        (_, Ok(ago)) => Timestamp::now().checked_sub(ago.0).ok(),
        _ => None,
    };
    time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()).ok_or_else(|| {
        "expected a time such as `2026-01-31T12:00:00Z`, or how long ago such as `1h`".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_given_absolutely_or_back_from_now() {
        assert_eq!(time("1970-01-01T00:00:01Z"), Ok(1_000_000_000));
        let hour = time("2h").unwrap() - time("3h").unwrap();
        assert!((3_599_000_000_000..3_601_000_000_000).contains(&hour), "{hour}");
        assert!(time("yesterday").is_err());
        assert!(time("99999999999d").is_err());
    }
}

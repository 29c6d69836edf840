//! `activity`: who was inside what.

use clap::Args;
use jiff::Timestamp;

use super::{Done, Stopped, block_on, print};
use crate::commands::alerts::time;
use crate::store::{self, ActivityFilter, Location, Shown};

/// Arguments of `activity`.
#[derive(Debug, Args)]
pub struct Activity {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
    /// Begun at or after this time: RFC 3339, or so long ago (`1h`, `30d`)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// By the user of this name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// In the cluster of this name
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// In the namespace of this name
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

impl Activity {
    /// Prints commands, tunnels, debug containers and proxied requests as JSON lines, oldest first.
    ///
    /// # Errors
    /// When the store can't be read or stdout not be written.
    pub fn run(self) -> Result<Done, Stopped> {
        let Self { store, since, user, cluster, namespace } = self;
        let filter = ActivityFilter { since: since.unwrap_or(i64::MIN), user, cluster, namespace };
        let shown = block_on(store::activity(&store, &filter))?;
        print(&shown.iter().map(line).collect::<String>())
    }
}

fn line(shown: &Shown) -> String {
    let time = |time: i64| {
        Timestamp::from_nanosecond(time.into())
            .unwrap_or_default()
            .strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
            .to_string()
    };
    let mut line: serde_json::Value = serde_json::from_str(&shown.document).unwrap_or_default();
    if let Some(line) = line.as_object_mut() {
        line.insert("started".to_owned(), time(shown.started).into());
        line.insert("ended".to_owned(), shown.ended.map(time).into());
        line.insert("code".to_owned(), shown.code.into());
        line.insert("cluster".to_owned(), shown.cluster.as_str().into());
    }
    format!("{line}\n")
}

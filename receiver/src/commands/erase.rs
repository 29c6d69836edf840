//! `erase`: what is stored about a person.

use clap::Args;
use jiff::Timestamp;

use super::{Done, Stopped, block_on, print, tell};
use crate::store::{self, Erasure, Location};

/// Arguments of `erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
    /// The user whose requests raised the alerts to remove
    #[arg(long, value_name = "NAME", required_unless_present = "list")]
    user: Option<String>,
    /// Who has it removed
    #[arg(long, value_name = "NAME", env = "USER", required_unless_present = "list")]
    author: Option<String>,
    /// Print who had something removed instead, as JSON lines; users are told by the SHA-256 of their names
    #[arg(long, conflicts_with = "user")]
    list: bool,
}

impl Erase {
    /// Removes the alerts and the activity of a user, also alerts that wait for outputs, and the quarantined records that name it.
    ///
    /// # Errors
    /// When the store can't be written, or not be read.
    pub fn run(self) -> Result<Done, Stopped> {
        let (Some(user), Some(author), false) = (&self.user, &self.author, self.list) else {
            let erasures = block_on(store::erasures(&self.store))?;
            return print(&erasures.iter().map(line).collect::<String>());
        };
        let now = Timestamp::now().as_millisecond();
        let Erasure { alerts, activity, quarantined, .. } =
            block_on(store::erase(&self.store, user, author, now))?;
        tell(&format!(
            "removed {alerts} alerts, {activity} entries of activity, {quarantined} quarantined records"
        ));
        Ok(Done::Well)
    }
}

fn line(erasure: &Erasure) -> String {
    let at = Timestamp::from_millisecond(erasure.at).map(|time| time.to_string()).unwrap_or_default();
    let mut line = serde_json::json!(erasure);
    if let Some(shown) = line.get_mut("at") {
        *shown = at.into();
    }
    format!("{line}\n")
}

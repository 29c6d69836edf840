//! `erase`: what is stored about a person.

use clap::Args;

use super::{Done, Stopped, block_on, tell};
use crate::store::{self, Location};

/// Arguments of `erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
    /// The user whose requests raised the alerts to remove
    #[arg(long, value_name = "NAME")]
    user: String,
}

impl Erase {
    /// Removes the alerts and the activity of a user, also alerts that wait for outputs. Quarantined records are not searched.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn run(self) -> Result<Done, Stopped> {
        let removed = block_on(store::erase(&self.store, &self.user))?;
        tell(&format!("removed {removed} alerts and entries of activity"));
        Ok(Done::Well)
    }
}

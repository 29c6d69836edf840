//! `replay`
use super::{Done, Stopped};
use clap::Args;
/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {}
impl Replay {
    /// Runs.
    ///
    /// # Errors
    /// not yet
    pub fn run(self) -> Result<Done, Stopped> {
        Err(Stopped::Failed("not there yet".to_owned()))
    }
}

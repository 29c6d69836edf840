//! `test-alert`: whether alerts arrive where they are to.

use std::path::PathBuf;

use audit_service::config;
use clap::Args;

use super::{Done, Stopped, block_on, tell};
use crate::config::Config;
use crate::store::Waiting;
use crate::{native, outputs, serve};

/// Arguments of `test-alert`.
#[derive(Debug, Args)]
pub struct TestAlert {
    /// YAML file with the configuration of the receiver
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl TestAlert {
    /// Sends one alert through every output, whatever its filter, and says on stderr how each did.
    ///
    /// # Errors
    /// When the configuration or a certificate file can't be used.
    pub fn run(self) -> Result<Done, Stopped> {
        let config: Config = config::load(Config::default(), self.config.as_deref(), ())
            .map_err(|mistakes| Stopped::Usage(mistakes.to_string()))?;
        audit_service::tls::install();
        let alert = native::test(&serve::hostname(), jiff::Timestamp::now());
        let alert = Waiting { seq: 0, id: alert.id, document: alert.document };
        let told = block_on(outputs::test(&config.outputs, alert))?;
        if told.is_empty() {
            return Err(Stopped::Failed("there is no output: set one in `outputs`".to_owned()));
        }
        for (output, failed) in &told {
            match failed {
                None => tell(&format!("[ok]   {output}")),
                Some(reason) => tell(&format!("[fail] {output}: {reason}")),
            }
        }
        Ok(if told.iter().all(|(_, failed)| failed.is_none()) { Done::Well } else { Done::Badly })
    }
}

//! What happens at the outputs.

use super::{Counters, Occurrence};

/// An output wrote alerts.
pub struct Written<'a> {
    /// Its name.
    pub output: &'a str,
    /// How many.
    pub alerts: usize,
}

impl Occurrence for Written<'_> {
    type Counters = Counters;

    fn log(&self) {
        tracing::debug!(output = self.output, alerts = self.alerts, "alerts written");
    }

    fn count(&self, counters: &Counters) {
        counters.written.get_or_create(&self.output.into()).inc_by(self.alerts as u64);
    }
}

/// An output failed and will try again.
pub struct OutputFailed<'a> {
    /// Its name.
    pub output: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl Occurrence for OutputFailed<'_> {
    type Counters = Counters;

    fn log(&self) {
        tracing::warn!(output = self.output, reason = self.reason, "alerts not written, trying again");
    }

    fn count(&self, counters: &Counters) {
        counters.output_failures.get_or_create(&self.output.into()).inc();
    }
}

/// An output will never take an alert; it is set aside for that output.
pub struct AlertRefused<'a> {
    /// Its name.
    pub output: &'a str,
    /// The alert's identity.
    pub alert: uuid::Uuid,
    /// Why.
    pub reason: &'a str,
}

impl Occurrence for AlertRefused<'_> {
    type Counters = Counters;

    fn log(&self) {
        let Self { output, alert, reason } = self;
        tracing::error!(output, %alert, reason, "alert refused by an output and set aside for it");
    }

    fn count(&self, counters: &Counters) {
        counters.output_refused.get_or_create(&self.output.into()).inc();
    }
}

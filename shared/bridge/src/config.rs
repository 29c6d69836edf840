//! What the configurations of all bridges have in common. (Their keys stand side by side, so each names them itself.)

use audit_service::config::{Check, Mistakes};
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::deliver::{Keep, Options as ReceiverOptions};
use crate::sweep::Plan;

/// The configuration of a bridge.
pub trait Settings {
    /// The store of checkpoints.
    fn checkpoint(&self) -> &str;

    /// Adds what is wrong with what is to be read.
    fn check_reading(&self, mistakes: &mut Mistakes);
}

/// The configuration of commands that read nothing and send nothing: whatever it says is taken.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unchecked<C>(pub C);

/// The configuration of commands that send nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WithoutReceiver<C>(pub C);

impl<C> Check for Unchecked<C> {
    fn check(&self, _: &mut Mistakes) {}
}

impl<C: Settings> Check for WithoutReceiver<C> {
    fn check(&self, mistakes: &mut Mistakes) {
        check_without_receiver(&self.0, mistakes);
    }
}

fn check_without_receiver(config: &impl Settings, mistakes: &mut Mistakes) {
    config.check_reading(mistakes);
    if let Err(unknown) = checkpoint::open(config.checkpoint()) {
        mistakes.add("checkpoint", unknown.to_string());
    }
}

impl Check for ReceiverOptions {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.url.is_none() {
            mistakes.add("url", "must be given (or `--receiver-url`)");
        }
        for (key, span) in [("connect_timeout", self.connect_timeout), ("timeout", self.timeout)] {
            if span.0.is_zero() {
                mistakes.add(key, "must be longer than nothing");
            }
        }
    }
}

/// Adds what is wrong with the whole.
pub fn check(config: &impl Settings, receiver: &ReceiverOptions, mistakes: &mut Mistakes) {
    check_without_receiver(config, mistakes);
    mistakes.within("receiver", |mistakes| receiver.check(mistakes));
}

/// Adds what is wrong with how a log is read by time.
pub fn check_sweeping(plan: &Plan, quarantine: &Keep, mistakes: &mut Mistakes) {
    if plan.poll.is_zero() {
        mistakes.add("poll_interval", "must be longer than nothing");
    }
    if plan.remember == 0 {
        mistakes.add("remember", "must be at least 1: without it each sweep would send everything again");
    }
    if plan.spare_copies && *quarantine == Keep::Receiver {
        mistakes.add("spare_copies", "is for receivers without a quarantine; ours knows copies by itself");
    }
}

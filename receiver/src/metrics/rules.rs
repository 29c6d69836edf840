//! What happens to the rules.

use std::path::Path;

use super::{Counters, Occurrence};
use crate::rules::{Rules, Unusable};

/// Rules were loaded and are in use from now on.
#[derive(Debug)]
pub struct RulesLoaded<'a> {
    /// These.
    pub rules: &'a Rules,
}

impl Occurrence for RulesLoaded<'_> {
    type Counters = Counters;

    fn log(&self) {
        tracing::info!(rules = self.rules.all().len(), "rules loaded");
        for remark in self.rules.remarks() {
            tracing::warn!("{remark}");
        }
    }

    fn count(&self, counters: &Counters) {
        counters.rules.set(self.rules.all().len() as i64);
        counters.rules_stale.set(0);
    }
}

/// The rules files are unusable; earlier rules stay in use.
#[derive(Debug)]
pub struct RulesKept<'a> {
    /// What is wrong with the files.
    pub why: &'a Unusable,
    /// How many rules are in use.
    pub rules: usize,
    /// The file that the rules in use are from, when they were read from one at the start.
    pub from: Option<&'a Path>,
}

impl Occurrence for RulesKept<'_> {
    type Counters = Counters;

    fn log(&self) {
        let from = self.from.map(|path| path.display().to_string());
        tracing::error!(rules = self.rules, from, why = %self.why, "the rules files are unusable: the last good rules stay in use");
    }

    fn count(&self, counters: &Counters) {
        counters.rules.set(self.rules as i64);
        counters.rules_stale.set(1);
    }
}

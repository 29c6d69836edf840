use audit_rules::select::Selection;
use audit_rules::{Matching, Options, Priority};

use crate::config::Config;

/// Which of the loaded rules are tried, how, and what their alerts say besides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many rules may match one event.
    pub matching: Matching,
    /// Rules that are less severe are not tried.
    pub least: Priority,
    /// What switches rules on and off, in this order.
    pub select: Vec<Selection>,
    /// What is added to outputs.
    pub options: Options,
}

impl From<Matching> for Settings {
    /// All rules that are on in their files, as they are.
    fn from(matching: Matching) -> Self {
        Self { matching, least: Priority::Debug, select: Vec::new(), options: Options::default() }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            matching: config.matching.into(),
            least: config.priority.map_or(Priority::Debug, |least| least.0),
            select: config.rules_select.iter().map(Selection::from).collect(),
            options: Options { append_output: config.append_output.iter().map(Into::into).collect() },
        }
    }
}

use audit_rules::load::AppendOutput;
use audit_rules::select::Selection;
use audit_rules::{Options, Priority};
use clap::Args;

use crate::config::Match;
use crate::rules::Settings;

/// Which of the loaded rules are tried, and what their outputs say besides.
#[derive(Default, Debug, Args)]
pub(super) struct Select {
    /// Only rules with this tag, also those that are off in their files; once for each [Falco: -t]
    #[arg(long, value_name = "TAG")]
    only_tag: Vec<String>,
    /// No rules with this tag, once for each [Falco: -T]
    #[arg(long, value_name = "TAG")]
    without_tag: Vec<String>,
    /// No rules of this name, `*` for any text, once for each [Falco: -D, which takes any part of a name]
    #[arg(long, value_name = "NAME")]
    without_rule: Vec<String>,
    /// No rules that are less severe [Falco: -o priority=]
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Add this to the output of every rule, behind a blank [Falco: -p]
    #[arg(long, value_name = "TEMPLATE")]
    append_output: Option<String>,
}

impl Select {
    /// Falco's order: what is only wanted, then what is not.
    pub(super) fn settings(self, matching: Match) -> Settings {
        let Self { only_tag, without_tag, without_rule, priority, append_output } = self;
        let tag = |enable| move |tag| Selection { enable, rule: None, tag: Some(tag) };
        let name = |rule| Selection { enable: false, rule: Some(rule), tag: None };
        let none = (!only_tag.is_empty()).then(|| name("*".to_owned()));
        let select = none.into_iter().chain(only_tag.into_iter().map(tag(true)));
        let select = select.chain(without_tag.into_iter().map(tag(false)));
        let select = select.chain(without_rule.into_iter().map(name)).collect();
        let output = append_output.map(|output| AppendOutput { output: Some(output), ..Default::default() });
        Settings {
            matching: matching.into(),
            least: priority.unwrap_or(Priority::Debug),
            select,
            options: Options { append_output: output.into_iter().collect() },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        select: Select,
    }

    #[test]
    fn what_is_only_wanted_comes_before_what_is_not() {
        let line = "x --without-rule=A* --priority=error --only-tag=pods --without-tag=noisy --append-output=%ka.uri";
        let settings = Line::parse_from(line.split(' ')).select.settings(Match::All);
        let shown = settings.select.iter().map(|one| (one.enable, one.rule.as_deref(), one.tag.as_deref()));
        let expected = [
            (false, Some("*"), None),
            (true, None, Some("pods")),
            (false, None, Some("noisy")),
            (false, Some("A*"), None),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert_eq!((settings.least, settings.matching), (Priority::Error, audit_rules::Matching::All));
        assert_eq!(settings.options.append_output[0].output.as_deref(), Some("%ka.uri"));
        assert!(Line::parse_from(["x"]).select.settings(Match::First).select.is_empty());
    }
}

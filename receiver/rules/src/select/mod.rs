//! Which files are rules files, and which of the loaded rules are on.

mod wildcard;

use crate::{Rule, RuleSet};

/// Switches rules on or off: those with the name, then those with the tag.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Selection {
    /// On, or off.
    pub enable: bool,
    /// Name of rules, `*` for any text.
    pub rule: Option<String>,
    /// Tag that rules have.
    pub tag: Option<String>,
}

impl Selection {
    /// Whether it switches this rule.
    pub fn concerns(&self, rule: &Rule) -> bool {
        self.rule.as_deref().is_some_and(|pattern| wildcard::matches(pattern, &rule.name))
            || self.tag.as_ref().is_some_and(|tag| rule.tags.contains(tag))
    }
}

/// Applies selections in their order, overriding what the files say.
///
/// Rules that were off in the files and are switched on come after all others.
pub fn select(mut rules: RuleSet, selections: &[Selection]) -> RuleSet {
    let enabled_by_file: Vec<bool> = rules.rules.iter().map(|rule| rule.enabled).collect();
    for selection in selections {
        for rule in &mut rules.rules {
            if selection.concerns(rule) {
                rule.enabled = selection.enable;
            }
        }
    }
    let rules = rules.rules.into_iter().zip(enabled_by_file);
    let (late, first): (Vec<_>, Vec<_>) = rules.partition(|(rule, was_enabled)| rule.enabled && !was_enabled);
    RuleSet { rules: first.into_iter().chain(late).map(|(rule, _)| rule).collect() }
}

/// Whether a path names a rules file: its last part has `.yaml` or `.yml` at the end, and nowhere before.
pub fn is_rules_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["*.yaml", "*.yml"].iter().any(|pattern| wildcard::matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::{Selection, is_rules_file, select};
    use crate::{Options, RuleSet, SourceFile, load};

    fn rules() -> RuleSet {
        let rule = |name: &str, tag: &str, rest: &str| {
            format!(
                "- rule: {name}\n  desc: d\n  condition: ka.verb = get\n  output: o\n  source: k8s_audit\n  \
                 tags: [{tag}]\n  {rest}\n"
            )
        };
        let text = rule("Read pod", "pods", "priority: NOTICE\n  enabled: false")
            + &rule("Read secret", "secrets", "priority: ERROR")
            + &rule("Write pod", "pods", "priority: DEBUG");
        load(&[SourceFile { name: "r.yaml".to_owned(), text }], &Options::default()).rules.unwrap()
    }

    fn enabled(rules: &RuleSet) -> Vec<&str> {
        rules.rules.iter().filter(|rule| rule.enabled).map(|rule| rule.name.as_str()).collect()
    }

    fn by(enable: bool, rule: Option<&str>, tag: Option<&str>) -> Selection {
        Selection { enable, rule: rule.map(str::to_owned), tag: tag.map(str::to_owned) }
    }

    #[test]
    fn selections_apply_in_order() {
        let selected = select(rules(), &[by(false, Some("*"), None), by(true, None, Some("secrets"))]);
        assert_eq!(enabled(&selected), ["Read secret"]);
    }

    #[test]
    fn name_and_tag_apply_separately() {
        let selected = select(rules(), &[by(false, Some("Read secret"), Some("pods"))]);
        assert!(enabled(&selected).is_empty());
        assert_eq!(enabled(&select(rules(), &[by(false, None, Some("pod"))])), ["Read secret", "Write pod"]);
    }

    #[test]
    fn rules_switched_on_come_last() {
        assert_eq!(
            enabled(&select(rules(), &[by(true, Some("Read*"), None)])),
            ["Read secret", "Write pod", "Read pod"]
        );
    }

    #[test]
    fn rules_files_end_in_yaml_once() {
        assert!(is_rules_file("/etc/rules.yaml.d/a.yaml") && is_rules_file("a.yml"));
        assert!(!is_rules_file("a.yaml.yaml") && !is_rules_file("a.yaml.bak") && !is_rules_file("yaml"));
    }
}

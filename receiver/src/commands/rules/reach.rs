//! `rules check --provider`: the rules that a provider's events can't trigger, or trigger only in part.

use audit_rules::RuleSet;
use audit_rules::check::Reach;
use audit_rules::fields::Provider;

/// One line a rule that does not see everything it looks at, with each field that it lacks.
pub(super) fn report(rules: &RuleSet, provider: Provider) -> String {
    let mut report = String::new();
    for rule in rules.rules.iter().filter(|rule| rule.enabled) {
        let (verdict, fields) = match rule.condition.reach(provider) {
            Reach::Whole => continue,
            Reach::Partial(fields) => ("sees only a part", fields),
            Reach::Blind(fields) => ("is blind in part", fields),
            Reach::Never(fields) => ("can never fire", fields),
        };
        report.push_str(&format!("{provider}: `{}` {verdict}\n", rule.name));
        for (field, reason) in fields {
            report.push_str(&format!("    {field}: {reason}\n"));
        }
    }
    if report.is_empty() {
        report = format!("{provider}: every rule sees all that it looks at\n");
    }
    report
}

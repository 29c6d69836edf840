//! What the categories that arrive mean for detection.

use std::collections::BTreeMap;

use audit_bridge::check::Finding;

const NAME: &str = "categories";

/// The finding for the categories of a sample, with how many records each has.
pub(super) fn finding(categories: &BTreeMap<String, usize>, clusters: &str) -> Finding {
    let has = |name| categories.contains_key(name);
    let list: Vec<String> = categories.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    let found = format!("{} from {clusters}", list.join(", "));
    match (has("kube-audit"), has("kube-audit-admin")) {
        (true, true) => Finding::warn(
            NAME,
            found,
            "`kube-audit` holds all that `kube-audit-admin` holds, so every write arrives (and is paid for) twice; alerts \
             are raised once all the same. Switch `kube-audit-admin` off in the diagnostic setting",
        ),
        (true, false) => Finding::ok(NAME, found),
        (false, true) => Finding::warn(
            NAME,
            found,
            "`kube-audit-admin` leaves out get and list. Of the built-in rules `Secret read` can't fire, and these see only a \
             part: `Shell or command in a pod`, its refusals and `Port forwarded to a pod` (current kubectl gets pods/exec, attach \
             and portforward), `Secrets listed` and `Reading secrets refused` (watches alone), `Anonymous request allowed`, \
             `Full administrator at work`. Send `kube-audit` instead",
        ),
        (false, false) => Finding::fail(
            NAME,
            format!("no audit log among the newest messages: {found}"),
            "switch the category `kube-audit` on in the cluster's diagnostic setting",
        ),
    }
}

#[cfg(test)]
mod tests {
    use audit_bridge::check::Outcome;

    use super::*;

    #[test]
    fn what_arrives_decides_what_can_be_seen() {
        for (names, outcome, says) in [
            (&["kube-audit", "guard"][..], Outcome::Ok, "guard (1), kube-audit (1) from shop"),
            (&["kube-audit", "kube-audit-admin"], Outcome::Warn, "twice"),
            (&["kube-audit-admin"], Outcome::Warn, "`Secret read` can't fire"),
            (&["kube-apiserver"], Outcome::Fail, "switch the category"),
        ] {
            let categories = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
            let finding = finding(&categories, "shop");
            assert_eq!(finding.outcome, outcome);
            assert!(finding.to_string().contains(says), "{finding}");
        }
    }
}

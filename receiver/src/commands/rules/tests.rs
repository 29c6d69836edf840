use super::*;

fn builtin(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules/builtin").join(path)
}

#[test]
fn the_built_in_rules_pass_their_cases() {
    assert_eq!(test::test(&[builtin("tests")], &[]).unwrap(), Done::Well);
}

/// Each rule is expected by one case at least (a hit), and by all but one at most (a miss).
#[test]
fn every_built_in_rule_has_a_hit_and_a_near_miss() {
    let mut cases = Vec::new();
    for file in crate::rules::rules_files(&builtin("tests")).unwrap() {
        cases
            .extend(audit_rules::cases::Suite::parse(&std::fs::read_to_string(file).unwrap()).unwrap().cases);
    }
    for rule in loaded(&[]).unwrap().rules {
        let hits = cases.iter().filter(|case| case.expect.contains(&rule.name)).count();
        let misses =
            cases.iter().filter(|case| case.name.starts_with(&format!("not {}:", rule.name))).count();
        assert!(hits > 0, "no hit for `{}`", rule.name);
        assert!(misses > 0, "no near miss for `{}`: a case named `not {}: ...`", rule.name, rule.name);
    }
}

//! Names with `*` in them.

/// Whether a name matches a pattern from end to end.
///
/// Each part between stars is looked for where it occurs first and never further on, so `*a` does not match `banana`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut ends_with_star = false;
    for part in parts {
        ends_with_star = part.is_empty();
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.is_empty() || ends_with_star
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in [
            ("", ""),
            ("a", "a"),
            ("*", ""),
            ("*", "abc"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*b*c", "aXbXc"),
            ("a**c", "abc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("a", "ab"), ("b*", "ab"), ("*b", "abc"), ("a*c", "ab"), ("A", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn the_first_occurrence_counts() {
        assert!(!matches("*a", "banana"));
        assert!(matches("b*an*", "banana"));
    }
}

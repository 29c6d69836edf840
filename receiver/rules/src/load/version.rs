//! Versions that files require, and those provided.

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// The version of Falco's engine whose language this is.
pub(super) const ENGINE: Version = Version { major: 0, minor: 62, patch: 0 };

/// The plugins whose fields are provided, with the versions whose fields they are.
pub(super) const PLUGINS: [(&str, Version); 2] = [
    ("k8saudit", Version { major: 0, minor: 18, patch: 0 }),
    ("json", Version { major: 0, minor: 7, patch: 4 }),
];

impl Version {
    /// Three numbers with dots between; what comes behind them does not count.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut next = |last: bool| {
            let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            let (number, behind) = rest.split_at_checked(digits)?;
            rest = if last { behind } else { behind.strip_prefix('.')? };
            number.parse().ok()
        };
        Some(Self { major: next(false)?, minor: next(false)?, patch: next(true)? })
    }

    /// What a whole number means as a requirement of an engine version.
    pub(super) fn of_engine(minor: u32) -> Self {
        Self { minor, ..ENGINE }
    }

    /// Whether this version will do where `required` is asked for.
    pub(super) fn satisfies(self, required: Self) -> bool {
        self.major == required.major && self >= required
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::{ENGINE, Version};

    #[test]
    fn three_numbers_are_read_and_the_rest_is_not() {
        assert_eq!(Version::parse("0.62.0"), Some(ENGINE));
        assert_eq!(Version::parse("0.62.0-rc1"), Some(ENGINE));
        for text in ["0.62", "v0.62.0", "1", "", "0.62.x", "99999999999.0.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_satisfies_lower_ones_of_its_major() {
        let satisfied = |text| ENGINE.satisfies(Version::parse(text).unwrap());
        assert!(satisfied("0.62.0") && satisfied("0.61.9"));
        assert!(!satisfied("0.62.1") && !satisfied("0.63.0") && !satisfied("1.0.0"));
        assert!(ENGINE.satisfies(Version::of_engine(22)) && !ENGINE.satisfies(Version::of_engine(63)));
    }
}

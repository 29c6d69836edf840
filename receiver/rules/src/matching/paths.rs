//! Prefixes of paths, component by component.

use super::Glob;

/// Paths of which one may lead to a text.
#[derive(Clone, Debug)]
pub(crate) struct Paths(Vec<Vec<Component>>);

#[derive(Clone, Debug)]
enum Component {
    Name(Vec<u8>),
    Pattern(Glob),
}

impl Paths {
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let component = |part: &[u8]| {
            let special = part.iter().any(|byte| matches!(byte, b'?' | b'*' | b'['));
            if special { Component::Pattern(Glob::new(part, false)) } else { Component::Name(part.to_vec()) }
        };
        let components = |path: &'a str| split(path.as_bytes()).map(component).collect();
        Self(paths.into_iter().map(components).collect())
    }

    /// Whether the components of one of the paths are the first ones of `text`.
    pub(crate) fn any_leads_to(&self, text: &[u8]) -> bool {
        self.0.iter().any(|path| {
            let mut parts = split(text);
            path.iter().all(|component| {
                parts.next().is_some_and(|part| match component {
                    Component::Name(name) => part == name,
                    Component::Pattern(glob) => glob.matches(part),
                })
            })
        })
    }
}

/// The components of a path, without empty ones.
fn split(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_count_not_characters() {
        for (paths, text, expected) in [
            (&["/var/lib"][..], "/var/lib/kubelet", true),
            (&["/var/lib"], "/var/library", false),
            (&["/var/lib/"], "//var///lib", true),
            (&["/var/lib/kubelet"], "/var/lib", false),
            (&["/"], "anything", true),
            (&["/"], "", true),
            (&["/etc", "/var"], "/var/x", true),
            (&["/*/lib"], "/var/lib/x", true),
            (&["/v?r"], "/vaar", false),
            (&[], "/", false),
        ] {
            let paths = Paths::new(paths.iter().copied());
            assert_eq!(paths.any_leads_to(text.as_bytes()), expected, "{paths:?} on {text}");
        }
    }
}

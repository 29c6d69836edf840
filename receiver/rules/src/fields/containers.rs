//! What is read from the containers of a pod.

use std::borrow::Cow;

use audit_event::json::{Kind, Raw};

use super::Arg;
use super::json::text;
use super::source::PerContainer;
use crate::eval::Object;
use crate::value::Bytes;

/// What the containers give together; `None` when one of them spoils it for all.
pub(super) fn values<'a>(
    what: PerContainer,
    containers: impl Iterator<Item = Object<'a>>,
    pod: Raw<'a>,
    arg: &Arg,
) -> Option<Vec<Bytes<'a>>> {
    // What a container falls back on; read once, since a hostile pod has very many of them.
    let of_pod = match what {
        PerContainer::Effective(key) => pod.get(key),
        PerContainer::EffectiveSecurity(key) => pod.at(&["securityContext", key]),
        _ => None,
    };
    let mut values = Vec::new();
    for container in containers {
        match what {
            PerContainer::Required(key) => values.push(text(container.get(key)?)),
            PerContainer::Repository => {
                values.push(cut(text(container.get("image")?), |image| {
                    let end = image.iter().position(|byte| *byte == b':').unwrap_or(image.len());
                    let name = image.get(..end).unwrap_or_default();
                    name.iter().position(|byte| *byte == b'@').unwrap_or(end)
                }));
            }
            PerContainer::FullRepository => {
                values.extend(container.get("image").map(|image| cut(text(image), repository_end)));
            }
            PerContainer::Words(key) => {
                if let Some(words) = container.get(key) {
                    values.push(joined(words)?);
                }
            }
            PerContainer::Optional(path) => values.extend(container.at(path).map(text)),
            PerContainer::Each(path) => {
                values.extend(container.at(path).into_iter().flat_map(Raw::elements).map(text));
            }
            PerContainer::Ports => {
                if let Some(ports) = container.get("ports") {
                    if ports.kind() != Kind::Array {
                        return None;
                    }
                    let number = |port: Raw<'a>| port.get("hostPort").or_else(|| port.get("containerPort"));
                    values.extend(ports.elements().filter_map(number).map(text));
                }
            }
            PerContainer::Effective(key) => match (container.get(key), arg) {
                (None, Arg::Index(_)) => return None,
                (own, _) => values.push(or_zero(own.or(of_pod))),
            },
            PerContainer::EffectiveSecurity(key) => {
                values.push(or_zero(container.at(&["securityContext", key]).or(of_pod)));
            }
        }
    }
    Some(values)
}

fn or_zero(raw: Option<Raw<'_>>) -> Bytes<'_> {
    raw.map_or(Cow::Borrowed(b"0"), text)
}

fn cut(text: Bytes<'_>, end: impl FnOnce(&[u8]) -> usize) -> Bytes<'_> {
    let end = end(&text);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Where the tag or digest of an image begins: at `@`, or at the `:` behind the last `/` (one before it is a port).
fn repository_end(image: &[u8]) -> usize {
    let digest = image.iter().position(|byte| *byte == b'@').unwrap_or(image.len());
    let name = image.get(..digest).unwrap_or(image);
    let last = name.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let tag = name.get(last..).unwrap_or_default().iter().position(|byte| *byte == b':');
    tag.map_or(digest, |tag| last + tag)
}

/// The strings of an array with a blank between; `None` if it is no array or holds anything else.
fn joined(words: Raw<'_>) -> Option<Bytes<'_>> {
    if words.kind() != Kind::Array {
        return None;
    }
    let words: Vec<_> = words.elements().map(Raw::string).collect::<Option<_>>()?;
    Some(Cow::Owned(words.join(" ").into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_keeps_the_port_of_its_registry() {
        let repository = |image: &str| image.split_at(repository_end(image.as_bytes())).0.to_owned();
        assert_eq!(repository("localhost:5000/team/app:1.2"), "localhost:5000/team/app");
        assert_eq!(repository("localhost:5000/team/app@sha256:ab"), "localhost:5000/team/app");
        assert_eq!(repository("app:1@sha256:ab"), "app");
        assert_eq!(repository("docker.io/library/redis"), "docker.io/library/redis");
    }
}

//! Transformers applied.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::check::{Change, Operand, Transform};
use crate::eval::Subject;
use crate::value::{Bytes, Value, cut_at_nul};

impl Operand {
    /// The value for an event, or `None` where there is none.
    pub(crate) fn value<'a, 's: 'a>(&'a self, subject: &Subject<'s>) -> Option<Value<'a>> {
        match self {
            Self::Field(reference) => reference.value(subject),
            Self::Text(text) => Some(Value::text(text.as_slice())),
            Self::Number(number) => Some(Value::Number(*number)),
            Self::List(items) => {
                Value::list(items.iter().map(|item| item.text(subject)).collect::<Option<Vec<_>>>()?)
            }
            Self::Transform(transform) => transform.value(subject),
        }
    }

    fn text<'a, 's: 'a>(&'a self, subject: &Subject<'s>) -> Option<Bytes<'a>> {
        match self.value(subject)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn list<'a, 's: 'a>(&'a self, subject: &Subject<'s>) -> Option<Vec<Bytes<'a>>> {
        match self.value(subject)? {
            Value::List(elements) => Some(elements.into_iter().map(cut_at_nul).collect()),
            _ => None,
        }
    }
}

impl Transform {
    fn value<'a, 's: 'a>(&'a self, subject: &Subject<'s>) -> Option<Value<'a>> {
        Some(match self {
            Self::Map(change, inner) => match inner.value(subject)? {
                Value::Text(text) => Value::text(change.of(&text)?),
                // Falco leaves a NUL behind each element, which its comparison of lists then sees.
                Value::List(elements) => {
                    let changed = |element: Bytes<'_>| {
                        let mut changed = change.of(&cut_at_nul(element))?;
                        changed.push(0);
                        Some(Cow::Owned(changed))
                    };
                    Value::List(elements.into_iter().map(changed).collect::<Option<_>>()?)
                }
                Value::Number(_) | Value::Bool(_) => return None,
            },
            Self::Length(inner) => Value::Number(match inner.value(subject)? {
                Value::Text(text) => text.len() as u64,
                Value::List(elements) => elements.len() as u64,
                Value::Number(_) | Value::Bool(_) => return None,
            }),
            Self::Join(separator, list) => {
                let separator = separator.text(subject)?;
                Value::text(list.list(subject)?.join(&*separator))
            }
            Self::Concat(parts) => {
                let parts = parts.iter().map(|part| part.text(subject)).collect::<Option<Vec<_>>>()?;
                Value::text(parts.concat())
            }
            Self::Options(list, letters, option) => {
                let (list, letters) = (list.list(subject)?, letters.text(subject)?);
                let given = options(&list, &letters);
                match option {
                    Some(option) => {
                        let last =
                            given.into_iter().rev().find(|(letter, _)| [*letter] == *option.as_bytes())?;
                        Value::text(last.1)
                    }
                    None => {
                        return Value::list(
                            given.into_iter().flat_map(|(letter, value)| [vec![letter].into(), value.into()]),
                        );
                    }
                }
            }
        })
    }
}

impl Change {
    fn of(self, text: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::LowerCase => text.to_ascii_lowercase(),
            Self::UpperCase => text.to_ascii_uppercase(),
            Self::Base64Decoded => BASE64.decode(text).ok()?,
            Self::BaseName => {
                let start = text.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
                text.get(start..)?.to_vec()
            }
        })
    }
}

/// Standard base64, with or without padding, whatever the unused bits say.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The options among `arguments`, each with its value (empty without one), as `getopt(3)` finds them: `letters` names
/// them, a `:` behind one says that it has a value, in the rest of the argument or in the next one. `--` ends them;
/// other arguments are passed over.
fn options(arguments: &[Bytes<'_>], letters: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if **argument == *b"--" {
            break;
        }
        let Some(mut cluster) = argument.strip_prefix(b"-") else { continue };
        while let Some((letter, behind)) = cluster.split_first() {
            cluster = behind;
            let known = letters.iter().position(|known| known == letter && *known != b':');
            let Some(at) = known else { continue };
            if letters.get(at + 1) != Some(&b':') {
                found.push((*letter, Vec::new()));
                continue;
            }
            let value = if behind.is_empty() {
                arguments.next().map(|next| next.to_vec())
            } else {
                Some(behind.to_vec())
            };
            found.extend(value.map(|value| (*letter, value)));
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_text() {
        for (change, text, expected) in [
            (Change::LowerCase, "ÄbC", Some("Äbc")),
            (Change::UpperCase, "äbC", Some("äBC")),
            (Change::BaseName, "/usr/bin/sh", Some("sh")),
            (Change::BaseName, "sh", Some("sh")),
            (Change::BaseName, "/usr/", Some("")),
            (Change::Base64Decoded, "aGk=", Some("hi")),
            (Change::Base64Decoded, "aGk", Some("hi")),
            (Change::Base64Decoded, "", Some("")),
            (Change::Base64Decoded, "@@@@", None),
            (Change::Base64Decoded, "a", None),
        ] {
            assert_eq!(
                change.of(text.as_bytes()).as_deref(),
                expected.map(str::as_bytes),
                "{change:?} {text}"
            );
        }
    }

    #[test]
    fn options_of_a_command_line() {
        let given = |arguments: &[&str], letters: &str| {
            let arguments: Vec<_> =
                arguments.iter().map(|argument| Bytes::from(argument.as_bytes())).collect();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            options(&arguments, letters.as_bytes())
                .into_iter()
                .map(|(letter, value)| (char::from(letter), text(value)))
                .collect::<Vec<_>>()
        };
        let all = given(&["nc", "-l", "-pv80", "-p", "90", "-x", "--", "-l"], "lp:");
        assert_eq!(all, [('l', String::new()), ('p', "v80".into()), ('p', "90".into())]);
        assert_eq!(given(&["-lp", "80"], "lp:"), [('l', String::new()), ('p', "80".into())]);
        assert_eq!(given(&["-p"], "p:"), []);
    }
}

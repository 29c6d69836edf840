//! What fields and transformers yield.

use std::borrow::Cow;

/// Text as bytes: percent-decoding and base64 may yield what is no UTF-8.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// A value that is present. Absence is `Option::None`; the empty string is present, a list without elements is absent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// A string.
    Text(Bytes<'a>),
    /// A list of strings with at least one element.
    List(Vec<Bytes<'a>>),
    /// A count or a time in nanoseconds.
    Number(u64),
    /// True or false.
    Bool(bool),
}

impl<'a> Value<'a> {
    /// A string value, cut at its first NUL as every string of the language is.
    pub fn text(text: impl Into<Bytes<'a>>) -> Self {
        Self::Text(cut_at_nul(text.into()))
    }

    /// A list value, its elements cut likewise; `None` without elements.
    pub fn list(elements: impl IntoIterator<Item = Bytes<'a>>) -> Option<Self> {
        let elements: Vec<_> = elements.into_iter().map(cut_at_nul).collect();
        (!elements.is_empty()).then_some(Self::List(elements))
    }

    /// The bytes of a string value.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Bytes of a text that need not be borrowed any longer than it was.
pub(crate) fn bytes(text: Cow<'_, str>) -> Bytes<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The part before the first NUL.
pub(crate) fn cut_at_nul(text: Bytes<'_>) -> Bytes<'_> {
    match text.iter().position(|byte| *byte == 0) {
        None => text,
        Some(end) => match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
            Cow::Owned(mut text) => {
                text.truncate(end);
                Cow::Owned(text)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_the_first_nul() {
        assert_eq!(Value::text(&b"a\0b\0"[..]), Value::Text(Cow::Borrowed(b"a")));
        assert_eq!(Value::text(b"\0".to_vec()), Value::Text(Cow::Borrowed(b"")));
    }

    #[test]
    fn a_list_without_elements_is_no_value() {
        assert_eq!(Value::list([]), None);
        assert_eq!(Value::list([Cow::Borrowed(&b""[..])]), Some(Value::List(vec![Cow::Borrowed(b"")])));
    }
}

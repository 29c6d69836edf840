//! Output templates.

/// A template of a rule's output.
#[derive(Clone, Debug)]
pub struct Output;

/// Why a text is no template.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// Byte of the text.
    pub offset: usize,
    /// In words.
    pub message: String,
    /// Whether a field that does not exist is to blame.
    pub unknown_field: bool,
}

impl Output {
    /// Reads a template.
    ///
    /// # Errors
    /// At a `%` that no expression follows.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let _ = text;
        Ok(Self)
    }
}

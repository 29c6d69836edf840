//! What is said about rules files: every mistake with its place, what was expected and what may have been meant.

mod code;
mod falco;
mod json;
mod suggest;
mod text;

pub use code::{Code, Severity};
pub use falco::falco_json;
pub use json::json;
pub(crate) use suggest::did_you_mean;
pub use suggest::nearest;
pub use text::text;

/// One thing said about a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// What kind of thing; it tells the severity.
    pub code: Code,
    /// In words.
    pub message: String,
    /// What to do, or what may have been meant.
    pub help: Option<String>,
    /// Name of the file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The line, and the part at fault.
    pub excerpt: Excerpt,
    /// The condition around the fault as it reads with its lists and exceptions written out, if that differs.
    pub expanded: Option<Excerpt>,
    /// The way from the file down to the fault, as Falco gives it.
    pub locations: Vec<Location>,
    /// The line and a caret, as Falco gives them.
    pub snippet: String,
    /// The deprecated field that the warning is about.
    pub deprecated_field: Option<&'static str>,
}

/// A piece of text with a part marked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Excerpt {
    /// One line.
    pub text: String,
    /// Characters before the marked part.
    pub start: usize,
    /// Characters in the marked part; at least one.
    pub len: usize,
}

/// A step on the way from a file to a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// What kind of thing it is: `rule`, `macro condition`, `exception`...
    pub item_type: &'static str,
    /// Its name, if it has one.
    pub item_name: String,
    /// The file's name, or the start of the condition's text.
    pub name: String,
    /// Counted from 0.
    pub line: usize,
    /// Counted from 0, in bytes.
    pub column: usize,
    /// Bytes from the start of the file.
    pub offset: usize,
}

impl Diagnostic {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether it says no more than that a rule is for other events, as whole files of rules are.
    pub(crate) fn is_of_other_source(&self) -> bool {
        self.code == Code::UnknownSource && self.help.is_none()
    }
}

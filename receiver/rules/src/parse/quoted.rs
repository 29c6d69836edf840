//! Quoted strings.

/// What a backslash may stand before.
pub(super) const ESCAPES: &str =
    "one of the escapes `\\\\`, `\\/`, `\\b`, `\\f`, `\\n`, `\\r`, `\\t`, or the string's own quote";

pub(super) enum Quoted {
    /// No quote, or none that closes.
    None,
    /// The content, and the length with both quotes.
    Text { text: String, len: usize },
    /// The place of the backslash, and the length with both quotes.
    BadEscape { at: usize, len: usize },
}

/// Reads the quoted string that the text starts with.
///
/// The end is found first and only by the byte before a quote: a quote behind a backslash never closes, be that
/// backslash itself escaped or not.
pub(super) fn read(text: &str) -> Quoted {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Quoted::None;
    };
    let Some(content) = text.get(1..).and_then(|rest| content(rest, quote)) else { return Quoted::None };
    let len = content.len() + 2;
    let mut decoded = String::with_capacity(content.len());
    let mut chars = content.char_indices();
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            decoded.push(char);
            continue;
        }
        match chars.next().and_then(|(_, escaped)| unescape(escaped, quote)) {
            Some(char) => decoded.push(char),
            None => return Quoted::BadEscape { at: at + 1, len },
        }
    }
    Quoted::Text { text: decoded, len }
}

fn content(text: &str, quote: char) -> Option<&str> {
    let mut before = '\0';
    for (at, char) in text.char_indices() {
        match char {
            '\0' => return None,
            _ if char == quote && before != '\\' => return text.get(..at),
            _ => before = char,
        }
    }
    None
}

fn unescape(escaped: char, quote: char) -> Option<char> {
    Some(match escaped {
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        // Old rules lean on the blank: it is swallowed.
        ' ' | '\\' => '\\',
        '/' => '/',
        _ if escaped == quote => quote,
        _ => return None,
    })
}

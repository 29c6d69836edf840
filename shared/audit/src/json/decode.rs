//! Strings: from their text between quotes to their content, and back.

use std::borrow::Cow;

/// Decodes the text between a string's quotes. Escapes that JSON does not know, cut ones, and halves of surrogate pairs
/// stay as they are written (Falco's reader does the same).
pub fn decode(quoted: &str) -> Cow<'_, str> {
    let Some(first) = quoted.find('\\') else { return Cow::Borrowed(quoted) };
    let mut decoded = String::with_capacity(quoted.len());
    let (plain, mut rest) = quoted.split_at_checked(first).unwrap_or((quoted, ""));
    decoded.push_str(plain);
    while let Some(behind) = rest.strip_prefix('\\') {
        let (character, used) = escape(behind);
        match character {
            Some(character) => decoded.push(character),
            None => decoded.push_str(rest.get(..1 + used).unwrap_or("\\")),
        }
        let after = behind.get(used..).unwrap_or_default();
        let (plain, next) = after.find('\\').and_then(|at| after.split_at_checked(at)).unwrap_or((after, ""));
        decoded.push_str(plain);
        rest = next;
    }
    Cow::Owned(decoded)
}

/// The character that the escape behind a backslash stands for, and how many bytes it takes.
fn escape(behind: &str) -> (Option<char>, usize) {
    let simple = |character| (Some(character), 1);
    match behind.as_bytes() {
        [b'"', ..] => simple('"'),
        [b'\\', ..] => simple('\\'),
        [b'/', ..] => simple('/'),
        [b'b', ..] => simple('\u{8}'),
        [b'f', ..] => simple('\u{c}'),
        [b'n', ..] => simple('\n'),
        [b'r', ..] => simple('\r'),
        [b't', ..] => simple('\t'),
        [b'u', ..] => unicode(behind),
        _ => (None, behind.chars().next().map_or(0, char::len_utf8)),
    }
}

fn unicode(behind: &str) -> (Option<char>, usize) {
    let unit = |from: usize| -> Option<u32> {
        let digits = behind.get(from..from + 4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(high) = unit(1) else { return (None, 1) };
    if let Some(character) = char::from_u32(high) {
        return (Some(character), 5);
    }
    let pair =
        behind.get(5..7).filter(|separator| *separator == "\\u").and_then(|_| unit(7)).and_then(|low| {
            let (0xd800..=0xdbff, 0xdc00..=0xdfff) = (high, low) else { return None };
            char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        });
    match pair {
        Some(character) => (Some(character), 11),
        None => (None, 5),
    }
}

/// Appends `content` as a JSON string, quotes included.
pub fn write_string(out: &mut String, content: &str) {
    out.push('"');
    for character in content.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let code = u32::from(control);
                out.push_str("\\u00");
                out.extend([code >> 4, code & 15].iter().filter_map(|digit| char::from_digit(*digit, 16)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

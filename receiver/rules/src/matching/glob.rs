//! File name patterns as POSIX `fnmatch` without flags reads them, byte by byte: `*`, `?`, `[...]`, and a backslash
//! that takes away a special meaning.

/// A pattern, read.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    /// What stands between stars; one more than there are stars.
    pieces: Vec<Vec<One>>,
    fold_case: bool,
    /// A pattern that ends in a lone backslash matches nothing.
    never: bool,
}

/// What matches one byte.
#[derive(Clone, Debug)]
enum One {
    Byte(u8),
    Any,
    Set { negated: bool, members: Vec<Member> },
}

#[derive(Clone, Debug)]
enum Member {
    Range(u8, u8),
    Class(Class),
}

/// A class by name, such as `[:alpha:]`.
type Class = fn(&u8) -> bool;

impl Glob {
    /// Reads a pattern; every text is one. With `fold_case` the letters a-z match in either case.
    pub(crate) fn new(pattern: &[u8], fold_case: bool) -> Self {
        let fold = |byte: u8| if fold_case { byte.to_ascii_lowercase() } else { byte };
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        let mut never = false;
        let mut rest = pattern;
        while let Some((byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'*' => pieces.push(std::mem::take(&mut piece)),
                b'?' => piece.push(One::Any),
                b'\\' => match behind.split_first() {
                    Some((literal, behind)) => {
                        piece.push(One::Byte(fold(*literal)));
                        rest = behind;
                    }
                    None => never = true,
                },
                b'[' => match bracket(behind, fold) {
                    Some((set, behind)) => {
                        piece.push(set);
                        rest = behind;
                    }
                    None => piece.push(One::Byte(b'[')),
                },
                other => piece.push(One::Byte(fold(*other))),
            }
        }
        pieces.push(piece);
        Self { pieces, fold_case, never }
    }

    /// Whether the whole text matches, in time proportional to text times pattern at most.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let Some((first, others)) = self.pieces.split_first() else { return false };
        let Some((head, mut rest)) = text.split_at_checked(first.len()) else { return false };
        if self.never || !self.fits(first, head) {
            return false;
        }
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for piece in middle {
            // The first place where a piece fits leaves most for those behind it.
            let found = (0..=rest.len().saturating_sub(piece.len()))
                .find(|at| rest.get(*at..at + piece.len()).is_some_and(|part| self.fits(piece, part)));
            let Some(at) = found else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        let tail = rest.len().checked_sub(last.len()).and_then(|start| rest.get(start..));
        tail.is_some_and(|tail| self.fits(last, tail))
    }

    fn fits(&self, piece: &[One], text: &[u8]) -> bool {
        piece.len() == text.len() && piece.iter().zip(text).all(|(one, byte)| one.fits(*byte, self.fold_case))
    }
}

impl One {
    fn fits(&self, byte: u8, fold_case: bool) -> bool {
        let folded = if fold_case { byte.to_ascii_lowercase() } else { byte };
        match self {
            Self::Byte(own) => *own == folded,
            Self::Any => true,
            Self::Set { negated, members } => {
                let inside = members.iter().any(|member| match member {
                    Member::Range(low, high) => (*low..=*high).contains(&folded),
                    Member::Class(class) => class(&byte),
                });
                inside != *negated
            }
        }
    }
}

/// Reads what stands behind `[`, up to and including the closing bracket; `None` if there is none.
fn bracket(text: &[u8], fold: impl Fn(u8) -> u8) -> Option<(One, &[u8])> {
    let (negated, mut rest) = match text.split_first() {
        Some((b'!' | b'^', behind)) => (true, behind),
        _ => (false, text),
    };
    let mut members = Vec::new();
    let mut first = true;
    loop {
        let (byte, behind) = rest.split_first()?;
        if *byte == b']' && !first {
            return Some((One::Set { negated, members }, behind));
        }
        first = false;
        if let Some((class, behind)) = named_class(rest) {
            members.push(Member::Class(class));
            rest = behind;
            continue;
        }
        let (low, behind) = literal(rest)?;
        rest = behind;
        let mut high = low;
        if let [b'-', behind @ ..] = behind
            && behind.first().is_some_and(|next| *next != b']')
        {
            (high, rest) = literal(behind)?;
        }
        members.push(Member::Range(fold(low), fold(high)));
    }
}

/// One byte of a bracket, with or without a backslash.
fn literal(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', byte, behind @ ..] | [byte, behind @ ..] => Some((*byte, behind)),
        [] => None,
    }
}

/// `[:alpha:]` and its like.
fn named_class(text: &[u8]) -> Option<(Class, &[u8])> {
    let text = text.strip_prefix(b"[:")?;
    let end = text.iter().position(|byte| *byte == b':')?;
    let (name, behind) = text.split_at_checked(end)?;
    let class: Class = match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| byte.is_ascii_graphic() || *byte == b' ',
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    };
    Some((class, behind.strip_prefix(b":]")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_what_they_match() {
        for (pattern, text, expected) in [
            ("create", "create", true),
            ("create", "created", false),
            ("cr*te", "create", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("*a*b*c", "xaxbxc", true),
            ("*a*b*c", "xbxaxc", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab", "aab", true),
            ("/api/*", "/api/v1/pods", true),
            ("*", ".hidden", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[]-]", "-", true),
            ("[a-]", "-", true),
            ("[[:digit:]]*", "7up", true),
            ("[[:digit:]]*", "up", false),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("a\\", "a\\", false),
            ("A", "a", false),
            ("??", "é", true),
        ] {
            let glob = Glob::new(pattern.as_bytes(), false);
            assert_eq!(glob.matches(text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn case_is_folded_on_request() {
        for (pattern, text, expected) in
            [("CR*", "create", true), ("[A-C]*", "bee", true), ("x", "X", true), ("É", "é", false)]
        {
            assert_eq!(Glob::new(pattern.as_bytes(), true).matches(text.as_bytes()), expected, "{pattern}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        let glob = Glob::new("*a".repeat(60).as_bytes(), false);
        assert!(!glob.matches("b".repeat(100_000).as_bytes()));
    }
}

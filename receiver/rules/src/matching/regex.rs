//! Regular expressions in the dialect of RE2's POSIX mode, matched in linear time against a whole text.
//!
//! The dialect has no `\d` `\w` `\s` `\b` `\A` `\z` `\p`, no `(?...)`, no lazy repetition (`a*?` is `(a*)?`), and stacked
//! repetition is fine. `^` and `$` stand at lines, `.` is anything but a line break. A pattern is rewritten token by token
//! for the `regex` crate, every literal escaped, so nothing of that crate's own dialect can slip in.

use std::fmt::Write;

/// A pattern, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Regex(regex::bytes::Regex);

/// Why a text is no pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BadRegex {
    #[error("a `(` or `)` has no counterpart")]
    Parenthesis,
    #[error("`{0}` has nothing in front to repeat")]
    NothingToRepeat(char),
    #[error("a repetition counts to 1000 at most, those within it counted in, and not downwards")]
    Count,
    #[error("`\\{0}` means nothing in this dialect (RE2 in POSIX mode)")]
    Escape(String),
    #[error("a `[` is not closed")]
    Bracket,
    #[error("`{0}` is no range of characters")]
    Range(String),
    #[error("the pattern is too large")]
    TooLarge,
}

impl Regex {
    pub(crate) fn new(pattern: &str) -> Result<Self, BadRegex> {
        let rewritten =
            Rewriter { rest: pattern, out: String::from(r"\A(?:"), groups: Vec::new(), most: 1, atom: None };
        let anchored = rewritten.run()? + r")\z";
        regex::bytes::Regex::new(&anchored).map(Self).map_err(|_| BadRegex::TooLarge)
    }

    /// Whether the whole text matches; what is no UTF-8 counts as U+FFFD.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(String::from_utf8_lossy(text).as_bytes())
    }
}

/// Whether a character means anything but itself in a pattern.
pub(crate) fn is_special(character: char) -> bool {
    matches!(character, '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '\\')
}

/// How often RE2 lets something be repeated by counts, and by counts within counts.
const MOST_REPEATED: u32 = 1000;

struct Rewriter<'a> {
    rest: &'a str,
    out: String,
    /// Where each open group begins in `out`, and `most` of what is around it.
    groups: Vec<(usize, u32)>,
    /// How often something in the innermost open group is repeated at most, counts within counts multiplied.
    most: u32,
    /// Where the last thing that can be repeated begins in `out`, and how often something in it is repeated.
    atom: Option<(usize, u32)>,
}

impl Rewriter<'_> {
    fn run(mut self) -> Result<String, BadRegex> {
        while let Some(character) = self.next() {
            let start = self.out.len();
            match character {
                '(' => {
                    self.groups.push((start, std::mem::replace(&mut self.most, 1)));
                    self.out.push_str("(?:");
                    self.atom = None;
                    continue;
                }
                ')' => {
                    let (start, around) = self.groups.pop().ok_or(BadRegex::Parenthesis)?;
                    self.out.push(')');
                    self.atom = Some((start, self.most));
                    self.most = self.most.max(around);
                    continue;
                }
                '|' => {
                    self.out.push('|');
                    self.atom = None;
                    continue;
                }
                '*' | '+' | '?' => {
                    self.repeat(character, &character.to_string(), 1)?;
                    continue;
                }
                '{' => match self.count()? {
                    Some((count, times)) => {
                        self.repeat('{', &count, times)?;
                        continue;
                    }
                    None => self.literal('{'),
                },
                '^' => self.out.push_str("(?m:^)"),
                '$' => self.out.push_str("(?m:$)"),
                '.' => self.out.push_str(r"[^\n]"),
                '[' => self.class()?,
                '\\' => {
                    let escaped = self.escape()?;
                    self.literal(escaped);
                }
                other => self.literal(other),
            }
            self.atom = Some((start, 1));
        }
        if self.groups.is_empty() { Ok(self.out) } else { Err(BadRegex::Parenthesis) }
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn literal(&mut self, character: char) {
        push_escaped(&mut self.out, character);
    }

    fn repeat(&mut self, operator: char, text: &str, times: u32) -> Result<(), BadRegex> {
        let (start, within) = self.atom.ok_or(BadRegex::NothingToRepeat(operator))?;
        let times = within * times.max(1);
        if times > MOST_REPEATED {
            return Err(BadRegex::Count);
        }
        self.atom = Some((start, times));
        self.most = self.most.max(times);
        self.out.insert_str(start, "(?:");
        self.out.push(')');
        self.out.push_str(text);
        // Repeated again, this whole is what is repeated.
        self.out.insert_str(start, "(?:");
        self.out.push(')');
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}` behind a brace, and the greatest number in it; anything else leaves the brace a literal.
    fn count(&mut self) -> Result<Option<(String, u32)>, BadRegex> {
        let Some((inside, behind)) = self.rest.split_once('}') else { return Ok(None) };
        let (low, high) = match inside.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (inside, None),
        };
        let digits = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_digit())
                && (text == "0" || !text.starts_with('0'))
        };
        if !digits(low) || !high.is_none_or(|high| high.is_empty() || digits(high)) {
            return Ok(None);
        }
        let number = |text: &str| text.parse().ok().filter(|n| *n <= MOST_REPEATED).ok_or(BadRegex::Count);
        let low = number(low)?;
        let count = match high {
            None => (format!("{{{low}}}"), low),
            Some("") => (format!("{{{low},}}"), low),
            Some(high) => {
                let high = number(high)?;
                if high < low {
                    return Err(BadRegex::Count);
                }
                (format!("{{{low},{high}}}"), high)
            }
        };
        self.rest = behind;
        Ok(Some(count))
    }

    /// The character that stands behind a backslash.
    fn escape(&mut self) -> Result<char, BadRegex> {
        let bad = |text: &str| BadRegex::Escape(text.to_owned());
        let character = self.next().ok_or_else(|| bad(""))?;
        let from = |code: u32| char::from_u32(code).ok_or_else(|| bad("x"));
        Ok(match character {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'a' => '\x07',
            'f' => '\x0c',
            'v' => '\x0b',
            'x' => {
                let digits = match self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                    Some((digits, behind)) => {
                        self.rest = behind;
                        digits
                    }
                    None => {
                        let (digits, behind) = self.rest.split_at_checked(2).ok_or_else(|| bad("x"))?;
                        self.rest = behind;
                        digits
                    }
                };
                let hexadecimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal);
                from(code.ok_or_else(|| bad("x"))?)?
            }
            // One digit alone would be a reference back; more are an octal number.
            '1'..='7' if !self.rest.starts_with(|next| matches!(next, '0'..='7')) => {
                return Err(bad(&character.to_string()));
            }
            '0'..='7' => {
                let mut code = character.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|next| next.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    self.next();
                }
                from(code)?
            }
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => other,
            other => return Err(bad(&other.to_string())),
        })
    }

    /// A bracket expression, behind its `[`.
    fn class(&mut self) -> Result<(), BadRegex> {
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                return Err(BadRegex::Bracket);
            }
            if !first && let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                self.out.push(']');
                return Ok(());
            }
            if !first && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                return Err(BadRegex::Range(self.rest.chars().take(2).collect()));
            }
            first = false;
            if !self.named_class()? {
                self.range()?;
            }
        }
    }

    fn named_class(&mut self) -> Result<bool, BadRegex> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let Some((name, behind)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(false);
        };
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(BadRegex::Range(format!("[:{name}:]")));
        }
        self.out.extend(["[:", name, ":]"]);
        self.rest = behind;
        Ok(true)
    }

    fn range(&mut self) -> Result<(), BadRegex> {
        let low = self.class_character()?;
        let mut high = low;
        if let Some(behind) = self.rest.strip_prefix('-')
            && !behind.starts_with(']')
        {
            self.rest = behind;
            high = self.class_character()?;
        }
        if high < low {
            return Err(BadRegex::Range(format!("{low}-{high}")));
        }
        push_escaped(&mut self.out, low);
        self.out.push('-');
        push_escaped(&mut self.out, high);
        Ok(())
    }

    fn class_character(&mut self) -> Result<char, BadRegex> {
        match self.next().ok_or(BadRegex::Bracket)? {
            '\\' => self.escape(),
            other => Ok(other),
        }
    }
}

/// A character that can mean nothing but itself, wherever it stands.
fn push_escaped(out: &mut String, character: char) {
    if character.is_alphanumeric() {
        out.push(character);
    } else {
        // Writing to a string does not fail.
        let _ = write!(out, r"\x{{{:x}}}", u32::from(character));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts_match() {
        for (pattern, text, expected) in [
            ("create", "create", true),
            ("creat", "create", false),
            ("reate", "create", false),
            ("^create$", "create", true),
            ("cr.*", "create", true),
            ("a|ab", "ab", true),
            ("(a|b)+c", "abac", true),
            ("a*?", "aaa", true),
            ("a**", "aaa", true),
            ("a{2}{2}", "aaaa", true),
            ("a{2,3}", "a", false),
            ("(a{500}){0,2}(b{40})*c{900}", &"c".repeat(900), true),
            ("a{,3}", "a{,3}", true),
            ("a{", "a{", true),
            ("{", "{", true),
            ("[a-c]+", "abc", true),
            ("[^a-c]", "d", true),
            ("[]a]+", "]a", true),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[a&&b]+", "&", true),
            ("[[]", "[", true),
            ("[[:digit:]]+", "42", true),
            ("[[:^digit:]]", "4", false),
            (r"\.", ".", true),
            (r"\.", "a", false),
            (r"a\_b[\_\-]", "a_b_", true),
            (r"\x41\x{42}\103", "ABC", true),
            (r"\n", "\n", true),
            (".", "\n", false),
            ("[^a]", "\n", true),
            ("a$\n^b", "a\nb", true),
            ("..", "日本", true),
            ("()", "", true),
            ("a|", "", true),
            ("#x y", "#x y", true),
        ] {
            assert_eq!(
                Regex::new(pattern).unwrap().matches(text.as_bytes()),
                expected,
                "{pattern} on {text}"
            );
        }
        assert!(Regex::new("a\u{fffd}b").unwrap().matches(b"a\xffb"));
    }

    #[test]
    fn what_is_not_in_the_dialect_is_refused() {
        for pattern in [
            r"\d",
            r"\w",
            r"\b",
            r"\A",
            r"\pL",
            r"\Q",
            r"\1",
            r"\é",
            "\\",
            "(?i)a",
            "(?:a)",
            "(?P<n>a)",
            "(a",
            "a)",
            "[a",
            "[b-a]",
            "[a-b-c]",
            "[[:nope:]]",
            "*",
            "a|*",
            "(*)",
            "+a",
            "a{1001}",
            "((a{2}b|c){50}d){11}",
            "a{40}{30}",
            "a{3,2}",
            r"\xz",
            r"\x{110000}",
        ] {
            assert!(Regex::new(pattern).is_err(), "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_is_sound(pattern in r"[ab^$.*+?()\[\]{},|\\:-]{0,16}") {
            if let Err(error) = Regex::new(&pattern) {
                proptest::prop_assert_ne!(error, BadRegex::TooLarge, "{}", pattern);
            }
        }
    }
}

//! Secrets on command lines.

use std::borrow::Cow;
use std::ops::Range;

use super::REDACTED;
use super::shapes::{self, without};

/// How the names of secrets end, written without what separates words.
const TELLING: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "secret",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "credentials",
];

/// Programs whose `-p` has the password right behind it.
const ATTACHED: [&str; 6] = ["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump"];

/// Programs whose `-p` is no password.
const OTHERWISE: [&str; 35] = [
    "mkdir", "cp", "ps", "install", "unzip", "rsync", "tar", "tee", "ssh", "scp", "sftp", "nmap", "nc",
    "ncat", "iptables", "netstat", "ss", "lsof", "git", "patch", "read", "psql", "pg_dump", "kill", "top",
    "strace", "gdb", "nsenter", "kubectl", "curl", "sh", "bash", "dash", "ash", "zsh",
];

/// Flags of programs that are followed by a password.
const FLAGS: [(&str, &str); 8] = [
    ("redis-cli", "-a"),
    ("ldapsearch", "-w"),
    ("ldapmodify", "-w"),
    ("sqlcmd", "-P"),
    ("smbclient", "-U"),
    ("openssl", "-k"),
    ("openssl", "-pass"),
    ("zip", "-P"),
];

/// What may stand around a word.
const AROUND: [char; 5] = ['"', '\'', '`', '(', '$'];

/// What the last word says of the next.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Next {
    #[default]
    Anything,
    Secret,
    /// Unless it looks like something else.
    Likely,
    /// Behind a colon.
    Password,
}

/// The arguments of a command one after another: what one says of the next is known.
#[derive(Clone, Default, Debug)]
pub struct Words {
    next: Next,
    program: String,
}

impl Words {
    /// An argument, which may be a whole script, without what looks like a secret.
    pub fn argument<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        match shapes::redact(text) {
            Cow::Borrowed(text) => self.words(text),
            Cow::Owned(text) => self.words(&text).into_owned().into(),
        }
    }

    fn words<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        let script = text.contains(char::is_whitespace);
        let (mut found, mut at) = (Vec::new(), 0);
        // An argument of its own is a value as a whole.
        let secret = match self.next {
            Next::Secret => !text.is_empty() && !text.starts_with('-'),
            Next::Likely => !text.is_empty() && is_likely(text),
            _ => false,
        };
        if secret {
            self.next = Next::Anything;
            return if text.starts_with(REDACTED) { text.into() } else { REDACTED.into() };
        }
        while let Some(word) = next_word(text, at) {
            let shown = text.get(word.clone()).unwrap_or_default();
            // Its ends are looked for once, not for each of its values.
            let bare = word.start + shown.trim_end_matches(AROUND).len();
            at = word.start;
            while at < word.end {
                let (secret, end) = self.word(text, at..word.end, bare, script);
                found.extend(secret);
                at = end;
            }
        }
        without(text, found)
    }

    /// What of a word, or of the rest of it, is secret, if anything, and where to go on. Up to `bare` it is without what
    /// stands around it.
    fn word(
        &mut self,
        text: &str,
        word: Range<usize>,
        bare: usize,
        script: bool,
    ) -> (Option<Range<usize>>, usize) {
        let shown = text.get(word.clone()).unwrap_or_default();
        let next = std::mem::take(&mut self.next);
        let bare = text.get(word.start..bare).unwrap_or_default().trim_start_matches(AROUND);
        if ends_with(bare, "bearer") || (bare.eq_ignore_ascii_case("basic") && next == Next::Secret) {
            self.next = Next::Secret;
            return (None, word.end);
        }
        let from = match next {
            Next::Secret if !shown.starts_with('-') => Some(word.start),
            Next::Likely if is_likely(bare) => Some(word.start),
            Next::Password => shown.find(':').map(|colon| word.start + colon + 1),
            _ => None,
        };
        if let Some(from) = from {
            let secret = value(text, from, !script);
            let end = secret.end.max(from + 1);
            return (Some(secret), end.max(word.start + 1));
        }
        if let Some(from) = self.behind_name(text, &word) {
            let front = text.get(word.start..from).unwrap_or_default();
            let url = front.contains("://") || front.contains('?');
            let secret = value(text, from, !script && !url);
            let end = secret.end;
            return (Some(secret).filter(|secret| !secret.is_empty()), end.max(from));
        }
        self.follow(bare);
        if ATTACHED.contains(&self.program.as_str()) && shown.len() > 2 && shown.starts_with("-p") {
            let secret = value(text, word.start + 2, !script);
            let end = secret.end;
            return (Some(secret), end.max(word.end));
        }
        (None, word.end)
    }

    /// Notes which program runs, and what a flag says of the next word.
    fn follow(&mut self, word: &str) {
        let ends = word.ends_with([';', '|', '&']);
        let name = word.trim_end_matches([';', '|', '&']).rsplit('/').next().unwrap_or_default();
        let known =
            ATTACHED.contains(&name) || OTHERWISE.contains(&name) || FLAGS.iter().any(|flag| flag.0 == name);
        if known {
            name.clone_into(&mut self.program);
        } else if ends {
            self.program.clear();
        }
        let program = self.program.as_str();
        self.next = if (word.starts_with('-') && tells(word)) || FLAGS.contains(&(program, word)) {
            Next::Secret
        } else if program == "curl" && matches!(word, "-u" | "--user" | "-U" | "--proxy-user") {
            Next::Password
        } else if word == "-p" && !ATTACHED.contains(&program) && !OTHERWISE.contains(&program) {
            Next::Likely
        } else {
            Next::Anything
        };
    }

    /// Where in a word a value stands behind a telling name and `=` or `:`.
    fn behind_name(&mut self, text: &str, word: &Range<usize>) -> Option<usize> {
        let shown = text.get(word.clone())?;
        for (at, sign) in shown.match_indices(['=', ':']) {
            let front = shown.get(..at)?.trim_end_matches(['"', '\'', '\\']);
            let name = front.rsplit(|character: char| !is_of_name(character)).next().unwrap_or_default();
            let behind = shown.get(at + 1..)?;
            let last = behind.trim_start_matches(['"', '\'', '\\']).is_empty();
            match sign {
                "=" if tells(name) && !behind.is_empty() => return Some(word.start + at + 1),
                ":" if last && (tells(name) || name.to_ascii_lowercase().ends_with("authorization")) => {
                    self.next = Next::Secret;
                    return Some(word.end);
                }
                ":" if !behind.starts_with("//") && is_telling(name) => return Some(word.start + at + 1),
                _ => {}
            }
        }
        None
    }
}

/// Whether what is called so is a secret.
pub(super) fn tells(name: &str) -> bool {
    let name = name.trim_end_matches(|character: char| !character.is_ascii_alphabetic()).to_ascii_lowercase();
    let ends_in_pass =
        name.strip_suffix("pass").is_some_and(|front| front.is_empty() || front.ends_with(['_', '-', '.']));
    let joined = joined(&name);
    ends_in_pass
        || (TELLING.iter().any(|telling| joined.ends_with(telling))
            && !matches!(joined.as_str(), "pwd" | "oldpwd"))
}

/// Whether it is one of the names themselves.
fn is_telling(name: &str) -> bool {
    TELLING.contains(&joined(&name.to_ascii_lowercase()).as_str())
}

fn joined(name: &str) -> String {
    name.replace(['_', '-', '.'], "")
}

fn ends_with(text: &str, end: &str) -> bool {
    let last = text.get(text.len().saturating_sub(end.len())..);
    last.is_some_and(|last| last.eq_ignore_ascii_case(end))
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-.".contains(character)
}

/// Whether what follows a `-p` may be a password: no flag, path, number, port, or URL.
fn is_likely(word: &str) -> bool {
    !word.starts_with(['-', '/', '.', '~', '$'])
        && !word.contains("://")
        && !word.chars().all(|character| character.is_ascii_digit() || ":,/-".contains(character))
}

fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = from + rest.find(|character: char| !character.is_whitespace())?;
    let word = text.get(start..)?;
    Some(start..start + word.find(char::is_whitespace).unwrap_or(word.len()))
}

/// The value that begins at `from`: what its quotes hold, or up to a blank and, in a script, to what ends a word there. `whole`:
/// up to the end.
fn value(text: &str, from: usize, whole: bool) -> Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    if rest.starts_with(REDACTED) {
        return from..from + REDACTED.len();
    }
    if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\''))
        && let Some(end) = rest.get(1..).and_then(|rest| rest.find(quote))
    {
        return from + 1..from + 1 + end;
    }
    if whole {
        return from..text.len();
    }
    let ends = |character: char| character.is_whitespace() || ";|&\"')".contains(character);
    from..from + rest.find(ends).unwrap_or(rest.len())
}

//! What looks like a secret by itself: few would be anything else.

use std::borrow::Cow;
use std::ops::Range;

use super::REDACTED;

/// How tokens of well-known services begin, and how many characters of a name follow at least.
const PREFIXES: [(&str, usize); 21] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("AIza", 30),
    ("npm_", 30),
    ("hvs.", 20),
    ("hvb.", 20),
    ("dop_v1_", 30),
    ("sk-ant-", 20),
    ("sk-proj-", 20),
];

/// Begin the ids of access keys of AWS: 16 capitals and digits follow.
const ACCESS_KEYS: [&str; 2] = ["AKIA", "ASIA"];

/// No token is shorter.
const SHORTEST: usize = 15;

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_NAME: &str = "PRIVATE KEY-----";
const KEY_ENDS: &str = "-----END ";

/// Most bytes from where a key begins to the end of its name.
const KEY_HEAD: usize = 80;

/// The text without them.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut found = private_keys(text);
    found.extend(runs(text).filter_map(|run| {
        let start = token(text.get(run.clone())?)?;
        Some(run.start + start..run.end)
    }));
    found.extend(passwords_in_urls(text));
    found.sort_unstable_by_key(|found| found.start);
    without(text, found)
}

/// The text with [`REDACTED`] in place of `ranges`, which come in order; of those that overlap the first counts.
pub(super) fn without(text: &str, ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    let (mut kept, mut from) = (String::new(), 0);
    for range in ranges {
        if range.start < from || text.get(range.clone()).is_none_or(|text| text == REDACTED) {
            continue;
        }
        kept.push_str(text.get(from..range.start).unwrap_or_default());
        kept.push_str(REDACTED);
        from = range.end;
    }
    if from == 0 {
        return text.into();
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept.into()
}

/// What was looked through is not looked through again, however many keys seem to begin there.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut offset) = (Vec::new(), 0);
    // Not beyond the string in which it stands, if this is JSON.
    for part in text.split('"') {
        let mut at = 0;
        while let Some(begun) = behind(part, KEY_BEGINS, at) {
            at = begun;
            let start = begun - KEY_BEGINS.len();
            let head = part.get(..part.floor_char_boundary(start + KEY_HEAD)).unwrap_or_default();
            let Some(named) = behind(head, KEY_NAME, begun) else { continue };
            let end = behind(part, KEY_ENDS, named).and_then(|last| behind(part, "-----", last));
            at = end.unwrap_or(part.len());
            found.push(offset + start..offset + at);
        }
        offset += part.len() + 1;
    }
    found
}

/// Where the first `wanted` from `from` on ends.
fn behind(text: &str, wanted: &str, from: usize) -> Option<usize> {
    Some(from + text.get(from..)?.find(wanted)? + wanted.len())
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// The longest runs of characters of which tokens are made.
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes.get(at..)?.iter().position(|byte| is_of_token(*byte))?;
        let start = at;
        at += bytes.get(at..)?.iter().take_while(|byte| is_of_token(**byte)).count();
        Some(start..at)
    })
}

/// Where in a run a token begins; what follows is taken for a part of it.
fn token(run: &str) -> Option<usize> {
    if run.len() < SHORTEST {
        return None;
    }
    let from = |start: usize| run.get(start..).unwrap_or_default();
    let at = |prefix: &str| {
        let before = |at: usize| run.as_bytes().get(at.wrapping_sub(1));
        run.match_indices(prefix)
            .map(|(at, _)| at)
            .find(|at| !before(*at).is_some_and(u8::is_ascii_alphanumeric))
    };
    // A JSON Web Token: three parts, of which the first is an object.
    let dots = |start: usize| from(start).bytes().filter(|byte| *byte == b'.').count();
    let web = at("eyJ").filter(|start| run.len() - start >= 20 && dots(*start) >= 2);
    let known = PREFIXES
        .iter()
        .filter_map(|(prefix, least)| at(prefix).filter(|start| run.len() >= start + prefix.len() + least));
    let is_of_id = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let keys = ACCESS_KEYS.iter().filter_map(|prefix| {
        at(prefix).filter(|start| from(*start).bytes().take_while(is_of_id).count() >= 20)
    });
    known.chain(keys).chain(web).min()
}

/// `scheme://user:PASSWORD@host`
fn passwords_in_urls(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(at, separator)| {
        let start = at + separator.len();
        let rest = text.get(start..)?;
        let ends = |character: char| character.is_whitespace() || "/?#\"'\\".contains(character);
        let authority = rest.split(ends).next()?;
        let user = authority.get(..authority.rfind('@')?)?;
        let password = user.find(':')? + 1;
        (password < user.len()).then_some(start + password..start + user.len())
    })
}

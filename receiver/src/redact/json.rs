//! JSON documents, whole or not.

use std::borrow::Cow;
use std::collections::HashSet;
use std::iter::Peekable;
use std::ops::Range;

use audit_event::json::Raw;
use audit_event::payload;

use super::tokens::{Token, Tokens, encoded};
use super::words::tells;
use super::{REDACTED, Redact, Words, shapes, uri};

/// Members of secrets, and of patches of them, that hold what is secret.
const OF_SECRETS: [&str; 3] = ["data", "stringData", "value"];

/// Levels of objects and arrays that are read; what is deeper is left out.
const DEEPEST: usize = 200;

/// Documents within strings of documents that are read; what is deeper is left out.
const MOST_NESTED: usize = 4;

/// Where a document stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// In strings of so many others.
    nested: usize,
    /// In one about secrets.
    secret: bool,
}

impl Place {
    /// In no other.
    pub(super) const ROOT: Self = Self { nested: 0, secret: false };
}

/// What of a value is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hide {
    Nothing,
    /// Numbers and the like are no secrets.
    Strings,
    All,
}

/// An object or array that is open.
#[derive(Debug)]
struct Frame {
    array: bool,
    /// Of an object: its last name.
    name: String,
    /// Of an array: how many elements came.
    elements: usize,
    hide: Hide,
    /// The elements are a command.
    command: Option<Words>,
    /// Settings, one a line, may stand here.
    settings: bool,
    /// Of an object: its `name` tells that its `value` is a secret.
    telling: bool,
    /// The value of the last name is a secret.
    secret: bool,
}

struct Scan<'a> {
    text: &'a [u8],
    tokens: Peekable<Tokens<'a>>,
    redact: &'a Redact,
    place: Place,
    /// What begins here has a telling `name`, see [`telling`].
    telling: HashSet<usize>,
    root: Frame,
    open: Vec<Frame>,
    kept: Vec<u8>,
    /// Up to where `text` is in `kept`.
    from: usize,
}

/// The document without what is not to be kept.
pub(super) fn redact<'a>(text: &'a [u8], redact: &Redact, place: Place) -> Cow<'a, [u8]> {
    let sound = std::str::from_utf8(text).is_ok_and(|text| Raw::parse(text).is_ok());
    let tokens = Tokens::new(text, sound);
    if !tokens.is_json() {
        let shown = payload::text(text);
        let kept = if redact.secrets { Words::default().argument(&shown) } else { Cow::Borrowed(&*shown) };
        return if kept == shown { text.into() } else { kept.into_owned().into_bytes().into() };
    }
    let secret = redact.secrets && (place.secret || is_about_secrets(text, sound));
    let tail = secret && !sound && (tokens.is_tail() || goes_on(tokens.clone()));
    let telling = if redact.secrets { telling(text, tokens.clone()) } else { HashSet::new() };
    let mut root = Frame::new(false, if tail { Hide::Strings } else { Hide::Nothing });
    root.telling = telling.contains(&0);
    let mut scan = Scan {
        text,
        tokens: tokens.peekable(),
        redact,
        place: Place { secret, ..place },
        telling,
        root,
        open: Vec::new(),
        kept: Vec::new(),
        from: 0,
    };
    while let Some(token) = scan.tokens.next() {
        scan.take(token);
    }
    let kept = if scan.from == 0 {
        Cow::Borrowed(text)
    } else {
        scan.kept.extend_from_slice(text.get(scan.from..).unwrap_or_default());
        scan.kept.into()
    };
    if sound || !redact.secrets {
        return kept;
    }
    // Something may stand between what was read.
    let shown = payload::text(&kept);
    match shapes::redact(&shown) {
        Cow::Borrowed(_) => kept,
        Cow::Owned(without) => without.into_bytes().into(),
    }
}

impl Frame {
    fn new(array: bool, hide: Hide) -> Self {
        Self {
            array,
            name: String::new(),
            elements: 0,
            hide,
            command: None,
            settings: false,
            telling: false,
            secret: false,
        }
    }
}

impl Scan<'_> {
    fn take(&mut self, token: Token) {
        match token {
            Token::Open { array, at } => self.container(array, at),
            Token::Close { end } => {
                if self.open.pop().is_none() {
                    self.root.telling = self.telling.contains(&end);
                }
            }
            Token::Comma => self.top().elements += 1,
            Token::Colon => {}
            Token::String { content } => {
                if self.tokens.peek() == Some(&Token::Colon) {
                    let name = decoded(self.text, &content);
                    let top = self.top();
                    top.secret = tells(&name) || (name == "value" && top.telling);
                    top.name = name;
                } else {
                    self.string(content);
                }
            }
            Token::Scalar(range) => self.scalar(range),
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.open.last_mut().unwrap_or(&mut self.root)
    }

    /// What of the value that stands next is left out.
    fn hide(&mut self) -> Hide {
        if self.is_at_path() {
            return Hide::All;
        }
        let secret = self.place.secret;
        let top = self.top();
        match top.hide {
            Hide::Nothing if secret && !top.array && OF_SECRETS.contains(&top.name.as_str()) => Hide::Strings,
            hide => hide,
        }
    }

    fn is_at_path(&self) -> bool {
        if self.redact.paths.is_empty() {
            return false;
        }
        let name = |frame| match frame {
            &Frame { array: true, elements, .. } => Cow::Owned(elements.to_string()),
            Frame { name, .. } => Cow::Borrowed(name.as_str()),
        };
        let place: Vec<_> = self.open.iter().map(name).collect();
        self.redact.paths.iter().any(|path| path.leads_to(place.iter().map(AsRef::as_ref)))
    }

    fn container(&mut self, array: bool, at: usize) {
        let hide = self.hide();
        let deeper = self.top().hide != Hide::Nothing && !self.open.is_empty();
        if self.open.len() >= DEEPEST || (hide != Hide::Nothing && (array || deeper)) {
            let end = self.skip();
            return self.replace(at..end, &quoted());
        }
        let secrets = self.redact.secrets;
        let telling = self.telling.contains(&(at + 1));
        let top = self.top();
        let all = secrets && array && !top.array && top.secret;
        let mut frame = Frame::new(array, if all { Hide::Strings } else { hide });
        frame.telling = telling;
        frame.settings = top.settings || (!top.array && top.name == "data");
        frame.command = (secrets && array && is_command(&top.name)).then(Words::default);
        self.open.push(frame);
    }

    /// Passes over the container that was just opened; where it ends.
    fn skip(&mut self) -> usize {
        let mut open = 1_usize;
        for token in self.tokens.by_ref() {
            match token {
                Token::Open { .. } => open += 1,
                Token::Close { end } if open == 1 => return end,
                Token::Close { .. } => open -= 1,
                _ => {}
            }
        }
        self.text.len()
    }

    fn scalar(&mut self, range: Range<usize>) {
        if self.hide() == Hide::All {
            return self.replace(range, &quoted());
        }
        let shown = payload::text(self.text.get(range.clone()).unwrap_or_default());
        if self.redact.secrets && matches!(shapes::redact(&shown), Cow::Owned(_)) {
            self.replace(range, &quoted());
        }
    }

    fn string(&mut self, content: Range<usize>) {
        let hide = self.hide();
        if hide == Hide::Nothing && !self.redact.secrets {
            return;
        }
        let decoded = decoded(self.text, &content);
        let kept = if hide == Hide::Nothing { self.kept(&decoded) } else { whole(&decoded) };
        if kept != decoded {
            let kept = encoded(&kept).into_owned();
            self.replace(content, kept.as_bytes());
        }
    }

    /// A string that is not left out as a whole by its place.
    fn kept<'s>(&mut self, text: &'s str) -> Cow<'s, str> {
        let place = Place { nested: self.place.nested + 1, ..self.place };
        let redact = self.redact;
        let top = self.top();
        if let Some(command) = &mut top.command {
            return command.argument(text);
        }
        if !top.array {
            match top.name.as_str() {
                "requestURI" => return uri::redact(text),
                name if is_command(name) => return Words::default().argument(text),
                _ if top.secret => return whole(text),
                _ => {}
            }
        }
        if is_document(text) {
            if place.nested > MOST_NESTED {
                return REDACTED.into();
            }
            return match self::redact(text.as_bytes(), redact, place) {
                Cow::Borrowed(_) => text.into(),
                Cow::Owned(kept) => payload::text(&kept).into_owned().into(),
            };
        }
        if top.settings { Words::default().argument(text) } else { shapes::redact(text) }
    }

    fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        if self.text.get(range.clone()) == Some(with) {
            return;
        }
        self.kept.extend_from_slice(self.text.get(self.from..range.start).unwrap_or_default());
        self.kept.extend_from_slice(with);
        self.from = range.end;
    }
}

/// A string of JSON.
fn decoded(text: &[u8], content: &Range<usize>) -> String {
    let content = payload::text(text.get(content.clone()).unwrap_or_default());
    audit_event::json::decode(&content).into_owned()
}

/// Behind which bytes what has a telling `name` begins, be that in front of its `value` or behind it: `{`, or, where the front
/// was cut off, what was closed last.
fn telling(text: &[u8], tokens: Tokens<'_>) -> HashSet<usize> {
    let mut tokens = tokens.peekable();
    let (mut found, mut open, mut root, mut deeper) = (HashSet::new(), Vec::new(), 0, 0_usize);
    let mut named = false;
    while let Some(token) = tokens.next() {
        let is_name = tokens.peek() == Some(&Token::Colon);
        let was_named = std::mem::take(&mut named);
        match token {
            // What is so deep is left out.
            Token::Open { .. } if open.len() >= DEEPEST => deeper += 1,
            Token::Close { .. } if deeper > 0 => deeper -= 1,
            Token::Open { at, .. } => open.push(at + 1),
            Token::Close { end } if open.is_empty() => root = end,
            Token::Close { .. } => _ = open.pop(),
            Token::Colon => named = was_named,
            Token::String { content } if is_name => named = decoded(text, &content) == "name",
            Token::String { content } if was_named && tells(&decoded(text, &content)) => {
                found.insert(*open.last().unwrap_or(&root));
            }
            _ => {}
        }
    }
    found
}

fn is_document(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(['{', '[']) && !text.starts_with(REDACTED)
}

fn is_command(name: &str) -> bool {
    matches!(name, "command" | "args")
}

/// In place of a whole text; nothing is no secret.
fn whole(text: &str) -> Cow<'_, str> {
    if text.is_empty() { "".into() } else { REDACTED.into() }
}

fn quoted() -> Vec<u8> {
    format!("\"{REDACTED}\"").into_bytes()
}

/// Whether more is closed than was opened, or the document goes on where it should end: its front was cut off.
fn goes_on(tokens: Tokens<'_>) -> bool {
    let mut open = 0_usize;
    for token in tokens {
        match token {
            Token::Open { .. } => open += 1,
            Token::Close { .. } if open > 0 => open -= 1,
            Token::Close { .. } | Token::Comma | Token::Colon if open == 0 => return true,
            _ => {}
        }
    }
    false
}

/// Whether a document is about secrets: it says so, or it is broken and does not say what it is about.
fn is_about_secrets(text: &[u8], sound: bool) -> bool {
    let mut tokens = Tokens::new(text, sound).peekable();
    let (mut name, mut other) = (String::new(), false);
    while let Some(token) = tokens.next() {
        let Token::String { content } = token else { continue };
        let content = text.get(content).unwrap_or_default();
        if tokens.peek() == Some(&Token::Colon) {
            name = payload::text(content).into_owned();
            continue;
        }
        let says = |separators: &[char], wanted: &[&str]| {
            payload::text(content).split(separators).any(|part| wanted.contains(&part))
        };
        match name.as_str() {
            "kind" | "@type" if says(&['.', '/'], &["Secret", "SecretList"]) => return true,
            "resource" if says(&[], &["secrets"]) => return true,
            "resource" => other = true,
            "requestURI" | "resourceName" | "methodName" if says(&['.', '/', '?'], &["secrets"]) => {
                return true;
            }
            _ => {}
        }
        name.clear();
    }
    !other && !sound
}

//! URIs of requests.

use std::borrow::Cow;

use super::words::tells;
use super::{REDACTED, Words, shapes};

/// The URI with what is secret left out of its parameters. The others stay as they are written.
pub(super) fn redact(uri: &str) -> Cow<'_, str> {
    let Some((path, query)) = uri.split_once('?') else { return shapes::redact(uri) };
    let mut command = Words::default();
    let mut parameter = |pair| self::parameter(pair, &mut command);
    let pairs: Vec<_> = query.split('&').map(&mut parameter).collect();
    let path = shapes::redact(path);
    let changed = |text: &Cow<'_, str>| matches!(text, Cow::Owned(_));
    if changed(&path) || pairs.iter().any(changed) {
        format!("{path}?{}", pairs.join("&")).into()
    } else {
        uri.into()
    }
}

fn parameter<'a>(pair: &'a str, command: &mut Words) -> Cow<'a, str> {
    let Some((name, value)) = pair.split_once('=') else { return pair.into() };
    let decoded = form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value).unwrap_or_default();
    let kept = match name {
        "command" => command.argument(&decoded),
        _ if tells(name) && !value.is_empty() => REDACTED.into(),
        _ => shapes::redact(&decoded),
    };
    if kept == decoded {
        return pair.into();
    }
    format!("{name}={}", form_urlencoded::byte_serialize(kept.as_bytes()).collect::<String>()).into()
}

//! Query parameters of a request URI, found as Go's `net/url` finds them.

/// The first value of the parameter `name`, decoded. `None` when it is not there, and for every parameter of a URI that
/// Go's `url.Parse` or `url.ParseQuery` refuses: a bad escape anywhere, a `;` in the query, a control character.
pub(crate) fn parameter(uri: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let (uri, fragment) = cut(uri, b'#');
    let controls = uri.iter().any(|byte| *byte < b' ' || *byte == 0x7f);
    if controls || !unescapable(fragment.unwrap_or_default()) {
        return None;
    }
    let query = query(uri)?;
    let mut found = None;
    for pair in query.split(|byte| *byte == b'&') {
        if pair.contains(&b';') {
            return None;
        }
        if pair.is_empty() {
            continue;
        }
        let (key, value) = cut(pair, b'=');
        let (key, value) = (unescape(key)?, unescape(value.unwrap_or_default())?);
        if key == name {
            found.get_or_insert(value);
        }
    }
    found
}

/// The query of a URI whose other parts are sound.
fn query(uri: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = scheme(uri)?;
    let (rest, query) = cut(rest, b'?');
    let query = query.unwrap_or_default();
    if !rest.starts_with(b"/") {
        let (segment, _) = cut(rest, b'/');
        return match scheme {
            true => Some(query),
            false => (!segment.contains(&b':') && unescapable(rest)).then_some(query),
        };
    }
    let path = match rest.strip_prefix(b"//") {
        Some(authority) if scheme || !authority.starts_with(b"/") => {
            let end = authority.iter().position(|byte| *byte == b'/').unwrap_or(authority.len());
            let (authority, path) = authority.split_at_checked(end)?;
            sound_authority(authority).then_some(path)?
        }
        _ => rest,
    };
    unescapable(path).then_some(query)
}

/// Whether a scheme stands in front, and what comes behind it; `None` for a `:` with nothing in front.
fn scheme(uri: &[u8]) -> Option<(bool, &[u8])> {
    for (at, byte) in uri.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((true, uri.get(at + 1..).unwrap_or_default())),
            _ => break,
        }
    }
    Some((false, uri))
}

/// `[user[:password]@]host[:port]`
fn sound_authority(authority: &[u8]) -> bool {
    let (user, host) = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (authority.get(..at), authority.get(at + 1..).unwrap_or_default()),
        None => (None, authority),
    };
    let user_fits = user.is_none_or(|user| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
        user.iter().all(fits) && unescapable(user)
    });
    let bracket = host.iter().rposition(|byte| *byte == b']');
    let behind = match (host.first(), bracket) {
        (Some(b'['), None) => return false,
        (Some(b'['), Some(at)) => host.get(at + 1..).unwrap_or_default(),
        _ => host.iter().position(|byte| *byte == b':').and_then(|at| host.get(at..)).unwrap_or_default(),
    };
    let port_fits = match behind.split_first() {
        None => true,
        Some((b':', port)) => port.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(byte)
    };
    // In a host only bytes beyond ASCII may be escaped.
    let escapes_fit = escapes(host).all(|escape| escape.is_some_and(|byte| !byte.is_ascii() || byte == b'%'));
    user_fits && port_fits && host.iter().all(fits) && escapes_fit
}

fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (text.get(..at).unwrap_or(text), text.get(at + 1..)),
        None => (text, None),
    }
}

/// The bytes that percent signs stand for; `None` for each that two hexadecimal digits do not follow.
fn escapes(text: &[u8]) -> impl Iterator<Item = Option<u8>> + '_ {
    text.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| escaped(text.get(at + 1..)?))
}

fn escaped(behind: &[u8]) -> Option<u8> {
    let [high, low, ..] = behind else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn unescapable(text: &[u8]) -> bool {
    escapes(text).all(|escape| escape.is_some())
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                rest = behind.get(2..)?;
                escaped(behind)?
            }
            other => *other,
        });
    }
    Some(out)
}

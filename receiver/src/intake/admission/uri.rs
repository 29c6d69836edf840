//! Writing request URIs as Go's clients do.

use std::fmt::Write as _;

use audit_event::json::{Kind, Raw};

/// Appends path segments.
pub(super) fn segments(out: &mut String, segments: &[&str]) {
    for segment in segments {
        out.push('/');
        escape(out, segment, b"$&+=:@");
    }
}

/// Appends what the options of a connection say: the path of a proxied request, or parameters in the order of their names.
pub(super) fn options(out: &mut String, options: Raw<'_>) {
    if let Some(path) = options.get("path").and_then(Raw::string).filter(|path| !path.is_empty()) {
        if !path.starts_with('/') {
            out.push('/');
        }
        escape(out, &path, b"/?$&+=:@");
        return;
    }
    let mut before = '?';
    for name in ["command", "container", "ports", "stderr", "stdin", "stdout", "tty"] {
        let Some(value) = options.get(name) else { continue };
        match value.kind() {
            Kind::Array => value.elements().for_each(|element| parameter(out, &mut before, name, element)),
            _ => parameter(out, &mut before, name, value),
        }
    }
}

fn parameter(out: &mut String, before: &mut char, name: &str, value: Raw<'_>) {
    let content = value.string().unwrap_or(value.text().into());
    if matches!(value.kind(), Kind::Null) || value.text() == "false" {
        return;
    }
    out.push(std::mem::replace(before, '&'));
    out.push_str(name);
    out.push('=');
    for (at, word) in content.split(' ').enumerate() {
        if at > 0 {
            out.push('+');
        }
        escape(out, word, b"");
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986) and those in `also`.
fn escape(out: &mut String, text: &str, also: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || also.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

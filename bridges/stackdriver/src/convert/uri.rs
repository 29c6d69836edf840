//! Request URIs as Go's `net/url` writes them.

/// The query of a URI; parameters in the order of their names, as Go encodes them.
#[derive(Default)]
pub(super) struct Query(String);

impl Query {
    /// Appends a parameter. The caller keeps the order.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            match byte {
                b' ' => self.0.push('+'),
                b'-' | b'_' | b'.' | b'~' => self.0.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => self.0.push(char::from(byte)),
                _ => escape(&mut self.0, byte),
            }
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends a path, or a part of one. What is escaped already stays as it is.
pub(super) fn write_path(out: &mut String, path: &str) {
    let bytes = path.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let escaped = || {
            let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
            digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
        };
        match byte {
            b'%' if escaped() => out.push('%'),
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/[]".contains(&byte) => {
                out.push(char::from(byte));
            }
            _ => escape(out, byte),
        }
    }
}

fn escape(out: &mut String, byte: u8) {
    out.push_str(&format!("%{byte:02X}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_go_writes() {
        let mut query = Query::default();
        query.add("command", "sh -c 'a;b' 100% €");
        query.add("dryRun", "All");
        assert_eq!(query.as_str(), "?command=sh+-c+%27a%3Bb%27+100%25+%E2%82%AC&dryRun=All");

        let mut path = String::new();
        write_path(&mut path, "system:node/a b%2Fc%zz?é");
        assert_eq!(path, "system:node/a%20b%2Fc%25zz%3F%C3%A9");
    }
}

//! A JSON object written member by member, so that values pass through as they came.

use audit_event::json::{Key, Raw, write_string};

/// An object being written; it is closed when dropped.
pub(super) struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_string(self.out, value);
    }

    /// The string, unless there is none.
    pub(super) fn text_if(&mut self, key: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.text(key, value.as_ref());
        }
    }

    pub(super) fn texts(&mut self, key: &str, values: &[&str]) {
        self.key(key);
        self.out.push('[');
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            write_string(self.out, value);
        }
        self.out.push(']');
    }

    pub(super) fn number(&mut self, key: &str, value: u16) {
        self.key(key);
        self.out.push_str(&value.to_string());
    }

    /// A value as it came.
    pub(super) fn raw(&mut self, key: &str, value: Raw<'_>) {
        self.key(key);
        self.out.push_str(value.text());
    }

    /// A member as it came.
    pub(super) fn member(&mut self, key: Key<'_>, value: Raw<'_>) {
        self.separate();
        self.out.extend(["\"", key.text(), "\":", value.text()]);
    }

    pub(super) fn object(&mut self, key: &str) -> Object<'_> {
        self.key(key);
        Object::open(self.out)
    }

    fn key(&mut self, key: &str) {
        self.separate();
        write_string(self.out, key);
        self.out.push(':');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(',');
        }
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push('}');
    }
}

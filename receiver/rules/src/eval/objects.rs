//! The objects of a list, such as the containers of a pod.

use audit_event::json::{Elements, Key, Kind, Raw};

/// One of them: as it stands, or as its members.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object<'a> {
    Unread(Raw<'a>),
    Read(&'a [Entry<'a>]),
}

/// A member: its name and value.
pub(crate) type Entry<'a> = (Key<'a>, Raw<'a>);

impl<'a> Object<'a> {
    /// The first member of that name.
    pub(crate) fn get(self, key: &str) -> Option<Raw<'a>> {
        match self {
            Self::Unread(raw) => raw.get(key),
            Self::Read(members) => members.iter().find(|(name, _)| name.is(key)).map(|(_, value)| *value),
        }
    }

    /// The value at a path of keys, at least one.
    pub(crate) fn at(self, path: &[&str]) -> Option<Raw<'a>> {
        let (first, rest) = path.split_first()?;
        self.get(first)?.at(rest)
    }

    /// The names of its members.
    pub(crate) fn keys(self) -> impl Iterator<Item = Key<'a>> {
        let (raw, read) = match self {
            Self::Unread(raw) => (Some(raw), &[][..]),
            Self::Read(members) => (None, members),
        };
        raw.into_iter().flat_map(Raw::members).chain(read.iter().copied()).map(|(key, _)| key)
    }
}

/// Iterator over the objects of a list.
#[derive(Clone, Debug)]
pub(crate) enum Objects<'a> {
    Unread { elements: Elements<'a>, single: Option<Raw<'a>> },
    Read(std::slice::Iter<'a, Vec<Entry<'a>>>),
}

impl<'a> Objects<'a> {
    /// Those of an array; anything else counts as the only one.
    pub(crate) fn new(list: Raw<'a>) -> Self {
        let single = (list.kind() != Kind::Array).then_some(list);
        Self::Unread { elements: list.elements(), single }
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Object<'a>;

    fn next(&mut self) -> Option<Object<'a>> {
        match self {
            Self::Unread { elements, single } => {
                elements.next().or_else(|| single.take()).map(Object::Unread)
            }
            Self::Read(objects) => objects.next().map(|members| Object::Read(members)),
        }
    }
}

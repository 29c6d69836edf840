//! Objects at known places that fields look into, each walked at most once an event and only as far as what is asked for;
//! and the lists of a pod, each read whole once, if it is not too long.
//!
//! Fields of a pod stand side by side in `requestObject.spec`: read one by one, each would step over all that stands
//! before it. Which members are wanted of which object is known from the rules ([`Layout`]), so that one walk keeps them.

use std::cell::{Cell, OnceCell, RefCell};

use audit_event::json::{Members, Raw};
use audit_event::{Event, Field as Top};

use super::objects::{Entry, Object, Objects};

#[cfg(test)]
mod tests;

/// The most objects, and members of all of them, that are kept; what is beyond them is read anew each time.
const OBJECTS: usize = 16;
const MEMBERS: usize = 48;

/// The most lists whose objects are kept, and objects and members of one together.
const LISTS: usize = 6;
const ENTRIES: usize = 1000;

/// Which members of which objects are wanted.
#[derive(Default, Debug)]
pub(crate) struct Layout {
    /// Each behind the one that it is in.
    objects: Vec<Wanted>,
    members: usize,
}

/// An object and its members that are wanted.
#[derive(Debug)]
struct Wanted {
    place: Place,
    members: Vec<(&'static str, Member)>,
}

/// Where an object stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Field(Top),
    Member(Member),
}

/// A member that is wanted: the index of its object, and its own among the members of all objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    object: usize,
    index: usize,
}

impl Wanted {
    fn member(&self, is: impl Fn(&str) -> bool) -> Option<Member> {
        self.members.iter().find(|(name, _)| is(name)).map(|(_, member)| *member)
    }
}

impl Layout {
    /// Has the member at `path` below a field kept, and all that it is in; `None` where there is no room for it, or no
    /// path.
    pub(crate) fn want(&mut self, top: Top, path: &[&'static str]) -> Option<Member> {
        let mut place = Place::Field(top);
        let mut last = None;
        for name in path {
            let object = match self.objects.iter().position(|object| object.place == place) {
                Some(object) => object,
                None if self.objects.len() < OBJECTS => {
                    self.objects.push(Wanted { place, members: Vec::new() });
                    self.objects.len() - 1
                }
                None => return None,
            };
            let wanted = self.objects.get_mut(object)?;
            let member = match wanted.member(|known| known == *name) {
                Some(member) => member,
                None if self.members < MEMBERS => {
                    let member = Member { object, index: self.members };
                    self.members += 1;
                    wanted.members.push((name, member));
                    member
                }
                None => return None,
            };
            place = Place::Member(member);
            last = Some(member);
        }
        last
    }

    fn find(&self, top: Top, path: &[&str]) -> Option<Member> {
        let (mut place, mut last) = (Place::Field(top), None);
        for name in path {
            let wanted = self.objects.iter().find(|object| object.place == place)?;
            let member = wanted.member(|known| known == *name)?;
            place = Place::Member(member);
            last = Some(member);
        }
        last
    }
}

/// The objects of one event, as far as they have been walked.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    layout: &'a Layout,
    event: &'a Event<'a>,
    /// What is still to come of each object, once it is begun.
    rest: RefCell<[Option<Members<'a>>; OBJECTS]>,
    found: [Cell<Option<Raw<'a>>>; MEMBERS],
    lists: [List<'a>; LISTS],
}

/// A list by the member that it is, and its objects unless they are too much to be kept.
type List<'a> = OnceCell<(Member, Option<Vec<Vec<Entry<'a>>>>)>;

impl<'a> Opened<'a> {
    pub(crate) fn new(layout: &'a Layout, event: &'a Event<'a>) -> Self {
        let (found, lists) = ([const { Cell::new(None) }; MEMBERS], [const { OnceCell::new() }; LISTS]);
        Self { layout, event, rest: RefCell::default(), found, lists }
    }

    /// The same as [`Raw::at`] of the field.
    pub(crate) fn at(&self, top: Top, path: &[&str]) -> Option<Raw<'a>> {
        match self.layout.find(top, path) {
            Some(member) => self.member(member),
            None => self.event.get(top)?.at(path),
        }
    }

    /// The objects of the array there; what is no array counts as the only one.
    pub(crate) fn objects(&'a self, top: Top, path: &[&str]) -> Option<Objects<'a>> {
        let Some(member) = self.layout.find(top, path) else {
            return self.event.get(top)?.at(path).map(Objects::new);
        };
        let list = self.member(member)?;
        // The list's own place, or the first that is free.
        let mut places =
            self.lists.iter().filter(|place| place.get().is_none_or(|(known, _)| *known == member));
        let objects = places.next().and_then(|place| place.get_or_init(|| (member, read(list))).1.as_ref());
        Some(match objects {
            Some(objects) => Objects::Read(objects.iter()),
            None => Objects::new(list),
        })
    }

    pub(crate) fn member(&self, member: Member) -> Option<Raw<'a>> {
        let known = self.found.get(member.index)?.get();
        if known.is_some() {
            return known;
        }
        let wanted = self.layout.objects.get(member.object)?;
        let begun = self.rest.borrow().get(member.object)?.is_some();
        if !begun {
            let object = match wanted.place {
                Place::Field(top) => self.event.get(top),
                Place::Member(member) => self.member(member),
            };
            let members = object.map(Raw::members).unwrap_or_default();
            *self.rest.borrow_mut().get_mut(member.object)? = Some(members);
        }
        let mut rest = self.rest.borrow_mut();
        for (key, value) in rest.get_mut(member.object)?.as_mut()? {
            let name = key.name();
            let known = wanted.member(|wanted| wanted == name);
            // Of equal keys the first counts.
            if let Some(known) = known
                && let Some(place) = self.found.get(known.index)
                && place.get().is_none()
            {
                place.set(Some(value));
                if known == member {
                    return Some(value);
                }
            }
        }
        None
    }
}

/// The members of each object of a list, unless they are too many.
fn read(list: Raw<'_>) -> Option<Vec<Vec<Entry<'_>>>> {
    let mut entries = 0;
    Objects::new(list)
        .map(|object| {
            let Object::Unread(object) = object else { return None };
            let members: Vec<_> = object.members().take(ENTRIES - entries).collect();
            entries += members.len() + 1;
            (entries < ENTRIES).then_some(members)
        })
        .collect()
}

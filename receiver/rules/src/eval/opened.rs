//! Objects that fields look into, each walked at most once an event and only as far as what is asked for.
//!
//! Fields of a pod stand side by side in `requestObject.spec`: read one by one, each would step over all that stands
//! before it. Which members are wanted of which object is known from the rules ([`Layout`]), so that one walk keeps them.

use std::cell::{Cell, RefCell};

use audit_event::json::{Members, Raw};
use audit_event::{Event, Field as Top};

/// The most objects, and members of all of them, that are kept; what is beyond them is read anew each time.
const OBJECTS: usize = 16;
const MEMBERS: usize = 48;

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
}

impl<'a> Opened<'a> {
    pub(crate) fn new(layout: &'a Layout, event: &'a Event<'a>) -> Self {
        Self { layout, event, rest: RefCell::default(), found: [const { Cell::new(None) }; MEMBERS] }
    }

    /// The same as [`Raw::at`] of the field.
    pub(crate) fn at(&self, top: Top, path: &[&str]) -> Option<Raw<'a>> {
        match self.layout.find(top, path) {
            Some(member) => self.member(member),
            None => self.event.get(top)?.at(path),
        }
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
            let known = wanted.member(|wanted| key.is(wanted));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 4] = ["a", "b", "c\"", "d"];

    /// Objects within objects, with equal keys and other values between.
    fn a_value() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["1", "[]", "\"a\"", "null", "{}"]).prop_map(str::to_owned);
        let key = prop::sample::select(vec!["a", "b", r#"c\""#, "\\u0061", "x"]);
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            })
        })
    }

    fn a_path() -> impl Strategy<Value = Vec<&'static str>> {
        prop::collection::vec(prop::sample::select(KEYS.to_vec()), 0..4)
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_is_there(
            object in a_value(),
            wanted in prop::collection::vec(a_path(), 0..40),
            asked in prop::collection::vec(a_path(), 1..20),
        ) {
            let event = format!(
                r#"{{"kind":"Event","stageTimestamp":"2025-02-03T04:05:06Z","requestObject":{object},"user":{object}}}"#
            );
            let event = Event::parse(&event).unwrap();
            let mut layout = Layout::default();
            for path in &wanted {
                layout.want(Top::RequestObject, path);
                layout.want(Top::User, path);
            }
            let opened = Opened::new(&layout, &event);
            for path in &asked {
                for top in [Top::RequestObject, Top::User, Top::Annotations] {
                    let there = event.get(top).and_then(|object| object.at(path));
                    prop_assert_eq!(opened.at(top, path), there, "{:?}", path);
                }
            }
        }
    }
}

//! What files have defined so far, changed by each item in turn.

use std::collections::BTreeSet;

use super::context::Context;
use super::exceptions::Exception;
use super::version::Version;
use crate::Priority;
use crate::document::Traced;

/// Things by name, in the order of their first definition.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

pub(super) trait Define {
    fn name(&self) -> &str;
    fn order(&mut self) -> &mut Order;
}

/// When a thing was defined: numbers count definitions and appends of all kinds.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Order {
    /// First.
    pub(super) index: usize,
    /// Last.
    pub(super) visibility: usize,
}

impl<T: Define> Named<T> {
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|thing| thing.name() == name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.0.iter_mut().find(|thing| thing.name() == name)
    }

    /// Adds a thing, or puts it in the place of the one with its name.
    pub(super) fn define(&mut self, mut thing: T, number: usize) {
        *thing.order() = Order { index: number, visibility: number };
        match self.0.iter_mut().find(|previous| previous.name() == thing.name()) {
            Some(previous) => {
                thing.order().index = previous.order().index;
                *previous = thing;
            }
            None => self.0.push(thing),
        }
    }
}

#[derive(Default, Debug)]
pub(super) struct Collection {
    pub(super) lists: Named<List>,
    pub(super) macros: Named<Macro>,
    pub(super) rules: Named<Rule>,
    pub(super) requirements: Vec<Requirement>,
    numbers: usize,
}

impl Collection {
    /// The number of the next definition or append.
    pub(super) fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers - 1
    }
}

#[derive(Debug)]
pub(super) struct List {
    pub(super) name: String,
    pub(super) items: Vec<String>,
    pub(super) context: Context,
    pub(super) order: Order,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) condition: Traced,
    pub(super) condition_context: Context,
    pub(super) context: Context,
    pub(super) order: Order,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) desc: String,
    pub(super) condition: Traced,
    pub(super) condition_context: Context,
    pub(super) output: Traced,
    pub(super) output_context: Context,
    pub(super) context: Context,
    pub(super) source: String,
    pub(super) priority: Priority,
    pub(super) tags: BTreeSet<String>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) enabled: bool,
    pub(super) warn_evttypes: bool,
    pub(super) skip_if_unknown_filter: bool,
    pub(super) order: Order,
}

/// One of these plugins in its version, the first that is provided deciding.
#[derive(Debug)]
pub(super) struct Requirement {
    pub(super) alternatives: Vec<(String, Version)>,
    pub(super) context: Context,
}

macro_rules! define {
    ($($kind:ty),*) => {
        $(impl Define for $kind {
            fn name(&self) -> &str {
                &self.name
            }

            fn order(&mut self) -> &mut Order {
                &mut self.order
            }
        })*
    };
}

define!(List, Macro, Rule);

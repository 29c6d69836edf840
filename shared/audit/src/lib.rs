#![doc = include_str!("../README.md")]

pub mod event;
pub mod identity;
pub mod json;
pub mod payload;
pub mod salvage;
pub mod time;

pub use event::{Event, Field, Unusable};
pub use identity::EventId;
pub use payload::{Item, split, split_at_most};
pub use salvage::{Cut, TRUNCATED, Unsalvageable, salvage};
pub use time::Timestamp;

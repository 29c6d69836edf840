//! Reading a log that is indexed by time and fills up late.
//!
//! CloudWatch Logs and Cloud Logging answer questions about event times only, and make a record readable some time
//! after its own time: mostly seconds, at times minutes, and the lateness of what has not come cannot be seen. So a
//! slice of time is read several times: the *sweep* of age `a` reads slices that end at least `a` ago. A record is
//! delivered by the first sweep that sees it; a table of ages (5 s, 1 min, 10 min, 1 h) gives freshness by the first
//! and completeness by the last, at a cost that does not depend on how late anything is.
//!
//! The oldest sweep alone carries the guarantee: its mark moves only over slices that it has read to the last page, each
//! page asked for at least its age after the slice's end. Every record that became readable within that age is among
//! those pages. Younger sweeps only bring forward what it would find. So they may leave out anything that an older
//! sweep reads anyway: after an absence they are on time at once (the presence lane), while the older slices are worked
//! off beside them (the backlog lane).
//!
//! [`Machine`] is the algorithm without I/O and without a clock; [`driver`] asks the source what it says.

mod ages;
pub mod driver;
mod machine;
mod pace;
mod plan;
mod position;
mod seen;
#[cfg(test)]
mod tests;

pub use ages::{Ages, WrongAges};
pub use machine::{Emitted, Found, Machine, Request, Start, Step, Tally};
pub use pace::{Clock, Pace};
pub use plan::Plan;
pub use position::{Covered, Marks};
pub use seen::{RecordId, Seen};

//! A network under load, in figures: what became of every vote, and what each process took of the machine.
//!
//! Votes are judged from the chain as a node shows it through the Beacon API (blocks and states), so that a vote that
//! a validator client believes in and no block holds is a vote that is lacking. Usage is what the kernel says.

mod report;
mod requirement;
mod usage;
mod votes;
mod watch;

pub use report::LoadReport;
pub use requirement::{LoadPlan, Requirement};
pub use usage::{Machine, ProcessUsage};
pub use votes::{EpochVotes, VoteCount};
pub(crate) use watch::{LoadWatch, SETTLE_SLOTS};

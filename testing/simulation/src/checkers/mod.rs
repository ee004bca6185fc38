//! What must hold in every world, whatever goes wrong in it.

mod finality;
mod fork_choice;
mod liveness;
mod participation;
mod slashing;

use std::fmt;

pub use finality::Finality;
pub use fork_choice::heads_agree;
pub use liveness::{Standing, check_end};
pub use participation::Participation;
pub use slashing::Slashing;

/// Something that must not happen has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that was broken.
    pub rule: &'static str,
    /// The node where it was seen, where it is one node's.
    pub node: Option<usize>,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// A violation of a rule at a node.
    pub fn at(rule: &'static str, node: usize, what: impl Into<String>) -> Self {
        Self { rule, node: Some(node), what: what.into() }
    }

    /// A violation of the whole world.
    pub fn of_all(rule: &'static str, what: impl Into<String>) -> Self {
        Self { rule, node: None, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{} (node {node}): {}", self.rule, self.what),
            None => write!(f, "{}: {}", self.rule, self.what),
        }
    }
}

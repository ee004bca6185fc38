//! What to do with a gossip message.

use std::fmt;

/// What to do with a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Drop it; nobody is to blame.
    Ignore(Why),
    /// Drop it; whoever sent it is to blame.
    Reject(Why),
}

/// The rule that a message broke, in the words of the specification's gossip rules.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Why(pub &'static str);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl Verdict {
    /// `Ignore` for this reason.
    pub const fn ignore(why: &'static str) -> Self {
        Self::Ignore(Why(why))
    }

    /// `Reject` for this reason.
    pub const fn reject(why: &'static str) -> Self {
        Self::Reject(Why(why))
    }

    /// The reason; none for `Accept`.
    pub fn why(self) -> Option<Why> {
        match self {
            Self::Accept => None,
            Self::Ignore(why) | Self::Reject(why) => Some(why),
        }
    }
}

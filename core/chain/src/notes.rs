//! What came in and what came of it lately, for whoever looks into what happened.

use std::collections::VecDeque;
use std::fmt;

use fork_choice::ExecutionStatus;
use types::{Checkpoint, Root, Slot, Time, ValidatorIndex};

use crate::limits::NOTES_MAX;

/// Something that came in, or that came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When, by the chain's clock.
    pub time: Time,
    /// What.
    pub what: Noted,
}

/// What is noted. Votes and data are not: there are too many of them, and blocks tell what they led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// What became of a block of gossip or of the API by the rules of gossip.
    Judged {
        /// The block's slot.
        slot: Slot,
        /// Who proposed it.
        proposer: ValidatorIndex,
        /// The root of its parent.
        parent: Root,
        /// `accepted`, or why not.
        verdict: String,
    },
    /// Blocks of sync came.
    Segment {
        /// How many.
        count: usize,
        /// The slots of the first and of the last.
        slots: (Slot, Slot),
    },
    /// A block entered fork choice.
    Imported {
        /// Its slot.
        slot: Slot,
        /// Its root.
        root: Root,
        /// What is known of its payload.
        execution: &'static str,
    },
    /// An import ended before its end.
    NotImported {
        /// Where the block came from.
        source: &'static str,
        /// Why.
        why: String,
    },
    /// The head changed.
    Head {
        /// Its slot.
        slot: Slot,
        /// Its root.
        root: Root,
        /// True where the chain before it was left.
        is_reorg: bool,
    },
    /// A checkpoint was finalized.
    Finalized(Checkpoint),
    /// An engine said that a payload which we had imported is invalid; so are this many blocks.
    PayloadInvalid {
        /// The block that it was said of.
        root: Root,
        /// How many blocks lead to no head any more.
        blocks: usize,
    },
    /// A fault of our own.
    Fault(String),
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Judged { slot, proposer, parent, verdict } => {
                write!(f, "block of slot {slot} by {proposer} on {parent}: {verdict}")
            }
            Self::Segment { count, slots: (first, last) } => {
                write!(f, "{count} blocks of sync, slots {first} to {last}")
            }
            Self::Imported { slot, root, execution } => {
                write!(f, "imported {root} of slot {slot}, payload {execution}")
            }
            Self::NotImported { source, why } => write!(f, "an import of {source} ended: {why}"),
            Self::Head { slot, root, is_reorg } => {
                let how = if *is_reorg { ", leaving the chain before it" } else { "" };
                write!(f, "head {root} of slot {slot}{how}")
            }
            Self::Finalized(checkpoint) => write!(f, "finalized {} {}", checkpoint.epoch, checkpoint.root),
            Self::PayloadInvalid { root, blocks } => {
                write!(f, "the payload of {root} is invalid: {blocks} blocks lead to no head")
            }
            Self::Fault(text) => write!(f, "fault: {text}"),
        }
    }
}

/// What is known of a payload, in a word.
pub(crate) fn execution_word(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Irrelevant => "none",
        ExecutionStatus::Valid { .. } => "valid",
        ExecutionStatus::NotValidated { .. } => "not validated",
        ExecutionStatus::Invalidated { .. } => "invalid",
    }
}

/// The last notes; at most [`NOTES_MAX`], the oldest go.
#[derive(Debug, Default)]
pub(crate) struct Notes(VecDeque<Note>);

impl Notes {
    pub fn add(&mut self, time: Time, what: Noted) {
        if self.0.len() == NOTES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Note { time, what });
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Note> {
        self.0.iter().cloned().collect()
    }
}

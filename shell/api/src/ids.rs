//! The names by which requests ask for states, blocks and validators.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use types::{BlsPubkey, Root, Slot, ValidatorIndex};

use crate::ApiError;

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateId {
    /// The head's.
    Head,
    /// The genesis state.
    Genesis,
    /// The finalized checkpoint's.
    Finalized,
    /// The justified checkpoint's.
    Justified,
    /// The canonical chain's at a slot.
    Slot(Slot),
    /// By state root.
    Root(Root),
}

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockId {
    /// The head.
    Head,
    /// The genesis block.
    Genesis,
    /// The finalized checkpoint's.
    Finalized,
    /// The justified checkpoint's.
    Justified,
    /// The canonical chain's at a slot.
    Slot(Slot),
    /// By block root.
    Root(Root),
}

/// A validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidatorId {
    /// By place in the registry.
    Index(ValidatorIndex),
    /// By key.
    Pubkey(BlsPubkey),
}

impl Display for StateId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Genesis => f.write_str("genesis"),
            Self::Finalized => f.write_str("finalized"),
            Self::Justified => f.write_str("justified"),
            Self::Slot(slot) => slot.fmt(f),
            Self::Root(root) => root.fmt(f),
        }
    }
}

impl FromStr for StateId {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        Ok(match text {
            "head" => Self::Head,
            "genesis" => Self::Genesis,
            "finalized" => Self::Finalized,
            "justified" => Self::Justified,
            _ => match slot_or_root(text, "state")? {
                SlotOrRoot::Slot(slot) => Self::Slot(slot),
                SlotOrRoot::Root(root) => Self::Root(root),
            },
        })
    }
}

impl Display for BlockId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Genesis => f.write_str("genesis"),
            Self::Finalized => f.write_str("finalized"),
            Self::Justified => f.write_str("justified"),
            Self::Slot(slot) => slot.fmt(f),
            Self::Root(root) => root.fmt(f),
        }
    }
}

impl FromStr for BlockId {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        Ok(match text {
            "head" => Self::Head,
            "genesis" => Self::Genesis,
            "finalized" => Self::Finalized,
            "justified" => Self::Justified,
            _ => match slot_or_root(text, "block")? {
                SlotOrRoot::Slot(slot) => Self::Slot(slot),
                SlotOrRoot::Root(root) => Self::Root(root),
            },
        })
    }
}

impl FromStr for ValidatorId {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        let parsed = if text.starts_with("0x") {
            text.parse().ok().map(Self::Pubkey)
        } else {
            text.parse().ok().map(Self::Index)
        };
        parsed.ok_or_else(|| {
            ApiError::bad_request(format!(
                "invalid validator id {text:?}: expected an index or a 48-byte public key"
            ))
        })
    }
}

enum SlotOrRoot {
    Slot(Slot),
    Root(Root),
}

fn slot_or_root(text: &str, kind: &str) -> Result<SlotOrRoot, ApiError> {
    let parsed = if text.starts_with("0x") {
        text.parse().ok().map(SlotOrRoot::Root)
    } else {
        text.parse().ok().map(SlotOrRoot::Slot)
    };
    parsed.ok_or_else(|| {
        ApiError::bad_request(format!(
            "invalid {kind} id {text:?}: expected head, genesis, finalized, justified, a slot, or a 32-byte root"
        ))
    })
}

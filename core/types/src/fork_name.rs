//! The forks by name.

use std::fmt;
use std::str::FromStr;

/// A fork of the protocol, in the order of the schedule.
///
/// (`Fork` is the specification's container of two versions and an epoch.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum ForkName {
    /// The beacon chain's first.
    #[default]
    Phase0,
    /// Sync committees and participation flags.
    Altair,
    /// Execution payloads.
    Bellatrix,
    /// Withdrawals.
    Capella,
    /// Blobs.
    Deneb,
    /// Larger balances, requests from the execution layer.
    Electra,
    /// Data columns and the proposer lookahead.
    Fulu,
}

impl ForkName {
    /// Every fork, oldest first.
    pub const ALL: [Self; 7] =
        [Self::Phase0, Self::Altair, Self::Bellatrix, Self::Capella, Self::Deneb, Self::Electra, Self::Fulu];

    /// The name in lower case, as the Beacon API and the vectors write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phase0 => "phase0",
            Self::Altair => "altair",
            Self::Bellatrix => "bellatrix",
            Self::Capella => "capella",
            Self::Deneb => "deneb",
            Self::Electra => "electra",
            Self::Fulu => "fulu",
        }
    }
}

impl fmt::Display for ForkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fork {0:?}, expected one of phase0, altair, bellatrix, capella, deneb, electra, fulu")]
pub struct UnknownFork(pub String);

impl FromStr for ForkName {
    type Err = UnknownFork;

    fn from_str(text: &str) -> Result<Self, UnknownFork> {
        Self::ALL.into_iter().find(|fork| fork.as_str() == text).ok_or_else(|| UnknownFork(text.to_owned()))
    }
}

//! The same states in the stack that Rust clients share: milhouse, tree_hash and ethereum_ssz.
//!
//! Declared here as a client would declare them, since no published crate has the containers. Their lists hash on a
//! thread pool, which `main` makes one thread wide, so that CPU time compares.

mod deneb;
mod fulu;
mod parts;
mod phase0;

use anyhow::anyhow;
use ssz::{Decode, Encode};
use tree_hash::TreeHash;
use types::ForkName;

/// A state of one of the forks that are declared.
#[derive(Clone)]
pub enum Rival {
    /// Of phase 0.
    Phase0(Box<phase0::BeaconState>),
    /// Of Deneb.
    Deneb(Box<deneb::BeaconState>),
    /// Of Fulu.
    Fulu(Box<fulu::BeaconState>),
}

macro_rules! each {
    ($self:ident, $state:ident => $result:expr) => {
        match $self {
            Rival::Phase0($state) => $result,
            Rival::Deneb($state) => $result,
            Rival::Fulu($state) => $result,
        }
    };
}

impl Rival {
    /// True where the fork's state is declared.
    pub fn knows(fork: ForkName) -> bool {
        matches!(fork, ForkName::Phase0 | ForkName::Deneb | ForkName::Fulu)
    }

    /// Reads a state of a fork that it knows.
    pub fn decode(fork: ForkName, bytes: &[u8]) -> anyhow::Result<Self> {
        fn read<T: Decode>(bytes: &[u8]) -> anyhow::Result<Box<T>> {
            T::from_ssz_bytes(bytes).map(Box::new).map_err(|error| anyhow!("milhouse: {error:?}"))
        }
        match fork {
            ForkName::Phase0 => read(bytes).map(Self::Phase0),
            ForkName::Deneb => read(bytes).map(Self::Deneb),
            ForkName::Fulu => read(bytes).map(Self::Fulu),
            other => Err(anyhow!("no state of {other} is declared for milhouse")),
        }
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        each!(self, state => state.as_ssz_bytes())
    }

    /// The hash tree root.
    pub fn root(&self) -> [u8; 32] {
        each!(self, state => state.tree_hash_root().0)
    }

    /// Writes what every epoch's end writes: each balance, and from Altair on the flags of participation.
    pub fn end_epoch(&mut self) -> anyhow::Result<()> {
        each!(self, state => state.end_epoch()).map_err(|error| anyhow!("milhouse: {error:?}"))
    }
}

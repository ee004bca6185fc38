//! The types of the consensus layer: numbers, every container of every fork, and the specification as a value.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bounds;
mod by_name;
mod caches;
mod config;
pub mod constants;
mod containers;
mod fork_name;
mod key_sums;
mod preset;
mod primitives;
mod pubkey_index;
mod settings;
mod spec;
mod state_context;
mod target_weights;

pub use caches::{ActiveSet, CommitteeCache, ProposerCache, ShufflingKey, StateCaches};
pub use config::{BlobParameters, Config};
pub use containers::*;
pub use fork_name::{ForkName, UnknownFork};
pub use key_sums::KeySums;
pub use preset::Preset;
pub use primitives::{CommitteeIndex, Epoch, Gwei, Slot, Time, ValidatorIndex};
pub use pubkey_index::PubkeyIndex;
pub use settings::{SettingError, Settings};
pub use spec::Spec;
pub use ssz::{Bits, BoundRef, Bytes, Ctx, FixedBytes, List, Root, Shape, Ssz, SszExt, Uint256};
pub use state_context::StateContext;
pub use target_weights::TargetWeights;

/// A fork's version.
pub type Version = FixedBytes<4>;
/// A fork's digest on the wire.
pub type ForkDigest = FixedBytes<4>;
/// The kind of a domain.
pub type DomainType = FixedBytes<4>;
/// A signature domain.
pub type Domain = FixedBytes<32>;
/// A compressed BLS public key.
pub type BlsPubkey = FixedBytes<48>;
/// A compressed BLS signature.
pub type BlsSignature = FixedBytes<96>;
/// A KZG commitment.
pub type KzgCommitment = FixedBytes<48>;
/// A KZG proof.
pub type KzgProof = FixedBytes<48>;
/// An address of the execution layer.
pub type ExecutionAddress = FixedBytes<20>;

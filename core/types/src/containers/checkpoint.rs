//! Versions, checkpoints, signing data and history.

use ssz::{List, Root, Ssz};

use crate::bounds::SLOTS_PER_HISTORICAL_ROOT;
use crate::{Domain, Epoch, Version};

/// Fork versions before and after an epoch.
///
/// [`Fork`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#fork)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Fork {
    pub previous_version: Version,
    pub current_version: Version,
    pub epoch: Epoch,
}

/// What a fork digest and a domain commit to.
///
/// [`ForkData`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#forkdata)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct ForkData {
    pub current_version: Version,
    pub genesis_validators_root: Root,
}

/// An epoch and the block at its start.
///
/// [`Checkpoint`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#checkpoint)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Checkpoint {
    pub epoch: Epoch,
    pub root: Root,
}

/// What a signature signs: an object in a domain.
///
/// [`SigningData`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#signingdata)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SigningData {
    pub object_root: Root,
    pub domain: Domain,
}

/// Block and state roots of one period.
///
/// [`HistoricalBatch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#historicalbatch)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct HistoricalBatch {
    #[ssz(vector(SLOTS_PER_HISTORICAL_ROOT))]
    pub block_roots: List<Root>,
    #[ssz(vector(SLOTS_PER_HISTORICAL_ROOT))]
    pub state_roots: List<Root>,
}

/// Roots of the two halves of a `HistoricalBatch`.
///
/// [`HistoricalSummary`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#historicalsummary)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct HistoricalSummary {
    pub block_summary_root: Root,
    pub state_summary_root: Root,
}

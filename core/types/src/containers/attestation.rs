//! Attestations in all their forms.

use ssz::{Bits, Root, Ssz};

use crate::bounds::{ATTESTING_INDICES, MAX_COMMITTEES_PER_SLOT, MAX_VALIDATORS_PER_COMMITTEE};
use crate::{BlsSignature, Checkpoint, CommitteeIndex, ForkName, Slot, ValidatorIndex};

/// What an attester votes for.
///
/// [`AttestationData`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestationdata)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct AttestationData {
    pub slot: Slot,
    pub index: CommitteeIndex,
    pub beacon_block_root: Root,
    pub source: Checkpoint,
    pub target: Checkpoint,
}

/// Votes of the members of a committee (since Electra: of several).
///
/// [`Attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestation)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Attestation {
    #[ssz(list(ATTESTING_INDICES))]
    pub aggregation_bits: Bits,
    pub data: AttestationData,
    pub signature: BlsSignature,
    #[ssz(since = Electra, vector(MAX_COMMITTEES_PER_SLOT))]
    pub committee_bits: Bits,
}

/// An attestation by validator indices.
///
/// [`IndexedAttestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#indexedattestation)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct IndexedAttestation {
    #[ssz(list(ATTESTING_INDICES))]
    pub attesting_indices: Vec<ValidatorIndex>,
    pub data: AttestationData,
    pub signature: BlsSignature,
}

/// A phase 0 attestation waiting in the state for the epoch to end.
///
/// [`PendingAttestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#pendingattestation)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PendingAttestation {
    #[ssz(list(MAX_VALIDATORS_PER_COMMITTEE))]
    pub aggregation_bits: Bits,
    pub data: AttestationData,
    pub inclusion_delay: Slot,
    pub proposer_index: ValidatorIndex,
}

/// One validator's vote, as gossiped since Electra.
///
/// [`SingleAttestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#singleattestation)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SingleAttestation {
    pub committee_index: CommitteeIndex,
    pub attester_index: ValidatorIndex,
    pub data: AttestationData,
    pub signature: BlsSignature,
}

/// An aggregate and the proof that its sender was to make it.
///
/// [`AggregateAndProof`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#aggregateandproof)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct AggregateAndProof {
    pub aggregator_index: ValidatorIndex,
    pub aggregate: Attestation,
    pub selection_proof: BlsSignature,
}

/// A signed [`AggregateAndProof`].
///
/// [`SignedAggregateAndProof`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#signedaggregateandproof)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SignedAggregateAndProof {
    pub message: AggregateAndProof,
    pub signature: BlsSignature,
}

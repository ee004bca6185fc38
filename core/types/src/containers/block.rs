//! Blocks.

use ssz::{Root, Ssz};

use crate::bounds::{
    MAX_ATTESTATIONS, MAX_ATTESTER_SLASHINGS, MAX_BLOB_COMMITMENTS_PER_BLOCK, MAX_BLS_TO_EXECUTION_CHANGES,
    MAX_DEPOSITS, MAX_PROPOSER_SLASHINGS, MAX_VOLUNTARY_EXITS,
};
use crate::{
    Attestation, AttesterSlashing, BlsSignature, Deposit, Eth1Data, ExecutionPayload, ExecutionRequests,
    ForkName, KzgCommitment, ProposerSlashing, SignedBLSToExecutionChange, SignedVoluntaryExit, Slot,
    SyncAggregate, ValidatorIndex,
};

/// A block with its body by root.
///
/// [`BeaconBlockHeader`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beaconblockheader)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct BeaconBlockHeader {
    pub slot: Slot,
    pub proposer_index: ValidatorIndex,
    pub parent_root: Root,
    pub state_root: Root,
    pub body_root: Root,
}

/// A signed [`BeaconBlockHeader`].
///
/// [`SignedBeaconBlockHeader`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#signedbeaconblockheader)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SignedBeaconBlockHeader {
    pub message: BeaconBlockHeader,
    pub signature: BlsSignature,
}

/// What a block carries.
///
/// [`BeaconBlockBody`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beaconblockbody)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct BeaconBlockBody {
    pub randao_reveal: BlsSignature,
    pub eth1_data: Eth1Data,
    pub graffiti: Root,
    #[ssz(list(MAX_PROPOSER_SLASHINGS))]
    pub proposer_slashings: Vec<ProposerSlashing>,
    #[ssz(list(MAX_ATTESTER_SLASHINGS))]
    pub attester_slashings: Vec<AttesterSlashing>,
    #[ssz(list(MAX_ATTESTATIONS))]
    pub attestations: Vec<Attestation>,
    #[ssz(list(MAX_DEPOSITS))]
    pub deposits: Vec<Deposit>,
    #[ssz(list(MAX_VOLUNTARY_EXITS))]
    pub voluntary_exits: Vec<SignedVoluntaryExit>,
    #[ssz(since = Altair)]
    pub sync_aggregate: SyncAggregate,
    #[ssz(since = Bellatrix)]
    pub execution_payload: ExecutionPayload,
    #[ssz(since = Capella, list(MAX_BLS_TO_EXECUTION_CHANGES))]
    pub bls_to_execution_changes: Vec<SignedBLSToExecutionChange>,
    #[ssz(since = Deneb, list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub blob_kzg_commitments: Vec<KzgCommitment>,
    #[ssz(since = Electra)]
    pub execution_requests: ExecutionRequests,
}

/// A block.
///
/// [`BeaconBlock`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beaconblock)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct BeaconBlock {
    pub slot: Slot,
    pub proposer_index: ValidatorIndex,
    pub parent_root: Root,
    pub state_root: Root,
    pub body: BeaconBlockBody,
}

/// A signed [`BeaconBlock`].
///
/// [`SignedBeaconBlock`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#signedbeaconblock)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SignedBeaconBlock {
    pub message: BeaconBlock,
    pub signature: BlsSignature,
}

//! The beacon state.

use ssz::{Bits, List, Root, Ssz};

use crate::bounds::{
    EPOCHS_PER_HISTORICAL_VECTOR, EPOCHS_PER_SLASHINGS_VECTOR, ETH1_DATA_VOTES, HISTORICAL_ROOTS_LIMIT,
    PENDING_ATTESTATIONS, PENDING_CONSOLIDATIONS_LIMIT, PENDING_DEPOSITS_LIMIT,
    PENDING_PARTIAL_WITHDRAWALS_LIMIT, PROPOSER_LOOKAHEAD, SLOTS_PER_HISTORICAL_ROOT,
    VALIDATOR_REGISTRY_LIMIT,
};
use crate::{
    BeaconBlockHeader, Checkpoint, Epoch, Eth1Data, ExecutionPayloadHeader, Fork, ForkName, Gwei,
    HistoricalSummary, PendingAttestation, PendingConsolidation, PendingDeposit, PendingPartialWithdrawal,
    Slot, StateContext, SyncCommittee, Validator, ValidatorIndex,
};

/// The beacon chain's state, with the fields of every fork.
///
/// [`BeaconState`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beaconstate)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct BeaconState {
    pub genesis_time: u64,
    pub genesis_validators_root: Root,
    pub slot: Slot,
    pub fork: Fork,
    pub latest_block_header: BeaconBlockHeader,
    #[ssz(vector(SLOTS_PER_HISTORICAL_ROOT))]
    pub block_roots: List<Root>,
    #[ssz(vector(SLOTS_PER_HISTORICAL_ROOT))]
    pub state_roots: List<Root>,
    #[ssz(list(HISTORICAL_ROOTS_LIMIT))]
    pub historical_roots: List<Root>,
    pub eth1_data: Eth1Data,
    #[ssz(list(ETH1_DATA_VOTES))]
    pub eth1_data_votes: List<Eth1Data>,
    pub eth1_deposit_index: u64,
    #[ssz(list(VALIDATOR_REGISTRY_LIMIT))]
    pub validators: List<Validator>,
    #[ssz(list(VALIDATOR_REGISTRY_LIMIT))]
    pub balances: List<Gwei>,
    #[ssz(vector(EPOCHS_PER_HISTORICAL_VECTOR))]
    pub randao_mixes: List<Root>,
    #[ssz(vector(EPOCHS_PER_SLASHINGS_VECTOR))]
    pub slashings: List<Gwei>,
    #[ssz(until = Altair, list(PENDING_ATTESTATIONS))]
    pub previous_epoch_attestations: List<PendingAttestation>,
    #[ssz(until = Altair, list(PENDING_ATTESTATIONS))]
    pub current_epoch_attestations: List<PendingAttestation>,
    #[ssz(since = Altair, list(VALIDATOR_REGISTRY_LIMIT))]
    pub previous_epoch_participation: List<u8>,
    #[ssz(since = Altair, list(VALIDATOR_REGISTRY_LIMIT))]
    pub current_epoch_participation: List<u8>,
    #[ssz(vector(4))]
    pub justification_bits: Bits,
    pub previous_justified_checkpoint: Checkpoint,
    pub current_justified_checkpoint: Checkpoint,
    pub finalized_checkpoint: Checkpoint,
    #[ssz(since = Altair, list(VALIDATOR_REGISTRY_LIMIT))]
    pub inactivity_scores: List<u64>,
    #[ssz(since = Altair)]
    pub current_sync_committee: SyncCommittee,
    #[ssz(since = Altair)]
    pub next_sync_committee: SyncCommittee,
    #[ssz(since = Bellatrix)]
    pub latest_execution_payload_header: ExecutionPayloadHeader,
    #[ssz(since = Capella)]
    pub next_withdrawal_index: u64,
    #[ssz(since = Capella)]
    pub next_withdrawal_validator_index: ValidatorIndex,
    #[ssz(since = Capella, list(HISTORICAL_ROOTS_LIMIT))]
    pub historical_summaries: List<HistoricalSummary>,
    #[ssz(since = Electra)]
    pub deposit_requests_start_index: u64,
    #[ssz(since = Electra)]
    pub deposit_balance_to_consume: Gwei,
    #[ssz(since = Electra)]
    pub exit_balance_to_consume: Gwei,
    #[ssz(since = Electra)]
    pub earliest_exit_epoch: Epoch,
    #[ssz(since = Electra)]
    pub consolidation_balance_to_consume: Gwei,
    #[ssz(since = Electra)]
    pub earliest_consolidation_epoch: Epoch,
    #[ssz(since = Electra, list(PENDING_DEPOSITS_LIMIT))]
    pub pending_deposits: List<PendingDeposit>,
    #[ssz(since = Electra, list(PENDING_PARTIAL_WITHDRAWALS_LIMIT))]
    pub pending_partial_withdrawals: List<PendingPartialWithdrawal>,
    #[ssz(since = Electra, list(PENDING_CONSOLIDATIONS_LIMIT))]
    pub pending_consolidations: List<PendingConsolidation>,
    #[ssz(since = Fulu, vector(PROPOSER_LOOKAHEAD))]
    pub proposer_lookahead: List<ValidatorIndex>,
    /// The state's spec, fork and derived values; no part of the container.
    #[ssz(skip)]
    pub context: StateContext,
}

//! The state of Deneb.

use milhouse::{List, Vector};
use ssz_derive::{Decode, Encode};
use ssz_types::BitVector;
use tree_hash_derive::TreeHash;
use typenum::{U4, U2048, U8192, U65536, U16777216};

use super::parts::*;

/// The state, of the mainnet preset.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct BeaconState {
    genesis_time: u64,
    genesis_validators_root: Root,
    slot: u64,
    fork: Fork,
    latest_block_header: BeaconBlockHeader,
    block_roots: Vector<Root, U8192>,
    state_roots: Vector<Root, U8192>,
    historical_roots: List<Root, U16777216>,
    eth1_data: Eth1Data,
    eth1_data_votes: List<Eth1Data, U2048>,
    eth1_deposit_index: u64,
    validators: PerValidator<Validator>,
    balances: PerValidator<u64>,
    randao_mixes: Vector<Root, U65536>,
    slashings: Vector<u64, U8192>,
    previous_epoch_participation: PerValidator<u8>,
    current_epoch_participation: PerValidator<u8>,
    justification_bits: BitVector<U4>,
    previous_justified_checkpoint: Checkpoint,
    current_justified_checkpoint: Checkpoint,
    finalized_checkpoint: Checkpoint,
    inactivity_scores: PerValidator<u64>,
    current_sync_committee: SyncCommittee,
    next_sync_committee: SyncCommittee,
    latest_execution_payload_header: ExecutionPayloadHeader,
    next_withdrawal_index: u64,
    next_withdrawal_validator_index: u64,
    historical_summaries: List<HistoricalSummary, U16777216>,
}

impl BeaconState {
    pub fn end_epoch(&mut self) -> Result<(), milhouse::Error> {
        touch_balances(&mut self.balances)?;
        let none_voted = List::new(vec![0; self.validators.len()])?;
        self.previous_epoch_participation =
            std::mem::replace(&mut self.current_epoch_participation, none_voted);
        Ok(())
    }
}

//! The state of phase 0.

use milhouse::{List, Vector};
use ssz_derive::{Decode, Encode};
use ssz_types::BitVector;
use tree_hash_derive::TreeHash;
use typenum::{U4, U2048, U4096, U8192, U65536, U16777216};

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
    previous_epoch_attestations: List<PendingAttestation, U4096>,
    current_epoch_attestations: List<PendingAttestation, U4096>,
    justification_bits: BitVector<U4>,
    previous_justified_checkpoint: Checkpoint,
    current_justified_checkpoint: Checkpoint,
    finalized_checkpoint: Checkpoint,
}

impl BeaconState {
    pub fn end_epoch(&mut self) -> Result<(), milhouse::Error> {
        touch_balances(&mut self.balances)
    }
}

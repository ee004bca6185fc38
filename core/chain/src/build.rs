//! The job that builds a block.
//!
//! [Validator guide](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#block-proposal).

use std::sync::Arc;

use pool::{AttestationPool, OperationPool, SyncPool};
use transition::accessors::get_beacon_proposer_index;
use transition::block::process_block;
use transition::{Signatures, process_slots};
use types::{
    BeaconBlock, BeaconBlockBody, BeaconState, BlsSignature, Eth1Data, ForkName, Root, Slot, SszExt,
    SyncAggregate,
};

/// What a block is built from.
#[derive(Debug)]
pub struct BuildBlock {
    /// The parent's post-state, perhaps advanced towards the slot.
    pub(crate) state: Arc<BeaconState>,
    pub(crate) parent_root: Root,
    pub(crate) slot: Slot,
    pub(crate) randao_reveal: BlsSignature,
    pub(crate) graffiti: Root,
    pub(crate) attestations: Arc<AttestationPool>,
    pub(crate) sync_votes: Arc<SyncPool>,
    pub(crate) operations: Arc<OperationPool>,
}

impl BuildBlock {
    pub(crate) fn run(self) -> Result<BeaconBlock, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut state = (*self.state).clone();
        if state.slot < self.slot {
            process_slots(&mut state, self.slot).map_err(|error| text(&error))?;
        }
        let eth1_data = get_eth1_vote(&state);
        check_no_deposits_due(&state, &eth1_data)?;
        let operations = self.operations.pack(&state);
        let ctx = state.ctx();
        let mut block = BeaconBlock {
            slot: self.slot,
            proposer_index: get_beacon_proposer_index(&state).map_err(|error| text(&error))?,
            parent_root: self.parent_root,
            state_root: Root::ZERO,
            body: BeaconBlockBody {
                randao_reveal: self.randao_reveal,
                eth1_data,
                graffiti: self.graffiti,
                proposer_slashings: operations.proposer_slashings,
                attester_slashings: operations.attester_slashings,
                attestations: self.attestations.pack(&state).map_err(|error| text(&error))?,
                voluntary_exits: operations.voluntary_exits,
                bls_to_execution_changes: operations.bls_to_execution_changes,
                sync_aggregate: self.sync_aggregate(&state),
                ..BeaconBlockBody::new_default(ctx)
            },
        };
        // What the pools hold was verified, and who signs has to answer for the reveal.
        process_block(&mut state, &block, &mut Signatures::Skip).map_err(|error| text(&error))?;
        block.state_root = state.state_root();
        Ok(block)
    }
}

impl BuildBlock {
    fn sync_aggregate(&self, state: &BeaconState) -> SyncAggregate {
        if state.fork_name() < ForkName::Altair {
            return SyncAggregate::default();
        }
        self.sync_votes.sync_aggregate(state.spec(), self.slot.saturating_sub(1), self.parent_root)
    }
}

/// [`get_eth1_vote`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#eth1-data)
/// of a node that follows no Eth1 chain: no vote is known to be valid, so the default is the data the state has.
fn get_eth1_vote(state: &BeaconState) -> Eth1Data {
    state.eth1_data.clone()
}

/// Deposits come from an Eth1 chain, which nobody follows here, so a block that must have some cannot be built.
fn check_no_deposits_due(state: &BeaconState, vote: &Eth1Data) -> Result<(), String> {
    let preset = &state.spec().preset;
    let period = preset.epochs_per_eth1_voting_period * preset.slots_per_epoch;
    let votes = state.eth1_data_votes.iter().filter(|other| *other == vote).count() as u64 + 1;
    // The vote of the block itself may decide.
    let eth1_data = if votes * 2 > period { vote } else { &state.eth1_data };
    if eth1_data.deposit_count > state.eth1_deposit_index {
        return Err(format!(
            "{} deposits are due, and no Eth1 chain is followed to take them from",
            eth1_data.deposit_count - state.eth1_deposit_index
        ));
    }
    Ok(())
}

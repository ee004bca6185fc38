//! The job that builds a block.
//!
//! [Validator guide](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#block-proposal).

use std::sync::Arc;

use deposits::Eth1Chain;
use pool::{AttestationPool, OperationPool, SyncPool};
use transition::accessors::get_beacon_proposer_index;
use transition::block::process_block;
use transition::{Signatures, process_slots};
use types::{
    BeaconBlock, BeaconBlockBody, BeaconState, BlsSignature, ForkName, Root, Slot, SszExt, SyncAggregate,
};

use crate::eth1::vote_and_deposits;

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
    pub(crate) eth1: Option<Arc<Eth1Chain>>,
}

impl BuildBlock {
    pub(crate) fn run(self) -> Result<BeaconBlock, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut state = (*self.state).clone();
        if state.slot < self.slot {
            process_slots(&mut state, self.slot).map_err(|error| text(&error))?;
        }
        let (eth1_data, deposits) = vote_and_deposits(&state, self.eth1.as_deref())?;
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
                deposits,
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

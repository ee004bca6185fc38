//! The job that builds a block.
//!
//! [Validator guide](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#block-proposal).

use std::sync::Arc;

use deposits::Eth1Chain;
use engine::{BlobsBundle, BuiltPayload};
use pool::{AttestationPool, OperationPool, SyncPool};
use transition::accessors::get_beacon_proposer_index;
use transition::block::process_block;
use transition::{Signatures, process_slots};
use types::{
    BeaconBlock, BeaconBlockBody, BeaconState, BlsSignature, ForkName, Root, Slot, SszExt, SyncAggregate,
    Uint256,
};

use crate::Produced;
use crate::eth1::vote_and_deposits;
use crate::payload::{has_payload, new_payload_of};

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
    /// None before the merge.
    pub(crate) payload: Option<Box<BuiltPayload>>,
}

impl BuildBlock {
    pub(crate) fn run(mut self) -> Result<Produced, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut state = (*self.state).clone();
        if state.slot < self.slot {
            process_slots(&mut state, self.slot).map_err(|error| text(&error))?;
        }
        let built = self.payload.take();
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
        let (execution_payload_value, blobs_bundle) = match built {
            Some(built) => take_payload(&mut block.body, *built),
            None => Default::default(),
        };
        if has_payload(state.spec(), &block)
            && let Some(why) = new_payload_of(state.spec(), &block).fault()
        {
            return Err(format!("the engine built an invalid payload: {why}"));
        }
        // What the pools hold was verified, and who signs has to answer for the reveal.
        process_block(&mut state, &block, &mut Signatures::Skip).map_err(|error| text(&error))?;
        block.state_root = state.state_root();
        Ok(Produced { block, execution_payload_value, blobs_bundle })
    }
}

/// Puts what an engine built into a block; gives what the block does not hold.
fn take_payload(body: &mut BeaconBlockBody, built: BuiltPayload) -> (Uint256, BlobsBundle) {
    body.execution_payload = built.payload;
    body.blob_kzg_commitments = built.blobs_bundle.commitments.clone();
    body.execution_requests = built.execution_requests;
    (built.block_value, built.blobs_bundle)
}

impl BuildBlock {
    fn sync_aggregate(&self, state: &BeaconState) -> SyncAggregate {
        if state.fork_name() < ForkName::Altair {
            return SyncAggregate::default();
        }
        self.sync_votes.sync_aggregate(state.spec(), self.slot.saturating_sub(1), self.parent_root)
    }
}

//! What a full node makes for light clients out of blocks and their states.

use ssz::SszExt;
use types::constants::GENESIS_SLOT;
use types::{
    BeaconState, ForkName, LightClientBootstrap, LightClientFinalityUpdate, LightClientHeader,
    LightClientOptimisticUpdate, LightClientUpdate, Root, SignedBeaconBlock, Slot, Spec, SyncAggregate,
    SyncCommittee,
};

use crate::branches::{
    current_sync_committee_gindex_at_slot, finalized_root_gindex_at_slot, next_sync_committee_gindex_at_slot,
};
use crate::header::{block_root, block_to_light_client_header};
use crate::update::compute_sync_committee_period_at_slot;
use crate::upgrade::upgrade_lc_header;

/// Why nothing can be made of blocks and states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoData {
    /// There are no sync committees.
    #[error("there are no light clients before Altair")]
    BeforeAltair,
    /// Too few have signed the parent.
    #[error("too few have signed")]
    TooFewParticipants,
    /// A state that is not the block's post-state, or was taken through slots since.
    #[error("the state is not that after the block")]
    NotThePostState,
    /// The attested block is not the one that the block's committee has signed.
    #[error("the attested block is not the parent")]
    NotTheParent,
    /// The finalized block is not that of the attested state's checkpoint.
    #[error("another block is finalized in the attested state")]
    NotTheFinalizedBlock,
}

/// What a block and its post-state say to light clients, in the form of the block's fork.
#[derive(Clone, Debug)]
pub(crate) struct Attested {
    pub(crate) header: LightClientHeader,
    fork: ForkName,
    current_sync_committee: SyncCommittee,
    current_sync_committee_branch: Vec<Root>,
    next_sync_committee: SyncCommittee,
    next_sync_committee_branch: Vec<Root>,
    /// The root of the finalized checkpoint.
    pub(crate) finalized_root: Root,
    finality_branch: Vec<Root>,
}

impl Attested {
    /// Committees are shared with the state: a clone of one costs a few pointers.
    pub(crate) fn of(state: &BeaconState, block: &SignedBeaconBlock) -> Result<Self, NoData> {
        if state.fork_name() < ForkName::Altair {
            return Err(NoData::BeforeAltair);
        }
        let spec = state.spec();
        let header = block_to_light_client_header(spec, block);
        check_post_state(state, &header)?;
        let branch = |gindex: u64| {
            let proof = state.compute_merkle_proof(gindex, state.ctx());
            proof.expect("a state has these fields since Altair").branch
        };
        Ok(Self {
            header,
            fork: state.fork_name(),
            current_sync_committee: state.current_sync_committee.clone(),
            current_sync_committee_branch: branch(current_sync_committee_gindex_at_slot(spec, state.slot)),
            next_sync_committee: state.next_sync_committee.clone(),
            next_sync_committee_branch: branch(next_sync_committee_gindex_at_slot(spec, state.slot)),
            finalized_root: state.finalized_checkpoint.root,
            finality_branch: branch(finalized_root_gindex_at_slot(spec, state.slot)),
        })
    }

    pub(crate) fn slot(&self) -> Slot {
        self.header.beacon.slot
    }

    pub(crate) fn bootstrap(&self) -> LightClientBootstrap {
        LightClientBootstrap {
            header: self.header.clone(),
            current_sync_committee: self.current_sync_committee.clone(),
            current_sync_committee_branch: self.current_sync_committee_branch.clone(),
        }
    }

    /// The header that says so where genesis is finalized.
    pub(crate) fn genesis_header(&self, spec: &'static Spec) -> LightClientHeader {
        LightClientHeader::new_default(spec.ctx(self.fork))
    }

    /// The update of those who signed this block in `signature_slot`. The finalized header is that of the checkpoint,
    /// in the form of its own fork; without it the update says nothing of finality.
    pub(crate) fn update(
        &self,
        spec: &'static Spec,
        sync_aggregate: SyncAggregate,
        signature_slot: Slot,
        finalized_header: Option<LightClientHeader>,
    ) -> LightClientUpdate {
        let mut update = LightClientUpdate {
            attested_header: self.header.clone(),
            sync_aggregate,
            signature_slot,
            ..LightClientUpdate::new_default(spec.ctx(self.fork))
        };
        // The next committee is of use only where the current one has signed it.
        let period = |slot| compute_sync_committee_period_at_slot(spec, slot);
        if period(self.slot()) == period(signature_slot) {
            update.next_sync_committee = self.next_sync_committee.clone();
            update.next_sync_committee_branch.clone_from(&self.next_sync_committee_branch);
        }
        if let Some(header) = finalized_header {
            let form = spec.fork_name_at_slot(header.beacon.slot);
            update.finalized_header = upgrade_lc_header(header, form, self.fork);
            update.finality_branch.clone_from(&self.finality_branch);
        }
        update
    }
}

fn check_post_state(state: &BeaconState, header: &LightClientHeader) -> Result<(), NoData> {
    let mut latest = state.latest_block_header.clone();
    latest.state_root = state.state_root();
    if state.slot == latest.slot && latest == header.beacon { Ok(()) } else { Err(NoData::NotThePostState) }
}

/// [`create_light_client_bootstrap`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/full-node.md#create_light_client_bootstrap)
/// in the form of the block's fork.
pub fn create_light_client_bootstrap(
    state: &BeaconState,
    block: &SignedBeaconBlock,
) -> Result<LightClientBootstrap, NoData> {
    Ok(Attested::of(state, block)?.bootstrap())
}

/// [`create_light_client_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/full-node.md#create_light_client_update)
/// in the form of the attested block's fork.
pub fn create_light_client_update(
    state: &BeaconState,
    block: &SignedBeaconBlock,
    attested_state: &BeaconState,
    attested_block: &SignedBeaconBlock,
    finalized_block: Option<&SignedBeaconBlock>,
) -> Result<LightClientUpdate, NoData> {
    let spec = state.spec();
    let attested = Attested::of(attested_state, attested_block)?;
    let aggregate = &block.message.body.sync_aggregate;
    if !has_enough_participants(spec, aggregate) {
        return Err(NoData::TooFewParticipants);
    }
    check_post_state(state, &block_to_light_client_header(spec, block))?;
    if block_root(&attested.header) != block.message.parent_root {
        return Err(NoData::NotTheParent);
    }
    let finalized = match finalized_block {
        None => None,
        Some(block) if block.message.slot == GENESIS_SLOT => {
            Some((Root::ZERO, attested.genesis_header(spec)))
        }
        Some(block) => {
            let header = block_to_light_client_header(spec, block);
            Some((block_root(&header), header))
        }
    };
    if finalized.as_ref().is_some_and(|(root, _)| *root != attested.finalized_root) {
        return Err(NoData::NotTheFinalizedBlock);
    }
    let header = finalized.map(|(_, header)| header);
    Ok(attested.update(spec, aggregate.clone(), block.message.slot, header))
}

/// True where as many have signed as an update needs.
pub(crate) fn has_enough_participants(spec: &Spec, aggregate: &SyncAggregate) -> bool {
    aggregate.sync_committee_bits.count_ones() as u64 >= spec.preset.min_sync_committee_participants
}

/// [`create_light_client_finality_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/full-node.md#create_light_client_finality_update).
pub fn create_light_client_finality_update(update: &LightClientUpdate) -> LightClientFinalityUpdate {
    LightClientFinalityUpdate {
        attested_header: update.attested_header.clone(),
        finalized_header: update.finalized_header.clone(),
        finality_branch: update.finality_branch.clone(),
        sync_aggregate: update.sync_aggregate.clone(),
        signature_slot: update.signature_slot,
    }
}

/// [`create_light_client_optimistic_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/full-node.md#create_light_client_optimistic_update).
pub fn create_light_client_optimistic_update(update: &LightClientUpdate) -> LightClientOptimisticUpdate {
    LightClientOptimisticUpdate {
        attested_header: update.attested_header.clone(),
        sync_aggregate: update.sync_aggregate.clone(),
        signature_slot: update.signature_slot,
    }
}

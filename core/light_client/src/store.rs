//! What a light client knows.

use ssz::{Ctx, SszExt};
use types::{
    ForkName, LightClientBootstrap, LightClientHeader, LightClientUpdate, Root, Spec, SyncCommittee,
};

use crate::branches::{current_sync_committee_gindex_at_slot, is_valid_normalized_merkle_branch};
use crate::header::{block_root, is_valid_light_client_header};
use crate::invalid::Invalid;

/// [`LightClientStore`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#lightclientstore).
///
/// Beyond the specification's fields it has the spec, and the fork whose form its data have.
#[derive(Clone, Debug)]
pub struct LightClientStore {
    /// Preset, configuration and fork schedule.
    pub spec: &'static Spec,
    /// The fork whose form the store and what it takes have; see [`upgrade`](crate::upgrade).
    pub fork: ForkName,
    /// The header that is finalized.
    pub finalized_header: LightClientHeader,
    /// The committee of the finalized header's period.
    pub current_sync_committee: SyncCommittee,
    /// The committee of the period after it; zeros where it is not known.
    pub next_sync_committee: SyncCommittee,
    /// The best update to force where finality does not come.
    pub best_valid_update: Option<LightClientUpdate>,
    /// The newest header that is reasonably safe.
    pub optimistic_header: LightClientHeader,
    /// The most participants of a vote in the period before.
    pub previous_max_active_participants: u64,
    /// The most participants of a vote in this period.
    pub current_max_active_participants: u64,
}

/// [`initialize_light_client_store`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#initialize_light_client_store)
/// from a bootstrap in the form of `fork`, which becomes the store's.
pub fn initialize_light_client_store(
    spec: &'static Spec,
    fork: ForkName,
    trusted_block_root: Root,
    bootstrap: &LightClientBootstrap,
) -> Result<LightClientStore, Invalid> {
    let LightClientBootstrap { header, current_sync_committee, current_sync_committee_branch } = bootstrap;
    if !is_valid_light_client_header(spec, header) {
        return Err(Invalid::BootstrapHeader);
    }
    let root = block_root(header);
    if root != trusted_block_root {
        return Err(Invalid::BootstrapRoot { found: root, expected: trusted_block_root });
    }
    if !is_valid_normalized_merkle_branch(
        &current_sync_committee.hash_tree_root(spec.ctx(fork)),
        current_sync_committee_branch,
        current_sync_committee_gindex_at_slot(spec, header.beacon.slot),
        &header.beacon.state_root,
    ) {
        return Err(Invalid::CurrentSyncCommittee);
    }
    Ok(LightClientStore {
        spec,
        fork,
        finalized_header: header.clone(),
        current_sync_committee: current_sync_committee.clone(),
        next_sync_committee: SyncCommittee::new_default(spec.ctx(fork)),
        best_valid_update: None,
        optimistic_header: header.clone(),
        previous_max_active_participants: 0,
        current_max_active_participants: 0,
    })
}

impl LightClientStore {
    /// What SSZ needs to know of the store's preset and form.
    pub fn ctx(&self) -> Ctx {
        self.spec.ctx(self.fork)
    }
}

/// [`is_next_sync_committee_known`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#is_next_sync_committee_known).
pub fn is_next_sync_committee_known(store: &LightClientStore) -> bool {
    !is_empty_committee(&store.next_sync_committee)
}

/// True for `SyncCommittee()`.
pub(crate) fn is_empty_committee(committee: &SyncCommittee) -> bool {
    committee.aggregate_pubkey.is_zero() && committee.pubkeys.iter().all(|key| key.is_zero())
}

/// [`get_safety_threshold`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#get_safety_threshold).
pub fn get_safety_threshold(store: &LightClientStore) -> u64 {
    store.previous_max_active_participants.max(store.current_max_active_participants) / 2
}

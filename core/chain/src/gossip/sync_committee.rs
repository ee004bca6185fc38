//! Who votes in the sync committee, and on which subnet.

use crypto::{SignatureSet, hash};
use transition::accessors::{get_current_epoch, get_domain, public_key, validator_index};
use transition::misc::compute_signing_root;
use types::constants::{
    DOMAIN_SYNC_COMMITTEE, SYNC_COMMITTEE_SUBNET_COUNT, TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE,
};
use types::{
    BeaconState, BlsPubkey, BlsSignature, Ctx, DomainType, Epoch, Root, Slot, Spec, Ssz, SyncCommittee,
    ValidatorIndex,
};

/// [`compute_sync_committee_period`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#sync-committee).
pub fn compute_sync_committee_period(spec: &Spec, epoch: Epoch) -> u64 {
    epoch.0 / spec.preset.epochs_per_sync_committee_period
}

/// The committee that signs in the state's slot: its votes are for the block of that slot, and are included in the
/// next.
pub fn sync_committee_of_slot(state: &BeaconState) -> &SyncCommittee {
    let spec = state.spec();
    let next = (state.slot + 1).epoch(spec);
    let is_same = compute_sync_committee_period(spec, get_current_epoch(state))
        == compute_sync_committee_period(spec, next);
    if is_same { &state.current_sync_committee } else { &state.next_sync_committee }
}

/// Members of a subcommittee.
pub fn sync_subcommittee_size(spec: &Spec) -> u64 {
    spec.preset.sync_committee_size / SYNC_COMMITTEE_SUBNET_COUNT
}

/// [`compute_subnets_for_sync_committee`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#broadcast-sync-committee-message):
/// the validator's places in the committee, each with its subnet and its place there.
pub fn compute_subnets_for_sync_committee(state: &BeaconState, index: ValidatorIndex) -> Vec<(u64, usize)> {
    let Some(validator) = state.validators.get(index.as_usize()) else { return Vec::new() };
    let size = sync_subcommittee_size(state.spec());
    let keys = sync_committee_of_slot(state).pubkeys.iter().zip(0u64..);
    let own = keys.filter(|(pubkey, _)| **pubkey == validator.pubkey);
    own.map(|(_, place)| (place / size, (place % size) as usize)).collect()
}

/// [`get_sync_subcommittee_pubkeys`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md#sync_committee_contribution_and_proof);
/// empty where the index is out of range.
pub fn get_sync_subcommittee_pubkeys(state: &BeaconState, subcommittee_index: u64) -> Vec<BlsPubkey> {
    let size = sync_subcommittee_size(state.spec()) as usize;
    let start = (subcommittee_index as usize).saturating_mul(size);
    sync_committee_of_slot(state).pubkeys.iter().skip(start).take(size).copied().collect()
}

/// [`is_sync_committee_aggregator`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#aggregation-selection).
pub fn is_sync_committee_aggregator(spec: &Spec, signature: &BlsSignature) -> bool {
    let modulo = (sync_subcommittee_size(spec) / TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE).max(1);
    let digest = hash(&signature.0);
    u64::from_le_bytes(digest[..8].try_into().expect("8 bytes")) % modulo == 0
}

/// Votes of members of the sync committee for a block; none where a key belongs to no validator.
pub(super) fn sync_vote_set(
    state: &BeaconState,
    (slot, root): (Slot, Root),
    members: &[BlsPubkey],
    signature: BlsSignature,
) -> Option<SignatureSet> {
    let key = |pubkey| public_key(state, validator_index(state, pubkey)?).ok();
    let pubkeys = members.iter().map(key).collect::<Option<Vec<_>>>()?;
    let message = signing_root(state, DOMAIN_SYNC_COMMITTEE, slot, &root);
    Some(SignatureSet::of_keys(message, signature.0, &pubkeys))
}

/// What is signed at a slot.
pub(super) fn signing_root<T: Ssz>(
    state: &BeaconState,
    domain: DomainType,
    slot: Slot,
    object: &T,
) -> [u8; 32] {
    let domain = get_domain(state, domain, slot.epoch(state.spec()));
    compute_signing_root(object, Ctx::PLAIN, domain).0
}

//! What an update does to the store.

use ssz::SszExt;
use types::{LightClientFinalityUpdate, LightClientOptimisticUpdate, LightClientUpdate, Root, Slot};

use crate::invalid::Invalid;
use crate::store::{LightClientStore, get_safety_threshold, is_next_sync_committee_known};
use crate::update::{
    compute_sync_committee_period_at_slot, has_sync_committee_finality, is_better_update, is_finality_update,
    is_supermajority, is_sync_committee_update,
};
use crate::validate::validate_light_client_update;

/// [`apply_light_client_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#apply_light_client_update)
/// of an update that was validated.
pub fn apply_light_client_update(
    store: &mut LightClientStore,
    update: &LightClientUpdate,
) -> Result<(), Invalid> {
    let period = |slot| compute_sync_committee_period_at_slot(store.spec, slot);
    let (store_period, finalized_period) =
        (period(store.finalized_header.beacon.slot), period(update.finalized_header.beacon.slot));
    if !is_next_sync_committee_known(store) {
        if finalized_period != store_period {
            return Err(Invalid::SkipsCommittee { finalized: finalized_period, store: store_period });
        }
        store.next_sync_committee = update.next_sync_committee.clone();
    } else if finalized_period == store_period + 1 {
        let next = update.next_sync_committee.clone();
        store.current_sync_committee = std::mem::replace(&mut store.next_sync_committee, next);
        store.previous_max_active_participants = store.current_max_active_participants;
        store.current_max_active_participants = 0;
    }
    if update.finalized_header.beacon.slot > store.finalized_header.beacon.slot {
        store.finalized_header = update.finalized_header.clone();
        if store.finalized_header.beacon.slot > store.optimistic_header.beacon.slot {
            store.optimistic_header = store.finalized_header.clone();
        }
    }
    Ok(())
}

/// [`process_light_client_store_force_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#process_light_client_store_force_update):
/// after a period without finality the best update there is counts as final. When to call it is the caller's judgement.
pub fn process_light_client_store_force_update(
    store: &mut LightClientStore,
    current_slot: Slot,
) -> Result<(), Invalid> {
    let finalized = store.finalized_header.beacon.slot;
    if current_slot <= finalized.saturating_add(store.spec.preset.update_timeout) {
        return Ok(());
    }
    let Some(mut update) = store.best_valid_update.take() else { return Ok(()) };
    if update.finalized_header.beacon.slot <= finalized {
        update.finalized_header = update.attested_header.clone();
    }
    apply_light_client_update(store, &update)
}

/// [`process_light_client_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#process_light_client_update)
/// in the store's form. An error leaves the store as it was.
pub fn process_light_client_update(
    store: &mut LightClientStore,
    update: &LightClientUpdate,
    current_slot: Slot,
    genesis_validators_root: Root,
) -> Result<(), Invalid> {
    validate_light_client_update(store, update, current_slot, genesis_validators_root)?;
    let is_better = |best: &LightClientUpdate| is_better_update(store.spec, update, best);
    if store.best_valid_update.as_ref().is_none_or(is_better) {
        store.best_valid_update = Some(update.clone());
    }
    let participants = update.sync_aggregate.sync_committee_bits.count_ones() as u64;
    store.current_max_active_participants = store.current_max_active_participants.max(participants);
    let attested = update.attested_header.beacon.slot;
    if participants > get_safety_threshold(store) && attested > store.optimistic_header.beacon.slot {
        store.optimistic_header = update.attested_header.clone();
    }
    let is_newer = update.finalized_header.beacon.slot > store.finalized_header.beacon.slot;
    if is_supermajority(update) && (is_newer || has_finalized_next_sync_committee(store, update)) {
        apply_light_client_update(store, update)?;
        store.best_valid_update = None;
    }
    Ok(())
}

/// True where the update tells the next committee, which the store does not know, and it is final.
fn has_finalized_next_sync_committee(store: &LightClientStore, update: &LightClientUpdate) -> bool {
    !is_next_sync_committee_known(store)
        && is_sync_committee_update(update)
        && is_finality_update(update)
        && has_sync_committee_finality(store.spec, update)
}

/// [`process_light_client_finality_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#process_light_client_finality_update).
/// An error leaves the store as it was.
pub fn process_light_client_finality_update(
    store: &mut LightClientStore,
    finality_update: &LightClientFinalityUpdate,
    current_slot: Slot,
    genesis_validators_root: Root,
) -> Result<(), Invalid> {
    let update = LightClientUpdate {
        attested_header: finality_update.attested_header.clone(),
        finalized_header: finality_update.finalized_header.clone(),
        finality_branch: finality_update.finality_branch.clone(),
        sync_aggregate: finality_update.sync_aggregate.clone(),
        signature_slot: finality_update.signature_slot,
        ..LightClientUpdate::new_default(store.ctx())
    };
    process_light_client_update(store, &update, current_slot, genesis_validators_root)
}

/// [`process_light_client_optimistic_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#process_light_client_optimistic_update).
/// An error leaves the store as it was.
pub fn process_light_client_optimistic_update(
    store: &mut LightClientStore,
    optimistic_update: &LightClientOptimisticUpdate,
    current_slot: Slot,
    genesis_validators_root: Root,
) -> Result<(), Invalid> {
    let update = LightClientUpdate {
        attested_header: optimistic_update.attested_header.clone(),
        sync_aggregate: optimistic_update.sync_aggregate.clone(),
        signature_slot: optimistic_update.signature_slot,
        ..LightClientUpdate::new_default(store.ctx())
    };
    process_light_client_update(store, &update, current_slot, genesis_validators_root)
}

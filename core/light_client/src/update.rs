//! What an update says, and which of two says more.

use types::{LightClientUpdate, Slot, Spec};

use crate::branches::is_empty_branch;

/// [`compute_sync_committee_period_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#compute_sync_committee_period_at_slot).
pub fn compute_sync_committee_period_at_slot(spec: &Spec, slot: Slot) -> u64 {
    slot.epoch(spec).0 / spec.preset.epochs_per_sync_committee_period
}

/// [`is_sync_committee_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#is_sync_committee_update).
pub fn is_sync_committee_update(update: &LightClientUpdate) -> bool {
    !is_empty_branch(&update.next_sync_committee_branch)
}

/// [`is_finality_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#is_finality_update).
pub fn is_finality_update(update: &LightClientUpdate) -> bool {
    !is_empty_branch(&update.finality_branch)
}

/// True for two thirds of a committee's votes.
pub(crate) fn is_supermajority(update: &LightClientUpdate) -> bool {
    let bits = &update.sync_aggregate.sync_committee_bits;
    bits.count_ones() * 3 >= bits.len() * 2
}

/// [`is_better_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#is_better_update).
/// Neither form matters: only what is there is looked at, not how it is written.
pub fn is_better_update(spec: &Spec, new_update: &LightClientUpdate, old_update: &LightClientUpdate) -> bool {
    let participants = |update: &LightClientUpdate| update.sync_aggregate.sync_committee_bits.count_ones();
    let (new, old) = (participants(new_update), participants(old_update));
    let most = new_update.sync_aggregate.sync_committee_bits.len();
    let (new_has_most, old_has_most) = (new * 3 >= most * 2, old * 3 >= most * 2);
    if new_has_most != old_has_most {
        return new_has_most;
    }
    if !new_has_most && new != old {
        return new > old;
    }
    let facts = |update| [has_relevant_sync_committee(spec, update), is_finality_update(update)];
    let (new_facts, old_facts) = (facts(new_update), facts(old_update));
    if new_facts != old_facts {
        // The first that differs decides.
        return new_facts > old_facts;
    }
    if is_finality_update(new_update) {
        let (new_has, old_has) =
            (has_sync_committee_finality(spec, new_update), has_sync_committee_finality(spec, old_update));
        if new_has != old_has {
            return new_has;
        }
    }
    if new != old {
        return new > old;
    }
    // Older data change the best less often.
    let age = |update: &LightClientUpdate| (update.attested_header.beacon.slot, update.signature_slot);
    age(new_update) < age(old_update)
}

fn has_relevant_sync_committee(spec: &Spec, update: &LightClientUpdate) -> bool {
    let attested = compute_sync_committee_period_at_slot(spec, update.attested_header.beacon.slot);
    let signed = compute_sync_committee_period_at_slot(spec, update.signature_slot);
    is_sync_committee_update(update) && attested == signed
}

/// True where what is finalized is of the period of what is attested.
pub(crate) fn has_sync_committee_finality(spec: &Spec, update: &LightClientUpdate) -> bool {
    let finalized = compute_sync_committee_period_at_slot(spec, update.finalized_header.beacon.slot);
    finalized == compute_sync_committee_period_at_slot(spec, update.attested_header.beacon.slot)
}

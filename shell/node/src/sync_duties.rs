//! Who is in the sync committee, as the API tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Answer, ApiError, SyncDuty};
use chain::View;
use chain::gossip::compute_sync_committee_period;
use transition::accessors::validator_index;
use types::{BeaconState, BlsPubkey, Epoch, ForkName, SyncCommittee, ValidatorIndex};

use crate::loads::advanced;

/// Epochs by which the head's state is advanced for an answer. A head further behind means that the node is syncing.
const EPOCHS_AHEAD_MAX: u64 = 4;

/// The committee of an epoch, where a state knows it: that of its own period and the next.
fn committee_of(state: &BeaconState, epoch: Epoch) -> Answer<&SyncCommittee> {
    let spec = state.spec();
    let known = compute_sync_committee_period(spec, state.slot.epoch(spec));
    let wanted = compute_sync_committee_period(spec, epoch);
    if state.fork_name() < ForkName::Altair || spec.fork_name_at_epoch(epoch) < ForkName::Altair {
        return Err(ApiError::bad_request("there are no sync committees before Altair"));
    }
    if wanted == known {
        Ok(&state.current_sync_committee)
    } else if wanted == known + 1 {
        Ok(&state.next_sync_committee)
    } else {
        Err(ApiError::bad_request(format!(
            "epoch {epoch} is of period {wanted}; the state knows the sync committees of periods {known} and {}",
            known + 1
        )))
    }
}

/// The members of the sync committee of an epoch, by place.
pub fn sync_committee(state: &BeaconState, epoch: Epoch) -> Answer<Vec<ValidatorIndex>> {
    let stranger = || ApiError::internal("a member of the sync committee is not in the registry");
    let index = |pubkey: &BlsPubkey| validator_index(state, pubkey).ok_or_else(stranger);
    committee_of(state, epoch)?.pubkeys.iter().map(index).collect()
}

/// Which of these validators are in the sync committee of an epoch of this period or the next, and where. Before Altair
/// nobody is; while the first committee is not drawn yet, the answer is 503.
pub fn sync_duties(view: &View, epoch: Epoch, validators: &[ValidatorIndex]) -> Answer<Vec<SyncDuty>> {
    if view.spec.fork_name_at_epoch(epoch) < ForkName::Altair {
        return Ok(Vec::new());
    }
    let state = state_for(view)?;
    let mut places: BTreeMap<BlsPubkey, Vec<u64>> = BTreeMap::new();
    for (place, pubkey) in (0u64..).zip(committee_of(&state, epoch)?.pubkeys.iter()) {
        places.entry(*pubkey).or_default().push(place);
    }
    let mut duties = Vec::new();
    for index in validators {
        // A validator that this chain does not have yet has no place.
        let Some(validator) = state.validators.get(index.as_usize()) else { continue };
        if let Some(places) = places.get(&validator.pubkey) {
            let (pubkey, validator_index) = (validator.pubkey, *index);
            duties.push(SyncDuty { pubkey, validator_index, places: places.clone() });
        }
    }
    Ok(duties)
}

/// A state of the head's chain in the present period, and after the fork to Altair.
fn state_for(view: &View) -> Answer<Arc<BeaconState>> {
    let spec = view.spec;
    let now = view.current_slot.epoch(spec);
    let period = compute_sync_committee_period(spec, now);
    if spec.fork_name_at_epoch(now) < ForkName::Altair {
        let first = spec.fork_epoch(ForkName::Altair);
        return Err(ApiError::unavailable(format!(
            "the first sync committee is drawn when epoch {first} begins"
        )));
    }
    let is_ready = |state: &&Arc<BeaconState>| {
        let known = compute_sync_committee_period(spec, state.slot.epoch(spec));
        state.fork_name() >= ForkName::Altair && known == period
    };
    let near = [Some(&view.head.state), view.head.advanced.as_ref()];
    if let Some(state) = near.into_iter().flatten().find(is_ready) {
        return Ok(state.clone());
    }
    let head = view.head.slot.epoch(spec);
    if now > head + EPOCHS_AHEAD_MAX {
        return Err(ApiError::unavailable(format!("the head of epoch {head} is too far behind epoch {now}")));
    }
    advanced(view.head.state.clone(), now.start_slot(spec)).map_err(ApiError::internal)
}

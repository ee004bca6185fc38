//! Who is in the sync committee, as the API tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Answer, ApiError, SyncDuty};
use chain::View;
use chain::gossip::compute_sync_committee_period;
use transition::accessors::validator_index;
use types::{BeaconState, BlsPubkey, Epoch, ForkName, Slot, SyncCommittee, ValidatorIndex};

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
/// nobody is; while the first committee is not drawn yet, the answer is 503. `clock` is a slot that may have begun by the
/// clock of whoever asks, while ours, or the view, is still in the one before.
pub fn sync_duties(
    view: &View,
    clock: Slot,
    epoch: Epoch,
    validators: &[ValidatorIndex],
) -> Answer<Vec<SyncDuty>> {
    if view.spec.fork_name_at_epoch(epoch) < ForkName::Altair {
        return Ok(Vec::new());
    }
    let state = state_for(view, clock)?;
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

/// A state of the head's chain in the present period, and after the fork to Altair. Validator clients ask at the very
/// moment of the fork, some of them once an epoch only.
fn state_for(view: &View, clock: Slot) -> Answer<Arc<BeaconState>> {
    let spec = view.spec;
    let mut now = view.current_slot.epoch(spec);
    if spec.fork_name_at_epoch(now) < ForkName::Altair {
        now = now.max(clock.epoch(spec));
    }
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

#[cfg(test)]
mod tests {
    use keys::interop_secret_key;
    use transition::genesis::{GenesisValidator, genesis_of_validators};
    use types::{Gwei, Root, Spec};

    use super::*;
    use crate::fixture::World;

    const ALL: std::ops::Range<u64> = 0..16;

    fn spec(altair: u64) -> &'static Spec {
        let yaml = format!("PRESET_BASE: 'minimal'\nCONFIG_NAME: 'test'\nALTAIR_FORK_EPOCH: {altair}\n");
        Spec::from_yaml(&yaml, None).unwrap()
    }

    /// What readers see of a network where the head is still the genesis block in this slot.
    fn view(spec: &'static Spec, slot: u64) -> View {
        let validator = |index| GenesisValidator {
            pubkey: BlsPubkey::from(interop_secret_key(index).public_key().compress()),
            withdrawal_credentials: Root::ZERO,
            amount: Gwei(spec.preset.max_effective_balance),
        };
        let validators: Vec<_> = ALL.map(validator).collect();
        let state = genesis_of_validators(spec, &validators, 1_600_000_000, Root::ZERO).unwrap();
        let mut view = (*World::new().view()).clone();
        (view.spec, view.current_slot) = (spec, Slot(slot));
        (view.head.state, view.head.advanced) = (Arc::new(state), None);
        view
    }

    fn duties_at(view: &View, epoch: Epoch, validators: &[ValidatorIndex]) -> Answer<Vec<SyncDuty>> {
        sync_duties(view, view.current_slot, epoch, validators)
    }

    fn all() -> Vec<ValidatorIndex> {
        // The last one is not in the registry.
        (ALL.start..=ALL.end).map(ValidatorIndex).collect()
    }

    #[test]
    fn each_place_of_the_committee_is_somebodys_duty_and_the_places_agree_with_the_members() {
        let view = view(spec(0), 3);
        let members = sync_committee(&view.head.state, Epoch(0)).unwrap();
        assert_eq!(members.len(), 32);
        let duties = duties_at(&view, Epoch(0), &all()).unwrap();
        assert_eq!(duties.iter().map(|duty| duty.places.len()).sum::<usize>(), 32);
        for duty in &duties {
            assert!(duty.places.iter().all(|place| members[*place as usize] == duty.validator_index));
        }
        let one = duties_at(&view, Epoch(0), &[duties[1].validator_index]).unwrap();
        assert_eq!(one, [duties[1].clone()]);
    }

    #[test]
    fn the_committees_of_this_period_and_the_next_are_known_and_no_other() {
        let view = view(spec(0), 3);
        for epoch in [0, 7, 8, 15] {
            assert!(duties_at(&view, Epoch(epoch), &all()).is_ok(), "{epoch}");
        }
        let error = duties_at(&view, Epoch(16), &all()).unwrap_err();
        let text = "epoch 16 is of period 2; the state knows the sync committees of periods 0 and 1";
        assert_eq!((error.code, error.message.as_str()), (400, text));
        assert_eq!(sync_committee(&view.head.state, Epoch(16)).unwrap_err().code, 400);
    }

    #[test]
    fn nobody_has_duties_before_altair_and_the_first_are_known_when_the_fork_is_there() {
        assert_eq!(duties_at(&view(spec(2), 15), Epoch(1), &all()), Ok(Vec::new()));
        let early = duties_at(&view(spec(2), 15), Epoch(2), &all()).unwrap_err();
        assert_eq!(
            (early.code, early.message.as_str()),
            (503, "the first sync committee is drawn when epoch 2 begins")
        );
        // The head is of phase 0 until the first block after the fork.
        let duties = duties_at(&view(spec(2), 16), Epoch(2), &all()).unwrap();
        assert_eq!(duties.iter().map(|duty| duty.places.len()).sum::<usize>(), 32);
        // Whoever asks may be a moment ahead of us.
        let ahead = sync_duties(&view(spec(2), 15), Slot(16), Epoch(2), &all()).unwrap();
        assert_eq!(ahead, duties);
        assert_eq!(sync_committee(&view(spec(2), 16).head.state, Epoch(2)).unwrap_err().code, 400);
    }

    #[test]
    fn a_head_that_is_far_behind_is_not_advanced_for_an_answer() {
        let error = duties_at(&view(spec(0), 64), Epoch(8), &all()).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (503, "the head of epoch 0 is too far behind epoch 8")
        );
    }
}

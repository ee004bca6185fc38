//! States that were decoded, and have nothing in common with others yet but what they say.

use ssz::{List, Ssz};
use types::BeaconState;

/// Makes the large lists of a state share with those of another what is equal in both. Of two states of a chain that is
/// nearly all of the registry, so that a state which was read back takes little more room than one that was computed, and
/// most of its roots are known. Costs one comparison; what the state says stays as it is.
pub fn share_equal_parts(state: &mut BeaconState, with: &BeaconState) {
    share(&mut state.validators, &with.validators);
    share(&mut state.balances, &with.balances);
    share(&mut state.previous_epoch_participation, &with.previous_epoch_participation);
    share(&mut state.current_epoch_participation, &with.current_epoch_participation);
    share(&mut state.inactivity_scores, &with.inactivity_scores);
    share(&mut state.randao_mixes, &with.randao_mixes);
}

fn share<T: Ssz>(list: &mut List<T>, with: &List<T>) {
    if list.len() != with.len() {
        // A registry that has grown is compared once more when both have the new validators.
        return;
    }
    let mut shared = with.clone();
    let mut pages = list.slices();
    let mut fits = true;
    shared.for_each_page(|_, mut page| match pages.next() {
        Some(items) if items.len() == page.items().len() => page.set(items),
        _ => fits = false,
    });
    if fits && pages.next().is_none() {
        *list = shared;
    }
}

#[cfg(test)]
mod tests {
    use types::{Epoch, ForkName, Gwei, Spec, Validator};

    use super::*;

    fn state(validators: u64, changed: Option<usize>) -> BeaconState {
        let mut state = BeaconState::empty(Spec::minimal(), ForkName::Altair);
        for index in 0..validators {
            state.validators.push(Validator { exit_epoch: Epoch(index), ..Validator::default() });
            state.balances.push(Gwei(index));
            state.inactivity_scores.push(index);
        }
        if let Some(changed) = changed {
            state.validators[changed].slashed = true;
            state.balances[changed] = Gwei(7);
        }
        state
    }

    fn shared_pages(one: &BeaconState, other: &BeaconState) -> (usize, usize) {
        let pages = || one.validators.slices().zip(other.validators.slices());
        (pages().filter(|(one, other)| one.as_ptr() == other.as_ptr()).count(), pages().count())
    }

    #[test]
    fn what_is_equal_is_shared_and_nothing_changes() {
        let other = state(20_000, None);
        for changed in [None, Some(0), Some(19_999)] {
            let mut decoded = state(20_000, changed);
            assert_eq!(shared_pages(&decoded, &other).0, 0);
            let before = decoded.clone();
            share_equal_parts(&mut decoded, &other);
            assert_eq!(decoded, before);
            assert_eq!(decoded.state_root(), state(20_000, changed).state_root());
            let (shared, all) = shared_pages(&decoded, &other);
            assert_eq!(all - shared, usize::from(changed.is_some()));
        }
        assert_eq!(other, state(20_000, None));
    }

    #[test]
    fn registries_of_different_lengths_stay_apart() {
        let (mut longer, other) = (state(300, None), state(299, None));
        let before = longer.clone();
        share_equal_parts(&mut longer, &other);
        assert_eq!((shared_pages(&longer, &other).0, longer), (0, before));
    }
}

//! The memory of states, which share most of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ssz::{List, Ssz};
use types::{BeaconState, Root};

/// The bytes of the distinct pages of these states' large lists: what they would take without roots and memos.
pub fn state_bytes(states: &BTreeMap<Root, Arc<BeaconState>>) -> u64 {
    let mut seen = HashSet::new();
    states.values().map(|state| of_state(state, &mut seen)).sum()
}

fn of_state(state: &BeaconState, seen: &mut HashSet<usize>) -> u64 {
    pages(&state.validators, seen)
        + pages(&state.balances, seen)
        + pages(&state.previous_epoch_participation, seen)
        + pages(&state.current_epoch_participation, seen)
        + pages(&state.inactivity_scores, seen)
        + pages(&state.randao_mixes, seen)
        + pages(&state.block_roots, seen)
        + pages(&state.state_roots, seen)
        + pages(&state.slashings, seen)
        + pages(&state.historical_roots, seen)
        + pages(&state.pending_deposits, seen)
}

/// The bytes of those pages of a list that were not seen before. A page is known by where it lies.
fn pages<T: Ssz>(list: &List<T>, seen: &mut HashSet<usize>) -> u64 {
    let is_new = |page: &&[T]| seen.insert(page.as_ptr().addr());
    list.slices().filter(is_new).map(|page| size_of_val(page) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Gwei, Spec};

    #[test]
    fn what_states_share_counts_once() {
        let mut state = BeaconState::empty(Spec::minimal(), types::ForkName::Phase0);
        state.balances = (0..100_000).map(Gwei).collect();
        let alone = state_bytes(&BTreeMap::from([(Root::ZERO, Arc::new(state.clone()))]));
        assert!(alone >= 800_000, "{alone}");
        let (first, mut second) = (Arc::new(state.clone()), state);
        let same = Arc::new(second.clone());
        let root = |number: u8| Root::from([number; 32]);
        assert_eq!(state_bytes(&BTreeMap::from([(root(1), first.clone()), (root(2), same)])), alone);
        second.balances[5] = Gwei(7);
        let both = state_bytes(&BTreeMap::from([(root(1), first), (root(2), Arc::new(second))]));
        assert!(both > alone && both < alone + 100_000, "{both} after {alone}");
    }
}

//! What a state remembers is never wrong: states of other branches and epochs, and hand-written fields.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{extend, forgetful, genesis, propose};
use transition::accessors::{
    committee_cache, get_beacon_committee, get_beacon_proposer_indices, get_current_epoch,
    get_total_active_balance, offer_committees, shuffling_key, validator_index,
};
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{BeaconState, CommitteeIndex, Epoch, Gwei, Slot, Validator, ValidatorIndex};

/// Compares all that can be remembered with what a state that remembers nothing computes.
fn check(state: &BeaconState) {
    let fresh = forgetful(state);
    let current = get_current_epoch(state).0;
    for epoch in current.saturating_sub(1)..=current + 1 {
        let [known, new] = [state, &fresh].map(|state| committee_cache(state, Epoch(epoch)).unwrap());
        assert_eq!(known, new, "epoch {epoch} at slot {}", state.slot);
    }
    let [known, new] = [state, &fresh].map(|state| get_beacon_proposer_indices(state).unwrap());
    assert_eq!(known, new, "proposers at slot {}", state.slot);
    assert_eq!(get_total_active_balance(state), get_total_active_balance(&fresh));
    for (place, validator) in state.validators.iter().enumerate() {
        assert_eq!(validator_index(state, &validator.pubkey), Some(ValidatorIndex(place as u64)));
    }
}

#[test]
fn two_branches_from_one_state_remember_their_own_committees_and_proposers() {
    let mut trunk = genesis(64);
    extend(&mut trunk, 10, 1);
    check(&trunk);
    let (mut left, mut right) = (trunk.clone(), trunk.clone());
    for slot in 11..40 {
        extend(&mut left, slot, 2);
        check(&left);
        // The right branch leaves slots empty, the whole second epoch of it among them.
        if slot % 3 != 0 && !(24..32).contains(&slot) {
            let block = propose(&right, slot, 3);
            state_transition(&mut right, &block, &mut Signatures::Skip, ValidateResult::Yes).unwrap();
            check(&right);
        }
    }
    let seeds = [&left, &right].map(|state| shuffling_key(state, get_current_epoch(state)).unwrap());
    assert_ne!(seeds[0], seeds[1], "the branches should have come to differ");
}

#[test]
fn committees_of_another_branch_or_epoch_are_not_taken() {
    let mut trunk = genesis(64);
    extend(&mut trunk, 10, 1);
    let (mut left, mut right) = (trunk.clone(), trunk);
    extend(&mut left, 34, 2);
    extend(&mut right, 34, 3);
    let right = forgetful(&right);
    let epoch = get_current_epoch(&left);
    let of_left = committee_cache(&left, epoch).unwrap();
    assert!(!offer_committees(&right, &of_left));
    assert_ne!(committee_cache(&right, epoch).unwrap(), of_left);
    let twin = forgetful(&left);
    assert!(offer_committees(&twin, &of_left));
    assert!(Arc::ptr_eq(&committee_cache(&twin, epoch).unwrap(), &of_left));
    let mut later = forgetful(&left);
    process_slots(&mut later, Slot(60)).unwrap();
    assert!(!offer_committees(&later, &of_left));
    check(&later);
}

#[test]
fn a_memo_under_another_seed_is_passed_over() {
    let mut state = genesis(64);
    extend(&mut state, 20, 1);
    let epoch = get_current_epoch(&state);
    let before = (committee_cache(&state, epoch).unwrap(), get_beacon_proposer_indices(&state).unwrap());
    // Written by hand, with nothing forgotten: the seed of the current epoch comes from this mix.
    state.randao_mixes[0].0[5] ^= 1;
    check(&state);
    assert_ne!(committee_cache(&state, epoch).unwrap(), before.0);
    assert_ne!(get_beacon_proposer_indices(&state).unwrap(), before.1);
}

#[test]
fn a_memo_of_another_epoch_is_passed_over() {
    let mut state = genesis(64);
    extend(&mut state, 20, 1);
    check(&state);
    // Without telling the memos, as only a careless caller would.
    state.slot = Slot(28);
    check(&state);
}

#[test]
fn what_was_written_by_hand_counts_after_forgetting() {
    let mut state = genesis(64);
    extend(&mut state, 20, 1);
    check(&state);
    for index in 0..32 {
        state.validators[index].exit_epoch = Epoch(1);
        state.validators[index + 32].effective_balance = Gwei(17_000_000_000);
    }
    state.context.caches.forget();
    check(&state);
    let members = get_beacon_committee(&state, Slot(20), CommitteeIndex(0)).unwrap();
    assert!(members.iter().all(|member| member.0 >= 32));
    assert_eq!(get_total_active_balance(&state), Ok(Gwei(32 * 17_000_000_000)));
}

#[test]
fn validators_that_join_are_found_by_key_and_of_equal_keys_the_first() {
    let mut state = genesis(8);
    check(&state);
    let mut expected = Vec::new();
    for number in 0..600u64 {
        let mut validator = Validator::default();
        validator.pubkey.0[..8].copy_from_slice(&(number / 2).to_be_bytes());
        validator.pubkey.0[47] = 1;
        expected.push((validator.pubkey, ValidatorIndex(8 + number / 2 * 2)));
        state.validators.push(validator);
    }
    for (pubkey, index) in expected {
        assert_eq!(validator_index(&state, &pubkey), Some(index));
    }
}

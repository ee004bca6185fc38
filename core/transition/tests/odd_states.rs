//! States and blocks that no valid chain leads to, and forks whose rules are not built: an error each, and no panic.
#![allow(clippy::unwrap_used)]

mod support;

use support::{extend, genesis, propose, votes};
use transition::accessors::{
    AccessError, committee_attesters, get_beacon_committee, get_beacon_proposer_index, get_block_root,
    get_committee_count_per_slot, get_total_active_balance, get_total_balance, get_validator_churn_limit,
    public_key,
};
use transition::block::{AttestationInvalid, apply_deposit, process_attestation};
use transition::epoch::compute_unrealized_checkpoints;
use transition::genesis::{GenesisError, initialize_beacon_state_from_eth1};
use transition::misc::{compute_committee, compute_time_at_slot};
use transition::mutators::{increase_balance, initiate_validator_exit, slash_validator};
use transition::{Signatures, TransitionError, ValidateResult, process_slots, state_transition};
use types::constants::FAR_FUTURE_EPOCH;
use types::{CommitteeIndex, DepositData, Epoch, ForkName, Gwei, Root, Slot, Spec, ValidatorIndex};

#[test]
fn a_state_without_validators_has_no_proposer_and_empty_committees() {
    let mut state = genesis(0);
    assert_eq!(get_beacon_proposer_index(&state), Err(AccessError::NoActiveValidators));
    assert_eq!(get_committee_count_per_slot(&state, Epoch(0)), 1);
    assert!(get_beacon_committee(&state, Slot(0), CommitteeIndex(0)).unwrap().is_empty());
    assert!(get_beacon_committee(&state, Slot(0), CommitteeIndex(1)).is_err());
    assert_eq!(get_validator_churn_limit(&state), state.spec().config.min_per_epoch_churn_limit);
    let increment = state.spec().preset.effective_balance_increment;
    assert_eq!(get_total_active_balance(&state), Ok(Gwei(increment)));
    let nobody = ValidatorIndex(0);
    assert_eq!(initiate_validator_exit(&mut state, nobody), Err(AccessError::NoValidator(nobody)));
    assert_eq!(slash_validator(&mut state, nobody), Err(AccessError::NoValidator(nobody)));
    assert_eq!(increase_balance(&mut state, nobody, Gwei(1)), Err(AccessError::NoValidator(nobody)));
    assert_eq!(public_key(&state, nobody).unwrap_err(), AccessError::NoValidator(nobody));
    assert_eq!(get_total_balance(&state, [nobody].into_iter()), Err(AccessError::NoValidator(nobody)));
    // Time goes on without anybody; only a block has no proposer.
    process_slots(&mut state, Slot(17)).unwrap();
    compute_unrealized_checkpoints(&state).unwrap();
    let block = propose(&genesis(64), 1, 0);
    assert!(state_transition(&mut genesis(0), &block, &mut Signatures::Skip, ValidateResult::No).is_err());
}

#[test]
fn sums_that_leave_64_bits_are_errors() {
    let mut state = genesis(64);
    state.validators[1].effective_balance = Gwei(u64::MAX);
    state.validators[2].effective_balance = Gwei(u64::MAX);
    state.context.caches.forget();
    assert!(matches!(get_total_active_balance(&state), Err(AccessError::Overflow(_))));
    let both = [ValidatorIndex(1), ValidatorIndex(2)].into_iter();
    assert!(matches!(get_total_balance(&state, both), Err(AccessError::Overflow(_))));
    state.balances[3] = Gwei(u64::MAX);
    assert!(matches!(
        increase_balance(&mut state, ValidatorIndex(3), Gwei(1)),
        Err(AccessError::Overflow(_))
    ));
    let more = DepositData { pubkey: state.validators[3].pubkey, amount: Gwei(1), ..DepositData::default() };
    assert!(matches!(apply_deposit(&mut state, &more), Err(AccessError::Overflow(_))));
    assert_eq!(state.balances[3], Gwei(u64::MAX));
    state.slashings[0] = Gwei(u64::MAX);
    assert!(matches!(slash_validator(&mut state, ValidatorIndex(4)), Err(AccessError::Overflow(_))));
    state.genesis_time = u64::MAX - 1;
    assert!(matches!(compute_time_at_slot(&state, Slot(1)), Err(AccessError::Overflow(_))));
    assert_eq!(compute_time_at_slot(&state, Slot(0)), Ok(u64::MAX - 1));
}

#[test]
fn exits_queue_behind_each_other_and_an_end_of_time_is_an_error() {
    let mut state = genesis(64);
    let limit = get_validator_churn_limit(&state);
    let first = Epoch(1 + state.spec().preset.max_seed_lookahead);
    for index in 0..limit + 1 {
        initiate_validator_exit(&mut state, ValidatorIndex(index)).unwrap();
    }
    assert_eq!(state.validators[limit as usize - 1].exit_epoch, first);
    assert_eq!(state.validators[limit as usize].exit_epoch, first + 1);
    let before = state.clone();
    initiate_validator_exit(&mut state, ValidatorIndex(0)).unwrap();
    assert_eq!(state, before, "who leaves already stays where it is");
    state.validators[50].exit_epoch = FAR_FUTURE_EPOCH - 1;
    let before = state.clone();
    let refused = initiate_validator_exit(&mut state, ValidatorIndex(51));
    assert_eq!(refused, Err(AccessError::Overflow("an exit epoch")));
    assert_eq!(state, before);
}

#[test]
fn a_committee_of_none_is_an_error() {
    let indices: Vec<ValidatorIndex> = (0..10).map(ValidatorIndex).collect();
    let committee = |index, count| compute_committee(Spec::minimal(), &indices, &[1; 32], index, count);
    assert_eq!(committee(0, 0), Err(AccessError::CommitteeIndex { index: 0, count: 0 }));
    assert_eq!(committee(3, 3), Err(AccessError::CommitteeIndex { index: 3, count: 3 }));
    assert_eq!(committee(2, 3).unwrap().len(), 4);
    assert!(committee(u64::MAX - 1, u64::MAX).unwrap().len() <= 1);
    assert_eq!(compute_committee(Spec::minimal(), &[], &[1; 32], 0, 4), Ok(vec![]));
}

#[test]
fn the_committees_of_a_state_are_those_of_the_specification() {
    let mut state = genesis(64);
    extend(&mut state, 10, 1);
    let indices: Vec<ValidatorIndex> = (0..64).map(ValidatorIndex).collect();
    let seed = transition::accessors::shuffling_key(&state, Epoch(1)).unwrap().seed;
    let per_slot = get_committee_count_per_slot(&state, Epoch(1));
    for slot in 8..16 {
        for index in 0..per_slot {
            let number = (slot - 8) * per_slot + index;
            let expected = compute_committee(state.spec(), &indices, &seed, number, per_slot * 8).unwrap();
            let found = get_beacon_committee(&state, Slot(slot), CommitteeIndex(index)).unwrap();
            assert_eq!(*found, expected);
        }
    }
}

#[test]
fn bits_for_another_committee_size_are_an_error() {
    let mut state = genesis(64);
    extend(&mut state, 10, 1);
    let vote = votes(&state, Slot(9)).remove(0);
    let short = types::Bits::zero(vote.aggregation_bits.len() - 1);
    assert!(matches!(
        committee_attesters(&state, vote.data.slot, vote.data.index, &short),
        Err(AccessError::BitsLength { .. })
    ));
    let mut empty = vote.clone();
    empty.aggregation_bits = types::Bits::zero(vote.aggregation_bits.len());
    process_slots(&mut state, Slot(11)).unwrap();
    assert_eq!(
        process_attestation(&mut state, &empty, &mut Signatures::Skip),
        Err(AttestationInvalid::Empty)
    );
}

#[test]
fn roots_of_slots_that_are_gone_or_to_come_are_errors() {
    let mut state = genesis(64);
    process_slots(&mut state, Slot(100)).unwrap();
    for epoch in [0, 4, 13, u64::MAX] {
        assert!(
            matches!(get_block_root(&state, Epoch(epoch)), Err(AccessError::BlockRoot { .. })),
            "{epoch}"
        );
    }
    assert!(get_block_root(&state, Epoch(5)).is_ok());
    for epoch in [0, 10, 14, u64::MAX] {
        let slot = Epoch(epoch).start_slot(state.spec());
        assert!(get_beacon_committee(&state, slot, CommitteeIndex(0)).is_err(), "{epoch}");
    }
}

#[test]
fn slots_only_go_forward() {
    let mut state = genesis(64);
    process_slots(&mut state, Slot(5)).unwrap();
    let before = state.clone();
    for slot in [0, 5] {
        let expected = TransitionError::SlotNotAfterState { from: Slot(5), to: Slot(slot) };
        assert_eq!(process_slots(&mut state, Slot(slot)), Err(expected));
    }
    assert_eq!(state, before);
}

#[test]
fn the_last_slots_of_all_are_reached_and_not_passed() {
    let mut state = genesis(8);
    state.slot = Slot(u64::MAX - 1);
    state.context.caches.forget();
    process_slots(&mut state, Slot(u64::MAX)).unwrap();
    assert!(get_beacon_proposer_index(&state).is_ok());
    assert!(process_slots(&mut state, Slot(u64::MAX)).is_err());
}

#[test]
fn genesis_past_the_end_of_time_or_of_a_later_fork_is_an_error() {
    let spec = Spec::minimal();
    let late = initialize_beacon_state_from_eth1(spec, Root::ZERO, u64::MAX, &[]);
    assert_eq!(late, Err(GenesisError::Time));
    let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\n";
    let altair = Spec::from_yaml(text, None).unwrap();
    let expected = Err(GenesisError::DepositsOfFork(ForkName::Altair));
    assert_eq!(initialize_beacon_state_from_eth1(altair, Root::ZERO, 0, &[]), expected);
}

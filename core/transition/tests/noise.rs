//! Mutations of a good state and a good block, drawn from seeded noise: whatever comes out, nothing panics, and what is
//! refused is refused with an error.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Noise, extend, genesis, genesis_with, propose, spec_in};
use transition::block::get_expected_withdrawals;
use transition::epoch::{compute_unrealized_checkpoints, process_epoch};
use transition::mutators::initiate_validator_exit;
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{
    BeaconState, Epoch, ForkName, Gwei, PendingConsolidation, PendingDeposit, PendingPartialWithdrawal,
    SignedBeaconBlock, Slot, Spec, SszExt, ValidatorIndex,
};

/// Numbers at which arithmetic breaks, if it does.
const EDGES: [u64; 8] = [0, 1, 2, 7, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX];

/// Changes a few places: a bit, or eight bytes at once to a number at an edge.
fn mutate(bytes: &mut [u8], noise: &mut Noise) {
    for _ in 0..=noise.below(4) {
        let place = noise.below(bytes.len());
        if noise.below(2) == 0 {
            bytes[place] ^= 1 << noise.below(8);
        } else {
            let place = place.min(bytes.len() - 8);
            let edge = EDGES[noise.below(EDGES.len())];
            bytes[place..place + 8].copy_from_slice(&edge.to_le_bytes());
        }
    }
}

/// A state in the middle of an epoch, rich in attestations, and a block upon it.
fn subject() -> (BeaconState, SignedBeaconBlock) {
    let mut state = genesis(64);
    extend(&mut state, 29, 1);
    let block = propose(&state, 30, 1);
    (state, block)
}

/// Where noise moved the block far ahead, the caller's bound is kept: the transition would take its time.
fn apply(state: &BeaconState, block: &SignedBeaconBlock, mut signatures: Signatures) -> bool {
    let ahead = block.message.slot.0.saturating_sub(state.slot.0);
    let mut state = state.clone();
    ahead <= 40 && state_transition(&mut state, block, &mut signatures, ValidateResult::Yes).is_ok()
}

#[test]
fn mutated_blocks_are_errors_and_never_panics() {
    let (state, block) = subject();
    assert!(apply(&state, &block, Signatures::Skip));
    let good = block.to_ssz(state.ctx());
    let (mut noise, mut decoded) = (Noise(1), 0);
    for round in 0..3_000 {
        let mut bytes = good.clone();
        mutate(&mut bytes, &mut noise);
        let Ok(bad) = SignedBeaconBlock::from_ssz(&bytes, state.ctx()) else { continue };
        decoded += 1;
        let accepted = apply(&state, &bad, Signatures::Skip);
        // The block's signature alone is not looked at here; all else is bound by the state root.
        assert_eq!(accepted, bad.message == block.message, "round {round}");
        if round % 100 == 0 {
            assert!(!apply(&state, &bad, Signatures::Verify), "nobody signed round {round}");
        }
    }
    assert!(decoded > 1_000, "{decoded} of the mutations could be read");
}

#[test]
fn mutated_states_are_errors_or_go_on_but_never_panic() {
    let (state, block) = subject();
    let good = state.encoded();
    let (mut noise, mut decoded, mut went_on) = (Noise(2), 0, 0);
    for _ in 0..1_500 {
        let mut bytes = good.clone();
        // Most of a state is vectors of roots; the numbers that matter stand in its last parts too.
        let from = if noise.below(2) == 0 { 0 } else { bytes.len() * 3 / 4 };
        mutate(&mut bytes[from..], &mut noise);
        let Ok(bad) = BeaconState::decode_at(Spec::minimal(), ForkName::Phase0, &bytes) else { continue };
        decoded += 1;
        went_on += usize::from(apply(&bad, &block, Signatures::Skip));
        let _ = compute_unrealized_checkpoints(&bad);
        let _ = process_epoch(&mut bad.clone());
        let _ = transition::weak_subjectivity::compute_weak_subjectivity_period(&bad);
        if let Some(slot) = bad.slot.0.checked_add(9) {
            let _ = process_slots(&mut bad.clone(), Slot(slot));
        }
    }
    assert!(decoded > 500, "{decoded} of the mutations could be read");
    assert!(went_on < decoded, "another state has another root");
}

/// Every number of the state at every edge: noise alone finds few of them.
#[test]
fn each_number_of_the_state_at_each_edge_is_an_error_or_goes_on() {
    let (state, block) = subject();
    for edge in EDGES {
        let spoil: [fn(&mut BeaconState, u64); 16] = [
            |state, edge| state.genesis_time = edge,
            |state, edge| state.slot = Slot(edge),
            |state, edge| state.latest_block_header.slot = Slot(edge),
            |state, edge| state.eth1_data.deposit_count = edge,
            |state, edge| state.eth1_deposit_index = edge,
            |state, edge| state.balances[3].0 = edge,
            |state, edge| state.slashings[3].0 = edge,
            |state, edge| state.validators[3].effective_balance.0 = edge,
            |state, edge| state.validators[3].activation_epoch.0 = edge,
            |state, edge| state.validators[3].exit_epoch.0 = edge,
            |state, edge| state.validators[3].withdrawable_epoch.0 = edge,
            |state, edge| state.validators[3].activation_eligibility_epoch.0 = edge,
            |state, edge| state.finalized_checkpoint.epoch.0 = edge,
            |state, edge| state.current_justified_checkpoint.epoch.0 = edge,
            |state, edge| state.previous_epoch_attestations[3].inclusion_delay.0 = edge,
            |state, edge| state.current_epoch_attestations[3].data.slot.0 = edge,
        ];
        for spoil in spoil {
            let mut bad = state.clone();
            spoil(&mut bad, edge);
            bad.context.caches.forget();
            let _ = apply(&bad, &block, Signatures::Skip);
            let _ = compute_unrealized_checkpoints(&bad);
            let _ = process_epoch(&mut bad.clone());
            if let Some(slot) = bad.slot.0.checked_add(9) {
                let _ = process_slots(&mut bad, Slot(slot));
            }
        }
    }
}

/// A state of a later fork in the middle of an epoch, with something in every queue, and a block upon it.
fn subject_in(fork: ForkName) -> (BeaconState, SignedBeaconBlock) {
    let mut state = genesis_with(spec_in(fork), 64);
    for index in 0..state.validators.len() {
        state.validators[index].withdrawal_credentials.0[0] = 1 + (index % 2) as u8;
    }
    extend(&mut state, 29, 1);
    if fork >= ForkName::Electra {
        let pubkey = state.validators[5].pubkey;
        let amount = Gwei(1 << 30);
        state.pending_deposits.push(PendingDeposit { pubkey, amount, ..PendingDeposit::default() });
        let validator_index = ValidatorIndex(7);
        let withdrawal = PendingPartialWithdrawal { validator_index, amount, withdrawable_epoch: Epoch(1) };
        state.pending_partial_withdrawals.push(withdrawal);
        let (source_index, target_index) = (ValidatorIndex(9), ValidatorIndex(11));
        state.pending_consolidations.push(PendingConsolidation { source_index, target_index });
    }
    let block = propose(&state, 30, 1);
    (state, block)
}

#[test]
fn mutated_states_and_blocks_of_later_forks_are_errors_or_go_on_but_never_panic() {
    for fork in ForkName::ALL.into_iter().skip(1) {
        let (state, block) = subject_in(fork);
        assert!(apply(&state, &block, Signatures::Skip), "{fork}");
        let (good_state, good_block) = (state.encoded(), block.to_ssz(state.ctx()));
        let (mut noise, mut decoded) = (Noise(3 + fork as u64), 0);
        for round in 0..200 {
            let mut bytes = good_block.clone();
            mutate(&mut bytes, &mut noise);
            if let Ok(bad) = SignedBeaconBlock::from_ssz(&bytes, state.ctx()) {
                let accepted = apply(&state, &bad, Signatures::Skip);
                assert_eq!(accepted, bad.message == block.message, "{fork}, round {round}");
            }
            let mut bytes = good_state.clone();
            let from = if noise.below(2) == 0 { 0 } else { bytes.len() * 3 / 4 };
            mutate(&mut bytes[from..], &mut noise);
            let Ok(bad) = BeaconState::decode_at(state.spec(), fork, &bytes) else { continue };
            decoded += 1;
            try_all(bad, &block);
        }
        assert!(decoded > 50, "{fork}: {decoded} of the mutations could be read");
    }
}

fn try_all(mut bad: BeaconState, block: &SignedBeaconBlock) {
    let _ = apply(&bad, block, Signatures::Skip);
    let _ = compute_unrealized_checkpoints(&bad);
    let _ = process_epoch(&mut bad.clone());
    let _ = get_expected_withdrawals(&bad);
    let _ = transition::weak_subjectivity::compute_weak_subjectivity_period(&bad);
    if let Some(slot) = bad.slot.0.checked_add(9) {
        let _ = process_slots(&mut bad, Slot(slot));
    }
}

/// The numbers that came with later forks.
#[test]
fn each_number_of_later_forks_at_each_edge_is_an_error_or_goes_on() {
    let (state, block) = subject_in(ForkName::Fulu);
    for edge in EDGES {
        let spoil: [fn(&mut BeaconState, u64); 17] = [
            |state, edge| state.slot = Slot(edge),
            |state, edge| state.inactivity_scores[3] = edge,
            |state, edge| state.balances[7].0 = edge,
            |state, edge| state.validators[9].effective_balance.0 = edge,
            |state, edge| state.validators[9].withdrawable_epoch.0 = edge,
            |state, edge| state.next_withdrawal_index = edge,
            |state, edge| state.next_withdrawal_validator_index.0 = edge,
            |state, edge| state.deposit_balance_to_consume.0 = edge,
            |state, edge| state.exit_balance_to_consume.0 = edge,
            |state, edge| state.earliest_exit_epoch.0 = edge,
            |state, edge| state.consolidation_balance_to_consume.0 = edge,
            |state, edge| state.earliest_consolidation_epoch.0 = edge,
            |state, edge| state.pending_deposits[0].amount.0 = edge,
            |state, edge| state.pending_partial_withdrawals[0].validator_index.0 = edge,
            |state, edge| state.pending_consolidations[0].source_index.0 = edge,
            |state, edge| state.pending_consolidations[0].target_index.0 = edge,
            |state, edge| state.proposer_lookahead[6].0 = edge,
        ];
        for spoil in spoil {
            let mut bad = state.clone();
            spoil(&mut bad, edge);
            bad.context.caches.forget();
            let _ = initiate_validator_exit(&mut bad.clone(), ValidatorIndex(20));
            try_all(bad, &block);
        }
    }
}

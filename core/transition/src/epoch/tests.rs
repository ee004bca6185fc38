//! Epoch processing on small drawn states; the official vectors test the numbers.

use ssz::Bits;
use types::constants::FAR_FUTURE_EPOCH;
use types::{
    AttestationData, BeaconState, Checkpoint, CommitteeIndex, Epoch, ForkName, Gwei, PendingAttestation,
    Root, Slot, Spec, Validator, ValidatorIndex,
};

use super::*;
use crate::accessors::{get_beacon_committee, get_block_root};

const COUNT: u64 = 64;

/// A state at the last slot of epoch 3, with active validators and a block in every slot.
fn state() -> BeaconState {
    let spec = Spec::minimal();
    let mut state = BeaconState::empty(spec, ForkName::Phase0);
    state.slot = Epoch(4).start_slot(spec) - 1;
    for _ in 0..COUNT {
        state.validators.push(Validator {
            effective_balance: Gwei(spec.preset.max_effective_balance),
            exit_epoch: FAR_FUTURE_EPOCH,
            withdrawable_epoch: FAR_FUTURE_EPOCH,
            ..Validator::default()
        });
        state.balances.push(Gwei(spec.preset.max_effective_balance));
    }
    for slot in 0..state.slot.0 {
        state.block_roots[slot as usize] = root(slot);
    }
    state
}

fn root(slot: u64) -> Root {
    let mut root = Root::ZERO;
    root.0[0] = slot as u8 + 1;
    root
}

/// A vote of the whole first committee of a slot, right in everything.
fn attestation(state: &BeaconState, slot: Slot) -> PendingAttestation {
    let committee = get_beacon_committee(state, slot, CommitteeIndex(0)).unwrap();
    let epoch = slot.epoch(state.spec());
    PendingAttestation {
        aggregation_bits: committee.iter().map(|_| true).collect(),
        data: AttestationData {
            slot,
            beacon_block_root: root(slot.0),
            target: Checkpoint { epoch, root: get_block_root(state, epoch).unwrap() },
            ..AttestationData::default()
        },
        inclusion_delay: Slot(1),
        proposer_index: ValidatorIndex(0),
    }
}

/// Everyone attests in both epochs.
fn full_state() -> BeaconState {
    let mut state = state();
    for slot in (2 * 8)..(4 * 8 - 1) {
        let per_slot = crate::accessors::get_committee_count_per_slot(&state, Slot(slot).epoch(state.spec()));
        for index in 0..per_slot {
            let index = CommitteeIndex(index);
            let committee = get_beacon_committee(&state, Slot(slot), index).unwrap().len();
            let mut vote = attestation(&state, Slot(slot));
            vote.data.index = index;
            vote.aggregation_bits = (0..committee).map(|_| true).collect();
            let list = if slot < 3 * 8 {
                &mut state.previous_epoch_attestations
            } else {
                &mut state.current_epoch_attestations
            };
            list.push(vote);
        }
    }
    state
}

/// The first attester of the first committee of slot 16, and its inclusion.
fn inclusion_of_first(state: &BeaconState) -> Inclusion {
    let member = get_beacon_committee(state, Slot(16), CommitteeIndex(0)).unwrap()[0];
    let summary = EpochSummary::new(state).unwrap();
    summary.inclusion_of(&summary.validators.get(member.as_usize()).unwrap()).unwrap()
}

#[test]
fn the_earliest_inclusion_counts_and_of_equal_ones_the_first() {
    let mut state = state();
    for (delay, proposer) in [(5, 10), (2, 11), (2, 12), (3, 13)] {
        let vote = attestation(&state, Slot(16));
        let (inclusion_delay, proposer_index) = (Slot(delay), ValidatorIndex(proposer));
        state.previous_epoch_attestations.push(PendingAttestation {
            inclusion_delay,
            proposer_index,
            ..vote
        });
    }
    let expected = Inclusion { delay: Slot(2), proposer_index: ValidatorIndex(11) };
    assert_eq!(inclusion_of_first(&state), expected);
}

#[test]
fn a_validator_is_counted_once_however_often_it_attests() {
    let mut state = state();
    let vote = attestation(&state, Slot(17));
    let members = vote.aggregation_bits.len() as u64;
    (0..3).for_each(|_| state.previous_epoch_attestations.push(vote.clone()));
    let balance = state.spec().preset.max_effective_balance;
    let summary = EpochSummary::new(&state).unwrap();
    assert_eq!(summary.previous_head_balance, Gwei(members * balance));
    assert_eq!(summary.total_active_balance, Gwei(COUNT * balance));
    assert_eq!(summary.active_validators, COUNT);
}

#[test]
fn a_slashed_attester_adds_no_balance_and_earns_nothing() {
    let mut state = state();
    let vote = attestation(&state, Slot(17));
    let members = vote.aggregation_bits.len() as u64;
    let slashed = get_beacon_committee(&state, Slot(17), CommitteeIndex(0)).unwrap()[0].as_usize();
    state.previous_epoch_attestations.push(vote);
    state.validators[slashed].slashed = true;
    let summary = EpochSummary::new(&state).unwrap();
    let balance = state.spec().preset.max_effective_balance;
    assert_eq!(summary.previous_target_balance, Gwei((members - 1) * balance));
    let deltas = get_source_deltas(&state, &summary).unwrap();
    assert_eq!(deltas.rewards[slashed], Gwei(0));
    assert!(deltas.penalties[slashed] > Gwei(0));
}

#[test]
fn a_vote_for_another_head_is_right_in_source_and_target_only() {
    let mut state = state();
    let mut vote = attestation(&state, Slot(18));
    vote.data.beacon_block_root = root(77);
    state.previous_epoch_attestations.push(vote);
    let summary = EpochSummary::new(&state).unwrap();
    let increment = Gwei(state.spec().preset.effective_balance_increment);
    assert!(summary.previous_source_balance > increment);
    assert_eq!(summary.previous_target_balance, summary.previous_source_balance);
    assert_eq!(summary.previous_head_balance, increment);
}

#[test]
fn unrealized_checkpoints_are_those_that_the_end_of_the_epoch_brings() {
    let mut state = full_state();
    state.current_justified_checkpoint = Checkpoint { epoch: Epoch(2), root: root(16) };
    state.justification_bits.set(0, true);
    let before = state.clone();
    let (justified, finalized) = compute_unrealized_checkpoints(&state).unwrap();
    assert_eq!(state, before);
    assert_eq!(justified, Checkpoint { epoch: Epoch(3), root: root(24) });
    assert_eq!(finalized, Checkpoint { epoch: Epoch(2), root: root(16) });
    let mut after = state.clone();
    process_epoch(&mut after).unwrap();
    assert_eq!((after.current_justified_checkpoint, after.finalized_checkpoint), (justified, finalized));
}

#[test]
fn unrealized_checkpoints_can_be_had_at_the_first_slot_of_an_epoch() {
    let mut state = full_state();
    state.slot = Slot(24);
    state.current_epoch_attestations.clear();
    let (justified, _) = compute_unrealized_checkpoints(&state).unwrap();
    assert_eq!(justified, Checkpoint { epoch: Epoch(2), root: root(16) });
}

#[test]
fn all_steps_leave_the_clone_that_was_kept_alone() {
    let mut state = full_state();
    let root = state.state_root();
    let kept = state.clone();
    process_epoch(&mut state).unwrap();
    assert_eq!(kept.state_root(), root);
    assert_eq!(kept, full_state());
    let again = BeaconState::decode_at(state.spec(), ForkName::Phase0, &state.encoded()).unwrap();
    assert_eq!(state.state_root(), again.state_root());
    assert!(state.balances.iter().all(|balance| *balance > Gwei(state.spec().preset.max_effective_balance)));
}

/// Epoch processing of a state that something was done to fails with this error, and does not panic.
fn check_refused(spoil: impl FnOnce(&mut BeaconState), expected: EpochError) {
    let mut state = full_state();
    spoil(&mut state);
    assert_eq!(process_epoch(&mut state), Err(expected));
}

#[test]
fn states_that_no_valid_block_leads_to_are_refused() {
    check_refused(|state| state.set_fork_name(ForkName::Altair), EpochError::ParticipationLength);
    check_refused(|state| state.balances.push(Gwei(1)), EpochError::BalancesLength);
    check_refused(
        |state| state.previous_epoch_attestations[3].inclusion_delay = Slot(0),
        EpochError::NoInclusionDelay,
    );
    check_refused(
        |state| state.previous_epoch_attestations[3].proposer_index = ValidatorIndex(COUNT),
        EpochError::UnknownProposer(ValidatorIndex(COUNT)),
    );
    check_refused(
        |state| state.current_epoch_attestations[3].aggregation_bits = Bits::zero(1),
        EpochError::TooFewBits,
    );
    check_refused(|state| state.finalized_checkpoint.epoch = Epoch(4), EpochError::FinalizedInFuture);
    check_refused(
        |state| state.validators[5].effective_balance = Gwei(u64::MAX),
        EpochError::Overflow("a total balance"),
    );
    check_refused(|state| state.balances[5] = Gwei(u64::MAX), EpochError::Overflow("a balance"));
    check_refused(|state| state.slashings[5] = Gwei(u64::MAX), EpochError::Overflow("a slashing penalty"));
}

#[test]
fn an_attestation_for_a_committee_or_slot_out_of_reach_is_refused() {
    let mut state = full_state();
    state.previous_epoch_attestations[0].data.index = CommitteeIndex(u64::MAX);
    assert!(matches!(process_epoch(&mut state), Err(EpochError::Access(_))));
    let mut state = full_state();
    state.previous_epoch_attestations[0].data.slot = Slot(u64::MAX);
    assert!(matches!(process_epoch(&mut state), Err(EpochError::Access(_))));
}

#[test]
fn questions_about_single_validators_have_the_answers_of_the_summary() {
    let mut state = full_state();
    state.previous_epoch_attestations[1].data.beacon_block_root = root(77);
    state.previous_epoch_attestations[2].data.target.root = root(78);
    state.validators[9].slashed = true;
    let summary = EpochSummary::new(&state).unwrap();
    type Matching = fn(&BeaconState, Epoch) -> Result<Vec<&PendingAttestation>, EpochError>;
    for (flag, matching) in [
        (ValidatorFlags::PREVIOUS_SOURCE, get_matching_source_attestations as Matching),
        (ValidatorFlags::PREVIOUS_TARGET, get_matching_target_attestations),
        (ValidatorFlags::PREVIOUS_HEAD, get_matching_head_attestations),
    ] {
        let mut expected: Vec<ValidatorIndex> = Vec::new();
        for vote in matching(&state, Epoch(2)).unwrap() {
            expected.extend(&*get_beacon_committee(&state, vote.data.slot, vote.data.index).unwrap());
        }
        expected.retain(|index| !state.validators[index.as_usize()].slashed);
        expected.sort_unstable();
        assert_eq!(get_unslashed_attesting_indices(&summary, flag), expected);
    }
    assert!(get_matching_source_attestations(&state, Epoch(1)).is_err());
    assert_eq!(get_eligible_validator_indices(&summary).len() as u64, COUNT);
    let deltas = get_source_deltas(&state, &summary).unwrap();
    // Who is slashed loses the base reward.
    assert_eq!(deltas.penalties[9], get_base_reward(&state, ValidatorIndex(9)).unwrap());
    let proposer_reward = get_proposer_reward(&state, ValidatorIndex(9)).unwrap();
    assert_eq!(proposer_reward, deltas.penalties[9] / state.spec().preset.proposer_reward_quotient);
    assert!(get_base_reward(&state, ValidatorIndex(COUNT)).is_err());
}

//! The end of an epoch on drawn states, against the specification's loops written out: validator by validator, with no
//! summary, no tables and no memos.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Noise, forgetful, spec_in};
use transition::accessors::*;
use transition::epoch::*;
use transition::math::integer_squareroot;
use transition::mutators::{decrease_balance, increase_balance, initiate_validator_exit};
use transition::predicates::get_max_effective_balance;
use transition::process_slots;
use types::constants::{
    BASE_REWARDS_PER_EPOCH, FAR_FUTURE_EPOCH, PARTICIPATION_FLAG_WEIGHTS, TIMELY_HEAD_FLAG_INDEX,
    TIMELY_TARGET_FLAG_INDEX, WEIGHT_DENOMINATOR,
};
use types::{
    AttestationData, BeaconState, Checkpoint, CommitteeIndex, Epoch, ForkName, Gwei, PendingAttestation,
    Slot, Validator, ValidatorIndex,
};

const ETHER: u64 = 1_000_000_000;
/// The epoch that ends.
const EPOCH: u64 = 20;

/// A state at the last slot of an epoch in which much is about to happen to many.
fn draw(fork: ForkName, noise: &mut Noise) -> BeaconState {
    let spec = spec_in(fork);
    let mut state = BeaconState::empty(spec, fork);
    state.slot = Epoch(EPOCH + 1).start_slot(spec) - 1;
    let ring = spec.preset.slots_per_historical_root as usize;
    (0..ring)
        .for_each(|slot| state.block_roots[slot].0[..2].copy_from_slice(&(slot as u16 + 1).to_le_bytes()));
    for epoch in 0..spec.preset.epochs_per_historical_vector as usize {
        state.randao_mixes[epoch].0[..8].copy_from_slice(&noise.next().to_le_bytes());
    }
    let is_leak = noise.below(2) == 0;
    state.finalized_checkpoint.epoch = Epoch(if is_leak { EPOCH - 9 } else { EPOCH - 2 });
    state.previous_justified_checkpoint.epoch = Epoch(EPOCH - 2);
    state.current_justified_checkpoint.epoch = Epoch(EPOCH - 1);
    (0..4).for_each(|place| state.justification_bits.set(place, noise.below(3) > 0));
    let count = 40 + noise.below(400);
    // In every other state something happens to one in a hundred, so that whole pages have nothing or one thing to do.
    let is_calm = noise.below(2) == 0;
    for _ in 0..count {
        let calm = draw_calm_validator(noise);
        let validator =
            if is_calm && noise.below(100) > 0 { calm } else { draw_validator(fork, calm, noise) };
        let effective = validator.effective_balance.0;
        let is_quiet = is_calm && noise.below(100) > 0;
        let balance = if is_quiet { effective + 1000 } else { draw_balance(effective, noise) };
        state.validators.push(validator);
        state.balances.push(Gwei(balance));
        if fork >= ForkName::Altair {
            state.previous_epoch_participation.push(noise.below(8) as u8 | noise.below(8) as u8);
            state.current_epoch_participation.push(noise.below(8) as u8 | noise.below(8) as u8);
            let score = if !is_calm && noise.below(3) == 0 { noise.below(100) as u64 } else { 0 };
            state.inactivity_scores.push(score);
        }
    }
    for place in 0..spec.preset.epochs_per_slashings_vector as usize {
        state.slashings[place] = Gwei(noise.below(40) as u64 * ETHER);
    }
    state.context.caches.enter_epoch(Epoch(EPOCH));
    if fork >= ForkName::Electra {
        state.earliest_exit_epoch = Epoch(EPOCH + noise.below(9) as u64);
        state.exit_balance_to_consume = Gwei(noise.below(100) as u64 * ETHER);
    }
    if fork >= ForkName::Fulu {
        let slots = spec.preset.slots_per_epoch as usize * 2;
        state.proposer_lookahead = (0..slots as u64).map(ValidatorIndex).collect();
    }
    if fork == ForkName::Phase0 {
        draw_attestations(&mut state, noise);
    }
    state
}

/// A validator to whom nothing happens.
fn draw_calm_validator(noise: &mut Noise) -> Validator {
    let mut validator = Validator { effective_balance: Gwei(32 * ETHER), ..Validator::default() };
    validator.pubkey.0[..8].copy_from_slice(&noise.next().to_le_bytes());
    validator.withdrawal_credentials.0[0] = noise.below(3) as u8;
    (validator.exit_epoch, validator.withdrawable_epoch) = (FAR_FUTURE_EPOCH, FAR_FUTURE_EPOCH);
    validator
}

fn draw_validator(fork: ForkName, mut validator: Validator, noise: &mut Noise) -> Validator {
    let near = |noise: &mut Noise| Epoch(EPOCH - 2 + noise.below(5) as u64);
    match noise.below(12) {
        0 => validator.effective_balance = Gwei(noise.below(33) as u64 * ETHER),
        1 if fork >= ForkName::Electra => {
            validator.effective_balance = Gwei(noise.below(2049) as u64 * ETHER)
        }
        2 => validator.activation_epoch = near(noise),
        3 => validator.exit_epoch = near(noise),
        4 => validator.exit_epoch = Epoch(EPOCH + 5 + noise.below(3) as u64),
        5 => {
            validator.slashed = true;
            let half = if noise.below(2) == 0 { 32 } else { noise.below(3) as u64 };
            (validator.exit_epoch, validator.withdrawable_epoch) = (near(noise), Epoch(EPOCH + half));
        }
        6 => {
            validator.activation_epoch = FAR_FUTURE_EPOCH;
            validator.activation_eligibility_epoch = Epoch(EPOCH - 12 + noise.below(14) as u64);
        }
        7 => {
            validator.activation_epoch = FAR_FUTURE_EPOCH;
            validator.activation_eligibility_epoch = FAR_FUTURE_EPOCH;
        }
        8 => validator.effective_balance = Gwei((15 + noise.below(3) as u64) * ETHER),
        _ => {}
    }
    validator
}

fn draw_balance(effective: u64, noise: &mut Noise) -> u64 {
    match noise.below(8) {
        // So little that penalties take it all.
        0 => noise.below(3000) as u64,
        1 => noise.below(40) as u64 * ETHER,
        2 => effective + 1_250_000_000 - 100_000 + noise.below(200_000) as u64,
        3 => effective.saturating_sub(250_000_000) + noise.below(200_000) as u64,
        _ => effective + noise.below(ETHER as usize) as u64,
    }
}

fn draw_attestations(state: &mut BeaconState, noise: &mut Noise) {
    for epoch in [EPOCH - 1, EPOCH] {
        let first = Epoch(epoch).start_slot(state.spec()).0;
        for _ in 0..noise.below(80) {
            let slot = Slot(first + noise.below(7) as u64);
            let index = CommitteeIndex(
                noise.below(get_committee_count_per_slot(state, Epoch(epoch)) as usize) as u64,
            );
            let committee = get_beacon_committee(state, slot, index).unwrap();
            let mut target = get_block_root(state, Epoch(epoch)).unwrap();
            let mut head = get_block_root_at_slot(state, slot).unwrap();
            target.0[31] = u8::from(noise.below(5) == 0);
            head.0[31] = u8::from(noise.below(3) == 0);
            let vote = PendingAttestation {
                aggregation_bits: committee.iter().map(|_| noise.below(3) > 0).collect(),
                data: AttestationData {
                    slot,
                    index,
                    beacon_block_root: head,
                    target: Checkpoint { epoch: Epoch(epoch), root: target },
                    ..AttestationData::default()
                },
                inclusion_delay: Slot(1 + noise.below(8) as u64),
                proposer_index: ValidatorIndex(noise.below(state.validators.len()) as u64),
            };
            match epoch == EPOCH {
                true => state.current_epoch_attestations.push(vote),
                false => state.previous_epoch_attestations.push(vote),
            }
        }
    }
}

/// What a validator did in an epoch, by flag: source, target, head.
type Voted = [bool; 3];

fn votes_of(state: &BeaconState, index: usize, epoch: Epoch) -> Voted {
    let is_current = epoch == get_current_epoch(state);
    if !is_active_validator(&state.validators[index], epoch) {
        return [false; 3];
    }
    if state.fork_name() >= ForkName::Altair {
        let flags =
            if is_current { &state.current_epoch_participation } else { &state.previous_epoch_participation };
        return [0, 1, 2].map(|flag| has_flag(flags[index], flag));
    }
    let found = [
        get_matching_source_attestations(state, epoch).unwrap(),
        get_matching_target_attestations(state, epoch).unwrap(),
        get_matching_head_attestations(state, epoch).unwrap(),
    ];
    found.map(|votes| votes.iter().any(|vote| is_in(state, vote, index)))
}

fn is_in(state: &BeaconState, vote: &PendingAttestation, index: usize) -> bool {
    let committee = get_beacon_committee(state, vote.data.slot, vote.data.index).unwrap();
    committee.iter().zip(vote.aggregation_bits.iter()).any(|(member, bit)| member.as_usize() == index && bit)
}

/// The specification's facts about all validators at the start of the epoch's end.
struct Facts {
    previous: Vec<Voted>,
    eligible: Vec<bool>,
    total: u64,
    /// Of the previous epoch by flag, and of the current epoch's target.
    attesting: [u64; 4],
}

impl Facts {
    fn of(state: &BeaconState) -> Self {
        let (current, previous) = (get_current_epoch(state), get_previous_epoch(state));
        let all = 0..state.validators.len();
        let votes: Vec<Voted> = all.clone().map(|index| votes_of(state, index, previous)).collect();
        let now: Vec<bool> = all.clone().map(|index| votes_of(state, index, current)[1]).collect();
        let sum = |wanted: &dyn Fn(usize) -> bool| {
            let chosen = all.clone().filter(|index| wanted(*index));
            let sum: u64 = chosen.map(|index| state.validators[index].effective_balance.0).sum();
            sum.max(ETHER)
        };
        let unslashed = |index: usize| !state.validators[index].slashed;
        let eligible = state
            .validators
            .iter()
            .map(|v| is_active_validator(v, previous) || v.slashed && previous + 1 < v.withdrawable_epoch);
        Self {
            eligible: eligible.collect(),
            total: sum(&|index| is_active_validator(&state.validators[index], current)),
            attesting: [
                sum(&|index| votes[index][0] && unslashed(index)),
                sum(&|index| votes[index][1] && unslashed(index)),
                sum(&|index| votes[index][2] && unslashed(index)),
                sum(&|index| now[index] && unslashed(index)),
            ],
            previous: votes,
        }
    }

    fn attested(&self, state: &BeaconState, index: usize, flag: usize) -> bool {
        self.previous[index][flag] && !state.validators[index].slashed
    }
}

fn inactivity_updates(state: &mut BeaconState, facts: &Facts) {
    let is_leak = is_in_inactivity_leak(state).unwrap();
    let config = &state.spec().config;
    for index in (0..state.validators.len()).filter(|index| facts.eligible[*index]) {
        let mut score = state.inactivity_scores[index];
        if facts.attested(state, index, TIMELY_TARGET_FLAG_INDEX) {
            score -= score.min(1);
        } else {
            score += config.inactivity_score_bias;
        }
        if !is_leak {
            score -= score.min(config.inactivity_score_recovery_rate);
        }
        state.inactivity_scores[index] = score;
    }
}

/// Rewards and penalties since Altair, component after component.
fn altair_rewards(state: &mut BeaconState, facts: &Facts) {
    let (preset, config) = (&state.spec().preset, &state.spec().config);
    let is_leak = is_in_inactivity_leak(state).unwrap();
    let per_increment = ETHER * preset.base_reward_factor / integer_squareroot(facts.total);
    let quotient = match state.fork_name() {
        ForkName::Altair => preset.inactivity_penalty_quotient_altair,
        _ => preset.inactivity_penalty_quotient_bellatrix,
    };
    for index in (0..state.validators.len()).filter(|index| facts.eligible[*index]) {
        let effective = state.validators[index].effective_balance.0;
        let base = effective / ETHER * per_increment;
        let at = ValidatorIndex(index as u64);
        for (flag, weight) in PARTICIPATION_FLAG_WEIGHTS.into_iter().enumerate() {
            if facts.attested(state, index, flag) {
                let numerator = base * weight * (facts.attesting[flag] / ETHER);
                let reward = numerator / (facts.total / ETHER * WEIGHT_DENOMINATOR);
                increase_balance(state, at, Gwei(if is_leak { 0 } else { reward })).unwrap();
            } else if flag != TIMELY_HEAD_FLAG_INDEX {
                decrease_balance(state, at, Gwei(base * weight / WEIGHT_DENOMINATOR)).unwrap();
            }
        }
        if !facts.attested(state, index, TIMELY_TARGET_FLAG_INDEX) {
            let penalty =
                effective * state.inactivity_scores[index] / (config.inactivity_score_bias * quotient);
            decrease_balance(state, at, Gwei(penalty)).unwrap();
        }
    }
}

/// Rewards and penalties of phase 0: all added up, then applied.
fn phase0_rewards(state: &mut BeaconState, facts: &Facts) {
    let preset = &state.spec().preset;
    let count = state.validators.len();
    let (mut rewards, mut penalties) = (vec![0u64; count], vec![0u64; count]);
    let root = integer_squareroot(facts.total);
    let base = |index: usize| {
        let effective = state.validators[index].effective_balance.0;
        effective * preset.base_reward_factor / root / BASE_REWARDS_PER_EPOCH
    };
    let (is_leak, delay) = (is_in_inactivity_leak(state).unwrap(), get_finality_delay(state).unwrap());
    for index in 0..count {
        let proposer_part = base(index) / preset.proposer_reward_quotient;
        for flag in (0..3).filter(|_| facts.eligible[index]) {
            if !facts.attested(state, index, flag) {
                penalties[index] += base(index);
            } else if is_leak {
                rewards[index] += base(index);
            } else {
                rewards[index] += base(index) * (facts.attesting[flag] / ETHER) / (facts.total / ETHER);
            }
        }
        if facts.attested(state, index, 0) {
            let votes = state.previous_epoch_attestations.iter().filter(|vote| is_in(state, vote, index));
            let first = votes.min_by_key(|vote| vote.inclusion_delay).unwrap();
            rewards[first.proposer_index.as_usize()] += proposer_part;
            rewards[index] += (base(index) - proposer_part) / first.inclusion_delay.0;
        }
        if is_leak && facts.eligible[index] {
            penalties[index] += BASE_REWARDS_PER_EPOCH * base(index) - proposer_part;
            if !facts.attested(state, index, TIMELY_TARGET_FLAG_INDEX) {
                let effective = state.validators[index].effective_balance.0;
                penalties[index] += effective * delay / preset.inactivity_penalty_quotient;
            }
        }
    }
    for index in 0..count {
        let balance = state.balances[index].0 + rewards[index];
        state.balances[index] = Gwei(balance.saturating_sub(penalties[index]));
    }
}

fn registry_updates(state: &mut BeaconState) {
    let (current, fork) = (get_current_epoch(state), state.fork_name());
    let activation = compute_activation_exit_epoch(state.spec(), current);
    let ejection_balance = state.spec().config.ejection_balance;
    for index in 0..state.validators.len() {
        let validator = &state.validators[index];
        let is_low =
            is_active_validator(validator, current) && validator.effective_balance <= ejection_balance;
        let is_new = is_eligible_for_activation_queue(state.spec(), fork, validator);
        let is_due = is_eligible_for_activation(state, validator);
        if is_new {
            state.validators[index].activation_eligibility_epoch = current + 1;
        }
        if is_low && (fork < ForkName::Electra || !is_new) {
            initiate_validator_exit(state, ValidatorIndex(index as u64)).unwrap();
        }
        if fork >= ForkName::Electra && !is_new && !is_low && is_due {
            state.validators[index].activation_epoch = activation;
        }
    }
    if fork >= ForkName::Electra {
        return;
    }
    let mut queue: Vec<usize> = (0..state.validators.len()).collect();
    queue.retain(|index| is_eligible_for_activation(state, &state.validators[*index]));
    queue.sort_by_key(|index| (state.validators[*index].activation_eligibility_epoch, *index));
    let mut churn = get_validator_churn_limit(state);
    if fork == ForkName::Deneb {
        churn = churn.min(state.spec().config.max_per_epoch_activation_churn_limit);
    }
    for index in queue.into_iter().take(churn as usize) {
        state.validators[index].activation_epoch = activation;
    }
}

fn slashings(state: &mut BeaconState, total: u64) {
    let preset = &state.spec().preset;
    let multiplier = match state.fork_name() {
        ForkName::Phase0 => preset.proportional_slashing_multiplier,
        ForkName::Altair => preset.proportional_slashing_multiplier_altair,
        _ => preset.proportional_slashing_multiplier_bellatrix,
    };
    let slashed: u64 = state.slashings.iter().map(|slashed| slashed.0).sum();
    let adjusted = (slashed * multiplier).min(total);
    for index in 0..state.validators.len() {
        let validator = &state.validators[index];
        let due = get_current_epoch(state) + preset.epochs_per_slashings_vector / 2;
        if validator.slashed && validator.withdrawable_epoch == due {
            let increments = validator.effective_balance.0 / ETHER;
            let penalty = match state.fork_name() >= ForkName::Electra {
                true => adjusted / (total / ETHER) * increments,
                false => increments * adjusted / total * ETHER,
            };
            decrease_balance(state, ValidatorIndex(index as u64), Gwei(penalty)).unwrap();
        }
    }
}

fn effective_balance_updates(state: &mut BeaconState) {
    let preset = &state.spec().preset;
    let hysteresis = ETHER / preset.hysteresis_quotient;
    for index in 0..state.validators.len() {
        let (balance, old) = (state.balances[index].0, state.validators[index].effective_balance.0);
        if balance + hysteresis * preset.hysteresis_downward_multiplier < old
            || old + hysteresis * preset.hysteresis_upward_multiplier < balance
        {
            let most = get_max_effective_balance(state.spec(), state.fork_name(), &state.validators[index]);
            state.validators[index].effective_balance = Gwei((balance - balance % ETHER).min(most.0));
        }
    }
}

/// The end of the epoch, step after step. Steps that have no loop over validators are taken from the library.
fn naive_epoch(state: &mut BeaconState) {
    let fork = state.fork_name();
    let facts = Facts::of(state);
    let [_, target, _, current_target] = facts.attesting.map(Gwei);
    weigh_justification_and_finalization(state, Gwei(facts.total), target, current_target).unwrap();
    if fork >= ForkName::Altair {
        inactivity_updates(state, &facts);
        altair_rewards(state, &facts);
    } else {
        phase0_rewards(state, &facts);
    }
    registry_updates(state);
    slashings(state, facts.total);
    process_eth1_data_reset(state);
    effective_balance_updates(state);
    process_slashings_reset(state);
    process_randao_mixes_reset(state);
    if fork < ForkName::Altair {
        process_historical_roots_update(state).unwrap();
        process_participation_record_updates(state);
        return;
    }
    if fork >= ForkName::Capella {
        process_historical_summaries_update(state).unwrap();
    } else {
        process_historical_roots_update(state).unwrap();
    }
    state.previous_epoch_participation = state.current_epoch_participation.clone();
    state.current_epoch_participation = vec![0; state.validators.len()].into();
    if fork >= ForkName::Fulu {
        let mut lookahead = state.proposer_lookahead.to_vec().split_off(8);
        lookahead.append(&mut draw_proposers(&forgetful(state), get_current_epoch(state) + 2).unwrap());
        state.proposer_lookahead = lookahead.into();
    }
}

#[test]
fn drawn_states_end_their_epoch_as_the_loops_of_the_specification_do() {
    let mut noise = Noise(11);
    for fork in ForkName::ALL {
        for round in 0..60 {
            let state = draw(fork, &mut noise);
            let (mut found, mut expected) = (state.clone(), state.clone());
            process_epoch(&mut found).unwrap();
            naive_epoch(&mut expected);
            assert_eq!(found.balances, expected.balances, "{fork}, round {round}: balances");
            assert_eq!(found.validators, expected.validators, "{fork}, round {round}: registry");
            assert!(found == expected, "{fork}, round {round}");
            assert_eq!(found.state_root(), forgetful(&expected).state_root());
        }
    }
}

/// What the end of an epoch leaves for the next one is what a state that remembers nothing computes.
#[test]
fn what_an_epoch_leaves_for_the_next_one_is_what_would_be_found_there() {
    let mut noise = Noise(12);
    for fork in ForkName::ALL {
        for round in 0..20 {
            let mut state = draw(fork, &mut noise);
            for _ in 0..3 {
                let slot = Slot(state.slot.0 + if state.slot.0 % 8 == 7 { 1 } else { 8 });
                process_slots(&mut state, slot).unwrap();
                let (fresh, clone) = (forgetful(&state), state.clone());
                let total = state.context.caches.total_active_balance.get().copied();
                let epoch = get_current_epoch(&state);
                assert_eq!(
                    total,
                    Some((epoch, get_total_active_balance(&fresh).unwrap())),
                    "{fork}, round {round}"
                );
                assert!(clone.context.caches.active[2].get().is_some(), "a clone keeps what was found");
                for epoch in [epoch, epoch + 1] {
                    let [known, new] = [&clone, &fresh].map(|state| committee_cache(state, epoch).unwrap());
                    assert_eq!(known, new, "{fork}, round {round}: committees of epoch {epoch}");
                }
                let [known, new] = [&clone, &fresh].map(get_beacon_proposer_indices);
                assert_eq!(known, new, "{fork}, round {round}: proposers");
            }
        }
    }
}

/// The draw of a sync committee, candidate by candidate.
#[test]
fn a_sync_committee_is_drawn_as_its_candidates_come() {
    let mut noise = Noise(13);
    for fork in [ForkName::Altair, ForkName::Fulu] {
        for _ in 0..5 {
            let state = draw(fork, &mut noise);
            let preset = &state.spec().preset;
            let epoch = get_current_epoch(&state) + 1;
            let active = get_active_validator_indices(&state, epoch);
            let seed = get_seed(&state, epoch, types::constants::DOMAIN_SYNC_COMMITTEE);
            let mut expected = Vec::new();
            for number in 0u64.. {
                if expected.len() as u64 == preset.sync_committee_size {
                    break;
                }
                let (count, rounds) = (active.len() as u64, preset.shuffle_round_count);
                let place = transition::shuffle::compute_shuffled_index(number % count, count, &seed, rounds);
                let candidate = active[place as usize];
                let effective = state.validators[candidate.as_usize()].effective_balance.0;
                let wide = fork >= ForkName::Electra;
                let per_hash = if wide { 16 } else { 32 };
                let random = crypto::hash(&[&seed[..], &(number / per_hash).to_le_bytes()].concat());
                let at = (number % per_hash) as usize;
                let taken = if wide {
                    let value = u64::from(u16::from_le_bytes([random[at * 2], random[at * 2 + 1]]));
                    effective * 0xffff >= preset.max_effective_balance_electra * value
                } else {
                    effective * 0xff >= preset.max_effective_balance * u64::from(random[at])
                };
                if taken {
                    expected.push(candidate);
                }
            }
            assert_eq!(get_next_sync_committee_indices(&state).unwrap(), expected);
        }
    }
}

//! CPU time of each step of an epoch transition, of shufflings and of indices, on a synthetic state.
//!
//! `cargo run --release -p transition --example epoch_steps -- [deneb|fulu|phase0|…] [validators] [full|half|leak|exits]`
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "the core reads no file, a measurement of it does")]

use std::hint::black_box;

use transition::accessors::*;
use transition::epoch::*;
use types::constants::FAR_FUTURE_EPOCH;
use types::*;

/// CPU time of this thread, in ms.
fn cpu() -> f64 {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() as f64 / 1e6
}

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let mixed = (*seed ^ (*seed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

fn spec_in(fork: ForkName) -> &'static Spec {
    let mut text = "PRESET_BASE: 'mainnet'\n".to_owned();
    for begun in ForkName::ALL.into_iter().skip(1) {
        let epoch = if begun <= fork { 0 } else { u64::MAX };
        text.push_str(&format!("{}_FORK_EPOCH: {epoch}\n", begun.as_str().to_uppercase()));
    }
    Spec::from_yaml(&text, None).unwrap()
}

fn build(fork: ForkName, count: u64, kind: &str) -> BeaconState {
    let spec = spec_in(fork);
    let mut state = BeaconState::empty(spec, fork);
    let epoch = Epoch(300);
    state.slot = (epoch + 1).start_slot(spec) - 1;
    let mut seed = 7;
    fill_registry(&mut state, count, kind, &mut seed);
    if fork >= ForkName::Altair {
        fill_participation(&mut state, count, kind, &mut seed);
    }
    let recent = if kind == "leak" { 50 } else { 298 };
    for slot in 0..spec.preset.slots_per_historical_root as usize {
        state.block_roots[slot].0[..8].copy_from_slice(&(slot as u64 + 1).to_le_bytes());
    }
    state.finalized_checkpoint.epoch = Epoch(recent);
    state.previous_justified_checkpoint.epoch = Epoch(recent);
    state.current_justified_checkpoint.epoch = Epoch(recent + 1);
    state.context = StateContext::at(spec, fork, state.slot);
    if fork >= ForkName::Electra {
        fill_queues(&mut state, count);
    }
    if fork >= ForkName::Fulu {
        state.proposer_lookahead = vec![ValidatorIndex(1); 64].into();
    }
    if fork == ForkName::Phase0 {
        fill_votes(&mut state, epoch - 1, &mut seed);
        fill_votes(&mut state, epoch, &mut seed);
    }
    state
}

fn fill_registry(state: &mut BeaconState, count: u64, kind: &str, seed: &mut u64) {
    let electra = state.fork_name() >= ForkName::Electra;
    let (mut validators, mut balances) = (Vec::new(), Vec::new());
    for index in 0..count {
        let mut pubkey = BlsPubkey::ZERO;
        for place in 0..6 {
            pubkey.0[place * 8..place * 8 + 8].copy_from_slice(&random(seed).to_le_bytes());
        }
        let compounds = electra && index % 16 == 0;
        let mut withdrawal_credentials = Root::from([7; 32]);
        withdrawal_credentials.0[0] = 1 + u8::from(compounds);
        let effective = if compounds { 32 + random(seed) % 2016 } else { 32 };
        let ejected = kind == "exits" && index % 4 == 0;
        let effective_balance = Gwei(if ejected { 16 } else { effective } * 1_000_000_000);
        balances.push(Gwei(effective_balance.0 + random(seed) % 100_000_000));
        validators.push(Validator {
            pubkey,
            withdrawal_credentials,
            effective_balance,
            exit_epoch: FAR_FUTURE_EPOCH,
            withdrawable_epoch: FAR_FUTURE_EPOCH,
            ..Validator::default()
        });
    }
    state.validators = validators.into();
    state.balances = balances.into();
}

fn fill_participation(state: &mut BeaconState, count: u64, kind: &str, seed: &mut u64) {
    let half = kind == "half" || kind == "leak";
    let mut flags = || -> Vec<u8> {
        (0..count).map(|_| if half && random(seed).is_multiple_of(2) { 0 } else { 7 }).collect()
    };
    state.previous_epoch_participation = flags().into();
    state.current_epoch_participation = flags().into();
    let mut score = |_| if kind == "leak" { random(seed) % 1000 } else { 0 };
    state.inactivity_scores = (0..count).map(&mut score).collect();
}

/// What waits since Electra: deposits and consolidations.
fn fill_queues(state: &mut BeaconState, count: u64) {
    state.earliest_exit_epoch = Epoch(300);
    for n in 0..1000u64 {
        let validator = &state.validators[(n * 37 % count) as usize];
        let deposit = PendingDeposit {
            pubkey: validator.pubkey,
            withdrawal_credentials: validator.withdrawal_credentials,
            amount: Gwei(1_000_000_000),
            slot: Slot(1000),
            ..PendingDeposit::default()
        };
        state.pending_deposits.push(deposit);
    }
    for n in 0..64u64 {
        let (source, target) = (n * 101 % count, n * 103 % count);
        state.validators[source as usize].exit_epoch = Epoch(200);
        state.validators[source as usize].withdrawable_epoch = Epoch(290);
        state.pending_consolidations.push(PendingConsolidation {
            source_index: ValidatorIndex(source),
            target_index: ValidatorIndex(target),
        });
    }
}

/// The attestations of an epoch in phase 0: 128 a slot.
fn fill_votes(state: &mut BeaconState, epoch: Epoch, seed: &mut u64) {
    let spec = state.spec();
    let current = epoch == state.slot.epoch(spec);
    let (per_slot, count) = (get_committee_count_per_slot(state, epoch), state.validators.len() as u64);
    for slot in epoch.start_slot(spec).0..(epoch + 1).start_slot(spec).0 - u64::from(current) {
        for n in 0..128u64 {
            let index = CommitteeIndex(n % per_slot);
            let size = get_beacon_committee(state, Slot(slot), index).unwrap().len();
            let data = AttestationData {
                slot: Slot(slot),
                index,
                beacon_block_root: state.block_roots[(slot % 8192) as usize],
                source: Checkpoint::default(),
                target: Checkpoint { epoch, root: get_block_root(state, epoch).unwrap() },
            };
            let vote = PendingAttestation {
                aggregation_bits: (0..size).map(|_| random(seed) % 100 < 95).collect(),
                data,
                inclusion_delay: Slot(1 + n / per_slot),
                proposer_index: ValidatorIndex(random(seed) % count),
            };
            if current {
                state.current_epoch_attestations.push(vote);
            } else {
                state.previous_epoch_attestations.push(vote);
            }
        }
    }
}

struct Steps(Vec<(&'static str, Vec<f64>)>);

impl Steps {
    fn run<T>(&mut self, name: &'static str, f: impl FnOnce() -> T) -> T {
        let before = cpu();
        let result = f();
        let time = cpu() - before;
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(time),
            None => self.0.push((name, vec![time])),
        }
        result
    }
}

fn steps(state: &mut BeaconState, t: &mut Steps) {
    let fork = state.fork_name();
    let summary = t.run("summary", || EpochSummary::new(state)).unwrap();
    t.run("justification", || process_justification_and_finalization(state, &summary)).unwrap();
    if fork >= ForkName::Altair {
        t.run("inactivity", || process_inactivity_updates(state, &summary)).unwrap();
    }
    t.run("rewards", || process_rewards_and_penalties(state, &summary)).unwrap();
    t.run("registry", || process_registry_updates(state, &summary)).unwrap();
    t.run("slashings", || process_slashings(state, &summary)).unwrap();
    t.run("eth1", || process_eth1_data_reset(state));
    if fork >= ForkName::Electra {
        t.run("deposits", || process_pending_deposits(state)).unwrap();
        t.run("consolidations", || process_pending_consolidations(state)).unwrap();
    }
    t.run("effective balances", || process_effective_balance_updates(state, &summary)).unwrap();
    t.run("resets", || {
        process_slashings_reset(state);
        process_randao_mixes_reset(state);
    });
    if fork >= ForkName::Altair {
        t.run("participation", || process_participation_flag_updates(state));
        t.run("sync committee", || process_sync_committee_updates(state)).unwrap();
    } else {
        t.run("participation", || process_participation_record_updates(state));
    }
    if fork >= ForkName::Fulu {
        t.run("lookahead", || process_proposer_lookahead(state)).unwrap();
    }
    t.run("drop summary", || drop(summary));
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let arg = |n: usize, default: &str| args.get(n).cloned().unwrap_or(default.to_owned());
    let fork = ForkName::ALL.into_iter().find(|fork| fork.as_str() == arg(1, "deneb")).unwrap();
    let count: u64 = arg(2, "1048576").parse().unwrap();
    let kind = arg(3, "full");
    let before = cpu();
    let state = build(fork, count, &kind);
    println!("{} of {count}, {kind}: built in {:.0} ms", fork.as_str(), cpu() - before);
    let mut t = Steps(Vec::new());
    let rounds = 7;
    for _ in 0..rounds {
        let mut state = state.clone();
        steps(&mut state, &mut t);
        t.run("drop state", || drop(state));
    }
    for _ in 0..rounds {
        let mut state = state.clone();
        t.run("= process_epoch", || process_epoch(&mut state)).unwrap();
        black_box(&state);
    }
    for _ in 0..3 {
        let mut fresh = state.clone();
        fresh.context.caches = StateCaches::at(fresh.slot.epoch(fresh.spec()));
        let current = get_current_epoch(&fresh);
        t.run("committees of the epoch", || committee_cache(&fresh, current)).unwrap();
        t.run("two more", || [current - 1, current + 1].map(|epoch| committee_cache(&fresh, epoch).unwrap()));
        t.run("total active balance", || get_total_active_balance(&fresh)).unwrap();
        t.run("proposers", || get_beacon_proposer_indices(&fresh)).unwrap();
        t.run("index of keys", || validator_index(&fresh, &BlsPubkey::ZERO));
        t.run("unrealized", || compute_unrealized_checkpoints(&fresh)).unwrap();
        t.run("unrealized again", || compute_unrealized_checkpoints(&fresh)).unwrap();
        t.run("next sync committee indices", || get_next_sync_committee_indices(&fresh)).unwrap();
    }
    for (name, mut times) in t.0 {
        times.sort_by(f64::total_cmp);
        println!("{name:<30} min {:>9.3}  median {:>9.3}", times[0], times[times.len() / 2]);
    }
}

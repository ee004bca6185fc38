//! CPU time of each step of an epoch transition, of shufflings and of indices, on a synthetic state.
//!
//! `cargo run --release -p transition --example epoch_steps -- [deneb|fulu|phase0|…] [validators] [full|half|leak|exits]`
#![allow(clippy::unwrap_used, missing_docs)]

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
    let electra = fork >= ForkName::Electra;
    let mut validators = Vec::new();
    let mut balances = Vec::new();
    for index in 0..count {
        let mut pubkey = BlsPubkey::ZERO;
        for place in 0..6 {
            pubkey.0[place * 8..place * 8 + 8].copy_from_slice(&random(&mut seed).to_le_bytes());
        }
        let mut wc = Root::from([7; 32]);
        wc.0[0] = 1 + u8::from(electra && index % 16 == 0);
        let effective = if electra && index % 16 == 0 { 32 + random(&mut seed) % 2016 } else { 32 };
        let mut v = Validator {
            pubkey,
            withdrawal_credentials: wc,
            effective_balance: Gwei(effective * 1_000_000_000),
            exit_epoch: FAR_FUTURE_EPOCH,
            withdrawable_epoch: FAR_FUTURE_EPOCH,
            ..Validator::default()
        };
        if kind == "exits" && index % 4 == 0 {
            v.effective_balance = Gwei(16_000_000_000);
        }
        balances.push(Gwei(v.effective_balance.0 + random(&mut seed) % 100_000_000));
        validators.push(v);
    }
    state.validators = validators.into();
    state.balances = balances.into();
    if fork >= ForkName::Altair {
        let mut flags = |half: bool| -> Vec<u8> {
            (0..count).map(|_| if half && random(&mut seed) % 2 == 0 { 0 } else { 7 }).collect()
        };
        state.previous_epoch_participation = flags(kind == "half" || kind == "leak").into();
        state.current_epoch_participation = flags(kind == "half" || kind == "leak").into();
        let scores: Vec<u64> =
            (0..count).map(|_| if kind == "leak" { random(&mut seed) % 1000 } else { 0 }).collect();
        state.inactivity_scores = scores.into();
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
        state.earliest_exit_epoch = Epoch(300);
        for n in 0..1000u64 {
            let v = &state.validators[(n * 37 % count) as usize];
            let (pubkey, wc) = (v.pubkey, v.withdrawal_credentials);
            let deposit = PendingDeposit {
                pubkey,
                withdrawal_credentials: wc,
                amount: Gwei(1_000_000_000),
                slot: Slot(1000),
                ..PendingDeposit::default()
            };
            state.pending_deposits.push(deposit);
        }
        for n in 0..64u64 {
            let (a, b) = (n * 101 % count, n * 103 % count);
            state.validators[a as usize].exit_epoch = Epoch(200);
            state.validators[a as usize].withdrawable_epoch = Epoch(290);
            state.pending_consolidations.push(PendingConsolidation {
                source_index: ValidatorIndex(a),
                target_index: ValidatorIndex(b),
            });
        }
    }
    if fork >= ForkName::Fulu {
        state.proposer_lookahead = vec![ValidatorIndex(1); 64].into();
    }
    if fork == ForkName::Phase0 {
        for (epoch, current) in [(epoch - 1, false), (epoch, true)] {
            let per_slot = get_committee_count_per_slot(&state, epoch);
            for slot in epoch.start_slot(spec).0..(epoch + 1).start_slot(spec).0 - u64::from(current) {
                for n in 0..128u64 {
                    let index = CommitteeIndex(n % per_slot);
                    let size = get_beacon_committee(&state, Slot(slot), index).unwrap().len();
                    let data = AttestationData {
                        slot: Slot(slot),
                        index,
                        beacon_block_root: state.block_roots[(slot % 8192) as usize],
                        source: Checkpoint::default(),
                        target: Checkpoint { epoch, root: get_block_root(&state, epoch).unwrap() },
                    };
                    let vote = PendingAttestation {
                        aggregation_bits: (0..size).map(|_| random(&mut seed) % 100 < 95).collect(),
                        data,
                        inclusion_delay: Slot(1 + n / per_slot),
                        proposer_index: ValidatorIndex(random(&mut seed) % count),
                    };
                    let list = if current {
                        &mut state.current_epoch_attestations
                    } else {
                        &mut state.previous_epoch_attestations
                    };
                    list.push(vote);
                }
            }
        }
    }
    state
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

//! Chains without signatures through the forks: what the official vectors, which begin at one fork or cross one, do not
//! show.
#![allow(clippy::unwrap_used)]

mod support;

use support::{extend, forgetful, genesis_with, spec_in};
use transition::epoch::{EpochSummary, ValidatorFlags, compute_unrealized_checkpoints};
use types::{BeaconState, Epoch, ForkName, Spec};

const FORKS: [ForkName; 7] = ForkName::ALL;

/// Each fork begins so many epochs after the one before it.
fn spec_with_forks_every(epochs: u64) -> &'static Spec {
    let mut text = "PRESET_BASE: 'minimal'\n".to_owned();
    for (number, fork) in FORKS.iter().enumerate().skip(1) {
        let name = fork.as_str().to_uppercase();
        text.push_str(&format!("{name}_FORK_EPOCH: {}\n", number as u64 * epochs));
    }
    Spec::from_yaml(&text, None).unwrap()
}

fn assert_everyone_took_part(state: &BeaconState) {
    let summary = EpochSummary::new(state).unwrap();
    let took_part = |flag| summary.validators.iter().all(|validator| validator.is_unslashed_attester(flag));
    for flag in
        [ValidatorFlags::PREVIOUS_SOURCE, ValidatorFlags::PREVIOUS_TARGET, ValidatorFlags::PREVIOUS_HEAD]
    {
        assert!(took_part(flag), "{flag:?} at slot {}", state.slot);
    }
}

#[test]
fn a_chain_finalizes_through_every_fork() {
    let mut state = genesis_with(spec_with_forks_every(4), 64);
    for epoch in 1..=(FORKS.len() as u64) * 4 + 1 {
        extend(&mut state, epoch * 8 + 7, 1);
        let place = (epoch / 4).min(FORKS.len() as u64 - 1) as usize;
        assert_eq!(state.fork_name(), FORKS[place], "epoch {epoch}");
        assert_everyone_took_part(&state);
        if epoch >= 4 {
            assert_eq!(state.finalized_checkpoint.epoch, Epoch(epoch - 2));
        }
        let (justified, finalized) = compute_unrealized_checkpoints(&state).unwrap();
        if epoch >= 3 {
            assert_eq!((justified.epoch, finalized.epoch), (Epoch(epoch), Epoch(epoch - 1)));
        }
    }
    assert_eq!(forgetful(&state).state_root(), state.state_root());
}

#[test]
fn a_network_can_start_in_any_fork_and_finalizes() {
    for fork in FORKS {
        let spec = spec_in(fork);
        let mut state = genesis_with(spec, 64);
        assert_eq!(state.fork_name(), fork);
        assert_eq!(state.fork.current_version, spec.fork_version(fork));
        assert_eq!(forgetful(&state), state);
        extend(&mut state, 4 * 8 + 7, 1);
        assert_everyone_took_part(&state);
        assert_eq!(state.finalized_checkpoint.epoch, Epoch(2), "{fork}");
    }
}

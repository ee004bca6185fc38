//! What is made is what the transition accepts.

use std::sync::Arc;

use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{BeaconState, Epoch, ForkName, Spec, SszExt};

use crate::{Chain, Keys, Participation, StatePlan, Votes, genesis_state};

/// The minimal preset with every fork for a hundred epochs.
fn spec() -> &'static Spec {
    static SPEC: std::sync::OnceLock<&'static Spec> = std::sync::OnceLock::new();
    SPEC.get_or_init(|| {
        let mut text = "PRESET_BASE: 'minimal'\n".to_owned();
        for (number, fork) in ForkName::ALL.into_iter().enumerate().skip(1) {
            text += &format!("{}_FORK_EPOCH: {}\n", fork.as_str().to_uppercase(), 100 * number);
        }
        Spec::from_yaml(&text, None).unwrap()
    })
}

fn keys() -> Arc<Keys> {
    static KEYS: std::sync::OnceLock<Arc<Keys>> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| Arc::new(Keys::new(1, 256))).clone()
}

#[test]
fn a_state_is_read_again_as_it_was_and_is_the_same_at_every_call() {
    for fork in ForkName::ALL {
        let plan = StatePlan::new(spec(), fork, 256);
        let state = plan.state(&keys()).unwrap();
        assert_eq!(spec().fork_name_at_slot(state.slot), fork);
        let bytes = state.encoded();
        assert_eq!(BeaconState::decode_any(spec(), &bytes).unwrap(), state);
        assert_eq!(plan.state(&keys()).unwrap().encoded(), bytes);
    }
}

#[test]
fn blocks_on_a_state_pass_the_whole_transition_and_finalize() {
    // Each kind of votes before and after Electra; both for every fork would take long.
    for (fork, votes) in ForkName::ALL.into_iter().zip([Votes::Prompt, Votes::Spread].into_iter().cycle()) {
        let mut state = StatePlan::new(spec(), fork, 256).state(&keys()).unwrap();
        let finalized = state.finalized_checkpoint.epoch;
        let mut chain = Chain::new(state.clone(), keys()).with_votes(votes);
        for _ in 0..2 * spec().preset.slots_per_epoch + 2 {
            let block = chain.next_block().unwrap();
            assert!(!block.message.body.attestations.is_empty());
            state_transition(&mut state, &block, &mut Signatures::Verify, ValidateResult::Yes).unwrap();
        }
        assert!(state.finalized_checkpoint.epoch > finalized, "{fork} {votes:?}");
    }
}

#[test]
fn spread_votes_fill_a_block() {
    // One committee a slot: of each slot of the epoch a part. Since Electra a block holds eight attestations.
    for (fork, expected) in [(ForkName::Phase0, 32), (ForkName::Electra, 8)] {
        let plan = StatePlan::new(Spec::mainnet(), fork, 4096);
        let keys = Arc::new(Keys::new(3, 4096));
        let mut chain = Chain::new(plan.state(&keys).unwrap(), keys).with_votes(Votes::Spread);
        let block = chain.next_block().unwrap();
        assert_eq!(block.message.body.attestations.len(), expected, "{fork}");
    }
}

#[test]
fn half_of_the_votes_do_not_justify_and_a_leak_is_one() {
    for fork in ForkName::ALL {
        for participation in Participation::ALL {
            let mut state =
                StatePlan { participation, ..StatePlan::new(spec(), fork, 256) }.state(&keys()).unwrap();
            let before = state.clone();
            let next = state.slot + 1;
            process_slots(&mut state, next).unwrap();
            let justified = state.current_justified_checkpoint.epoch.0;
            let epoch = before.slot.epoch(spec()).0;
            let lost = |index: usize| before.balances[index] > state.balances[index];
            let idle = (0..256).filter(|index| !participation.votes((*index as u64).into()));
            // Who gets a deposit in this epoch gains more than was lost.
            let waits = |index: &usize| {
                let pubkey = before.validators[*index].pubkey;
                before.pending_deposits.iter().any(|deposit| deposit.pubkey == pubkey)
            };
            let idle: Vec<usize> =
                idle.filter(|index| before.balances[*index] > 0 && !waits(index)).collect();
            match participation {
                Participation::Full | Participation::MassExits => assert_eq!(justified, epoch, "{fork}"),
                Participation::Half => assert_eq!(justified, epoch - 2, "{fork}"),
                Participation::Leak => assert_eq!(justified, epoch - 19, "{fork}"),
            }
            assert!(idle.iter().all(|index| lost(*index)), "{fork} {participation:?}");
            let exits = |state: &BeaconState| {
                state.validators.iter().filter(|validator| validator.exit_epoch != Epoch(u64::MAX)).count()
            };
            assert_eq!(exits(&state) > exits(&before), participation == Participation::MassExits);
        }
    }
}

#[test]
fn a_network_starts_from_its_genesis_and_grows() {
    let payload = types::ExecutionPayload {
        block_hash: types::Root::from([3; 32]),
        ..types::ExecutionPayload::default()
    };
    let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\nCAPELLA_FORK_EPOCH: 0\n\
                DENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 0\nFULU_FORK_EPOCH: 1\n";
    let merged = Spec::from_yaml(text, None).unwrap();
    for spec in [spec(), merged] {
        let mut state = genesis_state(spec, &keys(), 256, 1_700_000_000, Some(&payload)).unwrap();
        let mut chain = Chain::new(state.clone(), keys());
        for _ in 0..4 * spec.preset.slots_per_epoch {
            let block = chain.next_block().unwrap();
            state_transition(&mut state, &block, &mut Signatures::Verify, ValidateResult::Yes).unwrap();
        }
        assert!(state.finalized_checkpoint.epoch > 0);
        assert_eq!(state.state_root(), chain.state().state_root());
    }
    assert!(genesis_state(merged, &keys(), 256, 0, None).is_err());
}

#[test]
fn a_slot_may_be_empty() {
    let mut state = StatePlan::new(spec(), ForkName::Deneb, 256).state(&keys()).unwrap();
    let mut chain = Chain::new(state.clone(), keys());
    let slot = state.slot + 3;
    let block = chain.block_at(slot).unwrap();
    state_transition(&mut state, &block, &mut Signatures::Verify, ValidateResult::Yes).unwrap();
    assert_eq!(block.message.hash_tree_root(state.ctx()), {
        let mut header = state.latest_block_header.clone();
        header.state_root = block.message.state_root;
        header.hash_tree_root(types::Ctx::PLAIN)
    });
}

#[test]
fn what_cannot_be_made_is_refused() {
    let few = StatePlan::new(spec(), ForkName::Deneb, 300).state(&keys()).unwrap_err();
    assert!(few.to_string().contains("256 keys"), "{few}");
    let never = StatePlan::new(Spec::minimal(), ForkName::Deneb, 256).state(&keys()).unwrap_err();
    assert!(never.to_string().contains("not scheduled"), "{never}");
}

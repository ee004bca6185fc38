//! Deposits after genesis: blocks of the engines bring them, and each node follows their logs, as those of production do.

use std::collections::VecDeque;

use deposits::{
    Answer, Consumed, DepositTreeSnapshot, Eth1Chain, ExecutionBlock, Follower, Input, Origin, Output,
    Request,
};
use keys::{bls_withdrawal_credentials, deposit_data, interop_secret_key};
use mock_engine::{DepositSchedule, MockBlock};
use types::{BeaconState, ForkName, Gwei};

use crate::engine::EngineSeat;
use crate::genesis::GENESIS;
use crate::node::Todo;
use crate::scenario::Scenario;
use crate::world::{Event, World};

/// The deposits that blocks of every engine bring: each of the next interop key, with what activation needs.
pub fn schedule(scenario: &Scenario) -> DepositSchedule {
    let (spec, validators) = (scenario.spec, scenario.validators as u64);
    let mut schedule = DepositSchedule::new(validators);
    for (index, block) in (validators..).zip(&scenario.deposits.blocks) {
        let key = interop_secret_key(index);
        let credentials = bls_withdrawal_credentials(&key.public_key());
        let amount = Gwei(spec.preset.max_effective_balance);
        schedule.add(*block, deposit_data(&key, credentials, amount, spec.fork_version(ForkName::Phase0)));
    }
    schedule
}

/// The follower of a node, where the scenario has deposits; from what the node has stored, if anything.
pub fn follower(scenario: &Scenario, genesis: &BeaconState, stored: Option<&[u8]>) -> Option<Follower> {
    if scenario.deposits.blocks.is_empty() {
        return None;
    }
    let origin = DepositTreeSnapshot::of_genesis(genesis, 0).expect("the network begins with validators");
    let stored = stored.map(|bytes| DepositTreeSnapshot::from_bytes(bytes).expect("it was written by us"));
    let follower = Follower::new(scenario.spec, GENESIS.0 / 1000, Origin::Snapshot(origin), stored);
    Some(follower.expect("both snapshots were checked"))
}

impl World {
    /// Tells a node's follower what is final.
    pub(crate) fn tell_follower(&mut self, node: usize, todos: &mut VecDeque<Todo>) {
        let Some(running) = &self.nodes[node].running else { return };
        if let (Some(_), Some(state)) = (&running.eth1, &running.chain.view().finalized_state) {
            todos.push_back(Todo::Eth1(Input::Consumed(Consumed::of(state))));
        }
    }

    /// Gives an input to a node's follower.
    pub(crate) fn eth1_input(&mut self, node: usize, input: Input, todos: &mut VecDeque<Todo>) {
        let clock = self.nodes[node].clock(self.now);
        let generation = self.nodes[node].generation;
        let Some(follower) = self.nodes[node].running.as_mut().and_then(|running| running.eth1.as_mut())
        else {
            return;
        };
        follower.handle(clock, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| follower.poll()).collect();
        for output in outputs {
            match output {
                Output::Ask(request) => {
                    let (least, most) = self.scenario.engines.latency_ms;
                    let at = self.now.after_ms(self.draw(least..=most));
                    let answer = Todo::Eth1(Input::Answer(answer(&self.nodes[node].engine, request)));
                    self.queue.push(at, Event::Deliver { node, generation, todos: vec![answer] });
                }
                Output::Changed(chain) => {
                    self.note_followed(node, &chain);
                    todos.push_back(Todo::Chain(chain::Input::Eth1(chain)));
                }
                Output::Trouble(trouble) => {
                    self.trace.note(self.now, node, format_args!("follows the contract: {trouble}"));
                }
                Output::Finished => {
                    self.trace.note(self.now, node, format_args!("follows the contract no more"));
                }
            }
        }
    }

    fn note_followed(&mut self, node: usize, chain: &Eth1Chain) {
        let (block, count) = (chain.blocks().last().map(|block| block.number), chain.tree().count());
        self.trace.note(self.now, node, format_args!("followed {count} deposits up to block {block:?}"));
        self.nodes[node].deposit_snapshot = chain.tree().get_snapshot().map(|snapshot| snapshot.to_bytes());
    }
}

/// What an engine answers at once.
fn answer(seat: &EngineSeat, request: Request) -> Answer {
    if !seat.is_up {
        return Answer::Failed("connection refused".to_owned());
    }
    let engine = &seat.engine;
    let block = |block: Option<&MockBlock>| {
        block.map(|block| ExecutionBlock {
            hash: block.hash,
            parent_hash: block.parent_hash,
            number: block.number,
            timestamp: block.timestamp,
        })
    };
    match request {
        Request::LatestBlock => Answer::Block(block(engine.block(engine.forkchoice().head_block_hash))),
        Request::BlockByHash(hash) => Answer::Block(block(engine.block(hash))),
        Request::Blocks { first, last } => {
            Answer::Blocks((first..=last).map(|number| block(engine.block_by_number(number))).collect())
        }
        Request::DepositLogs { first, last } => Answer::Logs(engine.deposit_logs(first, last)),
    }
}

#[cfg(test)]
mod tests {
    use transition::accessors::validator_index;
    use types::constants::FAR_FUTURE_EPOCH;
    use types::{BlsPubkey, Epoch, ValidatorIndex};

    use super::*;
    use crate::{Demands, Deposits, Faults, SignatureMode};

    fn pubkey(index: u64) -> BlsPubkey {
        BlsPubkey::from(interop_secret_key(index).public_key().compress())
    }

    /// Four nodes, with blocks of the execution chain left alone for 24 seconds.
    fn scenario(forks: &[(ForkName, u64)], epochs: u64, blocks: &[u64]) -> Scenario {
        let base = Scenario::baseline();
        let forks = forks.iter().map(|(fork, epoch)| (*fork, Epoch(*epoch))).collect();
        let spec = crate::spec_with_forks(&forks).unwrap();
        let mut config = spec.config.clone();
        (config.eth1_follow_distance, config.seconds_per_eth1_block) = (4, 6);
        Scenario {
            spec: types::Spec::new(spec.preset.clone(), config).unwrap(),
            nodes: 4,
            validators: 32,
            epochs,
            deposits: Deposits { blocks: blocks.to_vec() },
            // Deposits are verified by the transition, whatever becomes of other signatures.
            signatures: SignatureMode::Assumed,
            // One node goes on from the snapshot of the contract's tree that it has stored.
            faults: Faults { end_epoch: epochs - 5, crashes: 1, downtime_ms: (1_000, 20_000), ..base.faults },
            demands: Demands { finalized: Some(epochs - 3), ..Demands::default() },
            ..base
        }
    }

    fn head_states(world: &World) -> Vec<&BeaconState> {
        let running = world.nodes.iter().filter_map(|node| node.running.as_ref());
        running.map(|running| &*running.chain.view().head.state).collect()
    }

    #[test]
    fn a_deposit_of_the_contract_becomes_a_validator_that_attests() {
        // The vote of the second period decides at slot 48, and the validator is active from epoch 13 on.
        let scenario = scenario(&[(ForkName::Deneb, 0)], 15, &[3]);
        let mut world = World::new(scenario, 1).unwrap();
        world.run().unwrap_or_else(|violation| panic!("{violation:?}"));
        for state in head_states(&world) {
            assert_eq!((state.eth1_deposit_index, state.eth1_data.deposit_count), (33, 33));
            assert_eq!(state.validators.len(), 33);
            assert_eq!(validator_index(state, &pubkey(32)), Some(ValidatorIndex(32)));
            assert!(state.validators[32].activation_epoch < Epoch(14), "{:?}", state.validators[32]);
            // It has votes in the epoch before: its key signs on the node that has it.
            assert_ne!(state.previous_epoch_participation[32], 0);
        }
    }

    #[test]
    fn deposits_before_across_and_after_electra_become_validators_in_their_order() {
        // Block 3 is voted for and taken before Electra begins at slot 64; block 58 is voted for before, and taken
        // after it; from block 70 on deposits come as requests.
        let scenario = scenario(&[(ForkName::Deneb, 0), (ForkName::Electra, 8)], 15, &[3, 58, 70, 71]);
        let mut world = World::new(scenario, 2).unwrap();
        world.run().unwrap_or_else(|violation| panic!("{violation:?}"));
        for state in head_states(&world) {
            assert_eq!(state.deposit_requests_start_index, 34);
            assert_eq!((state.eth1_deposit_index, state.eth1_data.deposit_count), (34, 34));
            let indices = (32..36).map(|index| validator_index(state, &pubkey(index)).map(|index| index.0));
            assert_eq!(indices.collect::<Vec<_>>(), [Some(32), Some(33), Some(34), Some(35)]);
            assert_ne!(state.validators[32].activation_epoch, FAR_FUTURE_EPOCH);
        }
        assert_eq!(world.counts.crashes, 1);
        // Nobody asks the engines for logs any more.
        let followers = world.nodes.iter().filter_map(|node| node.running.as_ref()?.eth1.as_ref());
        assert!(followers.map(Follower::deadline).all(|deadline| deadline.is_none()));
    }
}

//! Events of the chain as the API sends them.

use api::Topic;
use chain::View;
use types::{Ctx, Spec, SszExt};

/// The API's form of an event, as a view saw it: what is told of a head is `execution_optimistic` where the head is.
pub fn api_event(view: &View, event: chain::Event) -> api::Event {
    use chain::Event;
    let execution_optimistic = view.head.is_optimistic();
    match event {
        Event::BlockGossip { slot, block } => api::Event::BlockGossip { slot, block },
        Event::Block { slot, block } => {
            let mut nodes = view.fork_choice.nodes.iter().rev();
            let node = nodes.find(|summary| summary.node.root == block);
            let execution_optimistic = node.is_some_and(|summary| summary.node.execution.is_optimistic());
            api::Event::Block { slot, block, execution_optimistic }
        }
        Event::Head {
            slot,
            block,
            state,
            epoch_transition,
            previous_duty_dependent_root,
            current_duty_dependent_root,
        } => api::Event::Head {
            slot,
            block,
            state,
            epoch_transition,
            previous_duty_dependent_root,
            current_duty_dependent_root,
            execution_optimistic,
        },
        Event::ChainReorg {
            slot,
            depth,
            old_head_block,
            new_head_block,
            old_head_state,
            new_head_state,
            epoch,
        } => api::Event::ChainReorg {
            slot,
            depth,
            old_head_block,
            new_head_block,
            old_head_state,
            new_head_state,
            epoch,
            execution_optimistic,
        },
        Event::FinalizedCheckpoint { checkpoint, state } => {
            api::Event::FinalizedCheckpoint { checkpoint, state, execution_optimistic }
        }
        operation => operation_event(view.spec, operation),
    }
}

/// What was taken to be included: votes and operations.
fn operation_event(spec: &'static Spec, event: chain::Event) -> api::Event {
    use chain::Event;
    match event {
        Event::Attestation(attestation) => {
            api::Event::Attestation(Box::new(std::sync::Arc::unwrap_or_clone(attestation)))
        }
        Event::Contribution(signed) => {
            let ctx = spec.ctx_at_slot(signed.message.contribution.slot);
            api::Event::Operation(Topic::ContributionAndProof, signed.to_json(ctx))
        }
        // The same in all forks.
        Event::BlsToExecutionChange(signed) => {
            api::Event::Operation(Topic::BlsToExecutionChange, signed.to_json(Ctx::PLAIN))
        }
        Event::VoluntaryExit(exit) => {
            let ctx = spec.ctx_at_slot(exit.message.epoch.start_slot(spec));
            api::Event::Operation(Topic::VoluntaryExit, exit.to_json(ctx))
        }
        Event::ProposerSlashing(slashing) => {
            let ctx = spec.ctx_at_slot(slashing.signed_header_1.message.slot);
            api::Event::Operation(Topic::ProposerSlashing, slashing.to_json(ctx))
        }
        Event::AttesterSlashing(slashing) => {
            let ctx = spec.ctx_at_slot(slashing.attestation_1.data.slot);
            api::Event::Operation(Topic::AttesterSlashing, slashing.to_json(ctx))
        }
        Event::BlockGossip { .. }
        | Event::Block { .. }
        | Event::Head { .. }
        | Event::ChainReorg { .. }
        | Event::FinalizedCheckpoint { .. } => unreachable!("the caller takes those of blocks"),
    }
}

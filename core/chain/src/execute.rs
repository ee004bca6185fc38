//! The job that executes blocks: one from gossip, or several in a row from sync.
//!
//! The signatures of all blocks of a job are verified as one batch. Only where that fails are they verified block by
//! block, to find whose they are.

use std::sync::Arc;

use crypto::SignatureSet;
use fork_choice::AttestationFacts;
use transition::accessors::get_attesting_indices;
use transition::block::process_block;
use transition::epoch::compute_unrealized_checkpoints;
use transition::signatures::block_set;
use transition::{Signatures, TransitionError, process_slots};
use types::{AttesterSlashing, BeaconState, Checkpoint, Root, SignedBeaconBlock, ValidatorIndex};

use crate::job::VerifyEach;
use crate::payload::{has_payload, new_payload_of};

/// Blocks to be executed, each the parent of the next.
#[derive(Debug)]
pub struct ExecuteBlocks {
    /// The post-state of the first block's parent, perhaps advanced towards the first block's slot.
    pub(crate) pre_state: Arc<BeaconState>,
    pub(crate) blocks: Vec<(Root, Arc<SignedBeaconBlock>)>,
    pub(crate) proposer_signatures: ProposerSignatures,
    pub(crate) seed: [u8; 32],
}

/// What is known of the proposers' signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProposerSignatures {
    /// They were verified, as those of gossip blocks are.
    Verified,
    /// They are to be verified.
    Unverified,
}

/// What came of executing blocks.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The valid ones, up to the first that is not.
    pub(crate) valid: Vec<ExecutedBlock>,
    /// Why it stopped before the end.
    pub(crate) stopped: Option<Stopped>,
}

/// Why execution stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The block is invalid.
    Invalid(String),
    /// We cannot tell: a fault of ours.
    Fault(String),
}

/// A valid block, and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct ExecutedBlock {
    pub root: Root,
    pub block: Arc<SignedBeaconBlock>,
    pub state: Arc<BeaconState>,
    pub unrealized_justified: Checkpoint,
    pub unrealized_finalized: Checkpoint,
    /// The votes of its attestations.
    pub votes: Vec<(AttestationFacts, Vec<ValidatorIndex>)>,
    /// Validators that its attester slashings show in both attestations.
    pub equivocators: Vec<ValidatorIndex>,
}

impl ExecuteBlocks {
    pub(crate) fn run(self, verify_each: &mut VerifyEach<'_>) -> Executed {
        let mut state = self.pre_state;
        let mut valid: Vec<ExecutedBlock> = Vec::new();
        let mut sets: Vec<Vec<SignatureSet>> = Vec::new();
        let mut stopped = None;
        for (root, block) in self.blocks {
            match execute(&state, root, block, self.proposer_signatures) {
                Ok((executed, signatures)) => {
                    state = executed.state.clone();
                    valid.push(executed);
                    sets.push(signatures);
                }
                Err(why) => {
                    stopped = Some(why);
                    break;
                }
            }
        }
        let all: Vec<SignatureSet> = sets.iter().flatten().cloned().collect();
        if let Some(first) = verify_each(&all, self.seed).iter().position(Option::is_none) {
            let mut end = 0;
            let ends = sets.iter().map(|of_block| {
                end += of_block.len();
                end
            });
            valid.truncate(ends.take_while(|end| *end <= first).count());
            stopped = Some(Stopped::Invalid("a signature is invalid".into()));
        }
        Executed { valid, stopped }
    }
}

fn execute(
    pre_state: &Arc<BeaconState>,
    root: Root,
    block: Arc<SignedBeaconBlock>,
    proposer_signatures: ProposerSignatures,
) -> Result<(ExecutedBlock, Vec<SignatureSet>), Stopped> {
    let fault = |error: TransitionError| match error {
        TransitionError::Block(_) | TransitionError::BlockSignature | TransitionError::StateRoot { .. } => {
            Stopped::Invalid(error.to_string())
        }
        _ => Stopped::Fault(error.to_string()),
    };
    let message = &block.message;
    let spec = pre_state.spec();
    if has_payload(spec, message)
        && let Some(why) = new_payload_of(spec, message).fault()
    {
        return Err(Stopped::Invalid(why.to_owned()));
    }
    let mut state = (**pre_state).clone();
    if state.slot < message.slot {
        process_slots(&mut state, message.slot).map_err(fault)?;
    }
    let mut signatures = Signatures::Collect(Vec::new());
    if proposer_signatures == ProposerSignatures::Unverified && !signatures.take(|| block_set(&state, &block))
    {
        return Err(fault(TransitionError::BlockSignature));
    }
    process_block(&mut state, message, &mut signatures).map_err(|invalid| fault(invalid.into()))?;
    let state_root = state.state_root();
    if message.state_root != state_root {
        return Err(fault(TransitionError::StateRoot { block: message.state_root, state: state_root }));
    }
    let (unrealized_justified, unrealized_finalized) =
        compute_unrealized_checkpoints(&state).map_err(|error| fault(error.into()))?;
    let votes = votes_of(&state, &block).map_err(Stopped::Fault)?;
    let equivocators = message.body.attester_slashings.iter().flat_map(equivocators_of).collect();
    let Signatures::Collect(sets) = signatures else { unreachable!("it was made as Collect") };
    let state = Arc::new(state);
    let executed = ExecutedBlock {
        root,
        block: block.clone(),
        state,
        unrealized_justified,
        unrealized_finalized,
        votes,
        equivocators,
    };
    Ok((executed, sets))
}

fn votes_of(
    state: &BeaconState,
    block: &SignedBeaconBlock,
) -> Result<Vec<(AttestationFacts, Vec<ValidatorIndex>)>, String> {
    let attestations = block.message.body.attestations.iter();
    let vote = |attestation: &types::Attestation| {
        let data = &attestation.data;
        let facts = AttestationFacts {
            slot: data.slot,
            beacon_block_root: data.beacon_block_root,
            target: data.target.clone(),
        };
        let indices = get_attesting_indices(state, attestation);
        indices.map(|indices| (facts, indices)).map_err(|error| error.to_string())
    };
    attestations.map(vote).collect()
}

/// The validators that a slashing shows in both attestations.
pub(crate) fn equivocators_of(slashing: &AttesterSlashing) -> Vec<ValidatorIndex> {
    let second = &slashing.attestation_2.attesting_indices;
    let first = slashing.attestation_1.attesting_indices.iter();
    first.filter(|index| second.binary_search(index).is_ok()).copied().collect()
}

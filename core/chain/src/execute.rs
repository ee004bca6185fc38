//! The job that executes blocks: one from gossip, or several in a row from sync.
//!
//! The signatures of all blocks of a job are verified as one batch. Only where that fails is the block that they belong
//! to executed once more with each signature verified in its place, to tell which one it is.

use std::sync::Arc;

use crypto::{SignatureSet, verify_each};
use fork_choice::AttestationFacts;
use transition::accessors::{get_attesting_indices, get_beacon_proposer_index};
use transition::block::process_block;
use transition::epoch::compute_unrealized_checkpoints;
use transition::signatures::block_set;
use transition::{Signatures, TransitionError, process_slots, verify_block_signature};
use types::{AttesterSlashing, BeaconState, Checkpoint, Root, SignedBeaconBlock, SszExt, ValidatorIndex};

use crate::job::VerifyEach;
use crate::payload::{has_payload, new_payload_of};

/// What [`verdict_on`] says of valid blocks.
pub(crate) const VALID: &str = "valid";

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

/// Why execution stopped, and where.
#[derive(Clone, Debug)]
pub(crate) struct Stopped {
    pub why: Refusal,
    pub block: Arc<SignedBeaconBlock>,
    /// The state that the block was executed on: its parent's post-state, perhaps advanced towards its slot.
    pub pre_state: Arc<BeaconState>,
    /// Whether the block is signed by the proposer of its slot. Whoever likes can make others.
    pub is_signed: bool,
}

/// Why a block is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The block breaks a rule.
    Invalid(String),
    /// The block names another post-state than ours.
    StateRoot(String),
    /// We cannot tell: a fault of ours.
    Fault(String),
}

impl Refusal {
    /// The reason in words.
    pub fn words(&self) -> &str {
        match self {
            Self::Invalid(why) | Self::StateRoot(why) | Self::Fault(why) => why,
        }
    }
}

impl From<TransitionError> for Refusal {
    fn from(error: TransitionError) -> Self {
        let why = error.to_string();
        match error {
            TransitionError::StateRoot { .. } => Self::StateRoot(why),
            // Blocks are given to states of earlier slots.
            TransitionError::SlotNotAfterState { .. } => Self::Fault(why),
            error if error.is_fault() => Self::Fault(why),
            _ => Self::Invalid(why),
        }
    }
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
        let mut state = self.pre_state.clone();
        let mut valid: Vec<ExecutedBlock> = Vec::new();
        let mut sets: Vec<Vec<SignatureSet>> = Vec::new();
        let mut stopped = None;
        for (root, block) in self.blocks {
            let mut signatures = Signatures::Collect(Vec::new());
            match execute(&state, root, block.clone(), self.proposer_signatures, &mut signatures) {
                Ok(executed) => {
                    state = executed.state.clone();
                    valid.push(executed);
                    sets.push(signatures.into_collected());
                }
                Err(why) => {
                    stopped = Some(Stopped::at(state, block, why, self.proposer_signatures));
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
            let before = ends.take_while(|end| *end <= first).count();
            let (root, block) = (valid[before].root, valid[before].block.clone());
            valid.truncate(before);
            let pre_state = valid.last().map_or(self.pre_state, |last| last.state.clone());
            let again =
                execute(&pre_state, root, block.clone(), self.proposer_signatures, &mut Signatures::Verify);
            let why =
                again.err().unwrap_or_else(|| Refusal::Fault("a signature is valid only by itself".into()));
            stopped = Some(Stopped::at(pre_state, block, why, self.proposer_signatures));
        }
        Executed { valid, stopped }
    }
}

impl Stopped {
    fn at(
        pre_state: Arc<BeaconState>,
        block: Arc<SignedBeaconBlock>,
        why: Refusal,
        proposer_signatures: ProposerSignatures,
    ) -> Self {
        let is_signed = match proposer_signatures {
            ProposerSignatures::Verified => true,
            ProposerSignatures::Unverified => is_signed_by_proposer(&pre_state, &block),
        };
        Self { why, block, pre_state, is_signed }
    }
}

fn is_signed_by_proposer(pre_state: &BeaconState, block: &SignedBeaconBlock) -> bool {
    let mut state = pre_state.clone();
    let is_there = state.slot >= block.message.slot || process_slots(&mut state, block.message.slot).is_ok();
    is_there
        && get_beacon_proposer_index(&state) == Ok(block.message.proposer_index)
        && verify_block_signature(&state, block, &mut Signatures::Verify)
}

/// What production says of blocks, each the parent of the next, on the post-state of the first one's parent: `valid`, or
/// why the first that is not is refused. Their signatures are verified. For those who look into what a node has kept; an
/// engine has no say.
pub fn verdict_on(pre_state: &Arc<BeaconState>, blocks: &[Arc<SignedBeaconBlock>]) -> String {
    let mut state = pre_state.clone();
    for block in blocks {
        let root = block.message.hash_tree_root(state.spec().ctx_at_slot(block.message.slot));
        let job = ExecuteBlocks {
            pre_state: state,
            blocks: vec![(root, block.clone())],
            proposer_signatures: ProposerSignatures::Unverified,
            seed: root.0,
        };
        let executed = job.run(&mut verify_each);
        match (executed.valid.first(), executed.stopped) {
            (Some(valid), None) => state = valid.state.clone(),
            (_, Some(stopped)) => return stopped.why.words().to_owned(),
            (None, None) => unreachable!("a block is valid or stops the job"),
        }
    }
    VALID.to_owned()
}

fn execute(
    pre_state: &Arc<BeaconState>,
    root: Root,
    block: Arc<SignedBeaconBlock>,
    proposer_signatures: ProposerSignatures,
    signatures: &mut Signatures,
) -> Result<ExecutedBlock, Refusal> {
    let transition = |error: TransitionError| Refusal::from(error);
    let message = &block.message;
    let spec = pre_state.spec();
    if has_payload(spec, message)
        && let Some(why) = new_payload_of(spec, message).fault()
    {
        return Err(Refusal::Invalid(why.to_owned()));
    }
    let mut state = (**pre_state).clone();
    if state.slot < message.slot {
        process_slots(&mut state, message.slot).map_err(transition)?;
    }
    if proposer_signatures == ProposerSignatures::Unverified && !signatures.take(|| block_set(&state, &block))
    {
        return Err(transition(TransitionError::BlockSignature));
    }
    process_block(&mut state, message, signatures).map_err(|invalid| transition(invalid.into()))?;
    let state_root = state.state_root();
    if message.state_root != state_root {
        return Err(transition(TransitionError::StateRoot { block: message.state_root, state: state_root }));
    }
    let (unrealized_justified, unrealized_finalized) =
        compute_unrealized_checkpoints(&state).map_err(|error| transition(error.into()))?;
    let votes = votes_of(&state, &block).map_err(Refusal::Fault)?;
    let equivocators = message.body.attester_slashings.iter().flat_map(equivocators_of).collect();
    let state = Arc::new(state);
    Ok(ExecutedBlock {
        root,
        block: block.clone(),
        state,
        unrealized_justified,
        unrealized_finalized,
        votes,
        equivocators,
    })
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

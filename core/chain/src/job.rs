//! Heavy work as values: what leaves the writer's thread, and what comes back.
//!
//! A job is pure: the same job gives the same result, on any thread. Randomness comes in as a seed.

use std::any::Any;
use std::sync::Arc;

use crypto::{Signature, SignatureSet, verify_each};
use data_availability::{Recovery, Sidecar};
use fork_choice::JustifiedBalances;
use transition::accessors::{
    committee_cache, get_beacon_proposer_indices, get_current_epoch, get_total_active_balance,
    sync_committee_validators,
};
use transition::epoch::compute_unrealized_checkpoints;
use transition::predicates::is_active_validator;
use transition::{Signatures, ValidateResult, process_slots, remember_key_sums, state_transition};
use types::{BeaconState, Checkpoint, ForkName, Root, SignedBeaconBlock, Slot};

pub use crate::build::BuildBlock;
pub use crate::data_jobs::{MakeSidecars, VerifySidecars};
pub use crate::execute::{ExecuteBlocks, Executed};
use crate::{Produced, Why, share_equal_parts};

/// Which job to run first: the one with the smaller priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A validator waits for it.
    Production,
    /// A block of the present, or the signature of one.
    Block,
    /// States that something of the present needs.
    State,
    /// Votes and operations.
    Attestation,
    /// Catching up.
    Sync,
}

/// A piece of work. `run` may take up to seconds; a panic in it is for the caller to catch.
#[derive(Debug)]
pub enum Job {
    /// Verifies signatures.
    VerifySignatures(VerifySignatures),
    /// Executes blocks.
    ExecuteBlocks(ExecuteBlocks),
    /// Advances a state through empty slots.
    AdvanceState(AdvanceState),
    /// Executes stored blocks that were verified before.
    ReplayStates(ReplayStates),
    /// Builds a block.
    BuildBlock(Box<BuildBlock>),
    /// Verifies blobs and columns.
    VerifySidecars(VerifySidecars),
    /// Makes sidecars of blobs.
    MakeSidecars(MakeSidecars),
    /// Makes columns of others.
    RecoverColumns(Recovery),
}

/// What came of a job.
#[derive(Clone, Debug)]
pub enum JobResult {
    /// Of [`Job::VerifySignatures`]: for each group what came of it.
    Signatures(Vec<VerifiedGroup>),
    /// Of [`Job::ExecuteBlocks`].
    Executed(Executed),
    /// Of [`Job::AdvanceState`] and [`Job::ReplayStates`], or why there is no state.
    State(Result<AdvancedState, String>),
    /// Of [`Job::BuildBlock`], or why there is no block.
    Built(Result<Box<Produced>, String>),
    /// Of [`Job::VerifySidecars`]: the places of the invalid ones, ascending, each with the rule that it broke.
    InvalidSidecars(Vec<(usize, Why)>),
    /// Of [`Job::MakeSidecars`] and [`Job::RecoverColumns`], or why there are none.
    Sidecars(Result<Vec<Sidecar>, String>),
    /// The job panicked, with this text: a fault of ours, whatever the job was about.
    Panicked(String),
}

/// Groups of signature sets; a group is what one message stands or falls with.
#[derive(Debug)]
pub struct VerifySignatures {
    pub(crate) groups: Vec<Vec<SignatureSet>>,
    pub(crate) seed: [u8; 32],
}

/// Where all sets of a group are valid: the signature of the last one as it was decompressed and checked, 192 bytes. It
/// is the one that votes are added up with. Else the place of the first invalid set.
pub type VerifiedGroup = Result<Option<Signature>, usize>;

/// A state, and the slot to advance it to.
#[derive(Debug)]
pub struct AdvanceState {
    pub(crate) state: Arc<BeaconState>,
    pub(crate) slot: Slot,
    /// Where the state is wanted as that of a justified checkpoint: that checkpoint.
    pub(crate) balances_of: Option<Checkpoint>,
}

/// A stored state, and the blocks that were executed on it before; perhaps none.
#[derive(Debug)]
pub struct ReplayStates {
    pub(crate) state: Arc<BeaconState>,
    /// A state in memory to share with: the head's.
    pub(crate) like: Arc<BeaconState>,
    pub(crate) blocks: Vec<Arc<SignedBeaconBlock>>,
}

/// A state that was made from another.
#[derive(Clone, Debug)]
pub struct AdvancedState {
    pub(crate) state: Arc<BeaconState>,
    /// The balances that votes weigh, where they were asked for.
    pub(crate) balances: Option<Arc<JustifiedBalances>>,
}

/// Gives the signature of each of some sets, none where the set is invalid; the seed is as for [`verify_each`].
pub type VerifyEach<'a> = dyn FnMut(&[SignatureSet], [u8; 32]) -> Vec<Option<Signature>> + 'a;

/// What a panic says, for [`JobResult::Panicked`] and for whoever runs the same job again.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "without a text".to_owned())
}

impl Job {
    /// Does the work.
    pub fn run(self) -> JobResult {
        self.run_with(&mut verify_each)
    }

    /// Does the work, and has signatures judged by `verify_each`: a simulation of many nodes remembers the verdicts,
    /// which are the same for all of them.
    pub fn run_with(self, verify_each: &mut VerifyEach<'_>) -> JobResult {
        match self {
            Self::VerifySignatures(job) => JobResult::Signatures(job.run(verify_each)),
            Self::ExecuteBlocks(job) => JobResult::Executed(job.run(verify_each)),
            Self::AdvanceState(job) => JobResult::State(job.run()),
            Self::ReplayStates(job) => JobResult::State(job.run()),
            Self::BuildBlock(job) => JobResult::Built(job.run().map(Box::new)),
            Self::VerifySidecars(job) => JobResult::InvalidSidecars(job.run()),
            Self::MakeSidecars(job) => JobResult::Sidecars(job.run()),
            Self::RecoverColumns(job) => JobResult::Sidecars(recovered(&job)),
        }
    }

    /// The block that is executed, where it is one alone, as those of the present are.
    pub fn executed_block(&self) -> Option<Root> {
        match self {
            Self::ExecuteBlocks(job) if job.blocks.len() == 1 => job.blocks.first().map(|(root, _)| *root),
            _ => None,
        }
    }

    /// The kind of work, for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::VerifySignatures(_) => "verify_signatures",
            Self::ExecuteBlocks(_) => "execute_blocks",
            Self::AdvanceState(_) => "advance_state",
            Self::ReplayStates(_) => "replay_states",
            Self::BuildBlock(_) => "build_block",
            Self::VerifySidecars(_) => "verify_sidecars",
            Self::MakeSidecars(_) => "make_sidecars",
            Self::RecoverColumns(_) => "recover_columns",
        }
    }
}

impl VerifySignatures {
    /// How many signature sets it verifies as one batch.
    pub fn sets(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    fn run(self, verify_each: &mut VerifyEach<'_>) -> Vec<VerifiedGroup> {
        let lengths: Vec<usize> = self.groups.iter().map(Vec::len).collect();
        let sets: Vec<SignatureSet> = self.groups.into_iter().flatten().collect();
        let mut rest = verify_each(&sets, self.seed).into_iter();
        let mut group = |length: usize| -> VerifiedGroup {
            let signatures: Vec<_> = rest.by_ref().take(length).collect();
            match signatures.iter().position(Option::is_none) {
                Some(invalid) => Err(invalid),
                None => Ok(signatures.last().copied().flatten()),
            }
        };
        lengths.into_iter().map(&mut group).collect()
    }
}

impl AdvanceState {
    fn run(self) -> Result<AdvancedState, String> {
        let mut state = self.state;
        if state.slot < self.slot {
            process_slots(Arc::make_mut(&mut state), self.slot).map_err(|error| error.to_string())?;
        }
        remember(&state);
        let balances = self.balances_of.map(|_| justified_balances(&state)).transpose()?;
        Ok(AdvancedState { state, balances })
    }
}

impl ReplayStates {
    fn run(self) -> Result<AdvancedState, String> {
        let mut state = self.state;
        share_equal_parts(Arc::make_mut(&mut state), &self.like);
        let state = replay(state, &self.blocks)?;
        Ok(AdvancedState { state, balances: None })
    }
}

/// Computes what is computed once an epoch, so that all states that are made of this one, and all who read it, find it
/// done: the committees of this and the next epoch, the proposers, the active balance, what votes weigh, who is who by
/// key. And what each slot needs: the sums of the keys of its committees, and of those that the next block has votes of.
pub(crate) fn remember(state: &BeaconState) {
    let epoch = get_current_epoch(state);
    // Whoever needs what cannot be computed hears of it then.
    let _ = get_total_active_balance(state);
    let _ = get_beacon_proposer_indices(state);
    for epoch in [epoch, epoch + 1] {
        let _ = committee_cache(state, epoch);
    }
    if state.fork_name() >= ForkName::Altair {
        let _ = sync_committee_validators(state, &state.current_sync_committee);
        let _ = compute_unrealized_checkpoints(state);
    }
    for slot in [state.slot.saturating_sub(1), state.slot] {
        let _ = remember_key_sums(state, slot);
    }
}

/// Executes blocks that were verified when they were imported.
pub(crate) fn replay(
    state: Arc<BeaconState>,
    blocks: &[Arc<SignedBeaconBlock>],
) -> Result<Arc<BeaconState>, String> {
    let mut state = state;
    for block in blocks {
        // The state root of each is compared by the next block's parent root, so only the last one is checked.
        let check = match block.message.slot == blocks[blocks.len() - 1].message.slot {
            true => ValidateResult::Yes,
            false => ValidateResult::No,
        };
        state_transition(Arc::make_mut(&mut state), block, &mut Signatures::Skip, check)
            .map_err(|error| format!("slot {}: {error}", block.message.slot))?;
    }
    Ok(state)
}

fn recovered(recovery: &Recovery) -> Result<Vec<Sidecar>, String> {
    let columns = recovery.run().map_err(|error| error.to_string())?;
    Ok(columns.into_iter().map(Arc::new).map(Sidecar::Column).collect())
}

/// The balances of a justified checkpoint's state.
pub(crate) fn justified_balances(state: &BeaconState) -> Result<Arc<JustifiedBalances>, String> {
    let epoch = get_current_epoch(state);
    let of_one = |validator: &types::Validator| {
        (validator.effective_balance, is_active_validator(validator, epoch) && !validator.slashed)
    };
    let total = get_total_active_balance(state).map_err(|error| error.to_string())?;
    let balances = JustifiedBalances::of_validators(state.validators.iter().map(of_one), total);
    balances.map(Arc::new).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crypto::SecretKey;

    use super::*;

    fn set(signer: u8, claimed: u8) -> SignatureSet {
        let key = |number| SecretKey::from_bytes(&[number; 32]).unwrap();
        let message = [signer; 32];
        let signature = key(signer).sign(&message).compress();
        SignatureSet { message, signature, pubkey: key(claimed).public_key() }
    }

    #[test]
    fn a_group_is_as_good_as_its_sets_and_gives_back_the_signature_of_its_last() {
        let (one, two, wrong) = (set(1, 1), set(2, 2), set(3, 1));
        let groups = vec![vec![one, two], vec![one, wrong, two], vec![], vec![wrong], vec![two, one]];
        let job = Job::VerifySignatures(VerifySignatures { groups, seed: [7; 32] });
        let JobResult::Signatures(groups) = job.run() else { panic!("another result") };
        let signature = |set: SignatureSet| Some(Signature::from_compressed(&set.signature).unwrap());
        assert_eq!(groups, [Ok(signature(two)), Err(1), Ok(None), Err(0), Ok(signature(one))]);
    }
}

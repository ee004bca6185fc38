//! A client as far as fork choice needs it: it executes blocks, verifies messages, and tells the store what follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use crypto::verify_signature_sets;
use fork_choice::naive::NaiveStore;
use fork_choice::{
    AnchorBlock, AttestationFacts, BlockFacts, ExecutionStatus, ForkChoice, JustifiedBalances, Origin,
};
use transition::accessors::{
    get_attesting_indices, get_beacon_committee, get_committee_count_per_slot, get_current_epoch,
    get_indexed_attestation, get_total_active_balance,
};
use transition::epoch::compute_unrealized_checkpoints;
use transition::predicates::{
    is_active_validator, is_slashable_attestation_data, is_valid_indexed_attestation,
};
use transition::{Signatures, TransitionError, ValidateResult, process_slots, state_transition};
use types::{
    Attestation, AttestationData, AttesterSlashing, BeaconBlock, BeaconState, Checkpoint, CommitteeIndex,
    Root, SignedBeaconBlock, SszExt, Time, ValidatorIndex,
};

use super::data::Data;
use crate::case::Case;

/// The batch's randomness; vectors do not try to foresee it.
const SEED: [u8; 32] = [42; 32];

/// What a client thinks of what it received.
pub enum Verdict {
    Valid,
    Invalid(String),
}

/// The store, and the states that its answers follow from.
pub struct Client {
    pub fork_choice: ForkChoice,
    /// The specification written down directly.
    naive: NaiveStore,
    /// Post-states of blocks.
    states: BTreeMap<Root, BeaconState>,
}

impl Client {
    pub fn new(case: &Case) -> anyhow::Result<Self> {
        let (state, block) = (case.state("anchor_state.ssz")?, case.ssz::<BeaconBlock>("anchor_block.ssz")?);
        ensure!(block.state_root == state.state_root(), "the anchor's block is not that of its state");
        let anchor = AnchorBlock {
            slot: block.slot,
            root: block.hash_tree_root(state.ctx()),
            parent_root: block.parent_root,
            proposer_index: block.proposer_index,
            state_root: block.state_root,
            justified: state.current_justified_checkpoint.clone(),
            finalized: state.finalized_checkpoint.clone(),
            execution: ExecutionStatus::Irrelevant,
        };
        let genesis_time = Time(state.genesis_time.checked_mul(1000).context("no such genesis")?);
        let mut client = Self {
            naive: NaiveStore::new(state.spec(), &anchor, genesis_time),
            fork_choice: ForkChoice::new(state.spec(), anchor.clone(), genesis_time),
            states: BTreeMap::from([(anchor.root, state)]),
        };
        client.give_balances()?;
        Ok(client)
    }

    pub fn on_tick(&mut self, time: Time) -> anyhow::Result<()> {
        self.fork_choice.on_tick(time);
        self.naive.on_tick(time);
        self.give_balances()
    }

    /// Gives the store the balances that it wants.
    fn give_balances(&mut self) -> anyhow::Result<()> {
        let Some(checkpoint) = self.fork_choice.wants_balances() else { return Ok(()) };
        let balances = Arc::new(justified_balances(&self.checkpoint_state(&checkpoint)?)?);
        self.fork_choice.set_justified_balances(&checkpoint, balances.clone())?;
        self.naive.balances = balances;
        ensure!(self.fork_choice.wants_balances().is_none(), "it wants what it was given");
        Ok(())
    }

    /// The state of a checkpoint's block, advanced to the start of its epoch.
    fn checkpoint_state(&self, checkpoint: &Checkpoint) -> anyhow::Result<BeaconState> {
        let mut state = self.states.get(&checkpoint.root).context("the checkpoint has no state")?.clone();
        let start = checkpoint.epoch.start_slot(state.spec());
        if state.slot < start {
            process_slots(&mut state, start)?;
        }
        Ok(state)
    }

    /// A block from the wire, and its votes and slashings with it.
    pub fn on_block(&mut self, block: &SignedBeaconBlock, data: &Data) -> anyhow::Result<Verdict> {
        let (message, spec) = (&block.message, self.fork_choice.spec());
        let root = message.hash_tree_root(spec.ctx_at_slot(message.slot));
        if self.fork_choice.contains(&root) {
            return Ok(Verdict::Valid);
        }
        if let Err(invalid) = self.fork_choice.may_import(message.slot, &message.parent_root) {
            return Ok(Verdict::Invalid(invalid.to_string()));
        }
        if !data.is_available(spec, block, root, self.fork_choice.get_current_store_epoch())? {
            return Ok(Verdict::Invalid("its data is not available".to_owned()));
        }
        let parent = self.states.get(&message.parent_root).context("the parent has no state")?;
        let state = match execute(parent, block)? {
            Ok(state) => state,
            Err(why) => return Ok(Verdict::Invalid(why)),
        };
        let facts = self.facts(message, root, &state)?;
        if let Err(invalid) = self.fork_choice.on_block(&facts) {
            bail!("may_import let a block pass that the store refuses: {invalid}");
        }
        self.naive.on_block(&facts).context("the naive store refuses the block")?;
        self.give_balances()?;
        self.count_operations(block, &state)?;
        self.states.insert(root, state);
        Ok(Verdict::Valid)
    }

    fn facts(&self, block: &BeaconBlock, root: Root, state: &BeaconState) -> anyhow::Result<BlockFacts> {
        let (unrealized_justified, unrealized_finalized) = compute_unrealized_checkpoints(state)?;
        Ok(BlockFacts {
            slot: block.slot,
            root,
            parent_root: block.parent_root,
            proposer_index: block.proposer_index,
            state_root: block.state_root,
            justified: state.current_justified_checkpoint.clone(),
            finalized: state.finalized_checkpoint.clone(),
            unrealized_justified,
            unrealized_finalized,
            arrived: self.fork_choice.time(),
            execution: ExecutionStatus::Irrelevant,
        })
    }

    /// Counts the votes and slashings in a valid block.
    fn count_operations(&mut self, block: &SignedBeaconBlock, state: &BeaconState) -> anyhow::Result<()> {
        let body = &block.message.body;
        for attestation in &body.attestations {
            let attesters = get_attesting_indices(state, attestation)?;
            let vote = vote_of(&attestation.data);
            // A vote in a block may be for one that nobody here has seen; then it counts for nothing.
            let found = self.fork_choice.on_attestation(&vote, &attesters, Origin::Block).is_ok();
            let by_naive = self.naive.on_attestation(&vote, &attesters, Origin::Block).is_some();
            ensure!(found == by_naive, "a vote in the block counts: {found}, naively: {by_naive}");
        }
        body.attester_slashings.iter().try_for_each(|slashing| self.equivocate(slashing))
    }

    /// An attestation from the wire.
    pub fn on_attestation(&mut self, attestation: &Attestation) -> anyhow::Result<Verdict> {
        let vote = vote_of(&attestation.data);
        let valid = self.fork_choice.validate_on_attestation(&vote, Origin::Wire);
        let by_naive = self.naive.validate_on_attestation(&vote, Origin::Wire);
        ensure!(valid.is_ok() == by_naive, "the vote is {valid:?}, naively {by_naive}");
        if let Err(invalid) = valid {
            return Ok(Verdict::Invalid(invalid.to_string()));
        }
        let state = self.checkpoint_state(&vote.target)?;
        let indexed = match get_indexed_attestation(&state, attestation) {
            Ok(indexed) => indexed,
            Err(error) => return Ok(Verdict::Invalid(error.to_string())),
        };
        if !is_valid_indexed_attestation(&state, &indexed, &mut Signatures::Verify) {
            return Ok(Verdict::Invalid("its signature or its indices are wrong".to_owned()));
        }
        self.fork_choice.on_attestation(&vote, &indexed.attesting_indices, Origin::Wire)?;
        let counted = self.naive.on_attestation(&vote, &indexed.attesting_indices, Origin::Wire);
        counted.context("the naive store refuses the vote")?;
        Ok(Verdict::Valid)
    }

    /// A slashing from the wire.
    pub fn on_attester_slashing(&mut self, slashing: &AttesterSlashing) -> anyhow::Result<Verdict> {
        let (first, second) = (&slashing.attestation_1, &slashing.attestation_2);
        if !is_slashable_attestation_data(&first.data, &second.data) {
            return Ok(Verdict::Invalid("the attestations do not contradict each other".to_owned()));
        }
        let justified = self.fork_choice.justified_checkpoint().root;
        let state = self.states.get(&justified).context("the justified block has no state")?;
        let is_valid =
            |attestation| is_valid_indexed_attestation(state, attestation, &mut Signatures::Verify);
        if !is_valid(first) || !is_valid(second) {
            return Ok(Verdict::Invalid("an attestation is invalid".to_owned()));
        }
        self.equivocate(slashing)?;
        Ok(Verdict::Valid)
    }

    fn equivocate(&mut self, slashing: &AttesterSlashing) -> anyhow::Result<()> {
        let second = &slashing.attestation_2.attesting_indices;
        let first = slashing.attestation_1.attesting_indices.iter();
        let both: Vec<ValidatorIndex> = first.filter(|index| second.contains(index)).copied().collect();
        self.fork_choice.on_attester_slashing(&both)?;
        self.naive.on_attester_slashing(&both);
        Ok(())
    }

    /// The block that a proposer of the current slot builds on.
    pub fn get_proposer_head(&mut self) -> anyhow::Result<Root> {
        let (head, slot) = (self.fork_choice.get_head(), self.fork_choice.get_current_slot());
        let state = self.states.get(&head).context("the head has no state")?;
        let committees = get_committee_count_per_slot(state, get_current_epoch(state));
        let mut members = Vec::new();
        for index in 0..committees {
            members.extend(get_beacon_committee(state, state.slot, CommitteeIndex(index))?.iter());
        }
        let found = self.fork_choice.get_proposer_head(&head, slot, &members)?;
        let by_naive = self.naive.get_proposer_head(head, slot, &members);
        ensure!(by_naive == Some(found), "the proposer's head is {found}, naively {by_naive:?}");
        Ok(found)
    }

    /// Both stores have the same head, of the same weight, and the same checkpoints.
    pub fn compare_heads(&mut self) -> anyhow::Result<()> {
        let (store, naive) = (&mut self.fork_choice, &self.naive);
        let head = store.get_head();
        let found = (head, store.get_weight(&head), store.proposer_boost_root());
        let by_naive = naive.get_head();
        let expected = (by_naive, Some(naive.get_weight(by_naive)), naive.proposer_boost_root);
        ensure!(found == expected, "head, weight and boost are {found:?}, naively {expected:?}");
        let found = [store.justified_checkpoint(), store.finalized_checkpoint()];
        let expected = [&naive.justified_checkpoint, &naive.finalized_checkpoint];
        ensure!(found == expected, "the checkpoints are {found:?}, naively {expected:?}");
        Ok(())
    }
}

/// The post-state of a block, or why it is invalid. An error is a fault that says nothing of the block.
fn execute(parent: &BeaconState, block: &SignedBeaconBlock) -> anyhow::Result<Result<BeaconState, String>> {
    let mut state = parent.clone();
    let mut signatures = Signatures::Collect(Vec::new());
    match state_transition(&mut state, block, &mut signatures, ValidateResult::Yes) {
        Ok(()) if verify_signature_sets(&signatures.into_collected(), SEED) => Ok(Ok(state)),
        Ok(()) => Ok(Err("a signature is invalid".to_owned())),
        Err(
            error @ (TransitionError::Block(_)
            | TransitionError::BlockSignature
            | TransitionError::StateRoot { .. }),
        ) => Ok(Err(error.to_string())),
        Err(fault) => Err(anyhow!(fault)),
    }
}

fn vote_of(data: &AttestationData) -> AttestationFacts {
    AttestationFacts {
        slot: data.slot,
        beacon_block_root: data.beacon_block_root,
        target: data.target.clone(),
    }
}

/// The balances of a justified checkpoint's state.
fn justified_balances(state: &BeaconState) -> anyhow::Result<JustifiedBalances> {
    let epoch = get_current_epoch(state);
    let counts = |validator: &types::Validator| is_active_validator(validator, epoch) && !validator.slashed;
    let validators =
        state.validators.iter().map(|validator| (validator.effective_balance, counts(validator)));
    Ok(JustifiedBalances::of_validators(validators, get_total_active_balance(state)?)?)
}

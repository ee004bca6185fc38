//! The blocks that a node has seen before the messages of a case arrive.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, anyhow, ensure};
use chain::gossip::{BlockStore, KnownBlock};
use serde::Deserialize;
use transition::accessors::get_beacon_proposer_index;
use transition::block::PayloadStatus;
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{
    AttestationData, BeaconState, Checkpoint, Epoch, Root, SignedBeaconBlock, Slot, SszExt, ValidatorIndex,
};

use crate::case::Case;

/// No state is advanced over more slots: no vector asks for it, and a bad one should not run for hours.
const SLOTS_MAX: u64 = 1024;

/// A block as `meta.yaml` names it.
#[derive(Deserialize)]
pub struct Block {
    /// The name of its file.
    block: String,
    /// It was seen and found invalid.
    #[serde(default)]
    failed: bool,
    /// What the execution engine said of its payload.
    payload_status: Option<String>,
}

/// The finalized checkpoint as `meta.yaml` names it, by the root of a block or by its file.
#[derive(Deserialize)]
pub struct Finalized {
    epoch: u64,
    root: Option<String>,
    block: Option<String>,
}

/// Blocks by their roots, and the states after those that are valid.
#[derive(Default)]
pub struct Store {
    /// The slot and the parent.
    blocks: BTreeMap<Root, (Slot, Root)>,
    states: BTreeMap<Root, BeaconState>,
    /// Not validated where there is none.
    payloads: BTreeMap<Root, PayloadStatus>,
    finalized: Checkpoint,
}

impl Store {
    /// Imports the blocks in their order; the first one is that of `state.ssz`, and finalized if nothing else is.
    pub fn new(case: &Case, blocks: &[Block], finalized: Option<&Finalized>) -> anyhow::Result<Self> {
        let mut store = Self::default();
        for block in blocks {
            let signed: SignedBeaconBlock = case.ssz(&format!("{}.ssz", block.block))?;
            store.import(case, &signed, block.failed).with_context(|| block.block.clone())?;
            if let Some(status) = &block.payload_status {
                store.payloads.insert(root_of(case, &signed)?, payload_status(status)?);
            }
        }
        if let Some(Finalized { epoch, root, block }) = finalized {
            let root = match (root, block) {
                (Some(root), None) => root.parse()?,
                (None, Some(block)) => root_of(case, &case.ssz(&format!("{block}.ssz"))?)?,
                _ => return Err(anyhow!("a checkpoint has either a root or a block")),
            };
            store.finalized = Checkpoint { epoch: Epoch(*epoch), root };
        }
        Ok(store)
    }

    fn import(&mut self, case: &Case, signed: &SignedBeaconBlock, failed: bool) -> anyhow::Result<()> {
        let (block, root) = (&signed.message, root_of(case, signed)?);
        if self.blocks.is_empty() {
            let state = case.state("state.ssz")?;
            ensure!(
                !failed && state.state_root() == block.state_root,
                "the first block is not that of the state"
            );
            self.finalized = Checkpoint { epoch: block.slot.epoch(state.spec()), root };
            self.states.insert(root, state);
        } else if !failed {
            let mut state = self.states.get(&block.parent_root).context("the parent is not known")?.clone();
            state_transition(&mut state, signed, &mut Signatures::Verify, ValidateResult::Yes)?;
            self.states.insert(root, state);
        }
        self.blocks.insert(root, (block.slot, block.parent_root));
        Ok(())
    }

    /// A state that tells the committees of the target's epoch: that of the target's block where it is known, else the
    /// given one, advanced to the epoch where it is before.
    pub fn state_for_target<'a>(
        &'a self,
        state: &'a BeaconState,
        data: &AttestationData,
    ) -> anyhow::Result<Cow<'a, BeaconState>> {
        let state = self.states.get(&data.target.root).unwrap_or(state);
        let start = data.target.epoch.start_slot(state.spec());
        if start <= state.slot || start.0 - state.slot.0 > SLOTS_MAX {
            return Ok(Cow::Borrowed(state));
        }
        let mut state = state.clone();
        process_slots(&mut state, start)?;
        Ok(Cow::Owned(state))
    }
}

fn payload_status(text: &str) -> anyhow::Result<PayloadStatus> {
    Ok(match text {
        "VALID" => PayloadStatus::Valid,
        "INVALIDATED" => PayloadStatus::Invalidated,
        "NOT_VALIDATED" => PayloadStatus::NotValidated,
        other => return Err(anyhow!("no payload status {other}")),
    })
}

fn root_of(case: &Case, signed: &SignedBeaconBlock) -> anyhow::Result<Root> {
    Ok(signed.message.hash_tree_root(case.spec()?.ctx(case.fork_name()?)))
}

impl BlockStore for Store {
    fn block(&self, root: &Root) -> KnownBlock {
        let payload = self.payloads.get(root).copied().unwrap_or(PayloadStatus::NotValidated);
        match self.blocks.get(root) {
            None => KnownBlock::Unseen,
            Some(_) if !self.states.contains_key(root) => KnownBlock::Invalid { payload },
            Some((slot, _)) => KnownBlock::Valid { slot: *slot, payload },
        }
    }

    fn finalized_checkpoint(&self) -> Checkpoint {
        self.finalized.clone()
    }

    fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        let start = epoch.start_slot(self.states.values().next()?.spec());
        let mut root = *root;
        loop {
            let (slot, parent) = self.blocks.get(&root)?;
            if *slot <= start {
                return Some(root);
            }
            root = *parent;
        }
    }

    fn expected_proposer(&self, parent: &Root, slot: Slot) -> Option<ValidatorIndex> {
        let mut state = self.states.get(parent)?.clone();
        if slot.0.checked_sub(state.slot.0)? > SLOTS_MAX {
            return None;
        }
        if state.slot < slot {
            process_slots(&mut state, slot).ok()?;
        }
        get_beacon_proposer_index(&state).ok()
    }
}

//! A proposal: the reveal, the block, its signature, its publication.

use ssz::SszExt;
use types::constants::GENESIS_SLOT;
use types::{BlockContents, BlsSignature, Slot};

use crate::Duties;
use crate::duties::Purpose;
use crate::traffic::{Ask, Duty, ProposerDuty};

type Results = Vec<Result<BlsSignature, String>>;

impl Duties {
    /// Starts the proposals of the current slot, each once.
    pub(crate) fn propose(&mut self) {
        let Some(slot) = self.current_slot().filter(|slot| *slot > GENESIS_SLOT) else { return };
        for duty in self.proposals_of(slot) {
            if self.proposed.insert((slot, duty.validator_index)) {
                let request = self.domains.get_epoch_signature(duty.pubkey, slot);
                self.sign(Purpose::Reveal(duty), vec![request]);
            }
        }
    }

    pub(crate) fn reveal_signed(&mut self, duty: ProposerDuty, results: Results) {
        match only(results) {
            Ok(reveal) => self.ask_block(duty, reveal),
            Err(why) => self.proposal_lost(duty, format!("the randao reveal was not signed: {why}")),
        }
    }

    pub(crate) fn ask_block(&mut self, duty: ProposerDuty, randao_reveal: BlsSignature) {
        let ask = Ask::Block { slot: duty.slot, randao_reveal, graffiti: self.graffiti };
        self.ask(Purpose::Block(duty, randao_reveal), ask);
    }

    /// A block is asked for again in the first half of its slot; later it would hardly be voted for.
    pub(crate) fn block_failed(&mut self, duty: ProposerDuty, reveal: BlsSignature, why: &str) {
        let half = self.start_of(duty.slot).after_ms(self.spec.config.slot_duration_ms / 2);
        if !self.again(Purpose::Block(duty, reveal), half) {
            self.proposal_lost(duty, format!("the node gave no block: {why}"));
        }
    }

    pub(crate) fn block_known(
        &mut self,
        duty: ProposerDuty,
        reveal: &BlsSignature,
        contents: Box<BlockContents>,
    ) {
        let block = &contents.block;
        let why = if block.slot != duty.slot {
            format!("the node's block is for slot {}", block.slot)
        } else if block.proposer_index != duty.validator_index {
            format!("the node says that validator {} proposes", block.proposer_index)
        } else if block.body.randao_reveal != *reveal {
            "the node's block has another randao reveal".to_owned()
        } else {
            let request = self.domains.get_block_signature(duty.pubkey, block);
            return self.sign(Purpose::BlockSignature(duty, contents), vec![request]);
        };
        self.proposal_lost(duty, why);
    }

    pub(crate) fn block_signed(
        &mut self,
        duty: ProposerDuty,
        contents: Box<BlockContents>,
        results: Results,
    ) {
        match only(results) {
            Ok(signature) => {
                let root = contents.block.hash_tree_root(self.spec.ctx_at_slot(contents.block.slot));
                let signed = Box::new(contents.signed(signature));
                self.ask(Purpose::BlockPublication(duty, root), Ask::PublishBlock(signed));
            }
            Err(why) => self.proposal_lost(duty, format!("it was not signed: {why}")),
        }
    }

    pub(crate) fn proposal_lost(&mut self, duty: ProposerDuty, why: impl Into<String>) {
        self.missed(Duty::Block(duty.slot), vec![duty.validator_index], why);
    }

    pub(crate) fn close_proposals(&mut self, slot: Slot) {
        for duty in self.proposals_of(slot) {
            if slot > GENESIS_SLOT && !self.proposed.contains(&(slot, duty.validator_index)) {
                self.proposal_lost(duty, "it was learned too late, or the clock leapt over the slot");
            }
        }
    }
}

/// The one result of a request for one signature.
fn only(results: Results) -> Result<BlsSignature, String> {
    match <[_; 1]>::try_from(results) {
        Ok([result]) => result,
        Err(results) => Err(format!("{} signatures instead of one", results.len())),
    }
}

//! Blocks on top of a state, one after the other.

use std::sync::Arc;

use anyhow::Context;
use crypto::SecretKey;
use transition::accessors::{
    get_beacon_committee, get_beacon_proposer_index, get_block_root_at_slot, get_committee_count_per_slot,
    get_current_epoch, get_domain, sync_committee_validators,
};
use transition::block::{is_merge_transition_complete, process_block};
use transition::misc::compute_signing_root;
use transition::{Signatures, process_slots};
use types::constants::{
    DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO, DOMAIN_SYNC_COMMITTEE,
};
use types::{
    Attestation, BeaconBlock, BeaconBlockBody, BeaconState, Bits, BlsSignature, CommitteeIndex, Ctx,
    DomainType, Epoch, ForkName, Root, SignedBeaconBlock, Slot, Ssz, SszExt, SyncAggregate, ValidatorIndex,
};

use crate::{Keys, Participation, Votes, payload, votes};

/// A chain that grows by full blocks: every committee's votes, the sync committee's, a payload without transactions.
///
/// Its validators are those of a state, with synthetic keys; one whose key is not of [`Keys`] makes blocks invalid.
#[derive(Clone, Debug)]
pub struct Chain {
    state: BeaconState,
    keys: Arc<Keys>,
    votes: Votes,
    participation: Participation,
}

impl Chain {
    /// A chain that goes on from a state after a block (or from genesis), with the keys that it was made with.
    pub fn new(state: BeaconState, keys: Arc<Keys>) -> Self {
        Self { state, keys, votes: Votes::Prompt, participation: Participation::Full }
    }

    /// The same with votes that come into blocks otherwise.
    pub fn with_votes(self, votes: Votes) -> Self {
        Self { votes, ..self }
    }

    /// The same with votes of those only that [`Participation::votes`] names.
    pub fn with_participation(self, participation: Participation) -> Self {
        Self { participation, ..self }
    }

    /// The state after the last block.
    pub fn state(&self) -> &BeaconState {
        &self.state
    }

    /// The signed block of the next slot; the chain goes on from it. After an error the chain is of no use.
    pub fn next_block(&mut self) -> anyhow::Result<SignedBeaconBlock> {
        self.block_at(self.state.slot + 1)
    }

    /// The signed block of a later slot, the slots before it empty; otherwise as [`Chain::next_block`].
    pub fn block_at(&mut self, slot: Slot) -> anyhow::Result<SignedBeaconBlock> {
        process_slots(&mut self.state, slot)?;
        let proposer_index = get_beacon_proposer_index(&self.state)?;
        let parent_root = self.state.latest_block_header.hash_tree_root(Ctx::PLAIN);
        let body = self.body(proposer_index, parent_root)?;
        let mut block = BeaconBlock { slot, proposer_index, parent_root, state_root: Root::ZERO, body };
        process_block(&mut self.state, &block, &mut Signatures::Skip).context("a synthetic block")?;
        block.state_root = self.state.state_root();
        let epoch = get_current_epoch(&self.state);
        let proposer = self.keys.secret(proposer_index.as_usize());
        let signature = self.sign(&proposer, &block, DOMAIN_BEACON_PROPOSER, epoch);
        Ok(SignedBeaconBlock { message: block, signature })
    }

    fn body(&self, proposer: ValidatorIndex, parent_root: Root) -> anyhow::Result<BeaconBlockBody> {
        let state = &self.state;
        let epoch = get_current_epoch(state);
        let mut body = BeaconBlockBody {
            randao_reveal: self.sign(&self.keys.secret(proposer.as_usize()), &epoch, DOMAIN_RANDAO, epoch),
            eth1_data: state.eth1_data.clone(),
            attestations: self.attestations()?,
            ..BeaconBlockBody::new_default(state.ctx())
        };
        if state.fork_name() >= ForkName::Altair {
            body.sync_aggregate = self.sync_aggregate()?;
        }
        if state.fork_name() >= ForkName::Capella
            || state.fork_name() == ForkName::Bellatrix && is_merge_transition_complete(state)
        {
            body.execution_payload = payload::next(state, parent_root)?;
        }
        Ok(body)
    }

    fn sign<T: Ssz>(&self, key: &SecretKey, object: &T, domain: DomainType, epoch: Epoch) -> BlsSignature {
        let domain = get_domain(&self.state, domain, epoch);
        let root = compute_signing_root(object, self.state.ctx(), domain);
        BlsSignature::from(key.sign(&root.0).compress())
    }

    /// The attestations that the block at the state's slot is to carry.
    fn attestations(&self) -> anyhow::Result<Vec<Attestation>> {
        let state = &self.state;
        let mut attestations = Vec::new();
        for delay in 1..=state.spec().preset.slots_per_epoch.min(state.slot.0) {
            let slot = Slot(state.slot.0 - delay);
            let parts = votes::parts(state, slot, self.votes);
            if delay > parts {
                break;
            }
            if state.fork_name() >= ForkName::Electra {
                attestations.extend(self.attestation_of_slot(slot, delay - 1, parts)?);
                continue;
            }
            let count = get_committee_count_per_slot(state, slot.epoch(state.spec()));
            for index in (0..count).map(CommitteeIndex) {
                attestations.extend(self.attestation_of_committee(slot, index, delay - 1, parts)?);
            }
        }
        attestations.truncate(votes::most_attestations(state) as usize);
        Ok(attestations)
    }

    /// Until Electra an attestation is of one committee.
    fn attestation_of_committee(
        &self,
        slot: Slot,
        index: CommitteeIndex,
        part: u64,
        parts: u64,
    ) -> anyhow::Result<Option<Attestation>> {
        let committee = get_beacon_committee(&self.state, slot, index)?;
        let (aggregation_bits, voters) = votes::voters(&committee, part, parts, self.participation);
        let data = votes::data(&self.state, slot, index)?;
        Ok(self.keys.aggregate_secret(voters).map(|key| Attestation {
            aggregation_bits,
            signature: self.sign(&key, &data, DOMAIN_BEACON_ATTESTER, data.target.epoch),
            data,
            ..Attestation::default()
        }))
    }

    /// Since Electra an attestation is of all committees of a slot.
    fn attestation_of_slot(&self, slot: Slot, part: u64, parts: u64) -> anyhow::Result<Option<Attestation>> {
        let (state, preset) = (&self.state, &self.state.spec().preset);
        let count = get_committee_count_per_slot(state, slot.epoch(state.spec()));
        let mut committee_bits = Bits::zero(preset.max_committees_per_slot as usize);
        let (mut votes, mut all_voters) = (Vec::new(), Vec::new());
        for index in 0..count {
            let committee = get_beacon_committee(state, slot, CommitteeIndex(index))?;
            let (bits, voters) = votes::voters(&committee, part, parts, self.participation);
            // A committee that is named must have voted.
            if !voters.is_empty() {
                committee_bits.set(index as usize, true);
                votes.extend(bits.iter());
                all_voters.extend(voters);
            }
        }
        let mut aggregation_bits = Bits::zero(votes.len());
        for place in (0..votes.len()).filter(|place| votes[*place]) {
            aggregation_bits.set(place, true);
        }
        let data = votes::data(state, slot, CommitteeIndex(0))?;
        Ok(self.keys.aggregate_secret(all_voters).map(|key| Attestation {
            aggregation_bits,
            signature: self.sign(&key, &data, DOMAIN_BEACON_ATTESTER, data.target.epoch),
            data,
            committee_bits,
        }))
    }

    /// The whole sync committee's votes for the block before.
    fn sync_aggregate(&self) -> anyhow::Result<SyncAggregate> {
        let state = &self.state;
        let committee = sync_committee_validators(state, &state.current_sync_committee)?;
        let mut sync_committee_bits = Bits::zero(committee.len());
        (0..committee.len()).for_each(|place| sync_committee_bits.set(place, true));
        let previous = Slot(state.slot.0 - 1);
        let root = get_block_root_at_slot(state, previous)?;
        let key = self.keys.aggregate_secret(committee).context("a sync committee without members")?;
        let epoch = previous.epoch(state.spec());
        let sync_committee_signature = self.sign(&key, &root, DOMAIN_SYNC_COMMITTEE, epoch);
        Ok(SyncAggregate { sync_committee_bits, sync_committee_signature })
    }
}

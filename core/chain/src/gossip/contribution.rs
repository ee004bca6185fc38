//! `sync_committee_contribution_and_proof`.

use crypto::SignatureSet;
use transition::accessors::public_key;
use types::constants::{
    DOMAIN_CONTRIBUTION_AND_PROOF, DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF, SYNC_COMMITTEE_SUBNET_COUNT,
};
use types::{
    BeaconState, Bits, Root, SignedContributionAndProof, Slot, SszExt, SyncAggregatorSelectionData, Time,
    ValidatorIndex,
};

use super::sync_committee::{
    get_sync_subcommittee_pubkeys, is_sync_committee_aggregator, signing_root, sync_vote_set,
};
use super::{Checked, Seen, is_current_slot};
use crate::{Verdict, Why};

/// The reason for ignoring a contribution whose votes are known.
pub const CONTRIBUTION_KNOWN: Why = Why("already seen contribution for this data");

/// A contribution that passed all rules but its signatures.
#[derive(Clone, Debug)]
pub struct CheckedContribution {
    data: (Slot, Root, u64),
    bits: Bits,
    aggregator: ValidatorIndex,
}

/// [`validate_sync_committee_contribution_and_proof_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md#sync_committee_contribution_and_proof)
/// on the head's state at the present slot.
pub fn validate_sync_committee_contribution_and_proof_gossip(
    seen: &Seen,
    state: &BeaconState,
    signed: &SignedContributionAndProof,
    now: Time,
) -> Result<Checked<CheckedContribution>, Verdict> {
    let (message, contribution) = (&signed.message, &signed.message.contribution);
    if !is_current_slot(state, contribution.slot, now) {
        return Err(Verdict::ignore("contribution is not for the current slot"));
    }
    if contribution.subcommittee_index >= SYNC_COMMITTEE_SUBNET_COUNT {
        return Err(Verdict::reject("subcommittee index out of range"));
    }
    if contribution.aggregation_bits.count_ones() == 0 {
        return Err(Verdict::reject("contribution has no participants"));
    }
    if !is_sync_committee_aggregator(state.spec(), &message.selection_proof) {
        return Err(Verdict::reject("validator is not selected as aggregator"));
    }
    let Some(aggregator) = state.validators.get(message.aggregator_index.as_usize()) else {
        return Err(Verdict::reject("aggregator index out of range"));
    };
    let members = get_sync_subcommittee_pubkeys(state, contribution.subcommittee_index);
    if !members.contains(&aggregator.pubkey) {
        return Err(Verdict::reject("aggregator not in subcommittee"));
    }
    let facts = CheckedContribution {
        data: (contribution.slot, contribution.beacon_block_root, contribution.subcommittee_index),
        bits: contribution.aggregation_bits.clone(),
        aggregator: message.aggregator_index,
    };
    if let Some(verdict) = facts.is_seen(seen) {
        return Err(verdict);
    }
    Ok(Checked { signatures: signatures(state, signed, &members)?, facts })
}

fn signatures(
    state: &BeaconState,
    signed: &SignedContributionAndProof,
    members: &[types::BlsPubkey],
) -> Result<Vec<(SignatureSet, Why)>, Verdict> {
    const SELECTION: Why = Why("invalid selection proof signature");
    const AGGREGATOR: Why = Why("invalid aggregator signature");
    const AGGREGATE: Why = Why("invalid aggregate signature");
    let (message, contribution) = (&signed.message, &signed.message.contribution);
    let slot = contribution.slot;
    let key = public_key(state, message.aggregator_index).map_err(|_| Verdict::Reject(SELECTION))?;
    let subcommittee_index = contribution.subcommittee_index;
    let selection = SyncAggregatorSelectionData { slot, subcommittee_index };
    let selection = SignatureSet {
        message: signing_root(state, DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF, slot, &selection),
        signature: message.selection_proof.0,
        pubkey: key,
    };
    let ctx = state.spec().ctx_at_slot(slot);
    let aggregator = SignatureSet {
        message: signing_root(state, DOMAIN_CONTRIBUTION_AND_PROOF, slot, &message.hash_tree_root(ctx)),
        signature: signed.signature.0,
        pubkey: key,
    };
    let voters: Vec<_> =
        contribution.aggregation_bits.ones().filter_map(|place| members.get(place)).copied().collect();
    let vote = (slot, contribution.beacon_block_root);
    let votes =
        sync_vote_set(state, vote, &voters, contribution.signature).ok_or(Verdict::Reject(AGGREGATE))?;
    Ok(vec![(selection, SELECTION), (aggregator, AGGREGATOR), (votes, AGGREGATE)])
}

impl CheckedContribution {
    /// The verdict where a contribution as good, or another of this aggregator, was seen.
    pub fn is_seen(&self, seen: &Seen) -> Option<Verdict> {
        let known = seen.sync_contribution_data.get(&self.data);
        if known.is_some_and(|known| known.iter().any(|bits| bits.is_superset(&self.bits))) {
            return Some(Verdict::Ignore(CONTRIBUTION_KNOWN));
        }
        let (slot, _, subcommittee) = self.data;
        seen.sync_contribution_aggregator_slots
            .contains(&(slot, self.aggregator, subcommittee))
            .then_some(Verdict::ignore("already seen contribution from this aggregator"))
    }

    /// Remembers the contribution; its signatures are verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        let (slot, _, subcommittee) = self.data;
        seen.sync_contribution_aggregator_slots.insert((slot, self.aggregator, subcommittee));
        let known = seen.sync_contribution_data.entry(self.data).or_default();
        known.retain(|bits| !self.bits.is_superset(bits));
        known.push(self.bits.clone());
    }
}

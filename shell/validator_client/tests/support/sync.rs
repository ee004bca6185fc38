//! The sync committee of the small chain: who is in it, and whether what members send is valid.

use std::collections::BTreeMap;

use api::{Failure, SyncDuty};
use crypto::{Signature, SignatureSet};
use ssz::{Bits, Ssz};
use transition::accessors::{get_domain, public_key, validator_index};
use transition::misc::compute_signing_root;
use types::constants::{
    DOMAIN_CONTRIBUTION_AND_PROOF, DOMAIN_SYNC_COMMITTEE, DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF,
    G2_POINT_AT_INFINITY, SYNC_COMMITTEE_SUBNET_COUNT,
};
use types::{
    BeaconState, BlsPubkey, BlsSignature, DomainType, Epoch, ForkName, Root, SignedContributionAndProof,
    Slot, SyncAggregate, SyncAggregatorSelectionData, SyncCommitteeContribution, SyncCommitteeMessage,
    ValidatorIndex,
};
use validator::is_sync_committee_aggregator;

use super::MiniChain;
use super::chain::{Answer, bad};

/// What of the sync committee's work was seen.
#[derive(Debug, Default)]
pub struct SyncSeen {
    pub messages: Vec<SyncCommitteeMessage>,
    pub contributions: Vec<SignedContributionAndProof>,
    pub subscriptions: usize,
}

/// The committee's keys that sign in a slot.
fn committee(state: &BeaconState, slot: Slot) -> Vec<BlsPubkey> {
    let period = |epoch: Epoch| epoch.0 / state.spec().preset.epochs_per_sync_committee_period;
    let own = period(state.slot.epoch(state.spec())) == period((slot + 1).epoch(state.spec()));
    let committee = if own { &state.current_sync_committee } else { &state.next_sync_committee };
    committee.pubkeys.iter().copied().collect()
}

fn part_size(state: &BeaconState) -> usize {
    (state.spec().preset.sync_committee_size / SYNC_COMMITTEE_SUBNET_COUNT) as usize
}

pub fn duties(chain: &MiniChain, epoch: Epoch, of: &[ValidatorIndex]) -> Answer<Vec<SyncDuty>> {
    if chain.spec.fork_name_at_epoch(epoch) < ForkName::Altair {
        return Ok(Vec::new());
    }
    let now = chain.slot_now();
    let state = chain.state_at(now)?;
    if state.fork_name() < ForkName::Altair {
        return Err(bad("the fork is still to come"));
    }
    let keys = committee(&state, epoch.start_slot(chain.spec).max(now));
    let mut duties = Vec::new();
    for index in of {
        let pubkey = state.validators[index.as_usize()].pubkey;
        let places: Vec<u64> =
            keys.iter().zip(0..).filter(|(key, _)| **key == pubkey).map(|(_, place)| place).collect();
        if !places.is_empty() {
            duties.push(SyncDuty { pubkey, validator_index: *index, places });
        }
    }
    Ok(duties)
}

fn is_signed<T: Ssz>(
    state: &BeaconState,
    of: &[BlsPubkey],
    (domain, slot): (DomainType, Slot),
    object: &T,
    signature: BlsSignature,
) -> bool {
    let key = |pubkey| public_key(state, validator_index(state, pubkey).unwrap()).unwrap();
    let domain = get_domain(state, domain, slot.epoch(state.spec()));
    let message = compute_signing_root(object, state.ctx(), domain).0;
    let keys: Vec<_> = of.iter().map(key).collect();
    SignatureSet::of_keys(message, signature.0, &keys).verify()
}

/// Puts each item to its rules; the chain remembers what was refused.
fn take<T: Clone>(
    chain: &MiniChain,
    items: &[T],
    check: impl Fn(&T) -> Answer<()>,
    keep: impl Fn(&mut SyncSeen, T),
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match check(item) {
            Ok(()) => keep(&mut chain.seen().sync, item.clone()),
            Err(error) => {
                chain.seen().refused.push(format!("sync committee: {error}"));
                failures.push(Failure { index, message: error.message });
            }
        }
    }
    failures
}

fn is_in_time(chain: &MiniChain, slot: Slot) -> bool {
    // What is sent in the last moment of a slot may arrive in the first of the next.
    let now = chain.slot_now();
    slot == now || slot + 1 == now
}

pub fn take_messages(chain: &MiniChain, messages: &[SyncCommitteeMessage]) -> Vec<Failure> {
    let check = |message: &SyncCommitteeMessage| {
        let state = chain.state_at(message.slot)?;
        if state.fork_name() < ForkName::Altair || !is_in_time(chain, message.slot) {
            return Err(bad(format!("slot {} is not the present one", message.slot)));
        }
        let pubkey = state.validators[message.validator_index.as_usize()].pubkey;
        if !committee(&state, message.slot).contains(&pubkey) {
            return Err(bad("not a member"));
        }
        let what = (DOMAIN_SYNC_COMMITTEE, message.slot);
        if !is_signed(&state, &[pubkey], what, &message.beacon_block_root, message.signature) {
            return Err(bad("the signature of a vote is not valid"));
        }
        Ok(())
    };
    take(chain, messages, check, |seen, message| seen.messages.push(message))
}

/// The votes of a slot for a block, by place in the committee.
fn votes(chain: &MiniChain, state: &BeaconState, slot: Slot, root: Root) -> BTreeMap<usize, BlsSignature> {
    let seen = chain.seen();
    let of = |message: &&SyncCommitteeMessage| message.slot == slot && message.beacon_block_root == root;
    let mut by_key = BTreeMap::new();
    for message in seen.sync.messages.iter().filter(of) {
        by_key.insert(state.validators[message.validator_index.as_usize()].pubkey, message.signature);
    }
    let keys = committee(state, slot);
    let vote = |(place, key)| Some((place, *by_key.get(key)?));
    keys.iter().enumerate().filter_map(vote).collect()
}

fn sum<'a>(signatures: impl Iterator<Item = &'a BlsSignature>) -> Option<BlsSignature> {
    let points: Vec<Signature> = signatures.map(|of| Signature::from_compressed(&of.0).unwrap()).collect();
    crypto::aggregate(&points).ok().map(|sum| BlsSignature::from(sum.compress()))
}

pub fn contribution(
    chain: &MiniChain,
    slot: Slot,
    subcommittee_index: u64,
    root: Root,
) -> Answer<SyncCommitteeContribution> {
    let state = chain.state_at(slot)?;
    let size = part_size(&state);
    let first = size * subcommittee_index as usize;
    let mut votes = votes(chain, &state, slot, root);
    votes.retain(|place, _| (first..first + size).contains(place));
    let mut aggregation_bits = Bits::zero(size);
    votes.keys().for_each(|place| aggregation_bits.set(place - first, true));
    let signature = sum(votes.values()).ok_or_else(|| api::ApiError::not_found("no votes"))?;
    Ok(SyncCommitteeContribution {
        slot,
        beacon_block_root: root,
        subcommittee_index,
        aggregation_bits,
        signature,
    })
}

pub fn take_contributions(chain: &MiniChain, all: &[SignedContributionAndProof]) -> Vec<Failure> {
    let check = |signed: &SignedContributionAndProof| {
        let (message, contribution) = (&signed.message, &signed.message.contribution);
        let slot = contribution.slot;
        let state = chain.state_at(slot)?;
        if !is_in_time(chain, slot) {
            return Err(bad(format!("a contribution of slot {slot} is late")));
        }
        let pubkey = state.validators[message.aggregator_index.as_usize()].pubkey;
        let (size, part) = (part_size(&state), contribution.subcommittee_index);
        let keys = committee(&state, slot);
        let keys = &keys[size * part as usize..][..size];
        if !keys.contains(&pubkey) || !is_sync_committee_aggregator(chain.spec, &message.selection_proof) {
            return Err(bad("not an aggregator of the subcommittee"));
        }
        let data = SyncAggregatorSelectionData { slot, subcommittee_index: part };
        let proof = (DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF, slot);
        let outer = (DOMAIN_CONTRIBUTION_AND_PROOF, slot);
        let voters: Vec<BlsPubkey> = contribution.aggregation_bits.ones().map(|place| keys[place]).collect();
        let votes = (DOMAIN_SYNC_COMMITTEE, slot);
        let valid = is_signed(&state, &[pubkey], proof, &data, message.selection_proof)
            && is_signed(&state, &[pubkey], outer, message, signed.signature)
            && is_signed(&state, &voters, votes, &contribution.beacon_block_root, contribution.signature);
        if valid { Ok(()) } else { Err(bad("a signature of a contribution is not valid")) }
    };
    take(chain, all, check, |seen, signed| seen.contributions.push(signed))
}

/// What the next block includes: all votes of the slot before it for its parent.
pub fn sync_aggregate(chain: &MiniChain, state: &BeaconState, slot: Slot, parent: Root) -> SyncAggregate {
    let mut bits = Bits::zero(state.spec().preset.sync_committee_size as usize);
    let before = chain.state_at(slot - 1).ok().filter(|before| before.fork_name() >= ForkName::Altair);
    let votes = before.map(|before| votes(chain, &before, slot - 1, parent)).unwrap_or_default();
    votes.keys().for_each(|place| bits.set(*place, true));
    SyncAggregate {
        sync_committee_bits: bits,
        sync_committee_signature: sum(votes.values()).unwrap_or(G2_POINT_AT_INFINITY),
    }
}

//! `sync_committee_{subnet_id}`.

use types::{BeaconState, Slot, SyncCommitteeMessage, Time, ValidatorIndex};

use super::sync_committee::{compute_subnets_for_sync_committee, sync_vote_set};
use super::{Checked, Seen, is_current_slot};
use crate::{Verdict, Why};

/// A vote for a block that passed all rules but its signature.
#[derive(Clone, Debug)]
pub struct CheckedSyncMessage {
    key: (Slot, ValidatorIndex, u64),
    /// The places of its validator in the subnet's part of the committee.
    pub places: Vec<usize>,
}

/// [`validate_sync_committee_message_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md#sync_committee_subnet_id)
/// on the head's state at the present slot.
pub fn validate_sync_committee_message_gossip(
    seen: &Seen,
    state: &BeaconState,
    message: &SyncCommitteeMessage,
    now: Time,
    subnet_id: u64,
) -> Result<Checked<CheckedSyncMessage>, Verdict> {
    if !is_current_slot(state, message.slot, now) {
        return Err(Verdict::ignore("message is not for the current slot"));
    }
    let index = message.validator_index;
    let Some(validator) = state.validators.get(index.as_usize()) else {
        return Err(Verdict::reject("validator index out of range"));
    };
    let subnets = compute_subnets_for_sync_committee(state, index).into_iter();
    let places: Vec<usize> =
        subnets.filter(|(subnet, _)| *subnet == subnet_id).map(|(_, place)| place).collect();
    if places.is_empty() {
        return Err(Verdict::reject("subnet_id is not valid for the validator"));
    }
    let facts = CheckedSyncMessage { key: (message.slot, index, subnet_id), places };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen message from this validator for this slot and subnet"));
    }
    const INVALID: Why = Why("invalid sync committee message signature");
    let vote = (message.slot, message.beacon_block_root);
    let set = sync_vote_set(state, vote, &[validator.pubkey], message.signature);
    Ok(Checked { signatures: vec![(set.ok_or(Verdict::Reject(INVALID))?, INVALID)], facts })
}

impl CheckedSyncMessage {
    /// True where a valid vote of this validator was seen for the slot on the subnet.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.sync_message_validator_slots.contains(&self.key)
    }

    /// Remembers the vote; its signature is verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.sync_message_validator_slots.insert(self.key);
    }
}

//! The votes of the sync committee.

use types::constants::{G2_POINT_AT_INFINITY, PROPOSER_WEIGHT, SYNC_REWARD_WEIGHT, WEIGHT_DENOMINATOR};
use types::{BeaconState, Gwei, SyncAggregate, ValidatorIndex};

use super::SyncAggregateInvalid;
use crate::accessors::{
    AccessError, get_beacon_proposer_index, get_total_active_balance, sync_committee_validators,
};
use crate::epoch::get_base_reward_per_increment;
use crate::mutators::{decrease_balance, increase_balance};
use crate::signatures::{Signatures, sync_aggregate_set};

/// [`process_sync_aggregate`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#sync-aggregate-processing).
pub fn process_sync_aggregate(
    state: &mut BeaconState,
    aggregate: &SyncAggregate,
    signatures: &mut Signatures,
) -> Result<(), SyncAggregateInvalid> {
    let committee = sync_committee_validators(state, &state.current_sync_committee)?;
    let bits = &aggregate.sync_committee_bits;
    if bits.len() != committee.len() {
        return Err(AccessError::BitsLength { bits: bits.len(), members: committee.len() }.into());
    }
    let participants: Vec<ValidatorIndex> = bits.ones().map(|place| committee[place]).collect();
    // Nobody's signature is the point at infinity, as `eth_fast_aggregate_verify` has it.
    let is_nobody_s = participants.is_empty() && aggregate.sync_committee_signature == G2_POINT_AT_INFINITY;
    let signature = aggregate.sync_committee_signature;
    if !is_nobody_s && !signatures.take(|| sync_aggregate_set(state, &participants, signature)) {
        return Err(SyncAggregateInvalid::Signature);
    }
    let (participant_reward, proposer_reward) =
        rewards(state)?.ok_or(AccessError::Overflow("the reward of a sync committee"))?;
    let proposer = get_beacon_proposer_index(state)?;
    for (participant, voted) in committee.into_iter().zip(bits.iter()) {
        if voted {
            increase_balance(state, participant, participant_reward)?;
            increase_balance(state, proposer, proposer_reward)?;
        } else {
            decrease_balance(state, participant, participant_reward)?;
        }
    }
    Ok(())
}

/// What a vote earns the member of the committee, and the proposer; none where a number leaves 64 bits.
fn rewards(state: &BeaconState) -> Result<Option<(Gwei, Gwei)>, AccessError> {
    let preset = &state.spec().preset;
    let increments = get_total_active_balance(state)?.0 / preset.effective_balance_increment;
    let total_base_rewards = get_base_reward_per_increment(state)?.0.checked_mul(increments);
    let of_committees = total_base_rewards.and_then(|rewards| rewards.checked_mul(SYNC_REWARD_WEIGHT));
    Ok(of_committees.and_then(|rewards| {
        let of_slot = rewards / WEIGHT_DENOMINATOR / preset.slots_per_epoch;
        let of_participant = of_slot / preset.sync_committee_size;
        let of_proposer =
            of_participant.checked_mul(PROPOSER_WEIGHT)? / (WEIGHT_DENOMINATOR - PROPOSER_WEIGHT);
        Some((Gwei(of_participant), Gwei(of_proposer)))
    }))
}

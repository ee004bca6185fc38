//! Sync committees.

use crypto::{PublicKey, eth_aggregate_pubkeys};
use types::constants::DOMAIN_SYNC_COMMITTEE;
use types::{BeaconState, BlsPubkey, SyncCommittee, ValidatorIndex};

use super::{
    AccessError, get_active_validator_indices, get_current_epoch, get_seed, public_key, validator_index,
};
use crate::misc::BalanceLottery;
use crate::shuffle::shuffle_list;

/// [`get_next_sync_committee_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_next_sync_committee_indices),
/// with repetitions; modified in Electra.
pub fn get_next_sync_committee_indices(state: &BeaconState) -> Result<Vec<ValidatorIndex>, AccessError> {
    let preset = &state.spec().preset;
    let epoch = get_current_epoch(state).saturating_add(1);
    let active = get_active_validator_indices(state, epoch);
    if active.is_empty() {
        return Err(AccessError::NoActiveValidators);
    }
    let seed = get_seed(state, epoch, DOMAIN_SYNC_COMMITTEE);
    // The whole list at once: since Electra it takes some 30,000 candidates to find a committee, and to shuffle each
    // of them by itself costs more than all of a registry of a million.
    let shuffled = shuffle_list(active, &seed, preset.shuffle_round_count);
    let mut lottery = BalanceLottery::new(state.spec(), state.fork_name(), &seed);
    let candidates = (0u64..).zip(shuffled.iter().cycle());
    let taken = candidates.filter(|(i, candidate)| {
        lottery.takes(*i, state.validators[candidate.as_usize()].effective_balance.0)
    });
    Ok(taken.take(preset.sync_committee_size as usize).map(|(_, candidate)| *candidate).collect())
}

/// [`get_next_sync_committee`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_next_sync_committee).
pub fn get_next_sync_committee(state: &BeaconState) -> Result<SyncCommittee, AccessError> {
    let indices = get_next_sync_committee_indices(state)?;
    let keys: Vec<PublicKey> =
        indices.iter().map(|index| public_key(state, *index)).collect::<Result<_, _>>()?;
    let sum = eth_aggregate_pubkeys(&keys).map_err(|_| AccessError::NoAggregateKey)?;
    Ok(SyncCommittee {
        pubkeys: indices.iter().map(|index| state.validators[index.as_usize()].pubkey).collect(),
        aggregate_pubkey: BlsPubkey::from(sum.compress()),
    })
}

/// The validators of a sync committee, in its order, with repetitions. Each is a look into the index of keys.
pub fn sync_committee_validators(
    state: &BeaconState,
    committee: &SyncCommittee,
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let found = committee
        .pubkeys
        .iter()
        .map(|pubkey| validator_index(state, pubkey).ok_or(AccessError::NoValidatorOfKey(*pubkey)));
    found.collect()
}

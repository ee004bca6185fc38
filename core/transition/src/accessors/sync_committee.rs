//! Sync committees.

use crypto::{PublicKey, eth_aggregate_pubkeys};
use types::constants::DOMAIN_SYNC_COMMITTEE;
use types::{BeaconState, BlsPubkey, SyncCommittee, ValidatorIndex};

use super::{AccessError, active_set, get_current_epoch, get_seed, public_key, validator_index};
use crate::misc::BalanceLottery;
use crate::shuffle::{Rounds, shuffle_list};

/// After so many candidates the whole list is shuffled: to lead each through the shuffle by itself would cost more.
const SINGLE_CANDIDATES: u64 = 2048;

/// [`get_next_sync_committee_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_next_sync_committee_indices),
/// with repetitions; modified in Electra.
pub fn get_next_sync_committee_indices(state: &BeaconState) -> Result<Vec<ValidatorIndex>, AccessError> {
    let preset = &state.spec().preset;
    let epoch = get_current_epoch(state).saturating_add(1);
    let mut active = active_set(state, epoch).indices();
    let total = active.len() as u64;
    if total == 0 {
        return Err(AccessError::NoActiveValidators);
    }
    let seed = get_seed(state, epoch, DOMAIN_SYNC_COMMITTEE);
    let rounds = Rounds::new(total, &seed, preset.shuffle_round_count);
    let mut lottery = BalanceLottery::new(state.spec(), state.fork_name(), &seed);
    let mut committee = Vec::new();
    // Before Electra nearly every candidate is taken. Since then it takes some 30,000 to find a committee.
    for number in 0u64.. {
        if committee.len() as u64 == preset.sync_committee_size {
            break;
        }
        if number == SINGLE_CANDIDATES {
            shuffle_list(&mut active, &seed, preset.shuffle_round_count);
        }
        let place = number % total;
        let place = if number < SINGLE_CANDIDATES { rounds.place_of(place) } else { place };
        let candidate = active[place as usize];
        if lottery.takes(number, state.validators[candidate as usize].effective_balance.0) {
            committee.push(ValidatorIndex(u64::from(candidate)));
        }
    }
    Ok(committee)
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

//! Which block of the execution chain a proposer votes for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use transition::accessors::AccessError;
use transition::misc::compute_time_at_slot;
use types::{BeaconState, Eth1Data, ForkName, Root, Slot, Spec};

use crate::FollowedBlock;

/// When the voting period of a state began, in seconds.
///
/// [`voting_period_start_time`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#eth1-data)
pub fn voting_period_start_time(state: &BeaconState) -> Result<u64, AccessError> {
    compute_time_at_slot(state, voting_period_start_slot(state.spec(), state.slot))
}

pub(crate) fn voting_period_start_slot(spec: &Spec, slot: Slot) -> Slot {
    let period = (spec.preset.epochs_per_eth1_voting_period * spec.preset.slots_per_epoch).max(1);
    slot - slot.0 % period
}

/// True where a block is old enough to be voted for, and not too old; times in seconds.
///
/// [`is_candidate_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#eth1-data)
pub fn is_candidate_block(spec: &Spec, timestamp: u64, period_start: u64) -> bool {
    let follow_time = follow_time(spec);
    // What does not fit into 64 bits is later than any time there is.
    let later = |by: u64| timestamp.saturating_add(by);
    later(follow_time) <= period_start && later(follow_time.saturating_mul(2)) >= period_start
}

/// How long blocks of the execution chain are left alone, in seconds.
pub(crate) fn follow_time(spec: &Spec) -> u64 {
    spec.config.seconds_per_eth1_block.saturating_mul(spec.config.eth1_follow_distance)
}

/// [`get_eth1_vote`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#eth1-data);
/// modified in Electra. The state is that of the block's slot; blocks ascend.
pub(crate) fn get_eth1_vote(state: &BeaconState, blocks: &[FollowedBlock]) -> Result<Eth1Data, AccessError> {
    let has_finished = state.fork_name() >= ForkName::Electra
        && state.eth1_deposit_index == state.deposit_requests_start_index;
    if has_finished {
        return Ok(state.eth1_data.clone());
    }
    let period_start = voting_period_start_time(state)?;
    let is_considered = |block: &&FollowedBlock| {
        is_candidate_block(state.spec(), block.timestamp, period_start)
            && block.eth1_data.deposit_count >= state.eth1_data.deposit_count
    };
    // By hash, as there may be thousands of votes and of blocks.
    let considered: BTreeMap<Root, &Eth1Data> = blocks
        .iter()
        .filter(is_considered)
        .map(|block| (block.eth1_data.block_hash, &block.eth1_data))
        .collect();
    let mut valid_votes: BTreeMap<Root, (u64, Reverse<usize>)> = BTreeMap::new();
    for (place, vote) in state.eth1_data_votes.iter().enumerate() {
        if considered.get(&vote.block_hash).is_some_and(|considered| *considered == vote) {
            valid_votes.entry(vote.block_hash).or_insert((0, Reverse(place))).0 += 1;
        }
    }
    // Most votes; among equals the one that was voted for first.
    let best = valid_votes.into_iter().max_by_key(|(_, rank)| *rank);
    let vote = match best {
        Some((hash, _)) => considered.get(&hash).copied(),
        None => blocks.iter().rfind(is_considered).map(|block| &block.eth1_data),
    };
    Ok(vote.unwrap_or(&state.eth1_data).clone())
}

#[cfg(test)]
mod tests {
    use types::constants::UNSET_DEPOSIT_REQUESTS_START_INDEX;

    use super::*;

    const FOLLOW_TIME: u64 = 4 * 12;
    const GENESIS_TIME: u64 = 1_000_000;

    fn spec() -> &'static Spec {
        let spec = Spec::minimal();
        let mut config = spec.config.clone();
        (config.eth1_follow_distance, config.seconds_per_eth1_block) = (4, 12);
        Spec::new(spec.preset.clone(), config).unwrap()
    }

    fn eth1_data(number: u64, deposit_count: u64) -> Eth1Data {
        let mut block_hash = Root::from([1; 32]);
        block_hash.0[..8].copy_from_slice(&number.to_le_bytes());
        Eth1Data { deposit_root: Root::from([deposit_count as u8; 32]), deposit_count, block_hash }
    }

    fn block(number: u64, timestamp: u64, deposit_count: u64) -> FollowedBlock {
        FollowedBlock {
            number,
            timestamp,
            parent_hash: Root::ZERO,
            eth1_data: eth1_data(number, deposit_count),
        }
    }

    /// A state in the second voting period, whose contract has 5 deposits.
    fn state(fork: ForkName, votes: &[Eth1Data]) -> BeaconState {
        let mut state = BeaconState::empty(spec(), fork);
        (state.genesis_time, state.slot) = (GENESIS_TIME, Slot(32 + 7));
        state.eth1_data = eth1_data(99, 5);
        state.eth1_data_votes = votes.to_vec().into();
        state
    }

    fn period_start() -> u64 {
        GENESIS_TIME + 32 * 6
    }

    #[test]
    fn the_period_starts_with_the_multiple_of_its_slots() {
        assert_eq!(voting_period_start_time(&state(ForkName::Phase0, &[])), Ok(period_start()));
        let mut late = state(ForkName::Phase0, &[]);
        late.slot = Slot(u64::MAX / 2);
        assert!(voting_period_start_time(&late).is_err());
    }

    #[test]
    fn candidates_are_between_one_and_two_follow_times_old() {
        let start = period_start();
        let candidates: Vec<u64> =
            (start - 200..start).filter(|time| is_candidate_block(spec(), *time, start)).collect();
        assert_eq!(candidates, (start - 2 * FOLLOW_TIME..=start - FOLLOW_TIME).collect::<Vec<_>>());
        assert!(!is_candidate_block(spec(), u64::MAX, start));
    }

    #[test]
    fn without_votes_the_newest_candidate_is_voted_for() {
        let (start, state) = (period_start(), state(ForkName::Phase0, &[]));
        let blocks = [
            block(1, start - 2 * FOLLOW_TIME - 1, 5),
            block(2, start - 2 * FOLLOW_TIME, 5),
            block(3, start - FOLLOW_TIME, 6),
            block(4, start - FOLLOW_TIME + 1, 7),
        ];
        assert_eq!(get_eth1_vote(&state, &blocks), Ok(eth1_data(3, 6)));
        assert_eq!(get_eth1_vote(&state, &blocks[..2]), Ok(eth1_data(2, 5)));
        // None is a candidate, so nothing is changed.
        assert_eq!(get_eth1_vote(&state, &blocks[..1]), Ok(state.eth1_data.clone()));
        assert_eq!(get_eth1_vote(&state, &[]), Ok(state.eth1_data.clone()));
    }

    #[test]
    fn the_contract_never_goes_back() {
        let (start, state) = (period_start(), state(ForkName::Phase0, &[eth1_data(2, 4)]));
        let blocks = [block(2, start - 90, 4), block(3, start - 80, 5), block(4, start - 70, 4)];
        assert_eq!(get_eth1_vote(&state, &blocks), Ok(eth1_data(3, 5)));
    }

    #[test]
    fn most_votes_win_and_among_equals_the_first() {
        let start = period_start();
        let blocks: Vec<FollowedBlock> =
            (1..=4).map(|number| block(number, start - 80 + number, 5)).collect();
        let vote = |votes: &[(u64, u64)]| {
            let votes: Vec<Eth1Data> =
                votes.iter().map(|(number, count)| eth1_data(*number, *count)).collect();
            get_eth1_vote(&state(ForkName::Phase0, &votes), &blocks).unwrap()
        };
        assert_eq!(vote(&[(3, 5), (1, 5), (1, 5)]), eth1_data(1, 5));
        assert_eq!(vote(&[(3, 5), (1, 5), (1, 5), (3, 5)]), eth1_data(3, 5));
        assert_eq!(vote(&[(2, 5), (3, 5), (1, 5)]), eth1_data(2, 5));
        // Votes for what is no candidate, or has other deposits than we know of, do not count.
        assert_eq!(vote(&[(9, 5), (9, 5), (2, 5), (1, 6), (1, 6)]), eth1_data(2, 5));
        assert_eq!(vote(&[(9, 5), (9, 5)]), eth1_data(4, 5));
    }

    #[test]
    fn nothing_is_voted_for_once_deposits_come_as_requests() {
        let blocks = [block(3, period_start() - 80, 6)];
        for (fork, start_index, expected) in [
            (ForkName::Deneb, 3, eth1_data(3, 6)),
            (ForkName::Electra, 3, eth1_data(99, 5)),
            (ForkName::Electra, 4, eth1_data(3, 6)),
            (ForkName::Electra, UNSET_DEPOSIT_REQUESTS_START_INDEX, eth1_data(3, 6)),
        ] {
            let mut state = state(fork, &[]);
            (state.eth1_deposit_index, state.deposit_requests_start_index) = (3, start_index);
            assert_eq!(get_eth1_vote(&state, &blocks), Ok(expected), "{fork} {start_index}");
        }
    }
}

//! What a block says of the execution chain's deposit contract: its vote, and the deposits that are due.

use deposits::{Eth1Chain, eth1_data_after_vote, get_eth1_pending_deposit_count};
use types::{BeaconState, Deposit, Eth1Data};

/// The vote of a block on a state, advanced to the block's slot, and the deposits that it must have. An error says why
/// no block can be proposed.
///
/// Who follows no Eth1 chain knows no vote to be valid, so the default is the data that the state has; and deposits
/// that are due cannot be proven, without which a block is invalid.
pub(crate) fn vote_and_deposits(
    state: &BeaconState,
    eth1: Option<&Eth1Chain>,
) -> Result<(Eth1Data, Vec<Deposit>), String> {
    let Some(eth1) = eth1 else {
        let vote = state.eth1_data.clone();
        return match get_eth1_pending_deposit_count(state, &vote).map_err(|error| error.to_string())? {
            0 => Ok((vote, Vec::new())),
            due => Err(format!("{due} deposits are due, and no Eth1 chain is followed to take them from")),
        };
    };
    let vote = eth1.get_eth1_vote(state).map_err(|error| error.to_string())?;
    let deposits = eth1.deposits_for(state, eth1_data_after_vote(state, &vote));
    Ok((vote, deposits.map_err(|error| error.to_string())?))
}

#[cfg(test)]
mod tests {
    use deposits::DepositTree;
    use types::{DepositData, ForkName, Spec};

    use super::*;

    #[test]
    fn deposits_that_are_due_need_someone_who_follows_the_chain() {
        let mut tree = DepositTree::default();
        tree.append(&vec![DepositData::default(); 5]).unwrap();
        let mut state = BeaconState::empty(Spec::minimal(), ForkName::Deneb);
        state.eth1_data = Eth1Data { deposit_root: tree.root(), deposit_count: 5, ..Eth1Data::default() };
        state.eth1_deposit_index = 2;
        let why = vote_and_deposits(&state, None).unwrap_err();
        assert_eq!(why, "3 deposits are due, and no Eth1 chain is followed to take them from");
        let behind = Eth1Chain::new(Vec::new(), tree.truncated(4).unwrap());
        assert!(vote_and_deposits(&state, Some(&behind)).unwrap_err().contains("followed up to 4 only"));
        let eth1 = Eth1Chain::new(Vec::new(), tree);
        let (vote, deposits) = vote_and_deposits(&state, Some(&eth1)).unwrap();
        assert_eq!((vote, deposits.len()), (state.eth1_data.clone(), 3));
        state.eth1_deposit_index = 5;
        assert_eq!(vote_and_deposits(&state, None), Ok((state.eth1_data.clone(), Vec::new())));
    }
}

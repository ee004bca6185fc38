//! No validator may sign two messages that it could be slashed for, in all of the world's time and through crashes.

use std::collections::BTreeMap;

use types::BlsPubkey;
use validator::rules::{slashable, slashable_blocks};

use super::Violation;
use crate::signer::{History, Record};

/// All that was ever signed.
#[derive(Debug, Default)]
pub struct Slashing {
    signed: BTreeMap<BlsPubkey, History>,
    /// How many signatures were seen.
    pub count: u64,
}

impl Slashing {
    /// A signature left a node.
    pub fn signed(&mut self, node: usize, pubkey: BlsPubkey, record: Record) -> Result<(), Violation> {
        self.count += 1;
        let history = self.signed.entry(pubkey).or_default();
        let before = match record {
            Record::Vote(vote) => {
                history.votes.iter().find(|old| slashable(old, &vote)).map(|old| format!("{old:?}"))
            }
            Record::Proposal(proposal) => {
                let found = history.proposals.iter().find(|old| slashable_blocks(old, &proposal));
                found.map(|old| format!("{old:?}"))
            }
        };
        history.push(record);
        match before {
            Some(before) => {
                let what = format!("validator {pubkey} signed {record:?} after {before}");
                Err(Violation::at("slashable message", node, what))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use types::{Epoch, FixedBytes, Slot};
    use validator::rules::{Proposal, Vote};

    use super::*;

    fn vote(source: u64, target: u64, root: u8) -> Record {
        let signing_root = Some(FixedBytes([root; 32]));
        Record::Vote(Vote { source: Epoch(source), target: Epoch(target), signing_root })
    }

    fn check(records: &[Record]) -> Result<(), Violation> {
        let mut slashing = Slashing::default();
        records.iter().try_for_each(|record| slashing.signed(3, FixedBytes([7; 48]), *record))
    }

    #[test]
    fn a_double_vote_a_surround_and_a_double_block_are_seen() {
        let block =
            |root| Record::Proposal(Proposal { slot: Slot(4), signing_root: Some(FixedBytes([root; 32])) });
        assert!(check(&[vote(0, 1, 1), vote(1, 2, 2), vote(1, 2, 2), block(1), block(1)]).is_ok());
        let double = check(&[vote(0, 1, 1), vote(0, 1, 2)]).unwrap_err();
        assert_eq!((double.rule, double.node), ("slashable message", Some(3)));
        assert!(check(&[vote(1, 2, 1), vote(0, 3, 2)]).is_err());
        assert!(check(&[block(1), block(2)]).is_err());
    }

    #[test]
    fn different_validators_may_disagree() {
        let mut slashing = Slashing::default();
        slashing.signed(0, FixedBytes([1; 48]), vote(0, 1, 1)).unwrap();
        slashing.signed(0, FixedBytes([2; 48]), vote(0, 1, 2)).unwrap();
        assert_eq!(slashing.count, 2);
    }
}

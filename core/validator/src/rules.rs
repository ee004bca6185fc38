//! The rules of slashing, pure: what two messages of one validator may not be, and what may be signed after a history.
//!
//! The database of the validator client enforces the same rules in its own way; these are the plain form of them
//! that tests and the simulator's checker compare with.
//!
//! The conditions are those of the
//! [specification](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_slashable_attestation_data)
//! and of [EIP-3076](https://eips.ethereum.org/EIPS/eip-3076#conditions).

use types::{Epoch, Root, Slot};

/// An attestation as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The source's epoch.
    pub source: Epoch,
    /// The target's epoch.
    pub target: Epoch,
    /// What was signed; none where an imported history does not say, which equals nothing.
    pub signing_root: Option<Root>,
}

/// A proposal as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The block's slot.
    pub slot: Slot,
    /// What was signed; none where an imported history does not say, which equals nothing.
    pub signing_root: Option<Root>,
}

/// Why a message may not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another block was signed for the slot.
    #[error("another block was signed for slot {0}")]
    DoubleProposal(Slot),
    /// The slot is not above all of the history.
    #[error("the slot is not above {0}, the lowest that the history knows")]
    SlotTooLow(Slot),
    /// The source is after the target.
    #[error("the source is after the target")]
    SourceAfterTarget,
    /// Another attestation was signed for the target.
    #[error("another attestation was signed for target {0}")]
    DoubleVote(Epoch),
    /// An attestation in the history would surround this one.
    #[error("it is surrounded by the attestation {0} -> {1}")]
    Surrounded(Epoch, Epoch),
    /// This attestation would surround one in the history.
    #[error("it surrounds the attestation {0} -> {1}")]
    Surrounds(Epoch, Epoch),
    /// The source is below all of the history.
    #[error("the source is below {0}, the lowest that the history knows")]
    SourceTooLow(Epoch),
    /// The target is not above all of the history.
    #[error("the target is not above {0}, the lowest that the history knows")]
    TargetTooLow(Epoch),
}

fn same(a: Option<Root>, b: Option<Root>) -> bool {
    a.is_some() && a == b
}

/// Whether one validator may be slashed for two attestations:
/// [`is_slashable_attestation_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_slashable_attestation_data),
/// in either order.
pub fn slashable(a: &Vote, b: &Vote) -> bool {
    let double = a.target == b.target && !same(a.signing_root, b.signing_root);
    double || surrounds(a, b) || surrounds(b, a)
}

/// Whether one validator may be slashed for two blocks.
pub fn slashable_blocks(a: &Proposal, b: &Proposal) -> bool {
    a.slot == b.slot && !same(a.signing_root, b.signing_root)
}

fn surrounds(outer: &Vote, inner: &Vote) -> bool {
    outer.source < inner.source && inner.target < outer.target
}

/// Whether an attestation may be signed after a history: conditions 3 to 5 of EIP-3076. Signing the same again is
/// allowed.
pub fn may_attest(history: &[Vote], vote: &Vote) -> Result<(), Refusal> {
    if vote.source > vote.target {
        return Err(Refusal::SourceAfterTarget);
    }
    for old in history {
        if old.target == vote.target && !same(old.signing_root, vote.signing_root) {
            return Err(Refusal::DoubleVote(old.target));
        }
        if surrounds(old, vote) {
            return Err(Refusal::Surrounded(old.source, old.target));
        }
        if surrounds(vote, old) {
            return Err(Refusal::Surrounds(old.source, old.target));
        }
    }
    if history.iter().any(|old| old.target == vote.target) {
        return Ok(());
    }
    match history.iter().map(|old| old.source).min() {
        Some(lowest) if vote.source < lowest => return Err(Refusal::SourceTooLow(lowest)),
        _ => {}
    }
    match history.iter().map(|old| old.target).min() {
        Some(lowest) if vote.target <= lowest => Err(Refusal::TargetTooLow(lowest)),
        _ => Ok(()),
    }
}

/// Whether a block may be signed after a history: conditions 1 and 2 of EIP-3076. Signing the same again is allowed.
pub fn may_propose(history: &[Proposal], proposal: &Proposal) -> Result<(), Refusal> {
    if history.iter().any(|old| slashable_blocks(old, proposal)) {
        return Err(Refusal::DoubleProposal(proposal.slot));
    }
    if history.iter().any(|old| old.slot == proposal.slot) {
        return Ok(());
    }
    match history.iter().map(|old| old.slot).min() {
        Some(lowest) if proposal.slot <= lowest => Err(Refusal::SlotTooLow(lowest)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(source: u64, target: u64, root: u8) -> Vote {
        Vote {
            source: Epoch(source),
            target: Epoch(target),
            signing_root: (root > 0).then_some(ssz::FixedBytes([root; 32])),
        }
    }

    fn block(slot: u64, root: u8) -> Proposal {
        Proposal { slot: Slot(slot), signing_root: (root > 0).then_some(ssz::FixedBytes([root; 32])) }
    }

    #[test]
    fn doubles_and_surrounds_are_slashable_and_a_repetition_is_not() {
        assert!(!slashable(&vote(1, 2, 1), &vote(1, 2, 1)));
        assert!(slashable(&vote(1, 2, 1), &vote(1, 2, 2)));
        assert!(slashable(&vote(1, 2, 0), &vote(1, 2, 0)), "an unknown root equals nothing");
        assert!(slashable(&vote(1, 4, 1), &vote(2, 3, 2)));
        assert!(slashable(&vote(2, 3, 2), &vote(1, 4, 1)));
        assert!(!slashable(&vote(1, 2, 1), &vote(2, 3, 2)));
        assert!(!slashable(&vote(1, 2, 1), &vote(1, 3, 2)), "the same source surrounds nothing");
    }

    #[test]
    fn a_history_forbids_what_would_be_slashable_and_what_it_cannot_judge() {
        let history = [vote(2, 3, 1), vote(3, 6, 2)];
        assert_eq!(may_attest(&history, &vote(3, 6, 2)), Ok(()));
        assert_eq!(may_attest(&history, &vote(6, 7, 3)), Ok(()));
        assert_eq!(may_attest(&history, &vote(4, 6, 3)), Err(Refusal::DoubleVote(Epoch(6))));
        assert_eq!(may_attest(&history, &vote(4, 5, 3)), Err(Refusal::Surrounded(Epoch(3), Epoch(6))));
        assert_eq!(may_attest(&history, &vote(2, 7, 3)), Err(Refusal::Surrounds(Epoch(3), Epoch(6))));
        assert_eq!(may_attest(&history[..1], &vote(1, 2, 3)), Err(Refusal::SourceTooLow(Epoch(2))));
        assert_eq!(may_attest(&history[..1], &vote(2, 2, 3)), Err(Refusal::TargetTooLow(Epoch(3))));
        assert_eq!(may_attest(&[], &vote(5, 4, 3)), Err(Refusal::SourceAfterTarget));
    }

    #[test]
    fn one_block_a_slot_and_none_below_the_history() {
        let history = [block(5, 1), block(9, 2)];
        assert_eq!(may_propose(&history, &block(9, 2)), Ok(()));
        assert_eq!(may_propose(&history, &block(9, 3)), Err(Refusal::DoubleProposal(Slot(9))));
        assert_eq!(may_propose(&history, &block(7, 3)), Ok(()));
        assert_eq!(may_propose(&history, &block(4, 3)), Err(Refusal::SlotTooLow(Slot(5))));
    }

    #[test]
    fn what_the_history_allows_is_never_slashable() {
        let all: Vec<Vote> = (0..5u64)
            .flat_map(|source| {
                (source..5).flat_map(move |target| [1, 2].map(|root| vote(source, target, root)))
            })
            .collect();
        for first in &all {
            for second in &all {
                for third in &all {
                    let mut history = vec![*first];
                    if may_attest(&history, second).is_ok() {
                        history.push(*second);
                    }
                    if may_attest(&history, third).is_ok() {
                        assert!(!history.iter().any(|old| slashable(old, third)), "{history:?} {third:?}");
                    }
                }
            }
        }
    }
}

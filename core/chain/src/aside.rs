//! Messages that were put aside: until their parent, their block or their slot comes.

use std::collections::{BTreeMap, VecDeque};

use types::{BeaconBlock, Root, Slot};

use crate::incoming::Incoming;
use crate::limits::{
    EARLY_ATTESTATIONS_MAX, EARLY_BLOCKS_MAX, EARLY_SIDECARS_MAX, PENDING_BLOCKS_MAX,
    PENDING_BLOCKS_OF_PROPOSER_MAX, WAITING_ATTESTATIONS_MAX, WAITING_ATTESTATIONS_OF_BLOCK_MAX,
    WANTED_BLOCKS_MAX,
};
use crate::{GossipMessage, limits};

/// Messages that were put aside; see [`limits`] for what happens when there is no room.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    /// Blocks without a known parent, by their slot and root.
    orphans: BTreeMap<(Slot, Root), (Root, Incoming)>,
    /// Votes for unknown blocks, by block.
    votes: BTreeMap<Root, Vec<(Slot, Incoming)>>,
    votes_count: usize,
    early_blocks: Vec<(Slot, Incoming)>,
    early_sidecars: Vec<(Slot, Incoming)>,
    early_votes: Vec<(Slot, Incoming)>,
}

impl Aside {
    /// Takes a block whose parent is not known. False where there is no room for it.
    pub fn hold_orphan(&mut self, root: Root, block: &BeaconBlock, incoming: Incoming) -> bool {
        let key = (block.slot, root);
        if self.orphans.contains_key(&key) {
            return true;
        }
        let of_proposer = |other: &Incoming| match &other.message {
            GossipMessage::Block(other) => other.message.proposer_index == block.proposer_index,
            _ => false,
        };
        let range = (block.slot, Root::ZERO)..=(block.slot, types::FixedBytes([0xff; 32]));
        let rivals = self.orphans.range(range).filter(|(_, (_, other))| of_proposer(other)).count();
        if rivals >= PENDING_BLOCKS_OF_PROPOSER_MAX {
            return false;
        }
        if self.orphans.len() >= PENDING_BLOCKS_MAX {
            match self.orphans.last_key_value() {
                Some((last, _)) if *last > key => drop(self.orphans.pop_last()),
                _ => return false,
            }
        }
        self.orphans.insert(key, (block.parent_root, incoming));
        true
    }

    /// True where the block is here.
    pub fn is_orphan(&self, root: &Root) -> bool {
        self.orphans.keys().any(|(_, of)| of == root)
    }

    /// Takes out the blocks upon a parent, by slot.
    pub fn orphans_of(&mut self, parent: &Root) -> Vec<(Root, Incoming)> {
        let keys: Vec<_> =
            self.orphans.iter().filter(|(_, (of, _))| of == parent).map(|(key, _)| *key).collect();
        keys.into_iter()
            .filter_map(|key| self.orphans.remove(&key).map(|(_, incoming)| (key.1, incoming)))
            .collect()
    }

    /// Parents that some block waits for and that are no orphans themselves, and blocks that votes wait for.
    pub fn wanted(&self) -> (Vec<Root>, Vec<Root>) {
        let mut parents: Vec<Root> = self.orphans.values().map(|(parent, _)| *parent).collect();
        parents.sort();
        parents.dedup();
        parents.retain(|parent| !self.is_orphan(parent));
        (parents, self.votes.keys().filter(|root| !self.is_orphan(root)).copied().collect())
    }

    /// Takes a vote for a block that is not known. Gives it back where there is no room for it.
    pub fn hold_vote(&mut self, block: Root, slot: Slot, incoming: Incoming) -> Result<(), Incoming> {
        let is_new = !self.votes.contains_key(&block);
        if self.votes_count >= WAITING_ATTESTATIONS_MAX || (is_new && self.votes.len() >= WANTED_BLOCKS_MAX) {
            return Err(incoming);
        }
        let votes = self.votes.entry(block).or_default();
        if votes.len() >= WAITING_ATTESTATIONS_OF_BLOCK_MAX {
            return Err(incoming);
        }
        votes.push((slot, incoming));
        self.votes_count += 1;
        Ok(())
    }

    /// Takes out the votes for a block.
    pub fn votes_for(&mut self, block: &Root) -> Vec<Incoming> {
        let votes = self.votes.remove(block).unwrap_or_default();
        self.votes_count -= votes.len();
        votes.into_iter().map(|(_, incoming)| incoming).collect()
    }

    /// Takes a message of a slot that has not begun. Gives it back where there is no room for it.
    pub fn hold_early(&mut self, slot: Slot, incoming: Incoming) -> Result<(), Incoming> {
        let (held, max) = match incoming.message {
            GossipMessage::Block(_) => (&mut self.early_blocks, EARLY_BLOCKS_MAX),
            GossipMessage::BlobSidecar { .. } | GossipMessage::DataColumnSidecar { .. } => {
                (&mut self.early_sidecars, EARLY_SIDECARS_MAX)
            }
            _ => (&mut self.early_votes, EARLY_ATTESTATIONS_MAX),
        };
        if held.len() >= max {
            return Err(incoming);
        }
        held.push((slot, incoming));
        Ok(())
    }

    /// Takes out what was early until this slot, blocks first.
    pub fn due(&mut self, slot: Slot) -> Vec<Incoming> {
        let mut due = Vec::new();
        for held in [&mut self.early_blocks, &mut self.early_sidecars, &mut self.early_votes] {
            let (now, later) = std::mem::take(held).into_iter().partition(|(of, _)| *of <= slot);
            *held = later;
            due.extend(Vec::into_iter(now).map(|(_, incoming)| incoming));
        }
        due
    }

    /// Takes out votes that have waited too long, and drops blocks that have become too old.
    pub fn expire(&mut self, current: Slot, finalized: Slot) -> Vec<Incoming> {
        let oldest = finalized.max(current.saturating_sub(limits::PENDING_BLOCK_SLOTS));
        self.orphans.retain(|(slot, _), _| *slot > oldest);
        let mut expired = VecDeque::new();
        let is_late = |slot: Slot| slot + limits::WAITING_ATTESTATION_SLOTS < current;
        self.votes.retain(|_, votes| {
            let (late, waiting) = std::mem::take(votes).into_iter().partition(|(slot, _)| is_late(*slot));
            expired.extend(Vec::into_iter(late).map(|(_, incoming)| incoming));
            *votes = waiting;
            !votes.is_empty()
        });
        self.votes_count -= expired.len();
        expired.into()
    }

    /// How many blocks and votes are here.
    pub fn counts(&self) -> (usize, usize) {
        (self.orphans.len() + self.early_blocks.len(), self.votes_count + self.early_votes.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use types::{Attestation, FixedBytes, SignedBeaconBlock, Time, ValidatorIndex};

    use super::*;
    use crate::incoming::Origin;

    fn root(number: u64) -> Root {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        FixedBytes(bytes)
    }

    fn block(slot: u64, proposer: u64) -> BeaconBlock {
        BeaconBlock { slot: Slot(slot), proposer_index: ValidatorIndex(proposer), ..BeaconBlock::default() }
    }

    fn hold(aside: &mut Aside, number: u64, block: BeaconBlock) -> bool {
        let message = GossipMessage::Block(Arc::new(SignedBeaconBlock {
            message: block.clone(),
            ..Default::default()
        }));
        aside.hold_orphan(root(number), &block, Incoming { origin: Origin::Kept, message, arrived: Time(0) })
    }

    fn vote() -> Incoming {
        let message = GossipMessage::Attestation { subnet: 0, attestation: Arc::new(Attestation::default()) };
        Incoming { origin: Origin::Kept, message, arrived: Time(0) }
    }

    #[test]
    fn a_proposer_that_equivocates_gets_no_more_room() {
        let mut aside = Aside::default();
        let held: Vec<bool> = (0..4).map(|number| hold(&mut aside, number, block(9, 3))).collect();
        assert_eq!(held, [true, true, false, false]);
        assert!(hold(&mut aside, 7, block(9, 4)));
        assert!(hold(&mut aside, 8, block(10, 3)));
    }

    #[test]
    fn when_full_the_block_with_the_highest_slot_goes() {
        let mut aside = Aside::default();
        for number in 0..PENDING_BLOCKS_MAX as u64 {
            assert!(hold(&mut aside, number, block(100 + number, number)));
        }
        let last = PENDING_BLOCKS_MAX as u64 - 1;
        assert!(!hold(&mut aside, 1000, block(1000, 1)));
        assert!(hold(&mut aside, 1001, block(50, 1)));
        assert!(!aside.is_orphan(&root(last)));
        assert_eq!(aside.counts().0, PENDING_BLOCKS_MAX);
    }

    #[test]
    fn only_the_oldest_unknown_ancestor_is_wanted() {
        let mut aside = Aside::default();
        let mut child = block(5, 1);
        child.parent_root = root(4);
        let mut grandchild = block(6, 1);
        grandchild.parent_root = root(5);
        assert!(hold(&mut aside, 6, grandchild));
        assert!(hold(&mut aside, 5, child));
        assert_eq!(aside.wanted().0, [root(4)]);
        assert_eq!(aside.orphans_of(&root(4)).len(), 1);
        assert_eq!(aside.wanted().0, [root(5)]);
    }

    #[test]
    fn votes_are_bounded_by_block_and_in_all() {
        let mut aside = Aside::default();
        let mut held = 0;
        for number in 0..WAITING_ATTESTATIONS_OF_BLOCK_MAX + 3 {
            held += usize::from(aside.hold_vote(root(1), Slot(1), vote()).is_ok());
            assert_eq!(held, (number + 1).min(WAITING_ATTESTATIONS_OF_BLOCK_MAX));
        }
        for number in 2..WANTED_BLOCKS_MAX as u64 + 1 {
            assert!(aside.hold_vote(root(number), Slot(1), vote()).is_ok());
        }
        assert!(aside.hold_vote(root(999), Slot(1), vote()).is_err());
        assert_eq!(aside.counts().1, WAITING_ATTESTATIONS_OF_BLOCK_MAX + WANTED_BLOCKS_MAX - 1);
        assert_eq!(aside.votes_for(&root(1)).len(), WAITING_ATTESTATIONS_OF_BLOCK_MAX);
        assert_eq!(aside.expire(Slot(9), Slot(0)).len(), WANTED_BLOCKS_MAX - 1);
        assert_eq!(aside.counts(), (0, 0));
    }

    #[test]
    fn what_is_early_comes_with_its_slot() {
        let mut aside = Aside::default();
        for slot in [4, 5, 4] {
            assert!(aside.hold_early(Slot(slot), vote()).is_ok());
        }
        assert_eq!(aside.due(Slot(4)).len(), 2);
        assert_eq!(aside.due(Slot(4)).len(), 0);
        assert_eq!(aside.due(Slot(6)).len(), 1);
        let held =
            (0..EARLY_ATTESTATIONS_MAX + 2).filter(|_| aside.hold_early(Slot(9), vote()).is_ok()).count();
        assert_eq!(held, EARLY_ATTESTATIONS_MAX);
    }

    #[test]
    fn old_blocks_are_dropped() {
        let mut aside = Aside::default();
        hold(&mut aside, 1, block(10, 1));
        hold(&mut aside, 2, block(90, 1));
        aside.expire(Slot(100), Slot(0));
        assert!(!aside.is_orphan(&root(1)) && aside.is_orphan(&root(2)));
        aside.expire(Slot(100), Slot(90));
        assert!(!aside.is_orphan(&root(2)));
    }
}

//! At the end all nodes must be up, agree on the head, and have finalized what the scenario demands.

use types::{Checkpoint, Root, Slot};

use super::{Finality, Violation};
use crate::packet::Short;

/// How many slots a node's head may be behind the furthest one.
const BEHIND_MAX: u64 = 3;

/// Where a node stands at the end.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The node.
    pub node: usize,
    /// Its head.
    pub head: Root,
    /// Its head's slot.
    pub slot: Slot,
    /// What it calls final.
    pub finalized: Checkpoint,
}

/// Judges the end: where each of `nodes` nodes stands, and which epoch must be final.
pub fn check_end(
    nodes: usize,
    standings: &[Standing],
    finality: &Finality,
    finalized_at_least: Option<u64>,
) -> Result<(), Violation> {
    if standings.len() != nodes {
        return Err(Violation::of_all("liveness", format!("{} nodes are down", nodes - standings.len())));
    }
    let Some(furthest) = standings.iter().max_by_key(|standing| standing.slot) else { return Ok(()) };
    for standing in standings {
        let behind = furthest.slot.0 - standing.slot.0;
        if behind > BEHIND_MAX || !finality.is_ancestor(&standing.head, &furthest.head) {
            let what = format!(
                "at the end its head is {} of slot {}, that of node {} is {} of slot {}",
                Short(&standing.head),
                standing.slot,
                furthest.node,
                Short(&furthest.head),
                furthest.slot
            );
            return Err(Violation::at("agreement", standing.node, what));
        }
        if let Some(wanted) = finalized_at_least
            && standing.finalized.epoch < wanted
        {
            let what = format!("at the end epoch {} is final, not {wanted}", standing.finalized.epoch);
            return Err(Violation::at("liveness", standing.node, what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use types::{Epoch, FixedBytes};

    use super::*;

    fn root(name: u8) -> Root {
        FixedBytes([name; 32])
    }

    fn standing(node: usize, head: u8, slot: u64, epoch: u64) -> Standing {
        let finalized = Checkpoint { epoch: Epoch(epoch), root: root(1) };
        Standing { node, head: root(head), slot: Slot(slot), finalized }
    }

    /// `1 (slot 1) - 2 (slot 2) - 3 (slot 9)`, and `4 (slot 9)` on 2.
    fn tree() -> Finality {
        let mut finality = Finality::default();
        for (name, slot, parent) in [(1, 1, 0), (2, 8, 1), (3, 9, 2), (4, 9, 2)] {
            finality.block(root(name), Slot(slot), root(parent));
        }
        finality
    }

    #[test]
    fn a_slot_behind_is_agreement_and_another_branch_is_not() {
        let check =
            |other| check_end(2, &[standing(0, 3, 9, 5), other], &tree(), Some(5)).map_err(|v| v.rule);
        assert_eq!(check(standing(1, 2, 8, 5)), Ok(()));
        assert_eq!(check(standing(1, 4, 9, 5)), Err("agreement"));
        assert_eq!(check(standing(1, 1, 1, 5)), Err("agreement"));
        assert_eq!(check(standing(1, 3, 9, 4)), Err("liveness"));
    }

    #[test]
    fn a_node_that_is_down_at_the_end_is_missed() {
        assert!(check_end(2, &[standing(0, 3, 9, 5)], &tree(), None).is_err());
        assert!(check_end(1, &[standing(0, 3, 9, 0)], &tree(), None).is_ok());
    }
}

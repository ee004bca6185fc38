//! At the end all nodes must be up, agree on the head, and have finalized what the scenario demands.

use types::{Checkpoint, Root, Slot};

use super::{Finality, Violation};
use crate::packet::Short;
use crate::scenario::Demands;

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

/// Judges the end: where each of `nodes` nodes stands, how far apart their heads are, and what is final.
pub fn check_end(
    nodes: usize,
    standings: &[Standing],
    finality: &Finality,
    demands: &Demands,
) -> Result<(), Violation> {
    if standings.len() != nodes {
        return Err(Violation::of_all("liveness", format!("{} nodes are down", nodes - standings.len())));
    }
    let Some(furthest) = standings.iter().max_by_key(|standing| standing.slot) else { return Ok(()) };
    for standing in standings {
        let (mine, theirs) = finality.apart(&standing.head, &furthest.head);
        if mine.max(theirs) > demands.heads_apart_max {
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
        if let Some(wanted) = demands.finalized
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

    /// `1 - 2 - 3 - 4 - 5 - 6`, each in the slot of its name, and `7` on 5, `8` on 2.
    fn tree() -> Finality {
        let mut finality = Finality::default();
        for (name, parent) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 5), (8, 2)] {
            finality.block(root(name), Slot(u64::from(name)), root(parent));
        }
        finality
    }

    #[test]
    fn the_last_blocks_may_be_missing_or_compete_and_no_others() {
        let demands = Demands { finalized: Some(5), ..Demands::default() };
        let check = |head: u8, epoch| {
            let standings = [standing(0, 6, 6, 5), standing(1, head, u64::from(head), epoch)];
            check_end(2, &standings, &tree(), &demands).map_err(|violation| violation.rule)
        };
        for near in [6, 5, 4, 3, 7] {
            assert_eq!(check(near, 5), Ok(()), "{near}");
        }
        for far in [1, 2, 8] {
            assert_eq!(check(far, 5), Err("agreement"), "{far}");
        }
        assert_eq!(check(6, 4), Err("liveness"));
    }

    #[test]
    fn a_node_that_is_down_at_the_end_is_missed() {
        assert!(check_end(2, &[standing(0, 3, 3, 5)], &tree(), &Demands::default()).is_err());
        assert!(check_end(1, &[standing(0, 3, 3, 0)], &tree(), &Demands::default()).is_ok());
    }
}

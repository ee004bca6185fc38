//! The proto-array must say the same head as the specification's recursive functions, on what the node holds.

use fork_choice::ForkChoice;
use fork_choice::naive::NaiveStore;
use types::Root;

use super::Violation;
use crate::packet::Short;

/// Compares the head that a node shows with the specification's `get_head` on the node's own store.
pub fn heads_agree(node: usize, shown: Root, store: &ForkChoice) -> Result<(), Violation> {
    let naive = NaiveStore::observe(store);
    let expected = naive.get_head();
    if expected == shown {
        return Ok(());
    }
    let describe = |root: &Root| match naive.blocks.get(root) {
        Some(block) => format!("{} of slot {}, weight {}", Short(root), block.slot, naive.get_weight(*root)),
        None => format!("{}, not in the store", Short(root)),
    };
    let what = format!("the head is {}; the specification says {}", describe(&shown), describe(&expected));
    Err(Violation::at("fork choice differs from the specification", node, what))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fork_choice::{AnchorBlock, BlockFacts, ExecutionStatus, JustifiedBalances};
    use types::{Checkpoint, Epoch, FixedBytes, Gwei, Slot, Spec, Time, ValidatorIndex};

    use super::*;

    fn root(name: u8) -> Root {
        FixedBytes([name; 32])
    }

    #[test]
    fn a_node_that_shows_another_head_is_found_out() {
        let spec = Spec::minimal();
        let checkpoint = Checkpoint { epoch: Epoch(0), root: root(1) };
        let anchor = AnchorBlock {
            slot: Slot(0),
            root: root(1),
            parent_root: root(0),
            proposer_index: ValidatorIndex(0),
            state_root: root(0),
            justified: checkpoint.clone(),
            finalized: checkpoint.clone(),
            execution: ExecutionStatus::Irrelevant,
        };
        let mut store = ForkChoice::new(spec, anchor, Time(0));
        let balances = JustifiedBalances::new(vec![Gwei(32)], Gwei(32)).unwrap();
        let _ = store.set_justified_balances(&checkpoint, Arc::new(balances));
        store.on_tick(Time(spec.config.slot_duration_ms));
        let facts = BlockFacts {
            slot: Slot(1),
            root: root(2),
            parent_root: root(1),
            proposer_index: ValidatorIndex(0),
            state_root: root(0),
            justified: checkpoint.clone(),
            finalized: checkpoint.clone(),
            unrealized_justified: checkpoint.clone(),
            unrealized_finalized: checkpoint,
            arrived: store.time(),
            execution: ExecutionStatus::Irrelevant,
        };
        store.on_block(&facts).unwrap();
        assert_eq!(heads_agree(0, root(2), &store), Ok(()));
        let violation = heads_agree(4, root(1), &store).unwrap_err();
        assert_eq!(violation.node, Some(4));
    }
}

//! What a node does wrong on purpose, so that drills can see how the others take it. Never part of an honest node: it
//! must be asked for, and the log tells every single deed.
//!
//! Everything is done where messages leave the node; the chain itself behaves, and believes that all was published.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use chain::GossipMessage;
use data_availability::{ColumnIndex, Sidecar};
use types::{Root, Slot};

/// Of the columns of a block whose columns are withheld, these are published all the same: an eighth, far from
/// the half that the others could be made from.
const PUBLISHED_EVERY: ColumnIndex = 8;
/// Blocks that are remembered. Overflow rule: the columns of later blocks are published.
const BLOCKS_MAX: usize = 1024;

/// One kind of misbehaviour, as it is written on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Publish own blocks of these slots without most of their columns, and keep those from peers that ask: written
    /// `withhold-columns=FROM_SLOT..TO_SLOT`, the second one excluded.
    WithholdColumns(Range<Slot>),
}

impl FromStr for Misbehaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is not withhold-columns=FROM_SLOT..TO_SLOT");
        let slots = text.strip_prefix("withhold-columns=").ok_or_else(expected)?;
        let (from, to) = slots.split_once("..").ok_or_else(expected)?;
        let slot = |digits: &str| digits.parse().map(Slot).map_err(|_| expected());
        let slots = slot(from)?..slot(to)?;
        if slots.is_empty() {
            return Err(format!("{text:?} names no slot: the second one is excluded"));
        }
        Ok(Self::WithholdColumns(slots))
    }
}

/// The columns that a node keeps to itself; an honest node has none of these.
#[derive(Debug)]
pub struct Withholding {
    slots: Range<Slot>,
    blocks: Mutex<BTreeSet<Root>>,
}

impl Withholding {
    /// Nothing is withheld yet; the log tells what will be.
    pub fn new(misbehaviour: &Misbehaviour) -> Arc<Self> {
        let Misbehaviour::WithholdColumns(slots) = misbehaviour;
        tracing::warn!(
            from = slots.start.0,
            to = slots.end.0,
            "MISBEHAVES, for a drill: this node withholds columns of its blocks of these slots"
        );
        Arc::new(Self { slots: slots.clone(), blocks: Mutex::default() })
    }

    /// Whether a message of this node's own may leave it. What it only passes on does not come here.
    pub fn publishes(&self, message: &GossipMessage) -> bool {
        let GossipMessage::DataColumnSidecar { sidecar, .. } = message else { return true };
        let slot = sidecar.signed_block_header.message.slot;
        if !self.slots.contains(&slot) {
            return true;
        }
        let (root, index) = (Sidecar::Column(sidecar.clone()).block_root(), sidecar.index);
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= BLOCKS_MAX && !blocks.contains(&root) {
            return true;
        }
        if blocks.insert(root) {
            tracing::warn!(
                %slot,
                %root,
                published = format!("1/{PUBLISHED_EVERY}"),
                "MISBEHAVES, for a drill: the columns of its own block are withheld"
            );
        }
        is_shown(index)
    }

    /// Whether a peer that asks for this column gets it.
    pub fn serves(&self, root: &Root, index: ColumnIndex) -> bool {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let serves = is_shown(index) || !blocks.contains(root);
        if !serves {
            tracing::debug!(%root, index, "MISBEHAVES, for a drill: a peer does not get this column");
        }
        serves
    }
}

fn is_shown(index: ColumnIndex) -> bool {
    index.is_multiple_of(PUBLISHED_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{BeaconBlockHeader, DataColumnSidecar};

    fn column(slot: u64, index: u64) -> GossipMessage {
        let mut sidecar = DataColumnSidecar { index, ..DataColumnSidecar::default() };
        sidecar.signed_block_header.message = BeaconBlockHeader { slot: Slot(slot), ..Default::default() };
        GossipMessage::DataColumnSidecar { subnet: index, sidecar: Arc::new(sidecar) }
    }

    fn root_of(message: &GossipMessage) -> Root {
        let GossipMessage::DataColumnSidecar { sidecar, .. } = message else { panic!("no column") };
        Sidecar::Column(sidecar.clone()).block_root()
    }

    #[test]
    fn misbehaviour_is_read_as_it_is_written() {
        let misbehaviour: Misbehaviour = "withhold-columns=16..48".parse().unwrap();
        assert_eq!(misbehaviour, Misbehaviour::WithholdColumns(Slot(16)..Slot(48)));
        for wrong in ["withhold-columns=16", "withhold-columns=a..b", "withhold-columns=9..9", "lie=1..2", ""]
        {
            assert!(wrong.parse::<Misbehaviour>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_eighth_of_the_columns_of_withheld_blocks_leaves_the_node_and_all_of_the_others() {
        let withholding = Withholding::new(&"withhold-columns=16..48".parse().unwrap());
        let leaving = |slot: u64| {
            let columns = (0..128).filter(|index| withholding.publishes(&column(slot, *index)));
            columns.count()
        };
        assert_eq!([15, 16, 47, 48].map(leaving), [128, 16, 16, 128]);
        let served = |slot: u64| {
            let root = root_of(&column(slot, 0));
            (0..128).filter(|index| withholding.serves(&root, *index)).count()
        };
        assert_eq!([15, 16, 20].map(served), [128, 16, 128], "slot 20 had no block of this node");
    }
}

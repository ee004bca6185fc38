//! The proto-array: blocks in flat arrays, every parent before its children.
//!
//! A block is a place in several arrays of equal length, one for each use, so that a pass touches what it needs and no
//! more: carrying votes to ancestors reads 41 bytes a block, a vote changes 8, and roots and checkpoints, which are
//! only looked up, are elsewhere. Invariants: `place.parent < index`; slots grow from parent to child; every block that
//! is not gone descends from `oldest`, the only such block without a parent.
//!
//! Pruned blocks stay in the arrays as gone, so that nothing that refers to blocks has to be renumbered, until they are
//! more than those that are left.

use types::{Checkpoint, Root, Slot, ValidatorIndex};

use crate::ExecutionStatus;
use crate::checkpoints::{Checkpoints, Quad};
use crate::index::{Index, sort_key};
use crate::settle::{Link, Viability};

/// The most blocks the store holds. Half a year of slots without finality; further blocks are refused.
pub const BLOCKS_MAX: usize = 1 << 20;

/// The index that stands for no block. It fits into the bits that a vote has for a block; there are fewer blocks,
/// because those that are gone never outnumber the others by much.
pub(crate) const NONE: u32 = (1 << 22) - 1;

/// A block of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Slot of the block.
    pub slot: Slot,
    /// Root of the block.
    pub root: Root,
    /// Root of its parent.
    pub parent_root: Root,
    /// Who proposed it.
    pub proposer_index: ValidatorIndex,
    /// Root of its post-state.
    pub state_root: Root,
    /// `current_justified_checkpoint` of its post-state.
    pub justified: Checkpoint,
    /// `finalized_checkpoint` of its post-state.
    pub finalized: Checkpoint,
    /// The justified checkpoint after counting the votes its chain already holds.
    pub unrealized_justified: Checkpoint,
    /// The finalized checkpoint after counting the votes its chain already holds.
    pub unrealized_finalized: Checkpoint,
    /// True where it came in its slot and before attestations were due.
    pub timely: bool,
    /// What the execution layer says of its payload.
    pub execution: ExecutionStatus,
}

/// Where a block is in its chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub slot: Slot,
    pub parent: u32,
    /// Some block before it, chosen so that any other is reached in logarithmically many steps (a skew-binary skip
    /// list). It may be one that is gone; that of the oldest block may be itself.
    jump: u32,
}

/// What is only looked up.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub root: Root,
    state_root: Root,
    block_hash: Root,
    proposer_index: ValidatorIndex,
}

/// What is true of a block, a bit each; the lowest two tell what is known of its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags(u8);

impl Flags {
    const EXECUTION: u8 = 3;
    const INVALIDATED: u8 = 3;
    const TIMELY: u8 = 1 << 2;
    /// A block builds on it whose payload is not invalid.
    pub const HAS_CHILDREN: u8 = 1 << 3;
    /// Its checkpoint at the finalized epoch is the finalized root.
    pub const CONFORMS: u8 = 1 << 4;
    /// As a leaf it would be viable.
    pub const MAY_LEAD: u8 = 1 << 5;
    /// It is in the filtered block tree of all blocks, as of the last `settle`.
    pub const VIABLE: u8 = 1 << 6;
    /// It is pruned.
    pub const GONE: u8 = 1 << 7;

    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    pub fn set(&mut self, flag: u8, on: bool) {
        self.0 = if on { self.0 | flag } else { self.0 & !flag };
    }

    pub fn is_invalid(self) -> bool {
        self.0 & Self::EXECUTION == Self::INVALIDATED
    }

    /// True where it leads to no head and weighs nothing, whatever the votes say.
    pub fn is_out(self) -> bool {
        self.is_invalid() || self.has(Self::GONE)
    }

    fn set_execution(&mut self, execution: ExecutionStatus) {
        let bits = match execution {
            ExecutionStatus::Irrelevant => 0,
            ExecutionStatus::Valid { .. } => 1,
            ExecutionStatus::NotValidated { .. } => 2,
            ExecutionStatus::Invalidated { .. } => Self::INVALIDATED,
        };
        self.0 = self.0 & !Self::EXECUTION | bits;
    }

    fn execution(self, block_hash: Root) -> ExecutionStatus {
        match self.0 & Self::EXECUTION {
            0 => ExecutionStatus::Irrelevant,
            1 => ExecutionStatus::Valid { block_hash },
            2 => ExecutionStatus::NotValidated { block_hash },
            _ => ExecutionStatus::Invalidated { block_hash },
        }
    }
}

/// The proto-array.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) links: Vec<Link>,
    pub(crate) places: Vec<Place>,
    pub(crate) flags: Vec<Flags>,
    /// Votes for exactly this block, in Gwei.
    pub(crate) own: Vec<u64>,
    /// The first bytes of the roots, which decide between equal scores.
    pub(crate) keys: Vec<u64>,
    depths: Vec<u32>,
    /// Which checkpoints the post-state has.
    pub(crate) quads: Vec<u32>,
    pub(crate) rows: Vec<Row>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) index: Index,
    /// The root of the parent of `oldest`, which is not here.
    pub(crate) before_oldest: Root,
    pub(crate) oldest: u32,
    /// How many blocks of the arrays are pruned.
    pub(crate) gone: usize,
    pub(crate) finalized: u32,
    pub(crate) finalized_slot: Slot,
    /// What `MAY_LEAD` was found with; none where it has to be found anew.
    pub(crate) viability: Option<Viability>,
}

impl Tree {
    /// A tree of one block, which is finalized at `finalized_slot`.
    pub fn new(root: Node, finalized_slot: Slot) -> Self {
        let mut tree = Self::empty(finalized_slot);
        tree.before_oldest = root.parent_root;
        tree.index.insert(root.root, 0);
        tree.append(root, NONE, true);
        tree
    }

    /// A tree of no blocks, for who adds some at once.
    pub(crate) fn empty(finalized_slot: Slot) -> Self {
        Self {
            links: Vec::new(),
            places: Vec::new(),
            flags: Vec::new(),
            own: Vec::new(),
            keys: Vec::new(),
            depths: Vec::new(),
            quads: Vec::new(),
            rows: Vec::new(),
            checkpoints: Checkpoints::default(),
            index: Index::default(),
            before_oldest: Root::ZERO,
            oldest: 0,
            gone: 0,
            finalized: 0,
            finalized_slot,
            viability: None,
        }
    }

    /// Adds a child of `parent` and gives its index. The caller has checked that the root is new, the slot is after the
    /// parent's and the tree is not full.
    pub fn insert(&mut self, node: Node, parent: u32) -> u32 {
        let index = self.places.len() as u32;
        let conforms = self.child_conforms(parent, node.slot);
        self.index.insert(node.root, index);
        self.append(node, parent, conforms);
        index
    }

    /// As `insert`, but the block cannot be found by its root yet.
    pub(crate) fn append(&mut self, node: Node, parent: u32, conforms: bool) {
        let mut flags = Flags(0);
        flags.set_execution(node.execution);
        flags.set(Flags::TIMELY, node.timely);
        flags.set(Flags::CONFORMS, conforms);
        let quad = Quad {
            justified: node.justified,
            finalized: node.finalized,
            unrealized_justified: node.unrealized_justified,
            unrealized_finalized: node.unrealized_finalized,
        };
        if let Some(viability) = &self.viability {
            flags.set(Flags::MAY_LEAD, viability.of_leaf(node.slot, &quad, conforms));
        }
        if parent != NONE && !flags.is_invalid() {
            self.flags[parent as usize].set(Flags::HAS_CHILDREN, true);
        }
        let (jump, depth) = self.way_up(parent);
        self.links.push(Link::UNSETTLED);
        self.places.push(Place { slot: node.slot, parent, jump });
        self.flags.push(flags);
        self.own.push(0);
        self.keys.push(sort_key(&node.root));
        self.depths.push(depth);
        self.quads.push(self.checkpoints.id_of(quad));
        self.rows.push(Row {
            root: node.root,
            state_root: node.state_root,
            block_hash: node.execution.block_hash().unwrap_or_default(),
            proposer_index: node.proposer_index,
        });
    }

    /// The jump and the depth of the next block, given its parent.
    ///
    /// Where the parent's two next jumps are equally long, the new one leads over both; else it leads to the parent. So a
    /// way along the chain is logarithmically many jumps.
    fn way_up(&self, parent: u32) -> (u32, u32) {
        if parent == NONE {
            return (self.places.len() as u32, 0);
        }
        let jump_of = |index: u32| self.places[index as usize].jump;
        let depth_of = |index: u32| self.depths[index as usize];
        let (first, depth) = (jump_of(parent), depth_of(parent));
        let second = jump_of(first);
        let are_equal = depth - depth_of(first) == depth_of(first) - depth_of(second);
        (if are_equal { second } else { parent }, depth + 1)
    }

    /// How many blocks there are; never zero.
    pub fn count(&self) -> usize {
        self.places.len() - self.gone
    }

    /// The index of a block.
    pub fn index_of(&self, root: &Root) -> Option<u32> {
        self.index.get(root, |index| self.root(index))
    }

    /// The indices of all blocks, parents before children.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
        (self.oldest..self.places.len() as u32).filter(|index| !self.is_gone(*index))
    }

    /// The blocks of a slot.
    pub fn indices_at(&self, slot: Slot) -> impl Iterator<Item = u32> + '_ {
        let places = self.places[self.oldest as usize..].iter().zip(self.oldest..);
        let here = places.filter(move |(place, _)| place.slot == slot).map(|(_, index)| index);
        here.filter(|index| !self.is_gone(*index))
    }

    /// All that was said of a block.
    pub fn node(&self, index: u32) -> Node {
        let row = &self.rows[index as usize];
        let quad = self.checkpoints.get(self.quads[index as usize]);
        let parent = self.parent(index);
        Node {
            slot: self.slot(index),
            root: row.root,
            parent_root: if parent == NONE { self.before_oldest } else { self.root(parent) },
            proposer_index: row.proposer_index,
            state_root: row.state_root,
            justified: quad.justified.clone(),
            finalized: quad.finalized.clone(),
            unrealized_justified: quad.unrealized_justified.clone(),
            unrealized_finalized: quad.unrealized_finalized.clone(),
            timely: self.is_timely(index),
            execution: self.execution(index),
        }
    }

    pub fn root(&self, index: u32) -> Root {
        self.rows[index as usize].root
    }

    pub fn slot(&self, index: u32) -> Slot {
        self.places[index as usize].slot
    }

    /// The index of the parent; [`NONE`] for the oldest block.
    pub fn parent(&self, index: u32) -> u32 {
        self.places[index as usize].parent
    }

    pub fn proposer_index(&self, index: u32) -> ValidatorIndex {
        self.rows[index as usize].proposer_index
    }

    pub fn state_root(&self, index: u32) -> Root {
        self.rows[index as usize].state_root
    }

    pub fn is_timely(&self, index: u32) -> bool {
        self.flags[index as usize].has(Flags::TIMELY)
    }

    pub fn execution(&self, index: u32) -> ExecutionStatus {
        self.flags[index as usize].execution(self.rows[index as usize].block_hash)
    }

    pub fn is_invalid(&self, index: u32) -> bool {
        self.flags[index as usize].is_invalid()
    }

    /// True where the block is pruned, and nothing but a vote may refer to it.
    pub fn is_gone(&self, index: u32) -> bool {
        self.flags[index as usize].has(Flags::GONE)
    }

    /// True where the block's checkpoint at the finalized epoch is the finalized root.
    pub fn conforms(&self, index: u32) -> bool {
        self.flags[index as usize].has(Flags::CONFORMS)
    }

    /// True where a block builds on it whose payload is not invalid.
    pub fn has_children(&self, index: u32) -> bool {
        self.flags[index as usize].has(Flags::HAS_CHILDREN)
    }

    /// Says what is known of a payload.
    pub fn set_execution(&mut self, index: u32, execution: ExecutionStatus) {
        self.flags[index as usize].set_execution(execution);
    }

    /// The last block of the chain of `index` that is not after `slot`; none where the tree begins later.
    pub fn ancestor_at(&self, index: u32, slot: Slot) -> Option<u32> {
        // Else the way ends at the oldest block or before: what is gone beyond it is of earlier slots yet.
        if self.slot(self.oldest) > slot {
            return None;
        }
        let mut at = index;
        while self.slot(at) > slot {
            let Place { parent, jump, .. } = self.places[at as usize];
            at = if self.slot(jump) > slot { jump } else { parent };
        }
        Some(at)
    }

    /// True where `ancestor` is `index` or before it in its chain.
    pub fn is_ancestor(&self, index: u32, ancestor: u32) -> bool {
        self.ancestor_at(index, self.slot(ancestor)) == Some(ancestor)
    }

    /// Whether a block at `slot` upon `parent` keeps the finalized root as its checkpoint at the finalized
    /// epoch: it does unless it comes between the finalized block and the start of that epoch.
    pub fn child_conforms(&self, parent: u32, slot: Slot) -> bool {
        self.conforms(parent) && (parent != self.finalized || slot > self.finalized_slot)
    }

    /// Makes the block of `index` the finalized one, at an epoch that starts at `slot`. One forward pass.
    pub fn set_finalized(&mut self, index: u32, slot: Slot) {
        self.finalized = index;
        self.finalized_slot = slot;
        self.viability = None;
        for at in self.oldest..self.places.len() as u32 {
            let Place { parent, slot, .. } = self.places[at as usize];
            let conforms = at == index || (parent != NONE && self.child_conforms(parent, slot));
            self.flags[at as usize].set(Flags::CONFORMS, conforms);
        }
    }
}

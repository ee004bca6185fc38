//! The checkpoints of post-states: the same four for nearly all blocks of an epoch, so blocks share them.

use std::collections::BTreeMap;

use types::{Checkpoint, Epoch, Root};

/// The checkpoints of a block's post-state, realized and unrealized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quad {
    pub justified: Checkpoint,
    pub finalized: Checkpoint,
    pub unrealized_justified: Checkpoint,
    pub unrealized_finalized: Checkpoint,
}

impl Quad {
    fn key(&self) -> [(Epoch, Root); 4] {
        [&self.justified, &self.finalized, &self.unrealized_justified, &self.unrealized_finalized]
            .map(|checkpoint| (checkpoint.epoch, checkpoint.root))
    }
}

/// All that some block has, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checkpoints {
    list: Vec<Quad>,
    ids: BTreeMap<[(Epoch, Root); 4], u32>,
}

impl Checkpoints {
    /// The number of what was there or is added.
    pub fn id_of(&mut self, quad: Quad) -> u32 {
        let next = self.list.len() as u32;
        let id = *self.ids.entry(quad.key()).or_insert(next);
        if id == next {
            self.list.push(quad);
        }
        id
    }

    pub fn get(&self, id: u32) -> &Quad {
        &self.list[id as usize]
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Quad> {
        self.list.iter()
    }
}

//! The data of blocks that are not imported yet: what came, what is awaited, and what is done to get it.

use std::collections::BTreeSet;

use data_availability::gossip::SeenSidecars;
use data_availability::{Availability, ColumnIndex, Limits};
use engine::EngineReply;
use types::{Root, Spec};

use crate::chain::Chain;

/// The data of blocks that are not imported yet.
#[derive(Debug)]
pub(crate) struct Data {
    pub store: Availability,
    pub seen: SeenSidecars,
}

impl Data {
    pub fn new(spec: &'static Spec, custody: BTreeSet<ColumnIndex>) -> Self {
        let store = Availability::new(spec, custody, Limits::default());
        Self { store, seen: SeenSidecars::default() }
    }
}

impl Chain {
    /// Takes the blobs that the engine had of a block.
    pub(crate) fn engine_blobs_came(&mut self, _root: Root, _reply: EngineReply) {}
}

//! Sidecar lookup: blobs and columns of blocks that the chain has and cannot import without them.

use std::collections::{BTreeMap, BTreeSet};

use types::{ForkName, Root, Slot, Spec, Time};

use crate::gathering::{Gathering, Kind};
use crate::traffic::{ImportId, PeerId};

/// Lookups open at once. When there are more, the one of the lowest slot goes: its block is range sync's by now.
const LOOKUPS_MAX: usize = 64;
/// Rounds and waits after which a lookup ends. The pauses between them add up to some three minutes, by which time its
/// block is imported or lost.
const ROUNDS_MAX: u32 = 12;

/// A block whose data is looked up.
#[derive(Debug)]
pub struct SidecarLookup {
    /// What is missing.
    pub gathering: Gathering,
    /// The peer that sent the block, asked first.
    pub hint: Option<PeerId>,
    slot: Slot,
}

/// All lookups of sidecars, by the roots of their blocks.
#[derive(Debug, Default)]
pub struct SidecarLookups {
    map: BTreeMap<Root, SidecarLookup>,
    /// What is with the chain: the block, and who sent which of its sidecars.
    importing: BTreeMap<ImportId, (Root, Vec<(u64, PeerId)>)>,
}

impl SidecarLookups {
    /// Begins a lookup, or changes what it is for.
    pub fn want(&mut self, spec: &Spec, root: Root, slot: Slot, indices: &[u64], from: Option<PeerId>) {
        let kind = match spec.fork_name_at_slot(slot) {
            fork if fork < ForkName::Deneb => return,
            fork if fork < ForkName::Fulu => Kind::Blobs,
            _ => Kind::Columns,
        };
        if indices.is_empty() {
            self.map.remove(&root);
            return;
        }
        if let Some(lookup) = self.map.get_mut(&root) {
            let with_chain = self.importing.values().filter(|(block, _)| *block == root);
            let with_chain: BTreeSet<u64> =
                with_chain.flat_map(|(_, senders)| senders.iter().map(|(index, _)| *index)).collect();
            if let Some(needs) = lookup.gathering.needs.get_mut(&root) {
                needs.missing = indices.iter().copied().filter(|index| !with_chain.contains(index)).collect();
            }
            lookup.hint = lookup.hint.or(from);
            return;
        }
        let gathering = Gathering::of_root(root, slot, kind, indices);
        self.map.insert(root, SidecarLookup { gathering, hint: from, slot });
        if self.map.len() > LOOKUPS_MAX
            && let Some(lowest) = self.map.iter().min_by_key(|(_, lookup)| lookup.slot).map(|(root, _)| *root)
        {
            self.map.remove(&lowest);
        }
    }

    /// The lookup of a block's sidecars.
    pub fn get_mut(&mut self, root: &Root) -> Option<&mut SidecarLookup> {
        self.map.get_mut(root)
    }

    /// The blocks of which something is missing.
    pub fn gathering(&self) -> Vec<Root> {
        let lacks = |(_, lookup): &(&Root, &SidecarLookup)| !lookup.gathering.is_complete();
        self.map.iter().filter(lacks).map(|(root, _)| *root).collect()
    }

    /// When the next of them ends its pause.
    pub fn next_gathering(&self, now: Time) -> Option<Time> {
        let pauses = self.map.values().map(|lookup| lookup.gathering.pause_until);
        pauses.filter(|until| *until > now).min()
    }

    /// Sidecars of a block are with the chain.
    pub fn importing(&mut self, id: ImportId, root: Root, senders: Vec<(u64, PeerId)>) {
        self.importing.insert(id, (root, senders));
    }

    /// The chain has decided: the block, and who sent which of its sidecars.
    pub fn decided(&mut self, id: ImportId) -> Option<(Root, Vec<(u64, PeerId)>)> {
        self.importing.remove(&id)
    }

    /// Ends what is complete, and what was asked for in vain too often.
    pub fn drop_ended(&mut self) {
        let importing = &self.importing;
        self.map.retain(|root, lookup| {
            let is_undecided = importing.values().any(|(with_chain, _)| with_chain == root);
            let gathering = &lookup.gathering;
            is_undecided
                || gathering.is_asking()
                || (!gathering.is_complete() && gathering.rounds + gathering.waits < ROUNDS_MAX)
        });
    }
}

//! Lookup: blocks that are wanted by root, and their ancestors up to one that we have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use types::{Root, SignedBeaconBlock, Time};

use crate::gathering::Gathering;
use crate::traffic::{ImportId, PeerId};

/// Lookups open at once. A further one is dropped: its block comes again by gossip or range sync.
const LOOKUPS_MAX: usize = 64;
/// Roots off the finalized chain that are remembered. When full, the oldest is forgotten, and would be climbed from
/// again.
const ASTRAY_MAX: usize = 256;
/// Ancestors that a lookup climbs; a longer gap is range sync's.
const DEPTH_MAX: usize = 64;
/// Peers asked before a lookup is dropped.
const ATTEMPTS_MAX: usize = 5;
/// Rounds and waits for the data of its blocks before a lookup is dropped.
const ROUNDS_MAX: u32 = 8;

/// What a lookup is waiting for.
#[derive(Debug, PartialEq, Eq)]
pub enum Stage {
    /// To be asked for.
    Waiting,
    /// Asked for.
    Downloading,
    /// The chain lacks data of the blocks.
    Gathering,
    /// With the chain.
    Importing(ImportId),
}

/// A wanted block and what of its ancestry came so far.
#[derive(Debug)]
pub struct Lookup {
    /// The root to ask for next: the wanted one or an ancestor.
    pub missing: Root,
    /// Blocks that came, youngest first, with the peers that sent them.
    pub blocks: Vec<(PeerId, Arc<SignedBeaconBlock>)>,
    /// Peers that did not have it.
    pub asked: BTreeSet<PeerId>,
    /// What it is waiting for.
    pub stage: Stage,
    /// The peer that mentioned the root, asked first.
    pub hint: Option<PeerId>,
    /// What came of the blocks' data, and what the chain lacks of it.
    pub data: Gathering,
}

impl Lookup {
    /// The blocks that came, in ascending order.
    pub fn segment(&self) -> Vec<Arc<SignedBeaconBlock>> {
        self.blocks.iter().rev().map(|(_, block)| block.clone()).collect()
    }
}

/// All lookups, by the root that was wanted.
#[derive(Debug, Default)]
pub struct Lookups {
    map: BTreeMap<Root, Lookup>,
    /// Roots of blocks that do not descend from the finalized one, oldest first: votes for them may go on for long.
    astray: VecDeque<Root>,
}

impl Lookups {
    /// Begins a lookup, unless it is under way or there are too many.
    pub fn want(&mut self, root: Root, hint: Option<PeerId>) {
        let under_way = self.map.values().any(|lookup| lookup.missing == root);
        let is_known = under_way || self.map.contains_key(&root) || self.astray.contains(&root);
        if is_known || self.map.len() >= LOOKUPS_MAX {
            return;
        }
        let lookup = Lookup {
            missing: root,
            blocks: Vec::new(),
            asked: BTreeSet::new(),
            stage: Stage::Waiting,
            hint,
            data: Gathering::default(),
        };
        self.map.insert(root, lookup);
    }

    /// The lookup of a wanted root.
    pub fn get_mut(&mut self, root: &Root) -> Option<&mut Lookup> {
        self.map.get_mut(root)
    }

    /// Roots whose lookups are to be asked for.
    pub fn waiting(&self) -> Vec<Root> {
        self.map.iter().filter(|(_, lookup)| lookup.stage == Stage::Waiting).map(|(root, _)| *root).collect()
    }

    /// Roots whose lookups lack data.
    pub fn gathering(&self) -> Vec<Root> {
        let lacks = |(_, lookup): &(&Root, &Lookup)| lookup.stage == Stage::Gathering;
        self.map.iter().filter(lacks).map(|(root, _)| *root).collect()
    }

    /// When the next of them ends its pause.
    pub fn next_gathering(&self, now: Time) -> Option<Time> {
        let lacks = |lookup: &&Lookup| lookup.stage == Stage::Gathering;
        let pauses = self.map.values().filter(lacks).map(|lookup| lookup.data.pause_until);
        pauses.filter(|until| *until > now).min()
    }

    /// Ends a lookup whose blocks do not descend from the finalized one, and remembers the root that was wanted.
    pub fn give_up(&mut self, root: &Root) {
        self.map.remove(root);
        if self.astray.len() >= ASTRAY_MAX {
            self.astray.pop_front();
        }
        self.astray.push_back(*root);
    }

    /// Ends a lookup.
    pub fn remove(&mut self, root: &Root) -> Option<Lookup> {
        self.map.remove(root)
    }

    /// The lookup whose blocks are with the chain under this number.
    pub fn importing(&self, id: ImportId) -> Option<Root> {
        let found = |(_, lookup): &(&Root, &Lookup)| lookup.stage == Stage::Importing(id);
        self.map.iter().find(found).map(|(root, _)| *root)
    }

    /// Drops lookups that were asked for in vain too often, or climbed too far.
    pub fn drop_hopeless(&mut self) {
        self.map.retain(|_, lookup| {
            lookup.asked.len() < ATTEMPTS_MAX
                && lookup.blocks.len() < DEPTH_MAX
                && lookup.data.rounds + lookup.data.waits < ROUNDS_MAX
        });
    }
}

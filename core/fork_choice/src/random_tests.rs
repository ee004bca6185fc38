//! Thousands of seeded random histories, in which the store and the naive store must always agree.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use types::{Checkpoint, Gwei, Root, Slot, Spec, Time, ValidatorIndex};

use crate::naive::NaiveStore;
use crate::{
    AnchorBlock, AttestationFacts, BlockFacts, Counted, ExecutionStatus, ForkChoice, JustifiedBalances, Node,
    Origin,
};

const HISTORIES: u64 = 5000;
const EVENTS: usize = 160;
const VALIDATORS: u64 = 12;
const SLOT_MS: u64 = 6000;

/// How often the histories reached what makes them worth running.
#[derive(Default, Debug)]
struct Reached {
    boosts: u64,
    finalizations: u64,
    pruned: u64,
    renumbered: u64,
    conflicts: u64,
    reorgs: u64,
    justified_heads: u64,
    queued: u64,
    refused_blocks: u64,
    invalidated: u64,
    justified_invalid: u64,
}

struct History {
    seed: u64,
    random: ChaCha8Rng,
    store: ForkChoice,
    naive: NaiveStore,
    /// Votes of the current slot, which the naive store hears of in the next.
    waiting: Vec<(AttestationFacts, Vec<ValidatorIndex>)>,
    blocks_made: u64,
}

impl History {
    fn new(seed: u64) -> Self {
        let spec = Spec::minimal();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let anchor = AnchorBlock {
            slot: Slot(if random.random_bool(0.5) { 0 } else { 16 }),
            root: types::FixedBytes(random.random()),
            parent_root: Root::ZERO,
            proposer_index: ValidatorIndex(0),
            state_root: Root::ZERO,
            justified: Checkpoint::default(),
            finalized: Checkpoint::default(),
            execution: match random.random_range(0..4) {
                0 => ExecutionStatus::Valid { block_hash: types::FixedBytes(random.random()) },
                _ => ExecutionStatus::Irrelevant,
            },
        };
        let genesis_time = Time(random.random_range(0..2) * 1_700_000_000_123);
        Self {
            seed,
            random,
            store: ForkChoice::new(spec, anchor.clone(), genesis_time),
            naive: NaiveStore::new(spec, &anchor, genesis_time),
            waiting: Vec::new(),
            blocks_made: 0,
        }
    }

    fn step(&mut self, reached: &mut Reached) {
        match self.random.random_range(0..100) {
            0..28 => self.tick(),
            28..58 => self.block(reached),
            58..78 => self.attestation(reached),
            78..81 => self.slashing(),
            81..90 => {
                let gone = self.store.tree.gone;
                let removed = self.store.prune();
                reached.pruned += u64::from(!removed.is_empty());
                reached.renumbered += u64::from(self.store.tree.gone < gone + removed.len());
                let oldest = self.store.nodes().next().unwrap().node.root;
                reached.conflicts += u64::from(oldest != self.store.finalized_checkpoint().root);
                self.naive.forget(&removed);
            }
            90..95 => self.balances(),
            95..98 => self.verdict(reached),
            _ => {
                self.store = ForkChoice::restore(Spec::minimal(), &self.store.snapshot()).unwrap();
            }
        }
        if self.store.wants_balances().is_some() && self.random.random_bool(0.7) {
            self.balances();
        }
    }

    fn tick(&mut self) {
        let ms = match self.random.random_range(0..10) {
            0..4 => self.random.random_range(0..SLOT_MS / 2),
            4..9 => self.random.random_range(SLOT_MS / 2..2 * SLOT_MS),
            _ => self.random.random_range(0..30 * SLOT_MS),
        };
        let slot = self.store.get_current_slot();
        let time = self.store.time().after_ms(ms);
        self.store.on_tick(time);
        self.naive.on_tick(time);
        if self.store.get_current_slot() > slot {
            for (attestation, indices) in std::mem::take(&mut self.waiting) {
                // A block that was pruned meanwhile makes this invalid, and its vote is dropped as well.
                self.naive.on_attestation(&attestation, &indices, Origin::Block);
            }
        }
    }

    fn some_node(&mut self) -> Node {
        let count = self.store.block_count();
        // Young blocks more often, so that chains grow.
        let back = (0..3).map(|_| self.random.random_range(0..count)).min().unwrap();
        let index = self.store.tree.indices().nth(count - 1 - back).unwrap();
        self.store.tree.node(index)
    }

    fn block(&mut self, reached: &mut Reached) {
        let facts = self.some_facts();
        let result = self.store.on_block(&facts);
        let naive = self.naive.on_block(&facts);
        assert_eq!(result.is_ok(), naive.is_some(), "seed {}: {result:?} for {facts:?}", self.seed);
        reached.refused_blocks += u64::from(result.is_err());
        reached.boosts += u64::from(self.store.proposer_boost_root() == facts.root);
    }

    /// A block upon some other, with checkpoints as a state transition may give them.
    fn some_facts(&mut self) -> BlockFacts {
        let spec = self.store.spec();
        let parent = self.some_node();
        let now = self.store.get_current_slot();
        let slot = match self.random.random_range(0..10) {
            0..6 => now,
            6..9 => parent.slot + self.random.random_range(1..4),
            _ => parent.slot + self.random.random_range(0..20),
        };
        self.blocks_made += 1;
        let (mut justified, mut finalized) = (parent.justified.clone(), parent.finalized.clone());
        if slot.epoch(spec) > parent.slot.epoch(spec) {
            justified = parent.unrealized_justified.clone();
            finalized = parent.unrealized_finalized.clone();
        }
        let (mut unrealized_justified, mut unrealized_finalized) = (justified.clone(), finalized.clone());
        if parent.unrealized_justified.epoch > justified.epoch {
            unrealized_justified = parent.unrealized_justified.clone();
            unrealized_finalized = parent.unrealized_finalized.clone();
        }
        let epoch = slot.epoch(spec).saturating_sub(self.random.random_range(0..2));
        let root = self.store.get_checkpoint_block(&parent.root, epoch);
        let possible = epoch.start_slot(spec) < slot && epoch > unrealized_justified.epoch;
        if let Some(root) = root.filter(|_| possible && self.random.random_bool(0.6)) {
            unrealized_justified = Checkpoint { epoch, root };
            if self.random.random_bool(0.7) && justified.epoch > finalized.epoch {
                unrealized_finalized = justified.clone();
            }
        }
        BlockFacts {
            slot,
            root: self.some_root(),
            parent_root: parent.root,
            proposer_index: ValidatorIndex(self.random.random_range(0..3)),
            state_root: Root::ZERO,
            justified,
            finalized,
            unrealized_justified,
            unrealized_finalized,
            arrived: Time(self.store.time().0.saturating_sub(self.random.random_range(0..3) * 1500)),
            execution: self.some_status(parent.execution),
        }
    }

    /// Some roots begin alike, as nobody's do by chance.
    fn some_root(&mut self) -> Root {
        let mut root: [u8; 32] = self.random.random();
        if self.random.random_bool(0.2) {
            root[..8].fill(7);
        }
        types::FixedBytes(root)
    }

    /// What an engine may say of a block upon such a parent; now and then what none may say.
    fn some_status(&mut self, parent: ExecutionStatus) -> ExecutionStatus {
        let block_hash = types::FixedBytes(self.random.random());
        match self.random.random_range(0..40) {
            0 => ExecutionStatus::Irrelevant,
            1 => ExecutionStatus::Invalidated { block_hash },
            2..30 if parent == ExecutionStatus::Irrelevant => ExecutionStatus::Irrelevant,
            2..10 => ExecutionStatus::Valid { block_hash },
            _ => ExecutionStatus::NotValidated { block_hash },
        }
    }

    /// An engine says something of a payload: that it is valid, or since where it is not.
    fn verdict(&mut self, reached: &mut Reached) {
        let node = self.some_node();
        if self.random.random_bool(0.5) {
            let _ = self.store.on_valid_payload(&node.root);
            self.naive.on_valid_payload(node.root);
            return;
        }
        let latest_valid_hash = match self.random.random_range(0..4) {
            0 => None,
            1 => Some(Root::ZERO),
            2 => Some(types::FixedBytes([9; 32])),
            _ => {
                let slot = Slot(node.slot.0.saturating_sub(self.random.random_range(1..12)));
                let ancestor = self.store.get_ancestor(&node.root, slot).unwrap_or(node.root);
                self.store.block(&ancestor).and_then(|block| block.execution.block_hash())
            }
        };
        let gone = self.store.on_invalid_payload(&node.root, latest_valid_hash);
        self.naive.on_invalid_payload(node.root, latest_valid_hash);
        reached.invalidated += gone.is_ok_and(|gone| !gone.is_empty()) as u64;
        reached.justified_invalid += u64::from(self.store.is_justified_invalid());
    }

    fn voters(&mut self) -> Vec<ValidatorIndex> {
        let count = self.random.random_range(1..4);
        (0..count).map(|_| ValidatorIndex(self.random.random_range(0..VALIDATORS))).collect()
    }

    fn some_vote(&mut self) -> AttestationFacts {
        let spec = self.store.spec();
        let block = self.some_node();
        let now = self.store.get_current_slot().0;
        let slot = match self.random.random_range(0..8) {
            0 => Slot(self.random.random_range(0..now + 3)),
            1..4 => Slot(now),
            _ => Slot(now.saturating_sub(self.random.random_range(1..4))),
        };
        let epoch = slot.epoch(spec);
        let target = match self.store.get_checkpoint_block(&block.root, epoch) {
            Some(root) if !self.random.random_bool(0.03) => root,
            _ => self.some_node().root,
        };
        AttestationFacts { slot, beacon_block_root: block.root, target: Checkpoint { epoch, root: target } }
    }

    fn attestation(&mut self, reached: &mut Reached) {
        let (attestation, voters) = (self.some_vote(), self.voters());
        if self.random.random_bool(0.5) {
            let result = self.store.queue_attestation(&attestation, &voters);
            if result == Ok(Counted::FromNextSlot) {
                reached.queued += 1;
                self.waiting.push((attestation, voters));
                return;
            }
            let naive = self.naive.on_attestation(&attestation, &voters, Origin::Wire);
            assert_eq!(result.is_ok(), naive.is_some(), "seed {}: {result:?}", self.seed);
        } else {
            let origin = if self.random.random_bool(0.5) { Origin::Wire } else { Origin::Block };
            let result = self.store.on_attestation(&attestation, &voters, origin);
            let naive = self.naive.on_attestation(&attestation, &voters, origin);
            assert_eq!(result.is_ok(), naive.is_some(), "seed {}: {result:?}", self.seed);
        }
    }

    fn slashing(&mut self) {
        let indices = [ValidatorIndex(self.random.random_range(0..VALIDATORS))];
        self.store.on_attester_slashing(&indices).unwrap();
        self.naive.on_attester_slashing(&indices);
    }

    fn balances(&mut self) {
        let known = self.random.random_range(VALIDATORS / 2..=VALIDATORS);
        let mut one = |_| {
            let balance = match self.random.random_range(0..20) {
                0 => self.random.random_range(0..100_000_000_000),
                1 => self.random.random_range(65_533..65_538) * 1_000_000_000,
                _ => self.random.random_range(0..4) * 16_000_000_000,
            };
            (Gwei(balance), self.random.random_bool(0.8))
        };
        let validators: Vec<(Gwei, bool)> = (0..known).map(&mut one).collect();
        let total = validators.iter().map(|(balance, _)| *balance).sum::<Gwei>();
        let balances = JustifiedBalances::of_validators(validators.into_iter(), total);
        let balances = Arc::new(balances.unwrap());
        let checkpoint = self.store.justified_checkpoint().clone();
        self.store.set_justified_balances(&checkpoint, Arc::clone(&balances)).unwrap();
        self.naive.balances = balances;
    }

    fn check(&mut self, thoroughly: bool, reached: &mut Reached) {
        let seed = self.seed;
        assert_eq!(self.store.justified_checkpoint(), &self.naive.justified_checkpoint, "seed {seed}");
        assert_eq!(self.store.finalized_checkpoint(), &self.naive.finalized_checkpoint, "seed {seed}");
        assert_eq!(self.store.proposer_boost_root(), self.naive.proposer_boost_root, "seed {seed}");
        let head = self.store.get_head();
        assert_eq!(head, self.naive.get_head(), "seed {seed}");
        reached.justified_heads += u64::from(head == self.store.justified_checkpoint().root);

        let slot = self.store.get_current_slot() + self.random.random_range(0..2);
        let committees = self.voters();
        let proposer_head = self.store.get_proposer_head(&head, slot, &committees).ok();
        assert_eq!(proposer_head, self.naive.get_proposer_head(head, slot, &committees), "seed {seed}");
        reached.reorgs += u64::from(proposer_head.is_some_and(|root| root != head));
        if thoroughly {
            self.check_blocks();
        }
    }

    fn check_blocks(&mut self) {
        let seed = self.seed;
        let views: Vec<_> =
            self.store.nodes().map(|view| (view.node.root, view.weight, view.is_leaf)).collect();
        assert_eq!(views.len(), self.naive.blocks.len(), "seed {seed}");
        let filtered = self.naive.get_filtered_block_tree();
        for view in self.store.nodes() {
            assert_eq!(view.node.execution, self.naive.blocks[&view.node.root].execution, "seed {seed}");
        }
        let viable = self.store.viable_heads();
        for (root, weight, is_leaf) in views {
            assert_eq!(weight, self.naive.get_weight(root), "seed {seed}: weight of {root}");
            let is_viable = viable.iter().any(|view| view.node.root == root);
            assert_eq!(is_viable, is_leaf && filtered.contains(&root), "seed {seed}: viability of {root}");
        }
        for _ in 0..4 {
            let (node, slot) = (self.some_node(), Slot(self.random.random_range(0..80)));
            let ancestor = self.store.get_ancestor(&node.root, slot);
            assert_eq!(
                ancestor,
                self.naive.get_ancestor(node.root, slot),
                "seed {seed}: of {node:?} at {slot}"
            );
            let other = self.some_node().root;
            let descends = self.store.is_descendant(&other, &node.root);
            assert_eq!(
                descends,
                self.naive.is_ancestor(node.root, other),
                "seed {seed}: {node:?} of {other}"
            );
        }
        let observed = NaiveStore::observe(&self.store);
        assert_eq!(observed.get_head(), self.naive.get_head(), "seed {seed}: the observed store");
        assert_eq!(observed.equivocating_indices, self.naive.equivocating_indices, "seed {seed}");
    }
}

#[test]
fn the_store_agrees_with_the_naive_store_in_random_histories() {
    let mut reached = Reached::default();
    for seed in 0..HISTORIES {
        let mut history = History::new(seed);
        for event in 0..EVENTS {
            history.step(&mut reached);
            if event % 2 == 0 {
                history.check(event % 14 == 0, &mut reached);
            }
        }
        history.check(true, &mut reached);
        reached.finalizations += u64::from(history.store.finalized_checkpoint().epoch > 2);
    }
    // The histories are only worth something where they get this far. Conflicting finality is rare, and so is a justified
    // block that no engine can execute.
    assert!(reached.conflicts > 10 && reached.justified_invalid > 10, "{reached:?}");
    let enough = [
        reached.boosts,
        reached.finalizations,
        reached.pruned,
        reached.renumbered,
        reached.reorgs,
        reached.justified_heads,
        reached.queued,
        reached.refused_blocks,
        reached.invalidated,
    ];
    assert!(enough.iter().all(|count| *count > HISTORIES / 10), "{reached:?}");
}

/// Blocks of a large tree: the naive store is too slow to follow it, but can look at it now and then.
const LARGE: usize = 3000;

impl History {
    /// Some event at a store that the naive one does not follow.
    fn step_alone(&mut self) {
        let voters: Vec<_> =
            (0..8).map(|_| ValidatorIndex(self.random.random_range(0..4 * VALIDATORS))).collect();
        match self.random.random_range(0..100) {
            0..15 => self.store.on_tick(self.store.time().after_ms(SLOT_MS / 2)),
            15..70 => {
                let mut facts = self.some_facts();
                if self.blocks_made < LARGE as u64 * 2 / 3 {
                    // Finality would keep the tree small.
                    facts.finalized = self.store.finalized_checkpoint().clone();
                    facts.unrealized_finalized = facts.finalized.clone();
                }
                let _ = self.store.on_block(&facts);
            }
            70..95 => {
                let attestation = self.some_vote();
                let _ = self.store.queue_attestation(&attestation, &voters);
            }
            95 if self.random.random_bool(0.1) => self.store.on_attester_slashing(&voters[..1]).unwrap(),
            96 if self.random.random_bool(0.3) => {
                let node = self.some_node();
                let _ = self.store.on_invalid_payload(&node.root, None);
            }
            97 => {
                let node = self.some_node();
                let _ = self.store.on_valid_payload(&node.root);
            }
            98 => self.balances(),
            _ => drop(self.store.get_head()),
        }
    }

    fn check_alone(&mut self) {
        let head = self.store.get_head();
        let naive = NaiveStore::observe(&self.store);
        assert_eq!(head, naive.get_head(), "seed {}", self.seed);
        let filtered = naive.get_filtered_block_tree();
        let leaves = self.store.nodes().filter(|view| view.is_leaf).map(|view| view.node.root);
        let viable: BTreeSet<Root> = leaves.filter(|root| filtered.contains(root)).collect();
        let found = self.store.viable_heads().into_iter().map(|view| view.node.root).collect();
        assert_eq!(viable, found, "seed {}", self.seed);
        for _ in 0..100 {
            let node = self.some_node();
            let weight = self.store.get_weight(&node.root).unwrap();
            assert_eq!(weight, naive.get_weight(node.root), "seed {}: of {node:?}", self.seed);
            let slot = Slot(self.random.random_range(0..=node.slot.0));
            let ancestor = self.store.get_ancestor(&node.root, slot);
            assert_eq!(ancestor, naive.get_ancestor(node.root, slot), "seed {}: of {node:?}", self.seed);
        }
    }
}

#[test]
fn the_store_agrees_with_the_naive_store_in_large_trees() {
    let mut largest = 0;
    for seed in 0..3 {
        let mut history = History::new(seed);
        history.balances();
        while history.blocks_made < LARGE as u64 {
            history.step_alone();
            if history.blocks_made.is_multiple_of(LARGE as u64 / 5) {
                history.check_alone();
                history.blocks_made += 1;
            }
        }
        largest = largest.max(history.store.block_count());
        history.check_alone();
        history.store.prune();
        history.check_alone();
        let restored = ForkChoice::restore(Spec::minimal(), &history.store.snapshot()).unwrap();
        assert_eq!(restored.snapshot(), history.store.snapshot());
        history.store = restored;
        history.check_alone();
    }
    assert!(largest > LARGE / 3, "the largest tree has {largest} blocks");
}

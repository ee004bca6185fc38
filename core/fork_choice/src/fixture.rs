//! Block trees drawn as text, for tests. The naive store is driven alongside and must agree on every head.
//!
//! `"g - a1 - a2*; a1 - b2=:u1"` reads: `a1` builds on genesis and `a2` on `a1`, `a2` is late (`*`), and `b2`
//! builds on `a1` as well, by the proposer of `a2` (`=`), with epoch 1 as unrealized justified epoch. The
//! number is the slot. After the colon: `j` and `f` are the epochs of the post-state's checkpoints, `u` and
//! `v` of the unrealized ones; what is not given follows from the parent.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use types::{Checkpoint, Epoch, Gwei, Root, Slot, Spec, Time, ValidatorIndex};

use crate::naive::NaiveStore;
use crate::{
    AnchorBlock, AttestationFacts, AttestationInvalid, BlockFacts, BlockInvalid, Counted, ExecutionStatus,
    ForkChoice, Imported, JustifiedBalances, Origin,
};

/// With 8 slots an epoch, a slot's committees are 8 validators and the boost outweighs 3 votes, not 4.
pub const VALIDATORS: u64 = 64;
const GENESIS_TIME: Time = Time(1_600_000_000_000);

pub struct World {
    pub store: ForkChoice,
    pub naive: NaiveStore,
    /// Blocks that are added have payloads, their hashes the blocks' roots, that no engine has executed.
    pub optimistic: bool,
    names: BTreeMap<Root, String>,
}

pub fn root(name: &str) -> Root {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    types::FixedBytes(bytes)
}

/// Equal balances of 32 ETH.
pub fn equal_balances(validators: u64) -> Arc<JustifiedBalances> {
    let each = Gwei(32_000_000_000);
    let balances = JustifiedBalances::new(vec![each; validators as usize], each * validators);
    Arc::new(balances.unwrap())
}

fn indices(validators: Range<u64>) -> Vec<ValidatorIndex> {
    validators.map(ValidatorIndex).collect()
}

impl World {
    pub fn new() -> Self {
        let spec = Spec::minimal();
        let anchor = AnchorBlock {
            slot: Slot(0),
            root: root("g"),
            parent_root: Root::ZERO,
            proposer_index: ValidatorIndex(0),
            state_root: Root::ZERO,
            justified: Checkpoint::default(),
            finalized: Checkpoint::default(),
            execution: ExecutionStatus::Irrelevant,
        };
        let mut world = Self {
            store: ForkChoice::new(spec, anchor.clone(), GENESIS_TIME),
            naive: NaiveStore::new(spec, &anchor, GENESIS_TIME),
            optimistic: false,
            names: BTreeMap::from([(root("g"), "g".to_owned())]),
        };
        world.supply_balances();
        world
    }

    /// Gives the balances that are owed.
    pub fn supply_balances(&mut self) {
        if let Some(checkpoint) = self.store.wants_balances() {
            let balances = equal_balances(VALIDATORS);
            self.store.set_justified_balances(&checkpoint, Arc::clone(&balances)).unwrap();
            self.naive.balances = balances;
        }
    }

    pub fn tick(&mut self, slot: u64) {
        self.tick_ms(slot, 0);
    }

    /// To so many milliseconds into the slot.
    pub fn tick_ms(&mut self, slot: u64, ms: u64) {
        let time = GENESIS_TIME.after_ms(slot * self.store.spec().config.slot_duration_ms + ms);
        if time > self.store.time() {
            self.store.on_tick(time);
            self.naive.on_tick(time);
        }
        self.supply_balances();
    }

    /// Adds what is not there yet; the clock follows the slots.
    pub fn grow(&mut self, picture: &str) {
        for chain in picture.split(';') {
            let mut parent: Option<&str> = None;
            for token in chain.split(" - ").map(str::trim) {
                let name = token.split(['*', '=', ':']).next().unwrap();
                if let (Some(parent), false) = (parent, self.store.contains(&root(name))) {
                    assert_eq!(self.add(parent, token), Ok(Imported::New), "{token} on {parent}");
                }
                parent = Some(name);
            }
        }
    }

    /// Ticks to the block's slot and adds it.
    pub fn add(&mut self, parent: &str, token: &str) -> Result<Imported, BlockInvalid> {
        let facts = self.draw(parent, token);
        let slot_ms = self.store.spec().config.slot_duration_ms;
        self.tick_ms(facts.slot.0, facts.arrived.since(GENESIS_TIME) - facts.slot.0 * slot_ms);
        let result = self.on_block(&facts);
        self.supply_balances();
        result
    }

    pub fn on_block(&mut self, facts: &BlockFacts) -> Result<Imported, BlockInvalid> {
        let result = self.store.on_block(facts);
        assert_eq!(result.is_ok(), self.naive.on_block(facts).is_some());
        result
    }

    /// The facts of a block that is not added yet.
    pub fn draw(&mut self, parent: &str, token: &str) -> BlockFacts {
        let spec = self.store.spec();
        let (head, checkpoints) = token.split_once(':').unwrap_or((token, ""));
        let name = head.trim_end_matches(['*', '=']);
        let slot = Slot(name.trim_start_matches(char::is_alphabetic).parse().unwrap());
        let letter = if head.contains('=') { b'a' } else { name.as_bytes()[0] };
        let parent = self.store.block(&root(parent)).unwrap().clone();
        let (mut justified, mut finalized) = (parent.justified.clone(), parent.finalized.clone());
        if parent.slot.epoch(spec) < slot.epoch(spec) {
            justified = parent.unrealized_justified.clone();
            finalized = parent.unrealized_finalized.clone();
        }
        let given = |key: char, otherwise: &Checkpoint| match checkpoints.split_once(key) {
            None => otherwise.clone(),
            Some((_, rest)) => {
                let digits = rest.split(char::is_alphabetic).next().unwrap();
                let epoch = Epoch(digits.parse().unwrap());
                Checkpoint { epoch, root: self.store.get_checkpoint_block(&parent.root, epoch).unwrap() }
            }
        };
        let justified = given('j', &justified);
        let finalized = given('f', &finalized);
        let later = |a: &Checkpoint, b: &Checkpoint| if a.epoch >= b.epoch { a.clone() } else { b.clone() };
        let start = GENESIS_TIME.after_ms(slot.0 * spec.config.slot_duration_ms);
        let due_ms = spec.get_slot_component_duration_ms(spec.config.attestation_due_bps);
        let arrival = start.after_ms(if head.contains('*') { due_ms } else { 0 });
        self.names.insert(root(name), name.to_owned());
        BlockFacts {
            slot,
            root: root(name),
            parent_root: parent.root,
            proposer_index: ValidatorIndex(slot.0 * 32 + u64::from(letter - b'a')),
            state_root: root(name),
            unrealized_justified: given('u', &later(&justified, &parent.unrealized_justified)),
            unrealized_finalized: given('v', &later(&finalized, &parent.unrealized_finalized)),
            justified,
            finalized,
            arrived: arrival.max(self.store.time()),
            execution: match self.optimistic {
                true => ExecutionStatus::NotValidated { block_hash: root(name) },
                false => ExecutionStatus::Irrelevant,
            },
        }
    }

    /// The engine finds a payload invalid; gives the blocks that it takes along.
    pub fn invalid(&mut self, name: &str, latest_valid_hash: Option<Root>) -> Vec<String> {
        let gone = self.store.on_invalid_payload(&root(name), latest_valid_hash).unwrap();
        self.naive.on_invalid_payload(root(name), latest_valid_hash);
        gone.iter().map(|root| self.names[root].clone()).collect()
    }

    /// An attestation at a slot for a block.
    pub fn attestation(&self, slot: Slot, block: &str) -> AttestationFacts {
        let epoch = slot.epoch(self.store.spec());
        let target = self.store.get_checkpoint_block(&root(block), epoch).unwrap_or_default();
        AttestationFacts { slot, beacon_block_root: root(block), target: Checkpoint { epoch, root: target } }
    }

    /// Votes of the slot before the current one.
    pub fn vote(&mut self, validators: Range<u64>, block: &str) {
        let attestation = self.attestation(self.store.get_current_slot() - 1, block);
        assert_eq!(self.on_attestation(&attestation, validators, Origin::Wire), Ok(()), "vote for {block}");
    }

    pub fn on_attestation(
        &mut self,
        attestation: &AttestationFacts,
        validators: Range<u64>,
        origin: Origin,
    ) -> Result<(), AttestationInvalid> {
        let validators = indices(validators);
        let result = self.store.on_attestation(attestation, &validators, origin);
        assert_eq!(result.is_ok(), self.naive.on_attestation(attestation, &validators, origin).is_some());
        result
    }

    /// Votes of the current slot; the naive store does not see them.
    pub fn queue(&mut self, validators: Range<u64>, block: &str) {
        let attestation = self.attestation(self.store.get_current_slot(), block);
        let counted = self.store.queue_attestation(&attestation, &indices(validators));
        assert_eq!(counted, Ok(Counted::FromNextSlot));
    }

    pub fn slash(&mut self, validators: Range<u64>) {
        self.store.on_attester_slashing(&indices(validators.clone())).unwrap();
        self.naive.on_attester_slashing(&indices(validators));
    }

    pub fn prune(&mut self) -> Vec<String> {
        let removed = self.store.prune();
        self.naive.forget(&removed);
        removed.iter().map(|root| self.names[root].clone()).collect()
    }

    /// The name of the head, on which both stores agree.
    pub fn head(&mut self) -> String {
        let head = self.store.get_head();
        assert_eq!(head, self.naive.get_head());
        self.names[&head].clone()
    }

    /// The name of the boosted block, or nothing.
    pub fn boosted(&self) -> String {
        assert_eq!(self.store.proposer_boost_root(), self.naive.proposer_boost_root);
        self.names.get(&self.store.proposer_boost_root()).cloned().unwrap_or_default()
    }

    /// The name of the block to build on at `slot`, on which both stores agree.
    pub fn proposer_head(&mut self, slot: u64, head_committees: Range<u64>) -> String {
        let (head, committees) = (self.store.get_head(), indices(head_committees));
        let proposer_head = self.store.get_proposer_head(&head, Slot(slot), &committees).unwrap();
        assert_eq!(self.naive.get_proposer_head(head, Slot(slot), &committees), Some(proposer_head));
        self.names[&proposer_head].clone()
    }
}

//! How a case is made: a chain to start from, what is done, and a list of changes. A recipe always makes the same case.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use ssz::Schema;
use synthetic::{Chain, Keys, Participation, StatePlan};
use transition::accessors::get_domain;
use transition::misc::compute_signing_root;
use transition::process_slots;
use types::constants::DOMAIN_BEACON_PROPOSER;
use types::{BeaconState, BlsSignature, Ctx, ForkName, SignedBeaconBlock, Slot, SszExt};

use crate::case::{Action, Case, container_of};
use crate::mutation::{Mutation, Part};
use crate::ours;
use crate::schedule::spec_of;
use crate::tree::Node;

/// Validators of the chains. Enough for every committee of the minimal preset.
const VALIDATORS: usize = 64;
/// Keys: those of the validators, and of some that deposit.
const KEYS: usize = VALIDATORS + 8;

/// How many slots ahead of its state a block may lie.
const SLOTS_AHEAD_MAX: u64 = 64;

/// What a case is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What drew it.
    pub seed: u64,
    /// The fork.
    pub fork: String,
    /// `minimal` or `mainnet`.
    pub preset: String,
    /// Which of [`Participation::ALL`] the chain before has.
    pub participation: usize,
    /// Blocks of that chain after its first state.
    pub warm_up: u64,
    /// Empty slots after them.
    pub empty_slots: u64,
    /// What is done.
    pub action: Action,
    /// For blocks: how many slots each lies after the one before.
    pub gaps: Vec<u64>,
    /// For an operation: its SSZ in hexadecimal.
    pub operation: String,
    /// Whether signatures are verified.
    pub signatures: bool,
    /// The changes, in order.
    pub mutations: Vec<Mutation>,
}

/// The start of chains, made once.
pub struct Kitchen {
    keys: Arc<Keys>,
    chains: BTreeMap<(String, ForkName, usize, u64), Chain>,
}

impl Default for Kitchen {
    fn default() -> Self {
        Self { keys: Arc::new(Keys::new(0, KEYS)), chains: BTreeMap::new() }
    }
}

impl Kitchen {
    /// The validators' keys.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// The chain that a recipe starts from.
    pub fn chain(&mut self, recipe: &Recipe) -> anyhow::Result<Chain> {
        let fork: ForkName = recipe.fork.parse()?;
        let key = |warm_up| (recipe.preset.clone(), fork, recipe.participation, warm_up);
        if let Some(chain) = self.chains.get(&key(recipe.warm_up)) {
            return Ok(chain.clone());
        }
        let participation = Participation::ALL[recipe.participation % Participation::ALL.len()];
        let spec = spec_of(&recipe.preset, fork)?;
        let plan = StatePlan { participation, ..StatePlan::new(spec, fork, VALIDATORS) };
        let mut chain = Chain::new(plan.state(&self.keys)?, self.keys.clone());
        for _ in 0..recipe.warm_up {
            chain.next_block()?;
        }
        self.chains.insert(key(recipe.warm_up), chain.clone());
        Ok(chain)
    }

    /// The state that the recipe's changes are made to.
    pub fn base_state(&mut self, recipe: &Recipe) -> anyhow::Result<BeaconState> {
        let mut state = self.chain(recipe)?.state().clone();
        if recipe.empty_slots > 0 {
            let slot = state.slot + recipe.empty_slots;
            process_slots(&mut state, slot)?;
        }
        Ok(state)
    }

    /// Makes the case. Changes that fit nowhere are passed over.
    pub fn case(&mut self, recipe: &Recipe) -> anyhow::Result<Case> {
        let fork: ForkName = recipe.fork.parse()?;
        let spec = spec_of(&recipe.preset, fork)?;
        let base = self.base_state(recipe)?;
        let pre = changed("BeaconState", base.ctx(), &base.encoded(), recipe, Part::State)?;
        let state =
            if pre == base.encoded() { Some(base) } else { BeaconState::decode_at(spec, fork, &pre).ok() };
        let inputs = match &recipe.action {
            Action::Slots(_) | Action::Epoch(_) => Vec::new(),
            Action::Operation(name) => {
                let container = container_of(name).context("no such operation")?;
                let bytes = hex::decode(&recipe.operation)?;
                vec![changed(container, spec.ctx(fork), &bytes, recipe, Part::Input(0))?]
            }
            Action::Blocks => {
                let original = self.base_state(recipe)?;
                self.blocks(recipe, state.unwrap_or_else(|| original.clone()), original)?
            }
        };
        let (preset, action) = (recipe.preset.clone(), recipe.action.clone());
        Ok(Case { fork, preset, action, signatures: recipe.signatures, pre, inputs })
    }

    /// Blocks upon each other, each changed and then signed again, with the state root that comes of it.
    fn blocks(
        &self,
        recipe: &Recipe,
        mut state: BeaconState,
        original: BeaconState,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut blocks = Vec::new();
        for (number, gap) in recipe.gaps.iter().enumerate() {
            let slot = state.slot + *gap;
            let make = |state: &BeaconState| {
                ours::quietly(|| Chain::new(state.clone(), self.keys.clone()).block_at(slot))
            };
            // Where no block can be made on the changed state, one of the unchanged chain is tried on it.
            let block = match make(&state) {
                Ok(Ok(block)) => block,
                _ if number == 0 => make(&original).map_err(anyhow::Error::msg)??,
                _ => break,
            };
            let ctx = state.ctx();
            let part = Part::Input(number);
            let bytes = changed("SignedBeaconBlock", ctx, &block.to_ssz(ctx), recipe, part)?;
            let Ok(mut block) = SignedBeaconBlock::from_ssz(&bytes, ctx) else {
                blocks.push(bytes);
                break;
            };
            // How far ahead a block may lie is the caller's to bound, everywhere; without a bound it takes hours.
            ensure!(block.message.slot <= state.slot + SLOTS_AHEAD_MAX, "a block too far ahead");
            let is_fixed = |path: &str| {
                recipe.mutations.iter().any(|mutation| mutation.part == part && mutation.path == path)
            };
            let after = self.seal(&state, &mut block, &is_fixed);
            blocks.push(block.to_ssz(ctx));
            match after {
                Some(after) => state = after,
                None => break,
            }
        }
        Ok(blocks)
    }

    /// Fills in what follows from the rest of a block; the state after it, where it is taken.
    fn seal(
        &self,
        state: &BeaconState,
        block: &mut SignedBeaconBlock,
        is_fixed: &dyn Fn(&str) -> bool,
    ) -> Option<BeaconState> {
        let advanced = ours::quietly(|| {
            let mut state = state.clone();
            process_slots(&mut state, block.message.slot).is_ok().then_some(state)
        });
        let Ok(Some(advanced)) = advanced else { return None };
        if !is_fixed("message.parent_root") {
            block.message.parent_root = advanced.latest_block_header.hash_tree_root(Ctx::PLAIN);
        }
        let after = ours::quietly(|| {
            let mut after = state.clone();
            ours::block_on(&mut after, block, false).ok().map(|()| (after.state_root(), after))
        });
        let after = after.ok().flatten();
        if let Some((root, _)) = &after
            && !is_fixed("message.state_root")
        {
            block.message.state_root = *root;
        }
        if !is_fixed("signature") {
            sign(&advanced, block, &self.keys);
        }
        after.map(|(_, mut after)| {
            // What was computed while it was made is not to hide what a fresh state computes.
            after.context.caches.forget();
            after
        })
    }
}

/// Signs a block with the key of the proposer that it names.
pub fn sign(state: &BeaconState, block: &mut SignedBeaconBlock, keys: &Keys) {
    let message = &block.message;
    let domain = get_domain(state, DOMAIN_BEACON_PROPOSER, message.slot.epoch(state.spec()));
    let root = compute_signing_root(message, state.ctx(), domain);
    let index = usize::try_from(message.proposer_index.0).unwrap_or(usize::MAX).min(keys.len());
    block.signature = BlsSignature::from(keys.secret(index).sign(&root.0).compress());
}

/// A value with the recipe's changes of one part.
fn changed(container: &str, ctx: Ctx, bytes: &[u8], recipe: &Recipe, part: Part) -> anyhow::Result<Vec<u8>> {
    let mutations = || recipe.mutations.iter().filter(|mutation| mutation.part == part);
    if mutations().next().is_none() {
        return Ok(bytes.to_vec());
    }
    let schema: Schema = inspect::schema_by_name(container, ctx).context("a container without schema")?;
    let mut tree = Node::read(&schema, bytes).context("an encoding that its schema refuses")?;
    for mutation in mutations() {
        mutation.apply(&mut tree);
    }
    Ok(tree.encode())
}

/// The slot at which an epoch's last steps are asked for alone.
pub fn slots_to_end_of_epoch(state: &BeaconState) -> u64 {
    let length = state.spec().preset.slots_per_epoch;
    let Slot(slot) = state.slot;
    length - 1 - slot % length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Outcome;
    use crate::drawing::draw;

    #[test]
    fn a_seed_always_makes_the_same_case() {
        for fork in ForkName::ALL {
            for seed in 0..20 {
                let cases = [(); 2].map(|()| {
                    let mut kitchen = Kitchen::default();
                    let recipe = draw(&mut kitchen, "minimal", fork, seed).unwrap();
                    let text = serde_json::to_string(&recipe).unwrap();
                    assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
                    kitchen.case(&recipe).map(|case| (case.pre, case.inputs)).ok()
                });
                assert_eq!(cases[0], cases[1], "{fork} {seed}");
            }
        }
    }

    /// Most of what is drawn has to be taken, or the depths of the transition are never reached; some has to be refused.
    #[test]
    fn most_cases_are_valid_and_some_are_not() {
        let mut kitchen = Kitchen::default();
        let (mut accepted, mut refused) = (0, 0);
        for fork in ForkName::ALL {
            for seed in 0..60 {
                let recipe = draw(&mut kitchen, "minimal", fork, seed).unwrap();
                let Ok(case) = kitchen.case(&recipe) else { continue };
                match ours::run(&case) {
                    Outcome::Accepted { .. } => accepted += 1,
                    Outcome::Refused(_) => refused += 1,
                    other => panic!("{fork} {seed}: {other}"),
                }
            }
        }
        assert!(accepted > 2 * refused - refused / 2 && refused > 40, "{accepted} taken, {refused} refused");
    }
}

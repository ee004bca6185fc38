//! Recipes by chance: from a seed and a fork, always the same.

use anyhow::Context;
use rand::Rng;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use ssz::Schema;
use synthetic::{Chain, Participation};
use transition::epoch::EpochStep;
use types::{BeaconState, ForkName, SignedBeaconBlock, SszExt};

use crate::case::{Action, OPERATIONS, vector_name_of};
use crate::mutation::{self, Mutation, Part};
use crate::numbers::Numbers;
use crate::operations::Operations;
use crate::recipe::{Kitchen, Recipe, slots_to_end_of_epoch};
use crate::tree::Node;

/// Operations that are put into blocks, and the lists that hold them.
const IN_BLOCKS: [(&str, &str); 7] = [
    ("voluntary_exit", "voluntary_exits"),
    ("proposer_slashing", "proposer_slashings"),
    ("attester_slashing", "attester_slashings"),
    ("bls_to_execution_change", "bls_to_execution_changes"),
    ("deposit_request", "execution_requests.deposits"),
    ("withdrawal_request", "execution_requests.withdrawals"),
    ("consolidation_request", "execution_requests.consolidations"),
];

/// Draws a recipe.
pub fn draw(kitchen: &mut Kitchen, preset: &str, fork: ForkName, seed: u64) -> anyhow::Result<Recipe> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(fork as u64);
    let rng = &mut rng;
    let mut recipe = Recipe {
        seed,
        fork: fork.as_str().to_owned(),
        preset: preset.to_owned(),
        participation: rng.random_range(0..Participation::ALL.len()),
        warm_up: rng.random_range(0..4),
        empty_slots: 0,
        action: Action::Blocks,
        gaps: Vec::new(),
        operation: String::new(),
        signatures: rng.random_bool(0.3),
        mutations: Vec::new(),
    };
    match rng.random_range(0..10) {
        0..=2 => blocks(kitchen, &mut recipe, rng)?,
        3..=6 => operation(kitchen, &mut recipe, rng)?,
        7..=8 => step(kitchen, &mut recipe, rng)?,
        _ => {
            recipe.action = Action::Slots(rng.random_range(1..=9));
            let state = kitchen.base_state(&recipe)?;
            change_state(&mut recipe, &state, rng)?;
        }
    }
    Ok(recipe)
}

fn blocks(kitchen: &mut Kitchen, recipe: &mut Recipe, rng: &mut ChaCha8Rng) -> anyhow::Result<()> {
    let state = kitchen.base_state(recipe)?;
    recipe.gaps = (0..rng.random_range(1..=2))
        .map(|_| if rng.random_bool(0.8) { 1 } else { rng.random_range(2..=9) })
        .collect();
    if rng.random_bool(0.4) {
        change_state(recipe, &state, rng)?;
    }
    for number in 0..recipe.gaps.len() {
        add_operations(kitchen, recipe, &state, Part::Input(number), rng);
    }
    if rng.random_bool(0.6) {
        let ctx = state.ctx();
        let block = Chain::new(state.clone(), kitchen.keys().clone()).next_block()?;
        let schema = inspect::schema_by_name("SignedBeaconBlock", ctx).context("blocks have a schema")?;
        let tree = Node::read(&schema, &block.to_ssz(ctx)).context("a block is a block")?;
        let part = Part::Input(rng.random_range(0..recipe.gaps.len()));
        change(recipe, part, tree, &Numbers::of(&state), rng);
    }
    Ok(())
}

/// Puts operations into a block, which the state may be changed for.
fn add_operations(
    kitchen: &Kitchen,
    recipe: &mut Recipe,
    state: &BeaconState,
    part: Part,
    rng: &mut ChaCha8Rng,
) {
    for (name, list) in IN_BLOCKS {
        let exists =
            OPERATIONS.iter().any(|(other, _, first, _)| *other == name && *first <= state.fork_name());
        if !exists || !rng.random_bool(0.3) {
            continue;
        }
        if let Some((changes, bytes)) = (Operations { state, keys: kitchen.keys(), rng }).make(name) {
            recipe.mutations.extend(changes);
            recipe.mutations.push(Mutation::push(part, format!("message.body.{list}"), bytes));
        }
    }
}

fn operation(kitchen: &mut Kitchen, recipe: &mut Recipe, rng: &mut ChaCha8Rng) -> anyhow::Result<()> {
    let fork: ForkName = recipe.fork.parse()?;
    let known: Vec<_> =
        OPERATIONS.iter().filter(|(_, _, first, last)| (*first..=*last).contains(&fork)).collect();
    let (name, container, ..) = **known.choose(rng).context("every fork has operations")?;
    recipe.action = Action::Operation(name.to_owned());
    recipe.empty_slots = 1;
    let state = kitchen.base_state(recipe)?;
    let made = Operations { state: &state, keys: kitchen.keys(), rng }.make(name);
    let bytes = match made {
        Some((changes, bytes)) => {
            recipe.mutations.extend(changes);
            bytes
        }
        None => {
            let block = kitchen.chain(recipe)?.next_block()?;
            part_of_block(name, &block, &state).with_context(|| format!("no {name} in a block"))?
        }
    };
    recipe.operation = hex::encode(&bytes);
    if rng.random_bool(0.4) {
        change_state(recipe, &state, rng)?;
    }
    if rng.random_bool(0.7) {
        let schema = inspect::schema_by_name(container, state.ctx()).context("operations have schemas")?;
        let tree = Node::read(&schema, &bytes).context("an operation is one")?;
        change(recipe, Part::Input(0), tree, &Numbers::of(&state), rng);
    }
    Ok(())
}

/// The operation that a block has in any case.
fn part_of_block(name: &str, block: &SignedBeaconBlock, state: &BeaconState) -> Option<Vec<u8>> {
    let (message, body, ctx) = (&block.message, &block.message.body, state.ctx());
    Some(match name {
        "attestation" => body.attestations.first()?.to_ssz(ctx),
        "sync_aggregate" => body.sync_aggregate.to_ssz(ctx),
        "execution_payload" => body.to_ssz(ctx),
        "withdrawals" => body.execution_payload.to_ssz(ctx),
        "block_header" => message.to_ssz(ctx),
        _ => return None,
    })
}

fn step(kitchen: &mut Kitchen, recipe: &mut Recipe, rng: &mut ChaCha8Rng) -> anyhow::Result<()> {
    let fork: ForkName = recipe.fork.parse()?;
    let known: Vec<EpochStep> = EpochStep::of(fork).collect();
    let step = known.choose(rng).context("every fork has steps")?;
    recipe.action = Action::Epoch(vector_name_of(*step).to_owned());
    recipe.empty_slots = slots_to_end_of_epoch(kitchen.chain(recipe)?.state());
    let state = kitchen.base_state(recipe)?;
    change_state(recipe, &state, rng)
}

/// Draws changes of the state. Queues that lie empty are filled with what could be in them.
fn change_state(recipe: &mut Recipe, state: &BeaconState, rng: &mut ChaCha8Rng) -> anyhow::Result<()> {
    let schema: Schema =
        inspect::schema_by_name("BeaconState", state.ctx()).context("states have a schema")?;
    let mut tree = Node::read(&schema, &state.encoded()).context("a state is a state")?;
    for mutation in recipe.mutations.iter().filter(|mutation| mutation.part == Part::State) {
        mutation.apply(&mut tree);
    }
    if state.fork_name() >= ForkName::Electra && rng.random_bool(0.3) {
        for mutation in queued(state, rng) {
            mutation.apply(&mut tree);
            recipe.mutations.push(mutation);
        }
    }
    if rng.random_bool(0.4) {
        for mutation in balances(state, rng) {
            mutation.apply(&mut tree);
            recipe.mutations.push(mutation);
        }
    }
    change(recipe, Part::State, tree, &Numbers::of(state), rng);
    Ok(())
}

/// Effective balances, and balances around what they would have to be to move them.
fn balances(state: &BeaconState, rng: &mut ChaCha8Rng) -> Vec<Mutation> {
    let preset = &state.spec().preset;
    let increment = preset.effective_balance_increment;
    let quarter = increment / preset.hysteresis_quotient;
    let mut mutations = Vec::new();
    for _ in 0..rng.random_range(1..7) {
        let index = rng.random_range(0..state.validators.len());
        let effective = preset.max_effective_balance - rng.random_range(0..4) * increment;
        let balance = effective + rng.random_range(0..10) * quarter + rng.random_range(0..3);
        let path = format!("validators[{index}].effective_balance");
        mutations.push(Mutation::set(Part::State, path, effective.to_le_bytes()));
        // Two quarters and one Gwei below to seven quarters and one Gwei above.
        let balance = (balance - 2 * quarter - 1).to_le_bytes();
        mutations.push(Mutation::set(Part::State, format!("balances[{index}]"), balance));
    }
    mutations
}

/// Deposits, withdrawals and consolidations that wait.
fn queued(state: &BeaconState, rng: &mut ChaCha8Rng) -> Vec<Mutation> {
    let numbers = Numbers::of(state);
    let mut mutations = Vec::new();
    for _ in 0..rng.random_range(1..4) {
        let index = rng.random_range(0..state.validators.len() as u64);
        let validator = &state.validators[index as usize];
        let number = |rng: &mut ChaCha8Rng| numbers.draw(rng, 32_000_000_000).to_le_bytes();
        let (list, element) = match rng.random_range(0..3) {
            0 => {
                let mut deposit = validator.pubkey.0.to_vec();
                deposit.extend(validator.withdrawal_credentials.0);
                deposit.extend(number(rng));
                deposit.extend([0; 96]);
                deposit.extend(if rng.random() { number(rng) } else { [0; 8] });
                ("pending_deposits", deposit)
            }
            1 => {
                let element = [index.to_le_bytes(), number(rng), number(rng)];
                ("pending_partial_withdrawals", element.concat())
            }
            _ => {
                let target = rng.random_range(0..state.validators.len() as u64);
                ("pending_consolidations", [index.to_le_bytes(), target.to_le_bytes()].concat())
            }
        };
        mutations.push(Mutation::push(Part::State, list, element));
    }
    mutations
}

/// Draws one to five changes, each in the value that the ones before left.
fn change(recipe: &mut Recipe, part: Part, mut tree: Node<'_>, numbers: &Numbers, rng: &mut ChaCha8Rng) {
    let count = [1, 1, 2, 3, 5][rng.random_range(0..5)];
    for _ in 0..count {
        if let Some(mutation) = mutation::draw(rng, part, &tree, numbers) {
            mutation.apply(&mut tree);
            recipe.mutations.push(mutation);
        }
    }
}

//! What a state keeps of the chain before it.

use types::{
    BeaconBlockHeader, BeaconState, Eth1Data, ForkName, HistoricalSummary, Root, Slot, ValidatorIndex,
};

use crate::noise;

/// The root of the block of a slot before the state; no slot was empty.
pub fn block_root(slot: Slot) -> Root {
    noise::root("block", slot.0)
}

/// Fills roots, mixes, the header of the last block and the deposit chain's votes, as of the state's slot.
pub fn fill(state: &mut BeaconState) {
    let spec = state.spec();
    let (preset, slot) = (&spec.preset, state.slot);
    state.genesis_time = spec.config.min_genesis_time + spec.config.genesis_delay;
    state.genesis_validators_root = noise::root("genesis validators", 0);
    state.latest_block_header = BeaconBlockHeader {
        slot,
        proposer_index: ValidatorIndex(0),
        parent_root: block_root(Slot(slot.0 - 1)),
        // Of the last block's state the root is filled in by the next slot.
        state_root: Root::ZERO,
        body_root: noise::root("body", slot.0),
    };
    state.block_roots = ring(preset.slots_per_historical_root, slot.0, |slot| block_root(Slot(slot)));
    state.state_roots = ring(preset.slots_per_historical_root, slot.0, |slot| noise::root("state", slot));
    let epoch = slot.epoch(spec);
    // The mix of the current epoch is there already.
    state.randao_mixes =
        ring(preset.epochs_per_historical_vector, epoch.0 + 1, |epoch| noise::root("randao", epoch));
    let periods = epoch.start_slot(spec).0 / preset.slots_per_historical_root;
    let capella = spec.fork_epoch(ForkName::Capella).min(epoch);
    let before_capella = if state.fork_name() >= ForkName::Capella {
        capella.start_slot(spec).0 / preset.slots_per_historical_root
    } else {
        periods
    };
    state.historical_roots = (0..before_capella).map(|period| noise::root("history", period)).collect();
    state.historical_summaries = (before_capella..periods)
        .map(|period| HistoricalSummary {
            block_summary_root: noise::root("blocks", period),
            state_summary_root: noise::root("states", period),
        })
        .collect();
    fill_deposit_chain(state);
}

/// One vote of each block of the voting period, all for what the state knows already.
fn fill_deposit_chain(state: &mut BeaconState) {
    let preset = &state.spec().preset;
    let period = preset.epochs_per_eth1_voting_period * preset.slots_per_epoch;
    state.eth1_data = Eth1Data {
        deposit_root: noise::root("deposits", 0),
        deposit_count: 0,
        block_hash: noise::root("deposit block", 0),
    };
    state.eth1_data_votes = (0..state.slot.0 % period + 1).map(|_| state.eth1_data.clone()).collect();
}

/// A ring of `length` places in which `number % length` holds what belongs to the number, for those before `end`; places
/// that no number reached are zero.
fn ring(length: u64, end: u64, of: impl Fn(u64) -> Root) -> types::List<Root> {
    let at = |place: u64| {
        let behind = (end + length - 1 - place) % length;
        if end > behind { of(end - 1 - behind) } else { Root::ZERO }
    };
    (0..length).map(at).collect()
}

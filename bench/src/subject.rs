//! The states that are measured: synthetic ones, or one from a file.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use synthetic::{Keys, Participation, StatePlan};
use transition::accessors::{
    committee_cache, get_beacon_proposer_index, get_current_epoch, get_previous_epoch,
    get_total_active_balance, validator_index,
};
use transition::process_slots;
use types::{BeaconState, ForkName, Slot, Spec};

/// A state as its encoding, so that every measurement begins with a state that was read.
pub struct Subject {
    /// Fork and validators.
    pub name: String,
    /// The fork.
    pub fork: ForkName,
    /// The encoding.
    pub bytes: Vec<u8>,
    /// The keys of its validators, where they are known.
    pub keys: Option<Arc<Keys>>,
}

impl Subject {
    /// A synthetic state of the mainnet preset.
    pub fn synthetic(
        fork: ForkName,
        validators: usize,
        participation: Participation,
        keys: &Arc<Keys>,
    ) -> anyhow::Result<Self> {
        let plan = StatePlan { participation, ..StatePlan::new(Spec::mainnet(), fork, validators) };
        let bytes = plan.state(keys)?.encoded();
        Ok(Self { name: format!("{fork} {validators}"), fork, bytes, keys: Some(keys.clone()) })
    }

    /// A state of mainnet's configuration from a file.
    pub fn of_file(path: &Path, fork: ForkName) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let state = BeaconState::decode_at(Spec::mainnet(), fork, &bytes);
        let state = state.with_context(|| format!("{} as a state of {fork}", path.display()))?;
        Ok(Self { name: format!("{fork} {}", state.validators.len()), fork, bytes, keys: None })
    }

    /// The state, without anything that is derived from it.
    pub fn decode(&self) -> BeaconState {
        let state = BeaconState::decode_at(Spec::mainnet(), self.fork, &self.bytes);
        state.expect("what was encoded here, or read before, is read again")
    }

    /// The state at the last slot of its epoch, as a node has it: with its root and its caches.
    pub fn at_end_of_epoch(&self) -> anyhow::Result<BeaconState> {
        let mut state = self.decode();
        fill_caches(&state)?;
        state.state_root();
        let spec = state.spec();
        let last = Slot((get_current_epoch(&state) + 1).start_slot(spec).0 - 1);
        if state.slot < last {
            process_slots(&mut state, last)?;
            state.state_root();
        }
        Ok(state)
    }
}

/// What a node derives from a state before it can process blocks on it: the committees of the previous, the current and the
/// next epoch, the proposers, the total balance, and the index of keys. Points of keys are read when they are needed.
pub fn fill_caches(state: &BeaconState) -> anyhow::Result<()> {
    let epoch = get_current_epoch(state);
    for epoch in [get_previous_epoch(state), epoch, epoch + 1] {
        committee_cache(state, epoch)?;
    }
    get_beacon_proposer_index(state)?;
    get_total_active_balance(state)?;
    let last = state.validators.len() - 1;
    validator_index(state, &state.validators[last].pubkey).context("a key of the state is not found")?;
    Ok(())
}

//! What a state carries beyond its container: its spec, its fork, and values derived from its fields.

use crate::caches::StateCaches;
use crate::{BeaconState, ForkName, Slot, Spec};
use ssz::{Ctx, DecodeError, JsonError, Root, SszExt};

/// A state's spec and fork, and its caches. Not serialized, and no part of equality.
#[derive(Clone, Debug, Default)]
pub struct StateContext {
    spec_and_fork: Option<(&'static Spec, ForkName)>,
    /// Values derived from the state's fields.
    pub caches: StateCaches,
}

impl StateContext {
    /// The context of a state of this spec and fork at a slot.
    pub fn at(spec: &'static Spec, fork: ForkName, slot: Slot) -> Self {
        Self { spec_and_fork: Some((spec, fork)), caches: StateCaches::at(slot.epoch(spec)) }
    }
}

impl PartialEq for StateContext {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for StateContext {}

impl BeaconState {
    /// The default state of a spec and fork.
    pub fn empty(spec: &'static Spec, fork: ForkName) -> Self {
        Self { context: StateContext::at(spec, fork, Slot(0)), ..Self::new_default(spec.ctx(fork)) }
    }

    /// Reads a state of a known fork.
    pub fn decode_at(spec: &'static Spec, fork: ForkName, bytes: &[u8]) -> Result<Self, DecodeError> {
        let state = Self::from_ssz(bytes, spec.ctx(fork))?;
        let context = StateContext::at(spec, fork, state.slot);
        Ok(Self { context, ..state })
    }

    /// Reads a state whose fork follows from the slot that it starts with and the fork schedule.
    pub fn decode_any(spec: &'static Spec, bytes: &[u8]) -> Result<Self, DecodeError> {
        // genesis_time (8 bytes) and genesis_validators_root (32) stand before the slot in every fork.
        let slot = match bytes.get(40..48) {
            Some(slot) => u64::from_le_bytes(slot.try_into().expect("8 bytes")),
            None => 0,
        };
        Self::decode_at(spec, spec.fork_name_at_slot(slot.into()), bytes)
    }

    /// Reads the JSON of a state of a known fork.
    pub fn json_at(spec: &'static Spec, fork: ForkName, value: &ssz::JsonValue) -> Result<Self, JsonError> {
        let state = Self::from_json(value, spec.ctx(fork))?;
        let context = StateContext::at(spec, fork, state.slot);
        Ok(Self { context, ..state })
    }

    /// The spec of the state.
    ///
    /// Panics where the state came from the bare `from_ssz` instead of [`BeaconState::decode_at`]: such a state is
    /// good for printing and hashing only.
    pub fn spec(&self) -> &'static Spec {
        self.context.spec_and_fork.expect("the state was made with its spec").0
    }

    /// The fork of the state; panics as [`BeaconState::spec`].
    pub fn fork_name(&self) -> ForkName {
        self.context.spec_and_fork.expect("the state was made with its spec").1
    }

    /// Marks the state as one of another fork, as an upgrade does; derived values are forgotten, but for keys.
    pub fn set_fork_name(&mut self, fork: ForkName) {
        let mut context = StateContext::at(self.spec(), fork, self.slot);
        context.caches.share_keys_of(&self.context.caches);
        self.context = context;
    }

    /// What SSZ needs to know of the state's preset and fork.
    pub fn ctx(&self) -> Ctx {
        self.spec().ctx(self.fork_name())
    }

    /// The state's hash tree root.
    pub fn state_root(&self) -> Root {
        self.hash_tree_root(self.ctx())
    }

    /// The state's encoding.
    pub fn encoded(&self) -> Vec<u8> {
        self.to_ssz(self.ctx())
    }
}

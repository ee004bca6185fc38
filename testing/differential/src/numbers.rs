//! Numbers at which rules change their mind.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use types::BeaconState;
use types::constants::FAR_FUTURE_EPOCH;

/// Numbers that mean something in a state: its slots, epochs, indices and amounts, and those beside them.
#[derive(Clone, Debug)]
pub struct Numbers {
    likely: Vec<u64>,
    extreme: Vec<u64>,
    increment: u64,
}

impl Numbers {
    /// Those of a state.
    pub fn of(state: &BeaconState) -> Self {
        let (spec, config) = (state.spec(), &state.spec().config);
        let preset = &spec.preset;
        let epoch = state.slot.epoch(spec).0;
        let increment = preset.effective_balance_increment;
        let quarter = increment / preset.hysteresis_quotient;
        let mut likely = vec![0, 1, 2, FAR_FUTURE_EPOCH.0];
        for near in [epoch, state.slot.0, state.validators.len() as u64, state.finalized_checkpoint.epoch.0] {
            likely.extend((0..4).map(|step| near + step));
            likely.extend((1..4).map(|step| near.saturating_sub(step)));
        }
        for later in [
            preset.max_seed_lookahead + 1,
            config.min_validator_withdrawability_delay,
            preset.epochs_per_slashings_vector,
            preset.epochs_per_slashings_vector / 2,
        ] {
            likely.extend([later - 1, later, later + 1].map(|later| epoch + later));
        }
        likely.push(epoch.saturating_sub(config.shard_committee_period));
        let most =
            [preset.max_effective_balance, config.ejection_balance.0, preset.max_effective_balance_electra];
        for amount in most.into_iter().chain([increment, preset.min_activation_balance]) {
            for moved in
                [amount, amount - quarter, amount + quarter, amount + 5 * quarter, amount + 4 * quarter]
            {
                likely.extend([moved, moved + 1, moved - 1]);
            }
        }
        let extreme = vec![1 << 32, (1 << 53) - 1, 1 << 53, 1 << 63, u64::MAX - 1, u64::MAX - 255];
        Self { likely, extreme, increment }
    }

    /// A number in hexadecimal SSZ as an effective balance: these are whole increments, and at most some thousands of them,
    /// in every state that a chain leads to.
    pub fn in_increments(&self, text: &str) -> String {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let increments = bytes.map_or(0, u64::from_le_bytes) / self.increment;
        hex::encode((increments.min(2048) * self.increment).to_le_bytes())
    }

    /// One of them, or a neighbour of the present one.
    pub fn draw(&self, rng: &mut ChaCha8Rng, present: u64) -> u64 {
        // Far-future epochs have no neighbours that mean anything.
        let is_extreme = present > 1 << 53;
        match rng.random_range(0..200) {
            0 => *self.extreme.choose(rng).expect("there are some"),
            1..=40 if !is_extreme => present.wrapping_add(rng.random_range(1..4)),
            41..=80 if !is_extreme => present.saturating_sub(rng.random_range(1..4)),
            81..=90 => rng.random_range(0..64),
            _ => *self.likely.choose(rng).expect("there are some"),
        }
    }
}

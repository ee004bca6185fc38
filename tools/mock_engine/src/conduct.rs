//! How an engine behaves: which forks it knows, and what it does badly.

use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkName, Spec};

/// From which time, in seconds, an engine is of which fork; what is none never comes.
///
/// An engine that knows it refuses a method of another version than the payload's time asks for, as a real one does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Capella.
    pub shanghai: Option<u64>,
    /// Deneb.
    pub cancun: Option<u64>,
    /// Electra.
    pub prague: Option<u64>,
    /// Fulu.
    pub osaka: Option<u64>,
}

impl Schedule {
    /// The schedule of a network whose genesis is at a time in seconds.
    pub fn of_network(spec: &Spec, genesis_time: u64) -> Self {
        let begin = |fork: ForkName| {
            let epoch = spec.fork_epoch(fork);
            let ms = epoch
                .0
                .checked_mul(spec.preset.slots_per_epoch)?
                .checked_mul(spec.config.slot_duration_ms)?;
            (epoch != FAR_FUTURE_EPOCH).then(|| genesis_time.saturating_add(ms / 1000))
        };
        Self {
            shanghai: begin(ForkName::Capella),
            cancun: begin(ForkName::Deneb),
            prague: begin(ForkName::Electra),
            osaka: begin(ForkName::Fulu),
        }
    }

    /// The fork of a block by its time, in seconds.
    pub fn fork_at(&self, timestamp: u64) -> ForkName {
        let begun = |time: Option<u64>| time.is_some_and(|time| timestamp >= time);
        match self {
            _ if begun(self.osaka) => ForkName::Fulu,
            _ if begun(self.prague) => ForkName::Electra,
            _ if begun(self.cancun) => ForkName::Deneb,
            _ if begun(self.shanghai) => ForkName::Capella,
            _ => ForkName::Bellatrix,
        }
    }
}

/// What an engine does badly. By default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// Over HTTP, each answer is held back this long, in milliseconds.
    pub delay_ms: u64,
    /// Before this time (as [`crate::MockEngine::handle`] is told it) the engine is syncing: it takes payloads in and
    /// looks at none.
    pub syncing_until_ms: u64,
    /// Blocks of this number are invalid, and so is all that builds on them.
    pub invalid_at: Option<u64>,
    /// It takes a payload whose parent it does not know for one that builds on a valid block: for an engine that
    /// forgot everything when it was restarted, since nobody can tell it.
    pub adopts_orphans: bool,
    /// It does not have the blobs of its own payloads in its pool.
    pub hides_blobs: bool,
    /// It says what is not so.
    pub lie: Option<Lie>,
}

/// What an engine says that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Every payload and head is valid, whatever its hash.
    AllValid,
    /// Every payload and head is invalid, and so is all but the first block.
    AllInvalid,
    /// It never catches up.
    AllSyncing,
    /// The payloads that it builds have a hash that is not theirs.
    WrongBlockHash,
    /// The payloads that it builds come without their withdrawals.
    WithoutWithdrawals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_of_mainnet_is_that_of_its_forks() {
        // The times of the upgrades, as the execution layer's configuration has them.
        let schedule = Schedule::of_network(Spec::mainnet(), 1_606_824_023);
        assert_eq!(schedule.shanghai, Some(1_681_338_455));
        assert_eq!(schedule.cancun, Some(1_710_338_135));
        assert_eq!(schedule.prague, Some(1_746_612_311));
        assert_eq!(schedule.fork_at(1_710_338_134), ForkName::Capella);
        assert_eq!(schedule.fork_at(1_710_338_135), ForkName::Deneb);
        assert_eq!(Schedule::default().fork_at(u64::MAX), ForkName::Bellatrix);
    }
}

//! The steps of a transition, by the specification's names.

use std::fmt;

use transition::epoch::EpochStep;
use types::ForkName;

/// A step: a function of the specification and, for one that is called for each operation of a block, which of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The function's name.
    pub name: &'static str,
    /// The operation's place in its list.
    pub place: Option<usize>,
}

impl Step {
    /// `process_slot`: roots are remembered.
    pub const SLOT: Self = Self::of("process_slot");
    /// The slot's number grows by one, in `process_slots`.
    pub const NEXT_SLOT: Self = Self::of("process_slots");
    /// The comparison with the state root that the block names, at the end of `state_transition`.
    pub const STATE_ROOT: Self = Self::of("state_transition");

    /// A function that is called once.
    pub const fn of(name: &'static str) -> Self {
        Self { name, place: None }
    }

    /// A function that is called for each operation.
    pub const fn at(name: &'static str, place: usize) -> Self {
        Self { name, place: Some(place) }
    }

    /// A step of an epoch.
    pub fn epoch(step: EpochStep) -> Self {
        Self::of(step.name())
    }

    /// The upgrade to a fork; none leads to the first.
    pub fn upgrade(fork: ForkName) -> Self {
        Self::of(match fork {
            ForkName::Phase0 => "upgrade_to_phase0",
            ForkName::Altair => "upgrade_to_altair",
            ForkName::Bellatrix => "upgrade_to_bellatrix",
            ForkName::Capella => "upgrade_to_capella",
            ForkName::Deneb => "upgrade_to_deneb",
            ForkName::Electra => "upgrade_to_electra",
            ForkName::Fulu => "upgrade_to_fulu",
        })
    }

    /// The step as it stands in names of files: `process_attestation-3`.
    pub fn file_name(&self) -> String {
        match self.place {
            None => self.name.to_owned(),
            Some(place) => format!("{}-{place}", self.name),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.place.map_or(Ok(()), |place| write!(f, "[{place}]"))
    }
}

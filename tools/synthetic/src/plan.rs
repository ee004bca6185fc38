//! What a state is to be, and its making.

use anyhow::{Context, ensure};
use transition::accessors::{get_next_sync_committee, initialize_proposer_lookahead};
use types::constants::FAR_FUTURE_EPOCH;
use types::{BeaconState, Checkpoint, Epoch, Fork, ForkName, Slot, Spec, ValidatorIndex};

use crate::{Keys, history, noise, payload, registry, votes};

/// How many epochs after its fork a state stands, where the next fork is not nearer.
const EPOCHS_AFTER_FORK: u64 = 5000;

/// How well the chain before the state went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Participation {
    /// Everyone voted; finality is recent.
    Full,
    /// In the two last epochs half of the validators voted; no leak yet.
    Half,
    /// Half of the validators has not voted for twenty epochs, and leaks.
    Leak,
    /// Everyone voted, and the epoch that ends now ejects a sixteenth of the validators, while another sixteenth is in the
    /// exit queue, a 64th is slashed in one go, and two 64ths wait to be activated.
    MassExits,
}

impl Participation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::Half, Self::Leak, Self::MassExits];

    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Half => "half",
            Self::Leak => "leak",
            Self::MassExits => "mass-exits",
        }
    }

    /// True where the validator is one of those who vote.
    pub fn votes(self, index: ValidatorIndex) -> bool {
        match self {
            Self::Full | Self::MassExits => true,
            Self::Half | Self::Leak => noise::bits(1, index.0) & 1 == 0,
        }
    }
}

/// What a state is to be.
#[derive(Clone, Copy, Debug)]
pub struct StatePlan {
    /// Preset, configuration and fork schedule; the fork must be scheduled.
    pub spec: &'static Spec,
    /// The state's fork.
    pub fork: ForkName,
    /// Validators in the registry; about 1.6 % of them have left long ago.
    pub validators: usize,
    /// What the chain before it was like.
    pub participation: Participation,
}

impl StatePlan {
    /// A state with full participation.
    pub fn new(spec: &'static Spec, fork: ForkName, validators: usize) -> Self {
        Self { spec, fork, validators, participation: Participation::Full }
    }

    /// The state after the block of the last slot of an epoch, so that the epoch's transition comes next.
    ///
    /// The epoch lies some thousand after the fork (or before the next fork), with a history of the length that this takes.
    /// Errors: too few keys or validators, or a fork that is not scheduled or lasts for less than 32 epochs.
    pub fn state(&self, keys: &Keys) -> anyhow::Result<BeaconState> {
        let Self { spec, fork, validators, .. } = *self;
        ensure!(validators <= keys.len(), "{validators} validators, but {} keys", keys.len());
        ensure!(
            validators as u64 >= 2 * spec.preset.slots_per_epoch,
            "{validators} validators are too few for the committees of an epoch"
        );
        let epoch = self.epoch()?;
        let slot = Slot((epoch + 1).start_slot(spec).0 - 1);
        let mut state = BeaconState::empty(spec, fork);
        (state.slot, state.fork) = (slot, self.fork_container());
        state.context = types::StateContext::at(spec, fork, slot);
        history::fill(&mut state);
        registry::fill(&mut state, self, keys);
        self.set_checkpoints(&mut state);
        if fork >= ForkName::Bellatrix {
            state.latest_execution_payload_header = payload::header_at(&state)?;
        }
        self.set_committees(&mut state)?;
        votes::fill(&mut state, self.participation)?;
        // Roots and committees are remembered from now on; a caller that measures decodes the state's encoding instead.
        Ok(state)
    }

    /// The epoch of the state: away from the ends of the periods that committees and history change with.
    fn epoch(&self) -> anyhow::Result<Epoch> {
        let (first, next) = (self.spec.fork_epoch(self.fork), self.end_of_fork());
        ensure!(first != FAR_FUTURE_EPOCH, "{} is not scheduled", self.fork);
        ensure!(next.saturating_sub(first) >= 32, "{} lasts from {first} to {next} only", self.fork);
        let wanted = first.saturating_add(EPOCHS_AFTER_FORK).min(Epoch(next.0 - 16));
        let period = self.spec.preset.epochs_per_sync_committee_period;
        let rounded = wanted.0 - wanted.0 % period + period * 25 / 64;
        Ok(if (first..Epoch(next.0 - 1)).contains(&Epoch(rounded)) { Epoch(rounded) } else { wanted })
    }

    fn end_of_fork(&self) -> Epoch {
        let later = ForkName::ALL.into_iter().filter(|other| *other > self.fork);
        later.map(|other| self.spec.fork_epoch(other)).min().unwrap_or(FAR_FUTURE_EPOCH)
    }

    fn fork_container(&self) -> Fork {
        let before = ForkName::ALL.into_iter().rfind(|other| *other < self.fork).unwrap_or(self.fork);
        Fork {
            previous_version: self.spec.fork_version(before),
            current_version: self.spec.fork_version(self.fork),
            epoch: self.spec.fork_epoch(self.fork),
        }
    }

    /// Checkpoints as the chain before would have left them. Where it went well, each epoch is justified as it ends, and
    /// the one before it is finalized; the state's own epoch has not ended yet.
    fn set_checkpoints(&self, state: &mut BeaconState) {
        let epoch = state.slot.epoch(self.spec);
        let checkpoint = |ago: u64| {
            let epoch = epoch - ago;
            Checkpoint { epoch, root: history::block_root(epoch.start_slot(self.spec)) }
        };
        // Epochs ago: justified now, justified before, finalized; and which of the last four epochs were justified.
        let (current, previous, finalized, justified) = match self.participation {
            Participation::Full | Participation::MassExits => (1, 2, 2, 0b1111),
            Participation::Half => (2, 2, 3, 0b1110),
            Participation::Leak => (19, 19, 20, 0),
        };
        state.current_justified_checkpoint = checkpoint(current);
        state.previous_justified_checkpoint = checkpoint(previous);
        state.finalized_checkpoint = checkpoint(finalized);
        for place in 0..4 {
            state.justification_bits.set(place, justified >> place & 1 == 1);
        }
    }

    /// Sync committees of this period and the next, and proposers as far as the state names them.
    fn set_committees(&self, state: &mut BeaconState) -> anyhow::Result<()> {
        if self.fork >= ForkName::Altair {
            state.next_sync_committee = get_next_sync_committee(state).context("the sync committee")?;
            // This period's was drawn at the beginning of the last, of the validators as they are.
            let mut before = state.clone();
            before.slot = Slot(
                state.slot.0
                    - self.spec.preset.epochs_per_sync_committee_period * self.spec.preset.slots_per_epoch,
            );
            before.context.caches.forget();
            before.context.caches.epoch = before.slot.epoch(self.spec);
            state.current_sync_committee = get_next_sync_committee(&before).context("the sync committee")?;
        }
        if self.fork >= ForkName::Fulu {
            state.proposer_lookahead = initialize_proposer_lookahead(state)?.into();
        }
        Ok(())
    }
}

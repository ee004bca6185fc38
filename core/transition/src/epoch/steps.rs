//! The steps of an epoch as values: [`process_epoch`](super::process_epoch) takes them one after the other, and so can
//! whoever wants to see what each does.

use types::{BeaconState, ForkName};

use super::effective_balance_updates::update_effective_balances;
use super::{
    EpochError, EpochSummary, process_eth1_data_reset, process_historical_roots_update,
    process_historical_summaries_update, process_inactivity_updates, process_justification_and_finalization,
    process_participation_flag_updates, process_participation_record_updates, process_pending_consolidations,
    process_pending_deposits, process_proposer_lookahead, process_randao_mixes_reset,
    process_registry_updates, process_rewards_and_penalties, process_slashings, process_slashings_reset,
    process_sync_committee_updates, remember_for_next_epoch,
};

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident = $name:literal $(since $first:ident)? $(until $last:ident)?),+ $(,)?) => {
        /// A step of epoch processing; in the order in which they are taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EpochStep {
            $(#[doc = concat!("`", $name, "`.")] $step,)+
        }

        impl EpochStep {
            /// All steps of all forks.
            pub const ALL: &[Self] = &[$(Self::$step),+];

            /// The specification's name of the step's function.
            pub fn name(self) -> &'static str {
                match self { $(Self::$step => $name,)+ }
            }

            /// The first and the last fork whose epochs have the step.
            fn forks(self) -> (ForkName, ForkName) {
                let (oldest, newest) = (ForkName::Phase0, ForkName::Fulu);
                match self { $(Self::$step => {
                    $(let oldest = ForkName::$first;)?
                    $(let newest = ForkName::$last;)?
                    (oldest, newest)
                })+ }
            }
        }
    };
}

steps!(
    JustificationAndFinalization = "process_justification_and_finalization",
    InactivityUpdates = "process_inactivity_updates" since Altair,
    RewardsAndPenalties = "process_rewards_and_penalties",
    RegistryUpdates = "process_registry_updates",
    Slashings = "process_slashings",
    Eth1DataReset = "process_eth1_data_reset",
    PendingDeposits = "process_pending_deposits" since Electra,
    PendingConsolidations = "process_pending_consolidations" since Electra,
    EffectiveBalanceUpdates = "process_effective_balance_updates",
    SlashingsReset = "process_slashings_reset",
    RandaoMixesReset = "process_randao_mixes_reset",
    HistoricalRootsUpdate = "process_historical_roots_update" until Bellatrix,
    HistoricalSummariesUpdate = "process_historical_summaries_update" since Capella,
    ParticipationRecordUpdates = "process_participation_record_updates" until Phase0,
    ParticipationFlagUpdates = "process_participation_flag_updates" since Altair,
    SyncCommitteeUpdates = "process_sync_committee_updates" since Altair,
    ProposerLookahead = "process_proposer_lookahead" since Fulu,
);

impl EpochStep {
    /// The steps of a fork's epochs, in order.
    pub fn of(fork: ForkName) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |step| {
            let (oldest, newest) = step.forks();
            oldest <= fork && fork <= newest
        })
    }
}

/// What the steps of one epoch share: the summary, which stays right while they are taken in order, each once.
#[derive(Debug)]
pub struct EpochSteps {
    summary: EpochSummary,
    /// By how much the effective balance of those changed who are active in the next epoch.
    change: i128,
}

impl EpochSteps {
    /// Reads the state, which must be at the last slot of an epoch, or right before the only step that is taken.
    pub fn begin(state: &BeaconState) -> Result<Self, EpochError> {
        Ok(Self { summary: EpochSummary::new(state)?, change: 0 })
    }

    /// Takes a step. On an error the state is partly changed and of no use.
    pub fn take(&mut self, state: &mut BeaconState, step: EpochStep) -> Result<(), EpochError> {
        let summary = &self.summary;
        match step {
            EpochStep::JustificationAndFinalization => {
                process_justification_and_finalization(state, summary)?;
            }
            EpochStep::InactivityUpdates => process_inactivity_updates(state, summary)?,
            EpochStep::RewardsAndPenalties => process_rewards_and_penalties(state, summary)?,
            EpochStep::RegistryUpdates => process_registry_updates(state, summary)?,
            EpochStep::Slashings => process_slashings(state, summary)?,
            EpochStep::Eth1DataReset => process_eth1_data_reset(state),
            EpochStep::PendingDeposits => process_pending_deposits(state)?,
            EpochStep::PendingConsolidations => process_pending_consolidations(state)?,
            EpochStep::EffectiveBalanceUpdates => self.change = update_effective_balances(state, summary)?,
            EpochStep::SlashingsReset => process_slashings_reset(state),
            EpochStep::RandaoMixesReset => process_randao_mixes_reset(state),
            EpochStep::HistoricalRootsUpdate => process_historical_roots_update(state)?,
            EpochStep::HistoricalSummariesUpdate => process_historical_summaries_update(state)?,
            EpochStep::ParticipationRecordUpdates => {
                process_participation_record_updates(state);
                remember_for_next_epoch(state, &self.summary, self.change);
            }
            EpochStep::ParticipationFlagUpdates => process_participation_flag_updates(state),
            EpochStep::SyncCommitteeUpdates => {
                process_sync_committee_updates(state)?;
                // What the lookahead, the only step behind this one, reads too.
                remember_for_next_epoch(state, &self.summary, self.change);
            }
            EpochStep::ProposerLookahead => process_proposer_lookahead(state)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fork_has_the_steps_that_its_specification_lists() {
        let names = |fork| EpochStep::of(fork).map(EpochStep::name).collect::<Vec<_>>();
        assert_eq!(names(ForkName::Phase0).len(), 10);
        assert_eq!(names(ForkName::Altair).len(), 12);
        assert_eq!(names(ForkName::Bellatrix), names(ForkName::Altair));
        assert_eq!(names(ForkName::Capella).len(), 12);
        assert_eq!(names(ForkName::Deneb), names(ForkName::Capella));
        assert_eq!(names(ForkName::Electra).len(), 14);
        assert_eq!(names(ForkName::Fulu).last(), Some(&"process_proposer_lookahead"));
        assert!(names(ForkName::Capella).contains(&"process_historical_summaries_update"));
        assert!(!names(ForkName::Capella).contains(&"process_historical_roots_update"));
    }
}

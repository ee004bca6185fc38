//! A transition taken step by step.
//!
//! Nothing here computes anything of the transition: each step is a function of `transition`, those that the official
//! vectors of `epoch_processing`, `operations` and `fork` run. Only their order stands here once more, for blocks and
//! slots; [`check_sum`] compares what came of it with production's.

use transition::block::{BlockInvalid, PayloadStatus};
use transition::block::{
    check_deposit_count, is_execution_enabled, process_attestation, process_attester_slashing,
    process_block_header, process_bls_to_execution_change, process_consolidation_request, process_deposit,
    process_deposit_request, process_eth1_data, process_execution_payload, process_proposer_slashing,
    process_randao, process_sync_aggregate, process_voluntary_exit, process_withdrawal_request,
    process_withdrawals,
};
use transition::epoch::{EpochStep, EpochSteps};
use transition::upgrade::upgrade_to;
use transition::{
    Signatures, TransitionError, ValidateResult, process_slot, process_slots, state_transition,
    verify_block_signature,
};
use types::{BeaconBlockBody, BeaconState, ForkName, Root, SignedBeaconBlock, Slot};

use crate::step::Step;

/// Sees the state around each step.
pub trait Watch {
    /// Called after a step; an error ends the walk.
    fn after(&mut self, step: &Step, before: &BeaconState, after: &BeaconState) -> anyhow::Result<()>;
}

/// A step that the state or the block does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step} at slot {slot}: {error}")]
pub struct Refused {
    /// The step.
    pub step: Step,
    /// The slot of the state that it failed on.
    pub slot: Slot,
    /// Why.
    pub error: TransitionError,
}

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// By the rules.
    #[error(transparent)]
    Refused(#[from] Box<Refused>),
    /// By whoever watches.
    #[error(transparent)]
    Watch(anyhow::Error),
}

/// A step taken otherwise than production takes it.
#[cfg(test)]
pub(crate) type Fault = (&'static str, fn(&mut BeaconState));

/// A state on its way.
pub struct Walk<'w> {
    /// The state; partly changed after an error.
    pub state: BeaconState,
    verify: bool,
    watch: Option<&'w mut dyn Watch>,
    /// Only tests can plant one: no other build has the field.
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
}

impl<'w> Walk<'w> {
    /// From a state on, unwatched; signatures are verified one by one, so that the step that a wrong one is in is told.
    pub fn new(state: BeaconState) -> Self {
        Self {
            state,
            verify: true,
            watch: None,
            #[cfg(test)]
            fault: None,
        }
    }

    /// The same, but signatures are trusted.
    pub fn skipping_signatures(mut self) -> Self {
        self.verify = false;
        self
    }

    /// The same, seen by a watcher.
    pub fn watched(mut self, watch: &'w mut dyn Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The same with a step taken otherwise.
    #[cfg(test)]
    pub(crate) fn with_fault(mut self, fault: Option<Fault>) -> Self {
        self.fault = fault;
        self
    }

    fn is_plain(&self) -> bool {
        #[cfg(test)]
        if self.fault.is_some() {
            return false;
        }
        self.watch.is_none()
    }

    fn signatures(&self) -> Signatures {
        if self.verify { Signatures::Verify } else { Signatures::Skip }
    }

    fn take(
        &mut self,
        step: Step,
        run: impl FnOnce(&mut BeaconState) -> Result<(), TransitionError>,
    ) -> Result<(), Stop> {
        let before = self.state.clone();
        run(&mut self.state).map_err(|error| {
            Stop::Refused(Box::new(Refused { step: step.clone(), slot: before.slot, error }))
        })?;
        #[cfg(test)]
        if let Some((name, fault)) = self.fault
            && name == step.name
        {
            fault(&mut self.state);
        }
        match &mut self.watch {
            Some(watch) => watch.after(&step, &before, &self.state).map_err(Stop::Watch),
            None => Ok(()),
        }
    }

    /// Goes through empty slots up to a slot, which must be ahead.
    pub fn advance(&mut self, slot: Slot) -> Result<(), Stop> {
        let from = self.state.slot;
        if self.is_plain() || from >= slot {
            return process_slots(&mut self.state, slot).map_err(|error| {
                Stop::Refused(Box::new(Refused { step: Step::NEXT_SLOT, slot: from, error }))
            });
        }
        while self.state.slot < slot {
            self.take(Step::SLOT, process_slot)?;
            self.next_slot()?;
        }
        Ok(())
    }

    fn next_slot(&mut self) -> Result<(), Stop> {
        let next = self.state.slot + 1;
        let spec = self.state.spec();
        let enters_epoch = next.0.is_multiple_of(spec.preset.slots_per_epoch);
        if enters_epoch {
            self.epoch()?;
        }
        self.take(Step::NEXT_SLOT, |state| {
            state.slot = next;
            if enters_epoch {
                state.context.caches.enter_epoch(next.epoch(spec));
            }
            Ok(())
        })?;
        let (before, scheduled) = (self.state.fork_name(), spec.fork_name_at_slot(next));
        if !enters_epoch {
            return Ok(());
        }
        for fork in ForkName::ALL.into_iter().filter(|fork| before < *fork && *fork <= scheduled) {
            self.take(Step::upgrade(fork), |state| upgrade_to(state, fork))?;
        }
        Ok(())
    }

    /// All steps of the epoch that the state is at the last slot of.
    pub fn epoch(&mut self) -> Result<(), Stop> {
        let mut steps = self.begin_epoch()?;
        for step in EpochStep::of(self.state.fork_name()) {
            self.take(Step::epoch(step), |state| Ok(steps.take(state, step)?))?;
        }
        Ok(())
    }

    /// One step of an epoch alone, as the official vectors take it.
    pub fn epoch_step(&mut self, step: EpochStep) -> Result<(), Stop> {
        let mut steps = self.begin_epoch()?;
        self.take(Step::epoch(step), |state| Ok(steps.take(state, step)?))
    }

    fn begin_epoch(&self) -> Result<EpochSteps, Stop> {
        EpochSteps::begin(&self.state).map_err(|error| {
            let step = Step::of("process_epoch");
            Stop::Refused(Box::new(Refused { step, slot: self.state.slot, error: error.into() }))
        })
    }

    /// A signed block, with the slots before it. The answer is the root of the state after it, which the caller
    /// compares with the one that the block names.
    pub fn block(&mut self, signed: &SignedBeaconBlock) -> Result<Root, Stop> {
        let mut signatures = self.signatures();
        if self.is_plain() {
            let from = self.state.slot;
            state_transition(&mut self.state, signed, &mut signatures, ValidateResult::No).map_err(
                |error| Stop::Refused(Box::new(Refused { step: Step::STATE_ROOT, slot: from, error })),
            )?;
            return Ok(self.state.state_root());
        }
        self.advance(signed.message.slot)?;
        self.take(Step::of("verify_block_signature"), |state| {
            let is_right = verify_block_signature(state, signed, &mut signatures);
            if is_right { Ok(()) } else { Err(TransitionError::BlockSignature) }
        })?;
        let (block, body) = (&signed.message, &signed.message.body);
        let s = &mut signatures;
        self.take(Step::of("process_block_header"), |state| {
            process_block_header(state, block).map_err(|error| BlockInvalid::from(error).into())
        })?;
        if self.state.fork_name() >= ForkName::Capella {
            self.take(Step::of("process_withdrawals"), |state| {
                process_withdrawals(state, &body.execution_payload)
                    .map_err(|error| BlockInvalid::from(error).into())
            })?;
        }
        if is_execution_enabled(&self.state, body) {
            self.take(Step::of("process_execution_payload"), |state| {
                process_execution_payload(state, body, PayloadStatus::NotValidated)
                    .map_err(|error| BlockInvalid::from(error).into())
            })?;
        }
        self.take(Step::of("process_randao"), |state| Ok(process_randao(state, body, s)?))?;
        self.take(Step::of("process_eth1_data"), |state| Ok(process_eth1_data(state, body)?))?;
        self.operations(body, s)?;
        if self.state.fork_name() >= ForkName::Altair {
            self.take(Step::of("process_sync_aggregate"), |state| {
                process_sync_aggregate(state, &body.sync_aggregate, s)
                    .map_err(|error| BlockInvalid::from(error).into())
            })?;
        }
        Ok(self.state.state_root())
    }

    fn operations(&mut self, body: &BeaconBlockBody, s: &mut Signatures) -> Result<(), Stop> {
        macro_rules! each {
            ($list:expr, $name:literal, |$state:ident, $operation:ident| $call:expr, $place:ident => $invalid:expr) => {
                for ($place, $operation) in $list.iter().enumerate() {
                    self.take(Step::at($name, $place), |$state| {
                        $call.map_err(|error| TransitionError::from($invalid(error)))
                    })?;
                }
            };
        }
        self.take(Step::of("process_operations"), |state| Ok(check_deposit_count(state, body)?))?;
        each!(body.proposer_slashings, "process_proposer_slashing",
            |state, slashing| process_proposer_slashing(state, slashing, s),
            place => |error| BlockInvalid::ProposerSlashing(place, error));
        each!(body.attester_slashings, "process_attester_slashing",
            |state, slashing| process_attester_slashing(state, slashing, s),
            place => |error| BlockInvalid::AttesterSlashing(place, error));
        each!(body.attestations, "process_attestation",
            |state, attestation| process_attestation(state, attestation, s),
            place => |error| BlockInvalid::Attestation(place, error));
        each!(body.deposits, "process_deposit",
            |state, deposit| process_deposit(state, deposit),
            place => |error| BlockInvalid::Deposit(place, error));
        each!(body.voluntary_exits, "process_voluntary_exit",
            |state, exit| process_voluntary_exit(state, exit, s),
            place => |error| BlockInvalid::VoluntaryExit(place, error));
        each!(body.bls_to_execution_changes, "process_bls_to_execution_change",
            |state, change| process_bls_to_execution_change(state, change, s),
            place => |error| BlockInvalid::BlsToExecutionChange(place, error));
        each!(body.execution_requests.deposits, "process_deposit_request",
            |state, request| process_deposit_request(state, request),
            place => |error| BlockInvalid::Request("deposit", place, error));
        each!(body.execution_requests.withdrawals, "process_withdrawal_request",
            |state, request| process_withdrawal_request(state, request),
            place => |error| BlockInvalid::Request("withdrawal", place, error));
        each!(body.execution_requests.consolidations, "process_consolidation_request",
            |state, request| process_consolidation_request(state, request),
            place => |error| BlockInvalid::Request("consolidation", place, error));
        Ok(())
    }
}

/// That production, from the same state over the same block or slots, ends at the same state as the steps did.
pub(crate) fn check_sum(
    from: &BeaconState,
    after: &BeaconState,
    block: Option<&SignedBeaconBlock>,
) -> anyhow::Result<()> {
    let mut whole = from.clone();
    match block {
        Some(block) => state_transition(&mut whole, block, &mut Signatures::Skip, ValidateResult::No)?,
        None => process_slots(&mut whole, after.slot)?,
    }
    anyhow::ensure!(
        whole == *after,
        "the steps lead to another state than the whole transition does: {}",
        crate::changes(&crate::Encoded::of(&whole), &crate::Encoded::of(after), 1)
    );
    Ok(())
}

//! A case run through the functions that production calls.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{anyhow, bail};
use ssz::Ssz;
use transition::block as process;
use transition::block::PayloadStatus;
use transition::epoch::EpochSteps;
#[cfg(not(feature = "planted_fault"))]
use transition::epoch::{EpochError, EpochStep};
#[cfg(not(feature = "planted_fault"))]
use transition::process_slots;
use transition::{Signatures, verify_block_signature};
use types::{BeaconState, SignedBeaconBlock, SszExt};

use crate::case::{Action, Case, Outcome, step_of};
#[cfg(feature = "planted_fault")]
use crate::planted::{process_slots, take_step};
use crate::schedule::spec_of;

/// Runs a case; a panic is an outcome.
pub fn run(case: &Case) -> Outcome {
    match quietly(|| after(case)) {
        Ok(Ok(state)) => match quietly(|| Outcome::of_state(&state)) {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Panicked(why),
        },
        Ok(Err(why)) => Outcome::Refused(format!("{why:#}")),
        Err(why) => Outcome::Panicked(why),
    }
}

/// Runs what may panic; the error is the panic's message.
pub fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
    })
}

/// The state after the case.
pub fn after(case: &Case) -> anyhow::Result<BeaconState> {
    let mut state = BeaconState::decode_at(spec_of(&case.preset, case.fork)?, case.fork, &case.pre)
        .map_err(|error| anyhow!("the state before: {error}"))?;
    match &case.action {
        Action::Slots(count) => {
            let slot = state.slot.0.checked_add(*count).ok_or_else(|| anyhow!("no such slot"))?;
            process_slots(&mut state, slot.into())?;
        }
        Action::Blocks => {
            for bytes in &case.inputs {
                let block = SignedBeaconBlock::from_ssz(bytes, state.ctx())
                    .map_err(|error| anyhow!("the block: {error}"))?;
                block_on(&mut state, &block, case.signatures)?;
            }
        }
        Action::Operation(name) => operation(&mut state, name, &case.inputs, case.signatures)?,
        Action::Epoch(name) => step(&mut state, name)?,
    }
    Ok(state)
}

/// The transition with a block, but for the comparison of the state root that it names.
pub fn block_on(state: &mut BeaconState, block: &SignedBeaconBlock, signatures: bool) -> anyhow::Result<()> {
    let mut signatures = if signatures { Signatures::Verify } else { Signatures::Skip };
    process_slots(state, block.message.slot)?;
    if !verify_block_signature(state, block, &mut signatures) {
        bail!("the proposer's signature is invalid");
    }
    Ok(process::process_block(state, &block.message, &mut signatures)?)
}

fn read<T: Ssz>(state: &BeaconState, inputs: &[Vec<u8>]) -> anyhow::Result<T> {
    let bytes = inputs.first().ok_or_else(|| anyhow!("an operation without bytes"))?;
    T::from_ssz(bytes, state.ctx()).map_err(|error| anyhow!("the operation: {error}"))
}

fn operation(
    state: &mut BeaconState,
    name: &str,
    inputs: &[Vec<u8>],
    signatures: bool,
) -> anyhow::Result<()> {
    let signatures = &mut if signatures { Signatures::Verify } else { Signatures::Skip };
    macro_rules! apply {
        ($function:ident $(, $more:expr)*) => {{
            let value = read(state, inputs)?;
            process::$function(state, &value $(, $more)*)?
        }};
    }
    match name {
        "attestation" => apply!(process_attestation, signatures),
        "attester_slashing" => apply!(process_attester_slashing, signatures),
        "proposer_slashing" => apply!(process_proposer_slashing, signatures),
        "voluntary_exit" => apply!(process_voluntary_exit, signatures),
        "bls_to_execution_change" => apply!(process_bls_to_execution_change, signatures),
        "sync_aggregate" => apply!(process_sync_aggregate, signatures),
        "execution_payload" => apply!(process_execution_payload, PayloadStatus::Valid),
        "withdrawals" => apply!(process_withdrawals),
        "deposit_request" => apply!(process_deposit_request),
        "withdrawal_request" => apply!(process_withdrawal_request),
        "consolidation_request" => apply!(process_consolidation_request),
        "block_header" => apply!(process_block_header),
        "deposit" => apply!(process_deposit),
        other => bail!("no operation {other}"),
    }
    Ok(())
}

fn step(state: &mut BeaconState, name: &str) -> anyhow::Result<()> {
    let step = step_of(name).ok_or_else(|| anyhow!("no epoch step {name}"))?;
    Ok(take_step(&mut EpochSteps::begin(state)?, state, step)?)
}

/// As production takes it.
#[cfg(not(feature = "planted_fault"))]
fn take_step(steps: &mut EpochSteps, state: &mut BeaconState, step: EpochStep) -> Result<(), EpochError> {
    steps.take(state, step)
}

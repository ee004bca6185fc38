//! Who watches a walk: prints what steps change, compares them, and finds out which step wrote a part.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::bail;
use inspect::{Path, Step as PathStep, diff};
use ssz::{Ctx, SszExt};
use types::{BeaconBlock, BeaconState};

use crate::against::Foreign;
use crate::changes::{Encoded, changes};
use crate::run::{Options, write_state};
use crate::step::Step;
use crate::vector::{Kind, step_by_name};
use crate::walk::Watch;

/// Parts of one field whose writers are looked for.
const PARTS_OF_FIELD: usize = 4;
/// Parts in all whose writers are looked for.
const PARTS_MAX: usize = 32;

/// Only makes a walk take its steps one by one.
pub(crate) struct Quiet;

impl Watch for Quiet {
    fn after(&mut self, _: &Step, _: &BeaconState, _: &BeaconState) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Tells and compares steps.
pub(crate) struct Watching<'a> {
    options: &'a Options,
    out: &'a mut dyn Write,
    last: Option<Encoded>,
    /// States that were compared.
    pub compared: usize,
    /// The step after which another client has another state: the step, ours before it, theirs after it.
    pub differs: Option<(Step, BeaconState, Foreign)>,
}

impl<'a> Watching<'a> {
    pub fn new(options: &'a Options, out: &'a mut dyn Write) -> Self {
        Self { options, out, last: None, compared: 0, differs: None }
    }

    fn tell(
        &mut self,
        step: &Step,
        before: &BeaconState,
        after: &BeaconState,
        most: usize,
    ) -> anyhow::Result<()> {
        let old = self.last.take().unwrap_or_else(|| Encoded::of(before));
        let new = Encoded::of(after);
        let found = changes(&old, &new, most);
        let count = found.count();
        let said = match count {
            0 => "nothing".to_owned(),
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        writeln!(self.out, "slot {} {step}: {said}", after.slot)?;
        for change in &found.first {
            writeln!(self.out, "    {change}")?;
        }
        if let Some(rest) = found.rest() {
            writeln!(self.out, "    {rest}")?;
        }
        self.last = Some(new);
        Ok(())
    }
}

impl Watch for Watching<'_> {
    fn after(&mut self, step: &Step, before: &BeaconState, after: &BeaconState) -> anyhow::Result<()> {
        if let Some(most) = self.options.steps {
            self.tell(step, before, after, most)?;
            if let Some(folder) = &self.options.write_states {
                write_state(folder, &format!("{}-{}", after.slot, step.file_name()), after)?;
            }
        }
        let Some(against) = &self.options.against else { return Ok(()) };
        let found = against.after_step(step, after.slot, after.spec(), after.fork_name())?;
        let Some(theirs) = found else { return Ok(()) };
        self.compared += 1;
        if theirs.state.bytes() != after.encoded() {
            self.differs = Some((step.clone(), before.clone(), theirs));
            bail!("the states differ");
        }
        Ok(())
    }
}

/// A part that differs, and the steps of ours that wrote it.
struct Traced {
    path: Path,
    writers: Vec<Writer>,
}

/// One that wrote a part.
struct Writer {
    /// How many steps were taken before it.
    place: usize,
    step: Step,
    slot: types::Slot,
}

/// Which steps wrote what differs.
pub(crate) struct Writers(Vec<Traced>);

impl Writers {
    /// One line a part.
    pub fn lines(&self) -> Vec<String> {
        let line = |traced: &Traced| {
            let steps: Vec<String> = traced
                .writers
                .iter()
                .map(|writer| format!("{} at slot {}", writer.step, writer.slot))
                .collect();
            match steps.is_empty() {
                true => format!("{} was written by no step of ours", traced.path),
                false => format!("{} was written by {}", traced.path, steps.join(", then ")),
            }
        };
        self.0.iter().map(line).collect()
    }

    /// The earliest of the steps that wrote a differing part last. What comes later may only follow from it, as the roots
    /// of states do.
    pub fn suspect(&self) -> Option<Step> {
        let last = self.0.iter().filter_map(|traced| traced.writers.last());
        last.min_by_key(|writer| writer.place).map(|writer| writer.step.clone())
    }
}

struct Tracing {
    parts: Vec<Traced>,
    place: usize,
    last: Option<Encoded>,
}

impl Watch for Tracing {
    fn after(&mut self, step: &Step, before: &BeaconState, after: &BeaconState) -> anyhow::Result<()> {
        let old = self.last.take().unwrap_or_else(|| Encoded::of(before));
        let new = Encoded::of(after);
        for traced in &mut self.parts {
            let bytes = |state: &Encoded| state.value().at(&traced.path).map(|part| part.bytes().to_vec());
            if bytes(&old) != bytes(&new) {
                traced.writers.push(Writer { place: self.place, step: step.clone(), slot: after.slot });
            }
        }
        self.place += 1;
        self.last = Some(new);
        Ok(())
    }
}

/// Goes again, and notes which steps write the parts that differ.
pub(crate) fn writers(ours: &Encoded, theirs: &Encoded, go: impl FnOnce(&mut dyn Watch)) -> Writers {
    let mut by_field: BTreeMap<String, usize> = BTreeMap::new();
    let mut parts = Vec::new();
    diff(ours.value(), theirs.value(), |difference| {
        let field = match difference.path.steps().first() {
            Some(PathStep::Field(name)) => name.clone(),
            _ => String::new(),
        };
        let count = by_field.entry(field).or_default();
        *count += 1;
        if *count <= PARTS_OF_FIELD {
            parts.push(Traced { path: difference.path, writers: Vec::new() });
        }
        parts.len() < PARTS_MAX
    });
    let mut tracing = Tracing { parts, place: 0, last: None };
    go(&mut tracing);
    Writers(tracing.parts)
}

/// The vector of a single step, where there is a format for it.
pub(crate) fn vector_of(step: &Step, block: Option<&BeaconBlock>, ctx: Ctx) -> Option<Kind> {
    if let Ok(step) = step_by_name(step.name) {
        return Some(Kind::Epoch(step));
    }
    let block = block?;
    let body = &block.body;
    let operation = |handler, file, bytes| Some(Kind::Operation { handler, file, bytes });
    macro_rules! of_list {
        ($handler:literal, $file:literal, $list:expr) => {
            operation($handler, $file, $list.get(step.place?)?.to_ssz(ctx))
        };
    }
    match step.name {
        "process_block_header" => operation("block_header", "block", block.to_ssz(ctx)),
        "process_withdrawals" => {
            operation("withdrawals", "execution_payload", body.execution_payload.to_ssz(ctx))
        }
        "process_execution_payload" => operation("execution_payload", "body", body.to_ssz(ctx)),
        "process_sync_aggregate" => {
            operation("sync_aggregate", "sync_aggregate", body.sync_aggregate.to_ssz(ctx))
        }
        "process_proposer_slashing" => {
            of_list!("proposer_slashing", "proposer_slashing", body.proposer_slashings)
        }
        "process_attester_slashing" => {
            of_list!("attester_slashing", "attester_slashing", body.attester_slashings)
        }
        "process_attestation" => of_list!("attestation", "attestation", body.attestations),
        "process_deposit" => of_list!("deposit", "deposit", body.deposits),
        "process_voluntary_exit" => of_list!("voluntary_exit", "voluntary_exit", body.voluntary_exits),
        "process_bls_to_execution_change" => {
            of_list!("bls_to_execution_change", "address_change", body.bls_to_execution_changes)
        }
        "process_deposit_request" => {
            of_list!("deposit_request", "deposit_request", body.execution_requests.deposits)
        }
        "process_withdrawal_request" => {
            of_list!("withdrawal_request", "withdrawal_request", body.execution_requests.withdrawals)
        }
        "process_consolidation_request" => {
            of_list!("consolidation_request", "consolidation_request", body.execution_requests.consolidations)
        }
        _ => None,
    }
}

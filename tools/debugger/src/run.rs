//! A run: blocks or slots one after the other, told step by step, compared, and kept as a vector where something is
//! wrong.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use transition::epoch::EpochStep;
use types::{BeaconState, Root, SignedBeaconBlock, Slot, SszExt};

use crate::against::{Against, Foreign};
use crate::changes::{Change, Encoded, changes};
use crate::step::Step;
use crate::vector::{Case, Kind};
use crate::walk::{Refused, Stop, Walk, check_sum};
use crate::watching::{Quiet, Watching, writers};

/// Blocks that a vector of a whole run may have.
const VECTOR_BLOCKS_MAX: usize = 1024;

/// What a run does beside going on.
pub struct Options {
    /// Verify signatures; else they are trusted.
    pub verify: bool,
    /// Tell what each step changes, in at most so many lines a step.
    pub steps: Option<usize>,
    /// Differences that are told of two states.
    pub lines: usize,
    /// Another client's states.
    pub against: Option<Against>,
    /// Where to write the case as a vector.
    pub write_vector: Option<PathBuf>,
    /// Where to write states: after each block, and each step where steps are told.
    pub write_states: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { verify: true, steps: None, lines: 20, against: None, write_vector: None, write_states: None }
    }
}

/// The first difference from another client.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The number of the block in the run, from 0; none where it was a slot without one, or an epoch.
    pub block: Option<usize>,
    /// The slot of the states.
    pub slot: Slot,
    /// The step that made the difference: exactly, where states after steps are compared; else the earliest that wrote
    /// what differs last. None where no step of ours wrote it.
    pub step: Option<Step>,
    /// What differs: ours, then theirs.
    pub differences: Vec<Change>,
    /// Where the vector was written.
    pub vector: Option<PathBuf>,
}

/// The state after something, its root or what stopped it, and the step that differs with the states beside it.
type Watched = (BeaconState, Result<Root, Stop>, Option<(Step, BeaconState, Foreign)>);

/// A run on its way.
pub struct Run<'o> {
    state: BeaconState,
    options: &'o Options,
    out: &'o mut dyn Write,
    first: BeaconState,
    blocks: Vec<SignedBeaconBlock>,
    done: usize,
    compared: usize,
    finding: Option<Finding>,
    #[cfg(test)]
    pub(crate) fault: Option<crate::walk::Fault>,
}

impl<'o> Run<'o> {
    /// From a state on; what is told goes to `out`.
    pub fn new(state: BeaconState, options: &'o Options, out: &'o mut dyn Write) -> Self {
        Self {
            first: state.clone(),
            state,
            options,
            out,
            blocks: Vec::new(),
            done: 0,
            compared: 0,
            finding: None,
            #[cfg(test)]
            fault: None,
        }
    }

    /// The state as far as the run came.
    pub fn state(&self) -> &BeaconState {
        &self.state
    }

    /// What was found different, once a call has failed for it.
    pub fn finding(&self) -> Option<&Finding> {
        self.finding.as_ref()
    }

    fn walk<'w>(&self) -> Walk<'w> {
        let walk = Walk::new(self.state.clone());
        #[cfg(test)]
        let walk = walk.with_fault(self.fault);
        if self.options.verify { walk } else { walk.skipping_signatures() }
    }

    /// Takes something by a walk that is watched where there is need.
    fn watched(&mut self, go: impl FnOnce(&mut Walk<'_>) -> Result<Root, Stop>) -> Watched {
        let plain = self.walk();
        let wanted =
            self.options.steps.is_some() || self.options.against.as_ref().is_some_and(Against::has_steps);
        if !wanted {
            let mut walk = plain;
            let result = go(&mut walk);
            return (walk.state, result, None);
        }
        let mut watching = Watching::new(self.options, &mut *self.out);
        let mut walk = plain.watched(&mut watching);
        let result = go(&mut walk);
        let state = walk.state;
        self.compared += watching.compared;
        (state, result, watching.differs)
    }

    /// Applies a block.
    pub fn block(&mut self, signed: &SignedBeaconBlock) -> anyhow::Result<()> {
        let number = self.done;
        let (slot, claimed) = (signed.message.slot, signed.message.state_root);
        let ctx = self.state.spec().ctx_at_slot(slot);
        let name = format!("block {number} of slot {slot} ({})", signed.message.hash_tree_root(ctx));
        if self.options.steps.is_some() {
            writeln!(self.out, "{name}")?;
        }
        let (after, result, differs) = self.watched(|walk| walk.block(signed));
        let kind = || Kind::Blocks(vec![signed.clone()]);
        if let Some((step, before, theirs)) = differs {
            return self.differs_at_step(&name, Some(signed), (step, before, after, theirs));
        }
        let root = match result {
            Ok(root) => root,
            Err(Stop::Watch(error)) => return Err(error.context(name)),
            Err(Stop::Refused(refused)) => {
                let refused = self.step_that_refuses(signed).unwrap_or(refused);
                // That the other has a state after it is worth knowing; that it has none is no second error.
                let theirs = self.theirs(slot, claimed).ok().flatten();
                let also = theirs
                    .as_ref()
                    .map_or(String::new(), |theirs| format!("; {} has a state after it", theirs.name));
                let vector = self.keep(kind(), theirs.map(|theirs| theirs.state), slot)?;
                bail!("{name}: {refused}{also}{}", told(&vector));
            }
        };
        if self.options.steps.is_some() {
            self.check_sum(&after, Some(signed))?;
        }
        if let Some(theirs) = self.theirs(slot, claimed)? {
            self.compare(&name, kind(), &after, &theirs)?;
        }
        if root != claimed {
            let vector = self.keep(kind(), None, slot)?;
            bail!("{name}: its state root is {claimed}, the state's is {root}{}", told(&vector));
        }
        self.arrive(after)?;
        self.done += 1;
        if self.options.write_vector.is_some() {
            if self.blocks.len() == VECTOR_BLOCKS_MAX {
                bail!("a vector has at most {VECTOR_BLOCKS_MAX} blocks");
            }
            self.blocks.push(signed.clone());
        }
        Ok(())
    }

    /// Goes again step by step, for what the whole transition refuses does not say where.
    fn step_that_refuses(&self, signed: &SignedBeaconBlock) -> Option<Box<Refused>> {
        let mut quiet = Quiet;
        match self.walk().watched(&mut quiet).block(signed) {
            Err(Stop::Refused(refused)) => Some(refused),
            _ => None,
        }
    }

    /// Goes through one slot without a block.
    pub fn slot(&mut self) -> anyhow::Result<()> {
        let next = self.state.slot.0.checked_add(1).ok_or_else(|| anyhow!("this is the last slot"))?.into();
        let name = format!("slot {next}");
        let (after, result, differs) = self.watched(|walk| {
            walk.advance(next)?;
            Ok(Root::ZERO)
        });
        if let Some((step, before, theirs)) = differs {
            return self.differs_at_step(&name, None, (step, before, after, theirs));
        }
        match result {
            Ok(_) => {}
            Err(Stop::Watch(error)) => return Err(error.context(name)),
            Err(Stop::Refused(refused)) => {
                let vector = self.keep(Kind::Slots(1), None, next)?;
                bail!("{name}: {refused}{}", told(&vector));
            }
        }
        if self.options.steps.is_some() {
            self.check_sum(&after, None)?;
        }
        if self.options.against.is_some()
            && let Some(theirs) = self.theirs(next, after.state_root())?
        {
            self.compare(&name, Kind::Slots(1), &after, &theirs)?;
        }
        self.arrive(after)
    }

    /// Takes all steps of the epoch that the state is at the end of, or one of them alone.
    pub fn epoch(&mut self, only: Option<EpochStep>) -> anyhow::Result<()> {
        let slot = self.state.slot;
        let name = match only {
            Some(step) => format!("{} at slot {slot}", step.name()),
            None => format!("the epoch's end at slot {slot}"),
        };
        let (after, result, differs) = self.watched(|walk| {
            match only {
                Some(step) => walk.epoch_step(step)?,
                None => walk.epoch()?,
            }
            Ok(Root::ZERO)
        });
        if let Some((step, before, theirs)) = differs {
            return self.differs_at_step(&name, None, (step, before, after, theirs));
        }
        if let Err(stop) = result {
            let vector = only.map(|step| self.keep(Kind::Epoch(step), None, slot)).transpose()?.flatten();
            return Err(anyhow!("{name}: {stop}{}", told(&vector)));
        }
        if only.is_none() {
            let mut whole = self.state.clone();
            transition::epoch::process_epoch(&mut whole)?;
            #[cfg(test)]
            let whole = if self.fault.is_some() { after.clone() } else { whole };
            anyhow::ensure!(
                whole == after,
                "{name}: the steps lead to another state than process_epoch does"
            );
        }
        let theirs = match &self.options.against {
            Some(Against::Node(_)) => {
                bail!(
                    "a node has no states between steps: compare with files here, or with `transition slots`"
                )
            }
            _ => self.theirs(slot, after.state_root())?,
        };
        if let Some(theirs) = theirs {
            self.compare_epoch(&name, only, &after, &theirs)?;
        }
        if let (Some(step), Some(folder)) = (only, &self.options.write_vector) {
            let case = Case {
                pre: self.state.clone(),
                kind: Kind::Epoch(step),
                post: Some(Encoded::of(&after)),
                verify: true,
            };
            let written = case.write(folder, &format!("slot_{slot}"))?;
            writeln!(self.out, "vector: {}", written.0.display())?;
        }
        self.arrive(after)
    }

    fn compare_epoch(
        &mut self,
        name: &str,
        only: Option<EpochStep>,
        after: &BeaconState,
        theirs: &Foreign,
    ) -> anyhow::Result<()> {
        match only {
            Some(step) => self.compare(name, Kind::Epoch(step), after, theirs),
            // No vector holds a whole epoch alone.
            None => self.compare(name, Kind::Slots(0), after, theirs),
        }
    }

    /// Ends the run: a comparison that compared nothing is an error, and a vector of the whole is written where one is
    /// wanted.
    pub fn finish(mut self) -> anyhow::Result<BeaconState> {
        if self.options.against.is_some() {
            if self.compared == 0 {
                bail!("nothing was compared: there is no state of a slot or step that was come by");
            }
            writeln!(self.out, "{} states compared, all equal", self.compared)?;
        }
        if let Some(folder) = &self.options.write_vector {
            let slots = self.state.slot.0.saturating_sub(self.first.slot.0);
            let kind = if !self.blocks.is_empty() {
                Kind::Blocks(std::mem::take(&mut self.blocks))
            } else if slots > 0 {
                Kind::Slots(slots)
            } else {
                return Ok(self.state);
            };
            let case = Case {
                pre: self.first,
                kind,
                post: Some(Encoded::of(&self.state)),
                verify: self.options.verify,
            };
            let written = case.write(folder, &format!("slot_{}", self.state.slot))?;
            writeln!(self.out, "vector: {}", written.0.display())?;
        }
        Ok(self.state)
    }

    fn check_sum(&self, after: &BeaconState, block: Option<&SignedBeaconBlock>) -> anyhow::Result<()> {
        #[cfg(test)]
        if self.fault.is_some() {
            return Ok(());
        }
        check_sum(&self.state, after, block)
    }

    fn theirs(&mut self, slot: Slot, root: Root) -> anyhow::Result<Option<Foreign>> {
        let Some(against) = &self.options.against else { return Ok(None) };
        let found = against.at(slot, root, self.state.spec())?;
        self.compared += usize::from(found.is_some());
        Ok(found)
    }

    fn arrive(&mut self, after: BeaconState) -> anyhow::Result<()> {
        self.state = after;
        match &self.options.write_states {
            Some(folder) => write_state(folder, &self.state.slot.to_string(), &self.state),
            None => Ok(()),
        }
    }

    /// Writes the case from the state before on, where vectors are wanted.
    fn keep(&self, kind: Kind, post: Option<Encoded>, slot: Slot) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = &self.options.write_vector else { return Ok(None) };
        let case = Case { pre: self.state.clone(), kind, post, verify: self.options.verify };
        Ok(Some(case.write(folder, &format!("slot_{slot}"))?.0))
    }

    /// Fails where the states differ, and says which steps wrote what differs.
    fn compare(
        &mut self,
        name: &str,
        kind: Kind,
        after: &BeaconState,
        theirs: &Foreign,
    ) -> anyhow::Result<()> {
        let ours = Encoded::of(after);
        if ours.fork == theirs.state.fork && ours.bytes() == theirs.state.bytes() {
            return Ok(());
        }
        let found = changes(&ours, &theirs.state, self.options.lines);
        writeln!(self.out, "{name}: the first difference from {} (ours → theirs)", theirs.name)?;
        for change in &found.first {
            writeln!(self.out, "  {change}")?;
        }
        found.rest().map_or(Ok(()), |rest| writeln!(self.out, "  {rest}"))?;
        let traced = writers(&ours, &theirs.state, |watch| {
            let mut walk = self.walk().watched(watch);
            // It went well once before; what it leads to is known.
            let _ = match &kind {
                Kind::Blocks(blocks) => blocks.iter().try_for_each(|block| walk.block(block).map(drop)),
                Kind::Slots(0) => walk.epoch(),
                Kind::Slots(count) => {
                    let to = walk.state.slot + *count;
                    walk.advance(to)
                }
                Kind::Epoch(step) => walk.epoch_step(*step),
                Kind::Operation { .. } => Ok(()),
            };
        });
        for line in traced.lines() {
            writeln!(self.out, "  {line}")?;
        }
        let is_empty = matches!(kind, Kind::Slots(1..));
        let block = if is_empty && theirs.has_block_of(after.slot, after.spec()) {
            ", which has a block in this slot"
        } else {
            ""
        };
        let vector = match kind {
            Kind::Slots(0) => None,
            kind => self.keep(kind, Some(theirs.state.clone()), after.slot)?,
        };
        let (count, step) = (found.count(), traced.suspect());
        self.finding = Some(Finding {
            block: name.starts_with("block").then_some(self.done),
            slot: after.slot,
            step: step.clone(),
            differences: found.first,
            vector: vector.clone(),
        });
        let by = step.map_or("written by no step of ours".to_owned(), |step| format!("from {step} on"));
        bail!("{name}: {count} differences from {}{block}, {by}{}", theirs.name, told(&vector))
    }

    /// A difference that a state after a step showed: the step is known.
    fn differs_at_step(
        &mut self,
        name: &str,
        block: Option<&SignedBeaconBlock>,
        (step, before, after, theirs): (Step, BeaconState, BeaconState, Foreign),
    ) -> anyhow::Result<()> {
        let found = changes(&Encoded::of(&after), &theirs.state, self.options.lines);
        writeln!(self.out, "{name}: after {step} the first difference from {} (ours → theirs)", theirs.name)?;
        for change in &found.first {
            writeln!(self.out, "  {change}")?;
        }
        found.rest().map_or(Ok(()), |rest| writeln!(self.out, "  {rest}"))?;
        let kind = crate::watching::vector_of(&step, block.map(|block| &block.message), before.ctx());
        let vector = match (&self.options.write_vector, kind) {
            (Some(folder), Some(kind)) => {
                let case =
                    Case { pre: before, kind, post: Some(theirs.state.clone()), verify: self.options.verify };
                Some(case.write(folder, &format!("slot_{}", after.slot))?.0)
            }
            _ => None,
        };
        self.finding = Some(Finding {
            block: block.map(|_| self.done),
            slot: after.slot,
            step: Some(step.clone()),
            differences: found.first.clone(),
            vector: vector.clone(),
        });
        bail!("{name}: {} differences from {} after {step}{}", found.count(), theirs.name, told(&vector))
    }
}

fn told(vector: &Option<PathBuf>) -> String {
    vector.as_ref().map_or(String::new(), |path| format!("; as a vector in {}", path.display()))
}

/// Writes a state under a name, compressed as vectors are.
pub(crate) fn write_state(folder: &Path, name: &str, state: &BeaconState) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.ssz_snappy"));
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let packed = snap::raw::Encoder::new().compress_vec(&state.encoded())?;
    std::fs::write(&path, packed).with_context(|| path.display().to_string())
}

//! Fetches the columns of earlier blocks after the custody has grown: a few slots at a time, backwards from where it is
//! whole to the first slot that peers may ask for. Each step that is done is announced, so that what is said of the
//! earliest slot stays true.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chain::View;
use data_availability::{ColumnIndex, Sidecar, find_invalid_sidecars};
use storage::Op;
use sync::{Input, SyncState};
use tokio::sync::mpsc;
use types::{ForkName, Root, SignedBeaconBlock, Slot, Spec};

use crate::canonical;
use crate::custody::{Custody, OwnCustody};
use crate::disk::encode_sidecar;
use crate::loads::Loads;
use crate::mailbox::{Mailbox, Urgent};
use crate::published::Published;
use crate::serve_data::{held, window};

/// Slots of one step, whose columns are held in memory.
const STEP_SLOTS: u64 = 8;
/// Between two looks at whether there is something to do.
const IDLE: Duration = Duration::from_secs(2);
/// A step that takes longer begins anew: peers may have come that have the columns.
const STEP_TIME: Duration = Duration::from_secs(300);

/// The number of a step, and the columns that came.
pub type Backfilled = (u64, Vec<Sidecar>);

/// The task that does it.
pub struct Backfill {
    spec: &'static Spec,
    published: Arc<Published>,
    loads: Arc<Loads>,
    custody: Arc<OwnCustody>,
    mailbox: Mailbox,
    came: mpsc::Receiver<Backfilled>,
    number: u64,
}

/// The blocks of a step that lack columns, and the columns that any of them lacks.
type Lacking = (Vec<Arc<SignedBeaconBlock>>, BTreeSet<ColumnIndex>);

/// The slots of the next step; none where everything is there that peers may ask for.
fn next_step(view: &View, custody: &Custody) -> Option<(Slot, Slot)> {
    let (_, columns_from) = window(view, view.current_slot.epoch(view.spec));
    let first = view.spec.fork_epoch(ForkName::Fulu).start_slot(view.spec).max(columns_from).max(Slot(1));
    let end = custody.since;
    (end > first).then(|| (first.max(end.saturating_sub(STEP_SLOTS)), end))
}

fn lacking(view: &View, loads: &Loads, custody: &Custody, slots: (Slot, Slot)) -> Result<Lacking, String> {
    let (mut blocks, mut columns) = (Vec::new(), BTreeSet::new());
    for (_, root) in canonical::blocks_between(view, loads, slots.0, slots.1)? {
        let block = match view.blocks.get(&root) {
            Some(block) => block.clone(),
            None => loads.block(&root)?.ok_or_else(|| format!("block {root} is not stored"))?,
        };
        if block.message.body.blob_kzg_commitments.is_empty() {
            continue;
        }
        let held = held(view, loads, &root)?;
        let lacks: Vec<ColumnIndex> = custody.columns.difference(&held).copied().collect();
        if !lacks.is_empty() {
            columns.extend(lacks);
            blocks.push(block);
        }
    }
    Ok((blocks, columns))
}

/// The block and index of a column whose proofs are wrong.
fn first_invalid(sidecars: &[Sidecar]) -> Option<(Root, ColumnIndex)> {
    let places = find_invalid_sidecars(&sidecars.iter().collect::<Vec<_>>());
    places.first().map(|place| (sidecars[*place].block_root(), sidecars[*place].index()))
}

impl Backfill {
    /// A task for a node that keeps these columns.
    pub fn new(
        spec: &'static Spec,
        (published, loads): (Arc<Published>, Arc<Loads>),
        custody: Arc<OwnCustody>,
        mailbox: Mailbox,
        came: mpsc::Receiver<Backfilled>,
    ) -> Self {
        Self { spec, published, loads, custody, mailbox, came, number: 0 }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(IDLE).await,
                Err(why) => {
                    tracing::warn!(why, "columns of earlier blocks could not be fetched");
                    tokio::time::sleep(IDLE).await;
                }
            }
        }
    }

    /// One step; true where there may be another at once.
    async fn step(&mut self) -> Result<bool, String> {
        let (view, custody) = (self.published.view(), self.custody.current());
        let is_synced = self.published.sync() == SyncState::Synced;
        let Some(slots) = next_step(&view, &custody).filter(|_| is_synced) else { return Ok(false) };
        let (loads, kept) = (self.loads.clone(), custody.clone());
        let reading = tokio::task::spawn_blocking(move || lacking(&view, &loads, &kept, slots));
        let (blocks, columns) = reading.await.map_err(|error| error.to_string())??;
        if !blocks.is_empty() {
            let fetching = self.fetch(blocks, columns);
            match tokio::time::timeout(STEP_TIME, fetching).await {
                Ok(fetched) => fetched?,
                Err(_) => return Ok(false),
            }
        }
        self.custody.filled(&custody, slots.0).map_err(|error| error.to_string())?;
        tracing::debug!(since = slots.0.0, "columns of earlier blocks are in custody");
        Ok(true)
    }

    async fn fetch(
        &mut self,
        blocks: Vec<Arc<SignedBeaconBlock>>,
        columns: BTreeSet<ColumnIndex>,
    ) -> Result<(), String> {
        self.number += 1;
        let number = self.number;
        self.tell(Input::Backfill { number, blocks, columns })?;
        while let Some((of, sidecars)) = self.came.recv().await {
            // What came too late for an earlier step.
            if of != number {
                continue;
            }
            let (spec, loads) = (self.spec, self.loads.clone());
            let storing = tokio::task::spawn_blocking(move || store(spec, &loads, &sidecars));
            let invalid = storing.await.map_err(|error| error.to_string())??;
            self.tell(Input::BackfillDecided { number, invalid })?;
            if invalid.is_none() {
                return Ok(());
            }
        }
        Err("the core has ended".to_owned())
    }

    fn tell(&self, input: Input) -> Result<(), String> {
        self.mailbox.urgent(Urgent::Backfill(input)).map_err(|_| "the core is busy".to_owned())
    }
}

/// Stores columns whose proofs are right, all or none; the first that is wrong.
fn store(
    spec: &'static Spec,
    loads: &Loads,
    sidecars: &[Sidecar],
) -> Result<Option<(Root, ColumnIndex)>, String> {
    if let Some(invalid) = first_invalid(sidecars) {
        return Ok(Some(invalid));
    }
    let put = |sidecar: &Sidecar| Op::PutSidecar {
        root: sidecar.block_root().0,
        slot: sidecar.slot().0,
        index: sidecar.index(),
        ssz: encode_sidecar(sidecar, spec.ctx_at_slot(sidecar.slot())),
    };
    let ops: Vec<Op> = sidecars.iter().map(put).collect();
    loads.database.apply_aside(&ops).map_err(|fault| fault.to_string())?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    fn custody(since: u64) -> Custody {
        Custody { groups: 4, columns: [1, 2].into(), since: Slot(since) }
    }

    fn view(world: &World, slot: u64) -> View {
        let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\n\
            CAPELLA_FORK_EPOCH: 0\nDENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 1\nFULU_FORK_EPOCH: 1\n\
            MIN_EPOCHS_FOR_DATA_COLUMN_SIDECARS_REQUESTS: 3\n";
        let mut view = (*world.view()).clone();
        (view.spec, view.current_slot) = (Spec::from_yaml(text, None).unwrap(), Slot(slot));
        view
    }

    #[test]
    fn steps_go_back_to_the_first_slot_that_peers_may_ask_for() {
        let world = World::new();
        let step =
            |slot, since| next_step(&view(&world, slot), &custody(since)).map(|(from, end)| (from.0, end.0));
        // Fulu begins in slot 8.
        assert_eq!(step(30, 27), Some((19, 27)));
        assert_eq!(step(30, 19), Some((11, 19)));
        assert_eq!((step(30, 11), step(30, 8), step(30, 0)), (Some((8, 11)), None, None));
        // In epoch 6 columns of epoch 3 and later may be asked for.
        assert_eq!((step(48, 30), step(48, 24)), (Some((24, 30)), None));
    }

    #[test]
    fn slots_without_blobs_lack_nothing() {
        let mut world = World::new();
        world.grow([1, 2, 9]);
        world.flush();
        let view = view(&world, 30);
        let (blocks, columns) = lacking(&view, &world.loads, &custody(20), (Slot(1), Slot(20))).unwrap();
        assert_eq!((blocks.len(), columns.len()), (0, 0));
    }
}

//! Backfill: columns of blocks that the chain has long had, for a node that has taken more of them in custody since.
//!
//! It has the least priority: nothing is asked for while the node catches up or looks for data of a block that waits. The
//! shell gives a few blocks at a time, so that little is held.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_availability::ColumnIndex;
use types::{Root, SignedBeaconBlock, Time};

use crate::gathering::Gathering;
use crate::machine::Sync;
use crate::plan::Manner;
use crate::requests::Purpose;
use crate::traffic::{Output, SyncState};

/// Blocks whose columns are fetched at once; further ones are left out.
const BLOCKS_MAX: usize = 64;

/// What is being fetched.
#[derive(Debug)]
pub(crate) struct Backfill {
    /// The shell's number for it.
    pub number: u64,
    /// The blocks' columns.
    pub gathering: Gathering,
    /// All of them came and are with the shell.
    pub is_given: bool,
}

impl Sync {
    /// Begins to fetch columns of these blocks, in place of what was being fetched.
    pub(crate) fn begin_backfill(
        &mut self,
        number: u64,
        blocks: &[Arc<SignedBeaconBlock>],
        columns: &BTreeSet<ColumnIndex>,
    ) {
        let epoch = self.chain.current_slot.epoch(self.spec);
        let blocks = &blocks[..blocks.len().min(BLOCKS_MAX)];
        let gathering = Gathering::of_blocks(self.spec, blocks, columns, epoch);
        self.backfill = Some(Backfill { number, gathering, is_given: false });
    }

    /// The shell has looked at what came; the place of one that is invalid, where there is one.
    pub(crate) fn backfill_decided(&mut self, number: u64, invalid: Option<(Root, ColumnIndex)>) {
        let Some(backfill) = self.backfill.as_mut().filter(|backfill| backfill.number == number) else {
            return;
        };
        match invalid {
            None => self.backfill = None,
            Some((root, index)) => {
                backfill.is_given = false;
                let sender = backfill.gathering.reject(root, index);
                self.charge_sidecar(sender);
            }
        }
    }

    /// True where nothing more urgent is to be fetched.
    fn is_idle(&self) -> bool {
        self.state() == SyncState::Synced
            && self.sidecar_lookups.gathering().is_empty()
            && self.lookups.gathering().is_empty()
    }

    /// Asks for the columns of the backfill, and hands them over when all are there.
    pub(crate) fn gather_backfill(&mut self, now: Time) {
        let Some(number) = self.backfill.as_ref().filter(|backfill| !backfill.is_given).map(|one| one.number)
        else {
            return;
        };
        if !self.is_idle() {
            return;
        }
        self.ask_for_data(now, Purpose::Backfill(number), Manner::Range, None);
        if let Some(backfill) = self.backfill.as_mut().filter(|backfill| backfill.gathering.is_complete()) {
            backfill.is_given = true;
            self.outputs.push_back(Output::Backfilled(number, backfill.gathering.sidecars()));
        }
    }

    /// When the backfill's pause ends.
    pub(crate) fn next_backfill(&self, now: Time) -> Option<Time> {
        let backfill = self.backfill.as_ref().filter(|backfill| !backfill.is_given && self.is_idle())?;
        Some(backfill.gathering.pause_until).filter(|until| *until > now)
    }
}

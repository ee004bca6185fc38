//! The part of the machine that gets the data of blocks: for batches, for lookups, and for blocks that the chain has.

use data_availability::Sidecar;
use types::{Root, Time};

use crate::batch::{Progress, block_root};
use crate::gathering::Fit;
use crate::lookup::Stage;
use crate::machine::Sync;
use crate::plan::{Manner, Next, Planner};
use crate::requests::Purpose;
use crate::traffic::{ImportId, Offence, Output, PeerId, RequestError, RequestId, SidecarsOutcome};

/// Rounds for the data of a batch before its blocks are doubted: a block that nobody has the data of may be one that
/// its sender made up.
const BATCH_ROUNDS_MAX: u32 = 4;

/// The gathering that a request is for.
macro_rules! gathering {
    // Fields apart, so that others can be read beside it.
    ($sync:ident, $purpose:expr) => {
        match $purpose {
            Purpose::BatchData(number) => {
                $sync.range.batch(number).and_then(|batch| batch.gathering()).map(|served| &mut served.data)
            }
            Purpose::LookupData(root) => $sync.lookups.get_mut(&root).map(|lookup| &mut lookup.data),
            Purpose::Sidecars(root) => {
                $sync.sidecar_lookups.get_mut(&root).map(|lookup| &mut lookup.gathering)
            }
            Purpose::Backfill(number) => $sync
                .backfill
                .as_mut()
                .filter(|backfill| backfill.number == number)
                .map(|backfill| &mut backfill.gathering),
            Purpose::Batch(_) | Purpose::Lookup(_) => None,
        }
    };
}

impl Sync {
    /// A sidecar of an answer: kept where it fits, else the rest of the answer is refused. True where it may go on.
    pub(crate) fn sidecar(&mut self, now: Time, id: RequestId, sidecar: Sidecar) -> bool {
        let Some(open) = self.requests.progress(now, id) else { return true };
        let (peer, purpose, spec) = (open.peer, open.purpose, self.spec);
        let fit = match (purpose, gathering!(self, purpose)) {
            (_, Some(gathering)) => gathering.take(spec, id, peer, sidecar),
            (Purpose::Batch(_) | Purpose::Lookup(_), None) => Fit::Unasked,
            // What it was for has ended.
            (_, None) => Fit::Passed,
        };
        match fit {
            Fit::Kept | Fit::Passed => return true,
            Fit::Unasked => self.failed(now, id, RequestError::Malformed),
            Fit::Wrong => {
                self.outputs.push_back(Output::Charge(peer, Offence::InvalidSidecar));
                self.failed(now, id, RequestError::Refused);
            }
        }
        false
    }

    /// A request for data has ended, well or not; true where it brought all that it was to bring.
    pub(crate) fn data_ended(&mut self, id: RequestId, purpose: Purpose, peer: PeerId) -> bool {
        let is_whole = gathering!(self, purpose).is_none_or(|gathering| gathering.closed(id, peer));
        if let Purpose::Sidecars(root) = purpose {
            self.import_sidecars(root);
        }
        is_whole
    }

    /// Gives the chain what came for a block that it has; it may wait for no more than this.
    fn import_sidecars(&mut self, root: Root) {
        let Some(lookup) = self.sidecar_lookups.get_mut(&root) else { return };
        let came = lookup.gathering.take_sidecars();
        if came.is_empty() {
            return;
        }
        let senders = came.iter().map(|(peer, sidecar)| (sidecar.index(), *peer)).collect();
        let import = self.next_import();
        self.sidecar_lookups.importing(import, root, senders);
        let sidecars = came.into_iter().map(|(_, sidecar)| sidecar).collect();
        self.outputs.push_back(Output::ImportSidecars(import, sidecars));
    }

    pub(crate) fn sidecars_decided(&mut self, now: Time, id: ImportId, outcome: SidecarsOutcome) {
        let Some((root, senders)) = self.sidecar_lookups.decided(id) else { return };
        match outcome {
            SidecarsOutcome::Taken => {}
            SidecarsOutcome::Invalid { index, .. } => {
                let sender = senders.iter().find(|(place, _)| *place == index).map(|(_, peer)| *peer);
                if let Some(lookup) = self.sidecar_lookups.get_mut(&root) {
                    // The others of this answer were not looked at any further.
                    lookup.gathering.again(root, senders.iter().map(|(place, _)| *place), sender);
                }
                self.charge_sidecar(sender);
            }
            SidecarsOutcome::Failed => {
                if let Some(lookup) = self.sidecar_lookups.get_mut(&root) {
                    lookup.gathering.again(root, senders.iter().map(|(place, _)| *place), None);
                    lookup.gathering.end_round(now);
                }
            }
        }
    }

    pub(crate) fn charge_sidecar(&mut self, sender: Option<PeerId>) {
        self.outputs.extend(sender.map(|peer| Output::Charge(peer, Offence::InvalidSidecar)));
    }

    /// The chain lacks data of one of a lookup's blocks, and most likely of those after it.
    pub(crate) fn lookup_lacks(&mut self, now: Time, wanted: Root, root: Root, missing: &[u64]) {
        let epoch = self.chain.current_slot.epoch(self.spec);
        let Some(lookup) = self.lookups.get_mut(&wanted) else { return };
        let was_asked = lookup.data.needs.contains_key(&root);
        // The oldest block is the last, so those before the one that lacks data come after it in the chain.
        let Some(place) = lookup.blocks.iter().position(|(_, block)| block_root(self.spec, block) == root)
        else {
            self.lookups.remove(&wanted);
            return;
        };
        for (_, block) in &lookup.blocks[..=place] {
            lookup.data.add_block(self.spec, block, &self.columns, epoch);
        }
        match (was_asked, lookup.data.needs.get_mut(&root)) {
            // It may have some of them by gossip.
            (false, Some(needs)) => needs.missing = missing.iter().copied().collect(),
            (true, Some(_)) => {
                lookup.data.miss(root, missing);
                lookup.data.end_round(now);
            }
            (_, None) => {
                self.lookups.remove(&wanted);
                return;
            }
        }
        lookup.stage = Stage::Gathering;
    }

    /// Asks for the data of batches, and passes on those that have theirs.
    pub(crate) fn gather_for_batches(&mut self, now: Time) {
        for number in self.range.gathering() {
            let hint = self.range.batch(number).and_then(|batch| Some(batch.gathering()?.peer));
            self.ask_for_data(now, Purpose::BatchData(number), Manner::Range, hint);
            let spec = self.spec;
            let Some(batch) = self.range.batch(number) else { continue };
            let Some(served) = batch.gathering() else { continue };
            let (is_settled, rounds, peer) = (served.data.is_settled(spec), served.data.rounds, served.peer);
            if is_settled {
                if let Progress::Gathering(served) = std::mem::replace(&mut batch.progress, Progress::Waiting)
                {
                    batch.progress = Progress::Ready(served);
                }
            } else if rounds >= BATCH_ROUNDS_MAX {
                batch.retry(peer);
            }
        }
    }

    /// Asks for the data of lookups, and imports those that have theirs.
    pub(crate) fn gather_for_lookups(&mut self, now: Time) {
        for root in self.lookups.gathering() {
            let hint = self.lookups.get_mut(&root).and_then(|lookup| Some(lookup.blocks.last()?.0));
            self.ask_for_data(now, Purpose::LookupData(root), Manner::Roots, hint);
            let import = self.next_import();
            let spec = self.spec;
            if let Some(lookup) = self.lookups.get_mut(&root).filter(|lookup| lookup.data.is_settled(spec)) {
                lookup.stage = Stage::Importing(import);
                self.outputs.push_back(Output::Import(import, lookup.segment(), lookup.data.sidecars()));
            }
        }
    }

    /// Asks for the data of blocks that the chain has.
    pub(crate) fn gather_sidecars(&mut self, now: Time) {
        self.sidecar_lookups.drop_ended();
        for root in self.sidecar_lookups.gathering() {
            let hint = self.sidecar_lookups.get_mut(&root).and_then(|lookup| lookup.hint);
            self.ask_for_data(now, Purpose::Sidecars(root), Manner::Roots, hint);
        }
    }

    /// Asks peers for what is missing and nobody was asked for.
    pub(crate) fn ask_for_data(&mut self, now: Time, purpose: Purpose, manner: Manner, hint: Option<PeerId>) {
        // Each turn opens requests, of which peers take only so many.
        loop {
            let planner = Planner { spec: self.spec, now, peers: &self.peers, hint };
            let Some(gathering) = gathering!(self, purpose) else { return };
            if gathering.is_complete() {
                return;
            }
            match planner.next(gathering, manner) {
                Next::Ask(askings) => {
                    for asking in askings {
                        let id = self.send(now, asking.peer, purpose, asking.request);
                        if let Some(gathering) = gathering!(self, purpose) {
                            gathering.opened(id, asking.part);
                        }
                    }
                }
                Next::Wait => return,
                Next::RoundOver => return gathering.end_round(now),
                Next::Nobody => return gathering.wait(now),
            }
        }
    }
}

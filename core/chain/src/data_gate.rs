//! The gate before execution: no block passes whose data is not there and verified.
//!
//! A block of the present waits at the gate. A segment does not: whoever fetched its blocks fetches their data too, so
//! what is missing ends it. What came with it is verified chunk by chunk, just before the chunk is executed. Where half
//! of a block's columns came, the others are made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data_availability::{Needed, Progress, Recovery, Sidecar};
use types::{Root, SignedBeaconBlock};

use crate::chain::Chain;
use crate::data_jobs::VerifySidecars;
use crate::import::{Import, Source};
use crate::limits::SEGMENT_CHUNK;
use crate::work::Purpose;
use crate::{Job, Priority, SegmentOutcome, Why};

/// The data of a segment.
#[derive(Debug, Default)]
pub(crate) struct SegmentData {
    /// What came and is not verified yet, by block and index.
    waiting: BTreeMap<Root, BTreeMap<u64, Sidecar>>,
    /// How many blocks at the front have all the data that they need.
    ready: usize,
    /// Blocks whose missing columns were made of half of them: all is verified and recorded.
    made: BTreeSet<Root>,
    /// The first sidecar that was found invalid.
    invalid: Option<(Root, u64, Why)>,
}

/// Sidecars of a segment under verification.
#[derive(Debug)]
pub(crate) struct SegmentCheck {
    pub import: Import,
    sidecars: Vec<Sidecar>,
    /// The block whose other columns are to be made of these.
    recover: Option<Root>,
}

impl SegmentData {
    /// What came with a segment. Of two in one place the first counts.
    pub fn of(sidecars: Vec<Sidecar>) -> Self {
        let mut waiting: BTreeMap<Root, BTreeMap<u64, Sidecar>> = BTreeMap::new();
        for sidecar in sidecars {
            let of_block = waiting.entry(sidecar.block_root()).or_default();
            of_block.entry(sidecar.index()).or_insert(sidecar);
        }
        Self { waiting, ..Self::default() }
    }

    /// How many blocks may be executed now.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// The first block has left the segment.
    pub fn advance(&mut self, root: &Root) {
        self.ready = self.ready.saturating_sub(1);
        self.waiting.remove(root);
        self.made.remove(root);
    }
}

impl Chain {
    /// Lets an import pass whose first blocks have their data. Keeps it, or ends it, where they have not.
    pub(crate) fn pass_data_gate(&mut self, import: Import) -> Option<Import> {
        match import.source() {
            // What an earlier run imported had its data.
            Source::Journal => Some(import),
            Source::Segment(_) => self.check_segment_data(import),
            Source::Gossip | Source::Command(_) => self.wait_for_data(import),
        }
    }

    fn wait_for_data(&mut self, import: Import) -> Option<Import> {
        let (root, block) = import.first()?.clone();
        if self.data_needed(&block) == Needed::Nothing || self.data_progress(&root) == Progress::Complete {
            return Some(import);
        }
        // It may have had to go for lack of room since it came.
        self.expect_data(root, &block, None);
        match self.data.expected.get_mut(&root) {
            Some(expected) => expected.held = Some(import),
            None => self.import_failed(import, "the data of too many blocks is missing".to_owned()),
        }
        // It may have been complete all the time, with the store the last to hear of the block.
        if self.data_progress(&root) == Progress::Complete {
            return self.data.expected.get_mut(&root).and_then(|expected| expected.held.take());
        }
        None
    }

    fn check_segment_data(&mut self, mut import: Import) -> Option<Import> {
        if import.data.ready > 0 {
            return Some(import);
        }
        let blocks: Vec<(Root, Arc<SignedBeaconBlock>)> =
            import.blocks().take(SEGMENT_CHUNK).cloned().collect();
        let mut sidecars = Vec::new();
        for (root, block) in &blocks {
            match self.data_of_segment(&import, root, block) {
                Ok(of_block) => {
                    sidecars.extend(of_block);
                    import.data.ready += 1;
                }
                Err(outcome) if import.data.ready == 0 => {
                    match self.half_of_columns(&import, root, block, &outcome) {
                        Some(sidecars) => self.check_sidecars(import, sidecars, Some(*root)),
                        None => self.end_segment(import, outcome),
                    }
                    return None;
                }
                // Those before it go first.
                Err(_) => break,
            }
        }
        if sidecars.is_empty() {
            return Some(import);
        }
        self.check_sidecars(import, sidecars, None);
        None
    }

    fn check_sidecars(&mut self, import: Import, sidecars: Vec<Sidecar>, recover: Option<Root>) {
        let job = VerifySidecars { spec: self.spec, sidecars: sidecars.clone() };
        let check = Box::new(SegmentCheck { import, sidecars, recover });
        self.start(Purpose::SegmentSidecars(check), Priority::Sync, Job::VerifySidecars(job));
    }

    /// What came of the columns of a block that lacks some, where it is enough to make the others together with those
    /// that are verified.
    fn half_of_columns(
        &self,
        import: &Import,
        root: &Root,
        block: &SignedBeaconBlock,
        outcome: &SegmentOutcome,
    ) -> Option<Vec<Sidecar>> {
        let lacks = matches!(outcome, SegmentOutcome::DataMissing { .. });
        if !lacks || self.data_needed(block) != Needed::Columns {
            return None;
        }
        let commitments = &block.message.body.blob_kzg_commitments;
        let fits = |sidecar: &&Sidecar| {
            matches!(sidecar, Sidecar::Column(_))
                && sidecar.header().signature == block.signature
                && sidecar.has_commitments(commitments)
                && self.data.store.get(root, sidecar.index()).is_none()
        };
        let came = import.data.waiting.get(root).into_iter().flat_map(BTreeMap::values);
        let came: Vec<Sidecar> = came.filter(fits).cloned().collect();
        let half = self.spec.preset.number_of_columns.div_ceil(2) as usize;
        (came.len() + self.data.store.verified_count(root) >= half).then_some(came)
    }

    /// What is to be verified of a block's data, or why the block cannot be imported.
    fn data_of_segment(
        &self,
        import: &Import,
        root: &Root,
        block: &SignedBeaconBlock,
    ) -> Result<Vec<Sidecar>, SegmentOutcome> {
        if import.data.made.contains(root) {
            return Ok(Vec::new());
        }
        if let Some((of, index, why)) = import.data.invalid.filter(|(of, ..)| of == root) {
            return Err(SegmentOutcome::InvalidSidecar { root: of, index, why: why.to_string() });
        }
        let commitments = &block.message.body.blob_kzg_commitments;
        let indices: Vec<u64> = match self.data_needed(block) {
            Needed::Nothing => return Ok(Vec::new()),
            Needed::Blobs => (0..commitments.len() as u64).collect(),
            Needed::Columns => self.config.custody.iter().copied().collect(),
        };
        let came = import.data.waiting.get(root);
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for index in indices {
            if self.data.store.get(root, index).is_some() {
                continue;
            }
            let Some(sidecar) = came.and_then(|came| came.get(&index)) else {
                missing.push(index);
                continue;
            };
            let invalid =
                |why: &str| SegmentOutcome::InvalidSidecar { root: *root, index, why: why.to_owned() };
            if sidecar.header().signature != block.signature {
                return Err(invalid("the header has another signature than the block"));
            }
            if !sidecar.has_commitments(commitments) {
                return Err(invalid("the commitments are not those of the block"));
            }
            found.push(sidecar.clone());
        }
        if missing.is_empty() {
            return Ok(found);
        }
        Err(SegmentOutcome::DataMissing { at: import.at(), root: *root, missing })
    }

    /// Takes in what the verification of a segment's data found.
    pub(crate) fn segment_data_checked(&mut self, check: SegmentCheck, invalid: &[(usize, Why)]) {
        if let (Some(root), true) = (check.recover, invalid.is_empty()) {
            return self.recover_segment(check, root);
        }
        let SegmentCheck { mut import, sidecars, .. } = check;
        if let Some((place, why)) = invalid.first() {
            let (root, index) = (sidecars[*place].block_root(), sidecars[*place].index());
            let before = import.blocks().take_while(|(of, _)| *of != root).count();
            import.data.ready = import.data.ready.min(before);
            import.data.invalid = Some((root, index, *why));
        }
        let ready: Vec<Root> = import.blocks().take(import.data.ready).map(|(root, _)| *root).collect();
        for sidecar in sidecars {
            let root = sidecar.block_root();
            if ready.contains(&root) {
                self.data.of_segment.entry(root).or_default().push(sidecar);
            }
        }
        self.resume(import);
    }

    /// Makes the missing columns of a segment's first block.
    fn recover_segment(&mut self, check: SegmentCheck, root: Root) {
        let stored =
            (0..self.spec.preset.number_of_columns).filter_map(|index| self.data.store.get(&root, index));
        let all: BTreeMap<u64, &Sidecar> =
            stored.chain(&check.sidecars).map(|sidecar| (sidecar.index(), sidecar)).collect();
        let column = |sidecar: &Sidecar| match sidecar {
            Sidecar::Column(column) => Some(column.clone()),
            Sidecar::Blob(_) => None,
        };
        let columns = all.into_values().filter_map(column).collect();
        match Recovery::new(self.spec, columns) {
            Ok(recovery) => {
                let purpose = Purpose::SegmentRecovery(Box::new(check));
                self.start(purpose, Priority::Sync, Job::RecoverColumns(recovery));
            }
            Err(error) => self.import_failed(check.import, error.to_string()),
        }
    }

    /// Takes in the columns that were made for a segment's first block.
    pub(crate) fn segment_recovered(&mut self, check: SegmentCheck, made: Result<Vec<Sidecar>, String>) {
        let SegmentCheck { mut import, sidecars, recover } = check;
        match (made, recover) {
            (Ok(made), Some(root)) => {
                self.data.of_segment.entry(root).or_default().extend(sidecars.into_iter().chain(made));
                import.data.made.insert(root);
                self.resume(import);
            }
            (Err(why), _) => self.import_failed(import, why),
            (Ok(_), None) => self.import_failed(import, "columns were made of no block".to_owned()),
        }
    }
}

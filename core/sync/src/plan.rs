//! Whom to ask for which data: spreads what is outstanding over the peers that have it.

use std::collections::{BTreeMap, BTreeSet};

use data_availability::blobs::{compute_max_request_blob_sidecars, max_blobs_per_block};
use data_availability::columns::compute_max_request_data_column_sidecars;
use types::{Root, Slot, Spec, Time};

use crate::gathering::{Gathering, Kind, Part};
use crate::peers::{Lane, Peer, Peers};
use crate::traffic::{PeerId, Request};

/// A request to be sent.
#[derive(Debug)]
pub struct Asking {
    /// To whom.
    pub peer: PeerId,
    /// What to say.
    pub request: Request,
    /// What it is to bring.
    pub part: Part,
}

/// What to do next for a gathering.
#[derive(Debug)]
pub enum Next {
    /// Send these.
    Ask(Vec<Asking>),
    /// Requests are open, or those to be asked are busy.
    Wait,
    /// Everybody was asked, and something is missing.
    RoundOver,
    /// Nobody is known to have what is missing.
    Nobody,
}

/// How the blocks of a gathering came, which decides how their data is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As a range of a chain.
    Range,
    /// One by one.
    Roots,
}

/// What the planner looks at.
pub struct Planner<'a> {
    pub spec: &'static Spec,
    pub now: Time,
    pub peers: &'a Peers,
    /// Asked first where it has as much right as others.
    pub hint: Option<PeerId>,
}

/// What is missing of one kind.
struct Missing<'a> {
    kind: Kind,
    by_root: BTreeMap<Root, BTreeSet<u64>>,
    slots: (Slot, Slot),
    gathering: &'a Gathering,
    manner: Manner,
}

impl Planner<'_> {
    /// What to do next. The caller opens the parts of what is to be asked.
    pub fn next(&self, gathering: &Gathering, manner: Manner) -> Next {
        if self.now < gathering.pause_until {
            return Next::Wait;
        }
        let mut askings = Vec::new();
        let mut is_anybody_left = false;
        let mut is_anybody_there = false;
        for missing in missing(gathering, manner) {
            let (some_left, some_there) = self.look(&missing);
            is_anybody_left |= some_left;
            is_anybody_there |= some_there;
            match missing.kind {
                Kind::Blobs => self.ask_for_blobs(&missing, &mut askings),
                Kind::Columns => self.ask_for_columns(&missing, &mut askings),
            }
        }
        match (askings.is_empty(), gathering.is_asking() || is_anybody_left) {
            (false, _) => Next::Ask(askings),
            (true, true) => Next::Wait,
            (true, false) if is_anybody_there => Next::RoundOver,
            (true, false) => Next::Nobody,
        }
    }

    /// Whether anybody is left to ask for something of it, busy or not; and whether anybody has something of it.
    fn look(&self, missing: &Missing<'_>) -> (bool, bool) {
        let indices: BTreeSet<u64> = missing.by_root.values().flatten().copied().collect();
        let mut there = false;
        for index in indices {
            for (id, _) in self.peers.iter().filter(|(id, peer)| self.has(missing, index, *id, peer)) {
                there = true;
                if !missing.gathering.has_failed(index, id) {
                    return (true, true);
                }
            }
        }
        (false, there)
    }

    /// True where a peer should have this.
    fn has(&self, missing: &Missing<'_>, index: u64, id: PeerId, peer: &Peer) -> bool {
        let (first, _) = missing.slots;
        let serves = missing.manner == Manner::Roots
            || (peer.status.head_slot >= first && peer.status.earliest_available_slot <= first);
        serves && (missing.kind == Kind::Blobs || self.peers.has_column(id, index))
    }

    /// All blobs that are missing, of one peer.
    fn ask_for_blobs(&self, missing: &Missing<'_>, askings: &mut Vec<Asking>) {
        let (_, last) = missing.slots;
        let failed = |id: PeerId| {
            missing.by_root.values().flatten().any(|index| missing.gathering.has_failed(*index, id))
        };
        let chosen = self
            .peers
            .iter()
            .filter(|(id, peer)| peer.is_free(self.now, Lane::Data) && self.has(missing, 0, *id, peer))
            .filter(|(id, _)| !failed(*id))
            .min_by_key(|(id, peer)| {
                (peer.status.head_slot < last, Some(*id) != self.hint, peer.burden(), *id)
            });
        if let Some((peer, _)) = chosen {
            askings.push(self.asking(missing, peer, None));
        }
    }

    /// Each column that is missing of a peer that has it, so that none gets many more than another.
    fn ask_for_columns(&self, missing: &Missing<'_>, askings: &mut Vec<Asking>) {
        let (_, last) = missing.slots;
        let max = compute_max_request_data_column_sidecars(self.spec);
        let columns_max = (max / self.slots_max(missing)).max(1) as usize;
        let columns: BTreeSet<u64> = missing.by_root.values().flatten().copied().collect();
        let mut shares: BTreeMap<PeerId, BTreeSet<u64>> = BTreeMap::new();
        for column in columns {
            let load = |id: &PeerId| shares.get(id).map_or(0, BTreeSet::len);
            let chosen = self
                .peers
                .iter()
                .filter(|(id, peer)| {
                    peer.is_free(self.now, Lane::Data)
                        && load(id) < columns_max
                        && !missing.gathering.has_failed(column, *id)
                        && self.has(missing, column, *id, peer)
                })
                .min_by_key(|(id, peer)| {
                    (peer.status.head_slot < last, load(id), Some(*id) != self.hint, peer.burden(), *id)
                })
                .map(|(id, _)| id);
            if let Some(peer) = chosen {
                shares.entry(peer).or_default().insert(column);
            }
        }
        askings.extend(shares.into_iter().map(|(peer, columns)| self.asking(missing, peer, Some(&columns))));
    }

    /// The most slots that one request may cover.
    fn slots_max(&self, missing: &Missing<'_>) -> u64 {
        let (first, last) = missing.slots;
        let blocks_max = self.spec.config.max_request_blocks_deneb;
        let slots_max = match missing.kind {
            Kind::Columns => blocks_max,
            Kind::Blobs => {
                let most = max_blobs_per_block(self.spec, first).max(max_blobs_per_block(self.spec, last));
                let max = compute_max_request_blob_sidecars(self.spec, self.spec.fork_name_at_slot(first));
                (max / most.max(1)).min(blocks_max)
            }
        };
        slots_max.clamp(1, (last.0 - first.0).saturating_add(1))
    }

    /// A request for what is missing of these columns, or for all blobs that are missing.
    fn asking(&self, missing: &Missing<'_>, peer: PeerId, columns: Option<&BTreeSet<u64>>) -> Asking {
        let (first, last) = missing.slots;
        let count = self.slots_max(missing);
        let range = first.0..first.0 + count.min(last.0 - first.0 + 1);
        let mut wants = BTreeMap::new();
        let mut indices = BTreeSet::new();
        for (root, outstanding) in &missing.by_root {
            let slot = missing.gathering.needs.get(root).map_or(Slot(0), |needs| needs.slot);
            let of_these = |index: &u64| columns.is_none_or(|columns| columns.contains(index));
            let wanted: BTreeSet<u64> = outstanding.iter().copied().filter(of_these).collect();
            if range.contains(&slot.0) && !wanted.is_empty() {
                indices.extend(&wanted);
                wants.insert(*root, wanted);
            }
        }
        let sidecars = wants.values().map(BTreeSet::len).sum::<usize>() as u64;
        let is_range = missing.manner == Manner::Range;
        let request = match (missing.kind, is_range) {
            (Kind::Blobs, true) => Request::BlobsByRange { start: first, count: range.end - range.start },
            (Kind::Columns, true) => Request::ColumnsByRange {
                start: first,
                count: range.end - range.start,
                columns: indices.iter().copied().collect(),
            },
            (Kind::Blobs, false) => {
                let one = |(root, wanted): (&Root, &BTreeSet<u64>)| {
                    let root = *root;
                    wanted.iter().map(move |index| (root, *index)).collect::<Vec<_>>()
                };
                Request::BlobsByRoot(wants.iter().flat_map(one).collect())
            }
            (Kind::Columns, false) => {
                let one = |(root, wanted): (&Root, &BTreeSet<u64>)| (*root, wanted.iter().copied().collect());
                Request::ColumnsByRoot(wants.iter().map(one).collect())
            }
        };
        // By range, a peer of another branch may send that one's.
        let left = match (is_range, missing.kind) {
            (false, _) => sidecars,
            (true, Kind::Columns) => (range.end - range.start).saturating_mul(indices.len() as u64),
            (true, Kind::Blobs) => {
                let most = max_blobs_per_block(self.spec, last);
                indices = (0..most).collect();
                (range.end - range.start).saturating_mul(most)
            }
        };
        let slots = if is_range { range } else { 0..0 };
        Asking { peer, request, part: Part { wants, slots, indices, left, dropped: BTreeSet::new() } }
    }
}

/// What is missing and not asked for, by kind. What failed once is asked for by root: a peer on another branch would
/// answer for its own again.
fn missing(gathering: &Gathering, manner: Manner) -> Vec<Missing<'_>> {
    let manner = if gathering.is_fresh() { manner } else { Manner::Roots };
    let mut kinds: BTreeMap<Kind, Missing<'_>> = BTreeMap::new();
    for (root, outstanding) in gathering.outstanding() {
        let Some(needs) = gathering.needs.get(&root) else { continue };
        let slots = (needs.slot, needs.slot);
        let kind = needs.kind;
        let missing = kinds.entry(kind).or_insert_with(|| Missing {
            kind,
            by_root: BTreeMap::new(),
            slots,
            gathering,
            manner,
        });
        missing.slots = (missing.slots.0.min(needs.slot), missing.slots.1.max(needs.slot));
        missing.by_root.insert(root, outstanding);
    }
    kinds.into_values().collect()
}

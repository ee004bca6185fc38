//! Blobs and columns on their way into the store: from gossip through its rules, from peers that were asked for them.
//!
//! Of many sidecars of one block only the first has its header's signature verified; the others wait behind it. Then
//! they gather for a few milliseconds, since the proofs of many cost little more than those of one.

use std::collections::{BTreeMap, VecDeque};

use data_availability::gossip::{
    CheckedBlobSidecar, CheckedDataColumnSidecar, HeaderStore, KnownParent, NotYet, SeenSidecars, not_yet,
    validate_blob_sidecar_gossip, validate_data_column_sidecar_gossip,
};
use data_availability::{Refused, Sidecar, Ticket};
use types::{BlsSignature, Checkpoint, Epoch, Root, Slot, Time, ValidatorIndex};

use crate::chain::Chain;
use crate::checking::Known;
use crate::data_jobs::VerifySidecars;
use crate::gossip::{BlockStore, KnownBlock};
use crate::incoming::{Facts, Incoming, Origin};
use crate::limits::{
    ORPHAN_SIDECARS_MAX, SIDECARS_BATCH_MAX, SIDECARS_BATCH_WAIT_MS, SIDECARS_VERIFYING_MAX,
    VERIFIED_HEADERS_MAX,
};
use crate::states::StateKey;
use crate::work::Purpose;
use crate::{
    GossipMessage, Job, Output, Priority, SidecarsId, SidecarsOutcome, Verdict, Want, WantReason, Why,
};

/// Sidecars that are being looked at.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// Headers whose signatures are valid.
    headers: BTreeMap<(Slot, Root), BlsSignature>,
    /// What waits for the verdict on such a signature.
    behind: BTreeMap<(Root, BlsSignature), Vec<(Incoming, SidecarFacts)>>,
    batch: Vec<Checking>,
    batch_since: Time,
    /// Messages between their rules and their verdict.
    verifying: usize,
    /// Those whose parent is not known, by its root.
    orphans: VecDeque<(Root, Incoming)>,
}

/// What the rules found out.
#[derive(Clone, Debug)]
pub(crate) enum SidecarFacts {
    Blob(CheckedBlobSidecar),
    Column(CheckedDataColumnSidecar),
}

/// A sidecar whose proofs are being verified.
#[derive(Debug)]
pub(crate) struct Checking {
    pub sidecar: Sidecar,
    /// Its place in the store; none where the store has no need of it.
    pub ticket: Option<Ticket>,
    pub asker: Asker,
}

/// Who wants to hear what becomes of a sidecar.
#[derive(Debug)]
pub(crate) enum Asker {
    Gossip(Incoming, SidecarFacts),
    Lookup(SidecarsId),
}

impl HeaderStore for Known<'_> {
    fn parent(&self, root: &Root) -> KnownParent {
        match self.block(root) {
            KnownBlock::Unseen => KnownParent::Unseen,
            KnownBlock::Invalid { .. } => KnownParent::Invalid,
            KnownBlock::Valid { slot, .. } => KnownParent::Valid { slot },
        }
    }

    fn finalized_checkpoint(&self) -> Checkpoint {
        BlockStore::finalized_checkpoint(self)
    }

    fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        BlockStore::get_checkpoint_block(self, root, epoch)
    }

    fn expected_proposer(&self, parent: &Root, slot: Slot) -> Option<ValidatorIndex> {
        BlockStore::expected_proposer(self, parent, slot)
    }
}

impl SidecarFacts {
    fn is_seen(&self, seen: &SeenSidecars) -> bool {
        match self {
            Self::Blob(facts) => facts.is_seen(seen),
            Self::Column(facts) => facts.is_seen(seen),
        }
    }

    fn mark_seen(&self, seen: &mut SeenSidecars) {
        match self {
            Self::Blob(facts) => facts.mark_seen(seen),
            Self::Column(facts) => facts.mark_seen(seen),
        }
    }

    fn block_root(&self) -> Root {
        match self {
            Self::Blob(facts) => facts.block_root,
            Self::Column(facts) => facts.block_root,
        }
    }
}

/// The sidecar of a message; none where it is of another kind.
pub(crate) fn sidecar_of(message: &GossipMessage) -> Option<(u64, Sidecar)> {
    match message {
        GossipMessage::BlobSidecar { subnet, sidecar } => Some((*subnet, Sidecar::Blob(sidecar.clone()))),
        GossipMessage::DataColumnSidecar { subnet, sidecar } => {
            Some((*subnet, Sidecar::Column(sidecar.clone())))
        }
        _ => None,
    }
}

impl Checks {
    /// When the batch is to be verified; none while it is empty.
    pub fn batch_due(&self) -> Option<Time> {
        (!self.batch.is_empty()).then(|| self.batch_since.after_ms(SIDECARS_BATCH_WAIT_MS))
    }

    /// Learns that the header of a block has a valid signature.
    pub fn knows_header(&mut self, slot: Slot, root: Root, signature: BlsSignature) {
        self.headers.insert((slot, root), signature);
        if self.headers.len() > VERIFIED_HEADERS_MAX {
            self.headers.pop_first();
        }
    }

    pub fn prune(&mut self, finalized: Slot) {
        self.headers = self.headers.split_off(&(finalized + 1, Root::ZERO));
        let is_old = |incoming: &Incoming| {
            sidecar_of(&incoming.message).is_none_or(|(_, sidecar)| sidecar.slot() <= finalized)
        };
        self.orphans.retain(|(_, incoming)| !is_old(incoming));
    }

    /// Takes out what waits for a parent.
    pub fn orphans_of(&mut self, parent: &Root) -> Vec<Incoming> {
        let (now, later): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.orphans).into_iter().partition(|(of, _)| of == parent);
        self.orphans = later;
        now.into_iter().map(|(_, incoming)| incoming).collect()
    }
}

impl Chain {
    /// Puts a sidecar to the rules.
    pub(crate) fn take_sidecar(&mut self, incoming: Incoming) {
        let Some((subnet, sidecar)) = sidecar_of(&incoming.message) else { return };
        let (state, store, seen) = (self.head.state.clone(), self.known(), &self.data.seen);
        let checked = match &sidecar {
            Sidecar::Blob(blob) => validate_blob_sidecar_gossip(seen, &store, &state, blob, self.now, subnet)
                .map(|checked| (checked.signatures, SidecarFacts::Blob(checked.facts))),
            Sidecar::Column(column) => {
                validate_data_column_sidecar_gossip(seen, &store, &state, column, self.now, subnet)
                    .map(|checked| (checked.signatures, SidecarFacts::Column(checked.facts)))
            }
        };
        let verdict = match checked {
            Ok((signatures, facts)) => return self.check_header(incoming, &sidecar, facts, signatures),
            Err(verdict) => verdict,
        };
        let header = &sidecar.header().message;
        match not_yet(&verdict) {
            Some(NotYet::Slot) if header.slot == self.slot + 1 => self.hold_early(header.slot, incoming),
            Some(NotYet::Parent) => self.hold_orphan_sidecar(incoming, header.parent_root, verdict),
            Some(NotYet::Shuffling) => {
                let epoch = header.slot.epoch(self.spec);
                let checkpoint = self.fork_choice.get_checkpoint_block(&header.parent_root, epoch);
                let key = StateKey::Checkpoint(epoch, checkpoint.unwrap_or(header.parent_root));
                self.park_message(key, incoming);
            }
            _ => self.judge(&incoming, verdict),
        }
    }

    /// The verdict is given at once, as for blocks.
    fn hold_orphan_sidecar(&mut self, incoming: Incoming, parent: Root, verdict: Verdict) {
        let from = incoming.origin.gossip();
        self.judge(&incoming, verdict);
        let is_wanted = self.data.checks.orphans.iter().any(|(of, _)| *of == parent);
        self.data.checks.orphans.push_back((parent, Incoming { origin: Origin::Kept, ..incoming }));
        if self.data.checks.orphans.len() > ORPHAN_SIDECARS_MAX {
            self.counters.overflows += 1;
            self.data.checks.orphans.pop_front();
        }
        if !is_wanted && !self.imports.is_in_flight(&parent) && !self.aside.is_orphan(&parent) {
            let reason = WantReason::Parent { from };
            self.outputs.push_back(Output::Fetch(Want::Block { root: parent, reason }));
        }
    }

    fn check_header(
        &mut self,
        incoming: Incoming,
        sidecar: &Sidecar,
        facts: SidecarFacts,
        signatures: Vec<(crypto::SignatureSet, Why)>,
    ) {
        let checks = &mut self.data.checks;
        if checks.verifying >= SIDECARS_VERIFYING_MAX {
            self.counters.overflows += 1;
            return self.judge(&incoming, Verdict::ignore("too many sidecars wait for verification"));
        }
        checks.verifying += 1;
        let (root, signature) = (facts.block_root(), sidecar.header().signature);
        if checks.headers.get(&(sidecar.slot(), root)) == Some(&signature) {
            return self.check_proofs(incoming, facts);
        }
        if let Some(behind) = checks.behind.get_mut(&(root, signature)) {
            return behind.push((incoming, facts));
        }
        checks.behind.insert((root, signature), Vec::new());
        self.check_passed(incoming, Ok((signatures, Facts::Sidecar(facts))));
    }

    /// The signature of a header is valid: its sidecars go on.
    pub(crate) fn header_verified(&mut self, incoming: Incoming, facts: SidecarFacts) {
        let Some((_, sidecar)) = sidecar_of(&incoming.message) else { return };
        let (root, signature) = (facts.block_root(), sidecar.header().signature);
        self.data.checks.knows_header(sidecar.slot(), root, signature);
        let behind = self.data.checks.behind.remove(&(root, signature)).unwrap_or_default();
        self.check_proofs(incoming, facts);
        behind.into_iter().for_each(|(incoming, facts)| self.check_proofs(incoming, facts));
    }

    /// The signature of a header is wrong, or was not verified: the next one behind it tries again.
    pub(crate) fn header_refused(&mut self, incoming: &Incoming, facts: &SidecarFacts) {
        let Some((_, sidecar)) = sidecar_of(&incoming.message) else { return };
        let key = (facts.block_root(), sidecar.header().signature);
        let behind = self.data.checks.behind.remove(&key).unwrap_or_default();
        self.data.checks.verifying -= 1 + behind.len();
        behind.into_iter().for_each(|(incoming, _)| self.take_sidecar(incoming));
    }

    fn check_proofs(&mut self, incoming: Incoming, facts: SidecarFacts) {
        let Some((_, sidecar)) = sidecar_of(&incoming.message) else { return };
        let root = facts.block_root();
        if self.data.store.get(&root, sidecar.index()) == Some(&sidecar) {
            // It came another way, so that its proofs are verified.
            self.data.checks.verifying -= 1;
            return self.sidecar_is_valid(&incoming, &facts);
        }
        let ticket = match self.fork_choice.contains(&root) {
            true => None,
            false => match self.data.store.receive(sidecar.clone()) {
                Ok(ticket) => Some(ticket),
                Err(Refused::Known) => None,
                Err(_) => {
                    self.counters.overflows += 1;
                    self.data.checks.verifying -= 1;
                    return self.judge(&incoming, Verdict::ignore("there is no room for the sidecar"));
                }
            },
        };
        let checks = &mut self.data.checks;
        if checks.batch.is_empty() {
            checks.batch_since = self.now;
        }
        checks.batch.push(Checking { sidecar, ticket, asker: Asker::Gossip(incoming, facts) });
        if checks.batch.len() >= SIDECARS_BATCH_MAX {
            self.flush_sidecars();
        }
    }

    fn sidecar_is_valid(&mut self, incoming: &Incoming, facts: &SidecarFacts) {
        if facts.is_seen(&self.data.seen) {
            let why = "already seen sidecar from this proposer for this slot and index";
            return self.judge(incoming, Verdict::ignore(why));
        }
        facts.mark_seen(&mut self.data.seen);
        self.judge(incoming, Verdict::Accept);
    }

    pub(crate) fn flush_due_sidecars(&mut self) {
        if self.data.checks.batch_due().is_some_and(|due| due <= self.now) {
            self.flush_sidecars();
        }
    }

    fn flush_sidecars(&mut self) {
        let batch = std::mem::take(&mut self.data.checks.batch);
        self.verify_sidecars(batch);
    }

    fn verify_sidecars(&mut self, checking: Vec<Checking>) {
        let sidecars = checking.iter().map(|checking| checking.sidecar.clone()).collect();
        let job = Job::VerifySidecars(VerifySidecars { spec: self.spec, sidecars });
        self.start(Purpose::Sidecars(checking), Priority::Block, job);
    }

    /// Takes the sidecars that peers were asked for.
    pub(crate) fn take_sidecars(&mut self, id: SidecarsId, sidecars: Vec<Sidecar>) {
        let mut checking: Vec<Checking> = Vec::new();
        let mut outcome = SidecarsOutcome::Taken;
        for sidecar in sidecars {
            let (root, index) = (sidecar.block_root(), sidecar.index());
            let Some(expected) = self.data.expected.get(&root) else { continue };
            let Some(block) = &expected.block else { continue };
            let invalid = |why: &str| SidecarsOutcome::Invalid { root, index, why: why.to_owned() };
            if sidecar.header().signature != block.signature {
                outcome = invalid("the header has another signature than the block");
                break;
            }
            match self.data.store.receive(sidecar.clone()) {
                Ok(ticket) => {
                    checking.push(Checking { sidecar, ticket: Some(ticket), asker: Asker::Lookup(id) });
                }
                Err(Refused::Known | Refused::Finalized) => {}
                Err(why @ (Refused::Kind | Refused::Index | Refused::Commitments)) => {
                    outcome = invalid(&why.to_string());
                    break;
                }
                Err(why @ (Refused::Full | Refused::Candidates)) => {
                    outcome = SidecarsOutcome::Failed(why.to_string());
                }
            }
        }
        if checking.is_empty() || matches!(outcome, SidecarsOutcome::Invalid { .. }) {
            for Checking { ticket, .. } in checking {
                ticket.iter().for_each(|ticket| self.data.store.failed(ticket));
            }
            return self.outputs.push_back(Output::SidecarsDone(id, outcome));
        }
        self.verify_sidecars(checking);
    }

    /// Takes in what a verification found: the places of the invalid ones, each with the rule that it broke.
    pub(crate) fn sidecars_checked(&mut self, checking: Vec<Checking>, invalid: &[(usize, Why)]) {
        let mut came: BTreeMap<Root, Vec<Sidecar>> = BTreeMap::new();
        let mut lookup = None;
        for (place, Checking { sidecar, ticket, asker }) in checking.into_iter().enumerate() {
            let why = invalid.iter().find(|(at, _)| *at == place).map(|(_, why)| *why);
            match (&ticket, why) {
                (Some(ticket), None) => {
                    if let Some((sidecar, _)) = self.data.store.verified(ticket) {
                        came.entry(ticket.block_root()).or_default().push(sidecar);
                    }
                }
                (Some(ticket), Some(_)) => self.data.store.failed(ticket),
                (None, _) => {}
            }
            match (asker, why) {
                (Asker::Gossip(incoming, facts), why) => {
                    self.data.checks.verifying -= 1;
                    match why {
                        None => self.sidecar_is_valid(&incoming, &facts),
                        Some(why) => self.judge(&incoming, Verdict::Reject(why)),
                    }
                }
                (Asker::Lookup(id), None) => drop(lookup.get_or_insert((id, SidecarsOutcome::Taken))),
                (Asker::Lookup(id), Some(why)) => {
                    let (root, index) = (sidecar.block_root(), sidecar.index());
                    lookup = Some((id, SidecarsOutcome::Invalid { root, index, why: why.to_string() }));
                }
            }
        }
        came.into_iter().for_each(|(root, sidecars)| self.data_came(root, &sidecars));
        if let Some((id, outcome)) = lookup {
            self.outputs.push_back(Output::SidecarsDone(id, outcome));
        }
    }

    /// Lets go of sidecars whose verification failed for a reason of our own.
    pub(crate) fn sidecars_unchecked(&mut self, checking: Vec<Checking>) {
        let mut lookup = None;
        for Checking { ticket, asker, .. } in checking {
            ticket.iter().for_each(|ticket| self.data.store.failed(ticket));
            match asker {
                Asker::Gossip(incoming, _) => {
                    self.data.checks.verifying -= 1;
                    self.judge(&incoming, Verdict::ignore("the verification failed"));
                }
                Asker::Lookup(id) => lookup = Some(id),
            }
        }
        if let Some(id) = lookup {
            let outcome = SidecarsOutcome::Failed("the verification failed".to_owned());
            self.outputs.push_back(Output::SidecarsDone(id, outcome));
        }
    }
}

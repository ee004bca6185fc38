//! Who does what when: the keys' places and the duties of this and the next epoch, fetched again when they change.
//!
//! Duties follow from a block, the *dependent root*. A head event names these roots; when one of them changes, the
//! duties that hang on it are fetched again. Whoever attested already stays out of it, see `Votes`.

use std::collections::{BTreeMap, BTreeSet};

use types::{BlsPubkey, BlsSignature, Epoch, Root, Slot, Time, ValidatorIndex};

use crate::Duties;
use crate::duties::Purpose;
use crate::selection::is_aggregator;
use crate::traffic::{Ask, AttesterDuty, Duty, KeyInfo, ProposerDuty, Subscription};

/// How far the fetching of one kind of duties of one epoch has come.
#[derive(Debug, Default)]
pub(crate) struct Fetch {
    asked: bool,
    known: bool,
    /// The ground changed since it was asked last.
    stale: bool,
    retry_at: Time,
    /// The dependent root that head events name, and the one that came with the duties.
    named: Option<Root>,
    reported: Option<Root>,
    failure: Option<String>,
}

impl Fetch {
    fn is_due(&self, now: Time) -> bool {
        !self.asked && (!self.known || self.stale) && self.retry_at <= now
    }

    fn begin(&mut self) {
        self.asked = true;
        self.stale = false;
    }

    fn end(&mut self, root: Root) {
        self.asked = false;
        self.known = true;
        self.reported = Some(root);
        self.failure = None;
    }

    /// A head event named the root that the duties depend on. Only a change counts, so that a node whose two answers
    /// differ for good is not asked again and again.
    fn name(&mut self, root: Root) {
        let before = self.named.replace(root);
        let same = before.map_or(self.reported.is_none_or(|reported| reported == root), |old| old == root);
        if !same && (self.known || self.asked) {
            self.stale = true;
        }
    }
}

/// An attester duty, and whether it brings an aggregate with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attester {
    pub(crate) duty: AttesterDuty,
    pub(crate) selection_proof: Option<BlsSignature>,
    pub(crate) is_aggregator: bool,
}

/// The duties of an epoch, those of our keys only.
#[derive(Debug, Default)]
pub(crate) struct EpochDuties {
    pub(crate) attesters: Fetch,
    pub(crate) proposers: Fetch,
    attest: Vec<Attester>,
    propose: Vec<ProposerDuty>,
}

impl EpochDuties {
    /// When a failed fetch is tried again.
    pub(crate) fn retries(&self) -> impl Iterator<Item = Time> + '_ {
        [&self.attesters, &self.proposers]
            .into_iter()
            .filter(|fetch| !fetch.asked)
            .map(|fetch| fetch.retry_at)
    }
}

impl Duties {
    /// Keys that have no duties yet.
    pub(crate) fn waiting_keys(&self) -> impl Iterator<Item = BlsPubkey> + '_ {
        let active = |place: &Option<(ValidatorIndex, bool)>| place.is_some_and(|(_, active)| active);
        self.keys.iter().filter(move |(_, place)| !active(place)).map(|(key, _)| *key)
    }

    pub(crate) fn active_indices(&self) -> Vec<ValidatorIndex> {
        self.keys.values().flatten().filter(|(_, active)| *active).map(|(index, _)| *index).collect()
    }

    pub(crate) fn is_ours(&self, pubkey: &BlsPubkey, index: ValidatorIndex) -> bool {
        matches!(self.keys.get(pubkey), Some(Some((ours, _))) if *ours == index)
    }

    pub(crate) fn proposals_of(&self, slot: Slot) -> Vec<ProposerDuty> {
        let duties = self.epochs.get(&slot.epoch(self.spec));
        let all = duties.into_iter().flat_map(|duties| &duties.propose);
        all.filter(|duty| duty.slot == slot).copied().collect()
    }

    pub(crate) fn attesters_of(&self, slot: Slot) -> impl Iterator<Item = &Attester> {
        let duties = self.epochs.get(&slot.epoch(self.spec));
        let all = duties.into_iter().flat_map(|duties| &duties.attest);
        all.filter(move |attester| attester.duty.slot == slot)
    }

    pub(crate) fn attestations_of(&self, slot: Slot) -> Vec<AttesterDuty> {
        self.attesters_of(slot).map(|attester| attester.duty).collect()
    }

    /// Fetches what is lacking: keys, attesters of this and the next epoch, proposers of this epoch. Proposers of the
    /// next are fetched when its last slot but for late blocks is over, since every block before it changes them.
    pub(crate) fn fetch(&mut self) {
        let now = self.now;
        let slot = self.current_slot().unwrap_or_default();
        if self.keys_at.is_some_and(|at| at <= now) {
            self.keys_at = None;
            let keys: Vec<BlsPubkey> = self.waiting_keys().collect();
            if keys.is_empty() {
                self.keys_at = Some(self.start_of((slot.epoch(self.spec) + 1).start_slot(self.spec)));
            } else {
                self.ask(Purpose::Keys, Ask::Keys(keys));
            }
        }
        let indices = self.active_indices();
        if indices.is_empty() || now < self.first_fetch() {
            return;
        }
        let epoch = slot.epoch(self.spec);
        let next = epoch + 1;
        let last_slot = next.start_slot(self.spec) - 1;
        let prefetch = slot == last_slot && now >= self.aggregate_due(last_slot);
        // Before genesis epoch 0 is the next one, and the one after it is not known to any node.
        let wanted = if self.current_slot().is_some() { &[epoch, next][..] } else { &[epoch] };
        for of in wanted.iter().copied() {
            let duties = self.epochs.entry(of).or_default();
            let attesters = duties.attesters.is_due(now);
            let proposers = duties.proposers.is_due(now) && (of == epoch || prefetch);
            if proposers {
                duties.proposers.begin();
                self.ask(Purpose::Proposers(of), Ask::ProposerDuties(of));
            }
            if attesters {
                self.epochs.entry(of).or_default().attesters.begin();
                self.ask(Purpose::Attesters(of), Ask::AttesterDuties(of, indices.clone()));
            }
        }
    }

    /// When duties are asked for first: an epoch before genesis, since nodes tell those of the next epoch only.
    pub(crate) fn first_fetch(&self) -> Time {
        let epoch_ms = self.spec.preset.slots_per_epoch * self.spec.config.slot_duration_ms;
        Time(self.start_of(Slot(0)).0.saturating_sub(epoch_ms))
    }

    pub(crate) fn fetch_failed(
        &mut self,
        epoch: Epoch,
        which: fn(&mut EpochDuties) -> &mut Fetch,
        why: String,
    ) {
        let retry_at = self.now.after_ms(2 * self.pause_ms());
        if let Some(duties) = self.epochs.get_mut(&epoch) {
            let fetch = which(duties);
            fetch.asked = false;
            fetch.stale = fetch.known;
            fetch.retry_at = retry_at;
            fetch.failure = Some(why);
        }
    }

    /// Places of keys. A key that joins changes what is to be fetched.
    pub(crate) fn keys_known(&mut self, infos: Vec<KeyInfo>) {
        let mut joined = false;
        for info in infos {
            if let Some(place) = self.keys.get_mut(&info.pubkey) {
                joined |= info.active && !place.is_some_and(|(_, active)| active);
                *place = Some((info.index, info.active));
            }
        }
        if joined {
            for duties in self.epochs.values_mut() {
                duties.attesters.stale = true;
            }
            self.sync.refresh();
            self.fees.forget();
        }
        let slot = self.current_slot().unwrap_or_default();
        let next_epoch = self.start_of((slot.epoch(self.spec) + 1).start_slot(self.spec));
        self.keys_at = Some(next_epoch.max(self.now.after_ms(self.spec.config.slot_duration_ms)));
    }

    /// A new head: what duties depend on may have changed.
    pub(crate) fn head(&mut self, slot: Slot, previous: Root, current: Root) {
        self.head_slot = Some(slot);
        let epoch = slot.epoch(self.spec);
        self.sync_ground(epoch, current);
        if let Some(duties) = self.epochs.get_mut(&epoch) {
            duties.attesters.name(previous);
            duties.proposers.name(current);
        }
        if let Some(duties) = self.epochs.get_mut(&(epoch + 1)) {
            duties.attesters.name(current);
        }
    }

    pub(crate) fn proposers_known(&mut self, epoch: Epoch, root: Root, all: Vec<ProposerDuty>) {
        let (first, count) = (epoch.start_slot(self.spec), self.spec.preset.slots_per_epoch);
        if all.len() as u64 > count {
            let why = format!("the node named {} proposers for {count} slots", all.len());
            return self.fetch_failed(epoch, |duties| &mut duties.proposers, why);
        }
        let fits = |duty: &ProposerDuty| {
            duty.slot >= first
                && duty.slot < first + count
                && self.is_ours(&duty.pubkey, duty.validator_index)
        };
        let propose = all.into_iter().filter(fits).collect();
        if let Some(duties) = self.epochs.get_mut(&epoch) {
            duties.proposers.end(root);
            duties.propose = propose;
        }
    }

    fn fits(&self, epoch: Epoch, duty: &AttesterDuty) -> bool {
        let preset = &self.spec.preset;
        duty.slot.epoch(self.spec) == epoch
            && self.is_ours(&duty.pubkey, duty.validator_index)
            && duty.committee_length <= preset.max_validators_per_committee
            && duty.validator_committee_index < duty.committee_length
            && duty.committees_at_slot <= preset.max_committees_per_slot
            && duty.committee_index < duty.committees_at_slot
    }

    pub(crate) fn attesters_known(&mut self, epoch: Epoch, root: Root, all: Vec<AttesterDuty>) {
        let mut seen = BTreeSet::new();
        let kept: Vec<AttesterDuty> = all
            .into_iter()
            .filter(|duty| self.fits(epoch, duty) && seen.insert(duty.validator_index))
            .collect();
        let Some(duties) = self.epochs.get_mut(&epoch) else { return };
        duties.attesters.end(root);
        let old: BTreeMap<(Slot, ValidatorIndex), Attester> = std::mem::take(&mut duties.attest)
            .into_iter()
            .map(|attester| ((attester.duty.slot, attester.duty.validator_index), attester))
            .collect();
        // The proof is of the slot alone; how many aggregate depends on the committee's size.
        let attester = |duty: &AttesterDuty| {
            let before = old.get(&(duty.slot, duty.validator_index));
            let selection_proof = before.and_then(|attester| attester.selection_proof);
            let is_aggregator =
                selection_proof.is_some_and(|proof| is_aggregator(duty.committee_length, &proof));
            Attester { duty: *duty, selection_proof, is_aggregator }
        };
        duties.attest = kept.iter().map(attester).collect();
        self.report_late(&kept);
        self.prove(epoch);
    }

    /// Duties of slots that are over when they become known.
    fn report_late(&mut self, duties: &[AttesterDuty]) {
        let started = self.started.unwrap_or_default();
        let mut late: BTreeMap<Slot, Vec<AttesterDuty>> = BTreeMap::new();
        for duty in duties.iter().filter(|duty| duty.slot >= started && duty.slot < self.next_close) {
            let epoch = duty.slot.epoch(self.spec);
            if !self.votes.has_attested(epoch, duty.validator_index) {
                late.entry(duty.slot).or_default().push(*duty);
            }
        }
        for (slot, duties) in late {
            self.report_votes(slot, duties, "the duty became known after its slot".into());
        }
    }

    /// Signs the selection proofs that an epoch lacks, all at once; subscribes where there is nothing to sign.
    fn prove(&mut self, epoch: Epoch) {
        let Some(duties) = self.epochs.get(&epoch) else { return };
        let open = |attester: &&Attester| attester.duty.slot >= self.next_close;
        let lacking: Vec<AttesterDuty> = duties
            .attest
            .iter()
            .filter(open)
            .filter(|attester| attester.selection_proof.is_none())
            .map(|attester| attester.duty)
            .collect();
        if lacking.is_empty() {
            return self.subscribe(epoch);
        }
        let requests = lacking.iter().map(|duty| self.domains.get_slot_signature(duty.pubkey, duty.slot));
        let requests = requests.collect();
        let of = lacking.iter().map(|duty| (duty.slot, duty.validator_index)).collect();
        self.sign(Purpose::Proofs(epoch, of), requests);
    }

    pub(crate) fn proofs_known(
        &mut self,
        epoch: Epoch,
        of: Vec<(Slot, ValidatorIndex)>,
        proofs: Vec<Result<BlsSignature, String>>,
    ) {
        let proofs: BTreeMap<(Slot, ValidatorIndex), BlsSignature> =
            of.into_iter().zip(proofs).filter_map(|(of, proof)| Some((of, proof.ok()?))).collect();
        let Some(duties) = self.epochs.get_mut(&epoch) else { return };
        for attester in &mut duties.attest {
            if let Some(proof) = proofs.get(&(attester.duty.slot, attester.duty.validator_index)) {
                attester.selection_proof = Some(*proof);
                attester.is_aggregator = is_aggregator(attester.duty.committee_length, proof);
            }
        }
        self.subscribe(epoch);
    }

    fn subscribe(&mut self, epoch: Epoch) {
        let current = self.current_slot().unwrap_or_default();
        let Some(duties) = self.epochs.get(&epoch) else { return };
        let subscriptions: Vec<Subscription> = duties
            .attest
            .iter()
            .filter(|attester| attester.duty.slot >= current)
            .map(|attester| Subscription { duty: attester.duty, is_aggregator: attester.is_aggregator })
            .collect();
        if !subscriptions.is_empty() {
            self.ask(Purpose::Subscription, Ask::Subscribe(subscriptions));
        }
    }

    /// Drops epochs all of whose slots are closed; one whose duties never became known was missed as a whole.
    pub(crate) fn forget_epochs(&mut self) {
        let first = self.next_close.epoch(self.spec);
        while let Some(entry) = self.epochs.first_entry().filter(|entry| *entry.key() < first) {
            let (epoch, duties) = entry.remove_entry();
            if !duties.attesters.known {
                let why = duties.attesters.failure.unwrap_or_else(|| "no answer in time".to_owned());
                let why = format!("the node did not say when they were due: {why}");
                self.missed(Duty::Epoch(epoch), self.active_indices(), why);
            }
        }
        self.votes.forget_before(first);
    }
}

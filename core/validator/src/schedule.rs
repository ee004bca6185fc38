//! Who does what when: the keys' places and the duties of this and the next epoch, fetched again when they change.
//!
//! Duties follow from a block, the *dependent root*. A head event names these roots; when one of them changes, the
//! duties that hang on it are fetched again. Whoever attested already stays out of it, see `Votes`.

use std::collections::{BTreeMap, BTreeSet};

use types::{BlsPubkey, BlsSignature, Epoch, Root, Slot, Time, ValidatorIndex};

use crate::Duties;
use crate::attesting::Proving;
use crate::duties::{Place, Purpose};
use crate::selection::is_aggregator;
use crate::traffic::{Ask, AttesterDuty, Duty, KeyInfo, ProposerDuty, Subscription};

/// Selection proofs that are signed at once. Those of all keys for a whole epoch would keep the signer busy for seconds,
/// and the votes of a slot waiting; a portion takes some hundredths of a second.
const PROOFS_AT_ONCE: usize = 512;
/// After a portion the signer rests three times as long as it took, so that proofs of later slots take a quarter of it
/// and the next epoch's do not crowd the begin of this one.
const REST: u64 = 3;
/// Slots ahead whose proofs are not rested for: what nobody has proven cannot be aggregated.
const URGENT_SLOTS: u64 = 2;
/// Wishes to hear a subnet that are told at once, of some 150 bytes each.
const WISHES_AT_ONCE: usize = 4096;

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
    /// The signer was asked for the proof; what it refused once is not asked for again.
    asked: bool,
}

/// The duties of an epoch, those of our keys only.
#[derive(Debug, Default)]
pub(crate) struct EpochDuties {
    pub(crate) attesters: Fetch,
    pub(crate) proposers: Fetch,
    /// By slot, so that a slot's are found without a look at all of them.
    attest: Vec<Attester>,
    propose: Vec<ProposerDuty>,
}

impl EpochDuties {
    fn attesters_of(&self, slot: Slot) -> &[Attester] {
        let first = self.attest.partition_point(|attester| attester.duty.slot < slot);
        let rest = &self.attest[first..];
        &rest[..rest.partition_point(|attester| attester.duty.slot == slot)]
    }

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
        self.keys.iter().filter(|(_, place)| !is_active(place)).map(|(key, _)| *key)
    }

    /// True where some keys have no duties yet. Asked for after every input, so it looks at no key.
    pub(crate) fn has_waiting_keys(&self) -> bool {
        self.active_keys < self.keys.len()
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
        duties.into_iter().flat_map(move |duties| duties.attesters_of(slot))
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
        if self.active_keys == 0 || now < self.first_fetch() {
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
                let indices = self.active_indices();
                self.ask(Purpose::Attesters(of), Ask::AttesterDuties(of, indices));
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
        self.active_keys = self.keys.values().filter(|place| is_active(place)).count();
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
            let asked = before.is_some_and(|attester| attester.asked);
            Attester { duty: *duty, selection_proof, is_aggregator, asked }
        };
        duties.attest = kept.iter().map(attester).collect();
        // The order of the answer stays within a slot.
        duties.attest.sort_by_key(|attester| attester.duty.slot);
        self.report_late(&kept);
        self.subscribe(epoch, |attester| attester.selection_proof.is_some());
        if matches!(self.votes.proving, Proving::Idle) {
            self.votes.proving = Proving::Resting { until: self.now };
        }
        self.prove();
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

    /// Signs selection proofs that are lacking: the next portion of them, earlier slots first. One portion at a time.
    pub(crate) fn prove(&mut self) {
        let urgent = self.current_slot().unwrap_or_default() + URGENT_SLOTS;
        let (now, next_close) = (self.now, self.next_close);
        // This comes after every input, and must not look at thousands of duties to find that all are proven.
        let Proving::Resting { until } = self.votes.proving else { return };
        let lacks = |attester: &&mut Attester| {
            attester.duty.slot >= next_close && attester.selection_proof.is_none() && !attester.asked
        };
        let lacking = self.epochs.iter_mut().find_map(|(epoch, duties)| {
            let mut lacking = duties.attest.iter_mut().filter(lacks).peekable();
            lacking.peek().is_some().then_some((*epoch, lacking))
        });
        let Some((epoch, mut lacking)) = lacking else {
            self.votes.proving = Proving::Idle;
            return;
        };
        if now < until && lacking.peek().is_some_and(|attester| attester.duty.slot > urgent) {
            return;
        }
        let mut portion: Vec<AttesterDuty> = Vec::new();
        for attester in lacking.take(PROOFS_AT_ONCE) {
            attester.asked = true;
            portion.push(attester.duty);
        }
        self.votes.proving = Proving::Signing { since: now };
        let requests = portion.iter().map(|duty| self.domains.get_slot_signature(duty.pubkey, duty.slot));
        let requests = requests.collect();
        let of = portion.iter().map(|duty| (duty.slot, duty.validator_index)).collect();
        self.sign(Purpose::Proofs(epoch, of), requests);
    }

    pub(crate) fn proofs_known(
        &mut self,
        epoch: Epoch,
        of: Vec<(Slot, ValidatorIndex)>,
        proofs: Vec<Result<BlsSignature, String>>,
    ) {
        // A proof that was refused makes no aggregator, but the vote's subnet is wanted all the same.
        let proofs: BTreeMap<(Slot, ValidatorIndex), Option<BlsSignature>> =
            of.into_iter().zip(proofs).map(|(of, proof)| (of, proof.ok())).collect();
        let Some(duties) = self.epochs.get_mut(&epoch) else { return };
        let place = |attester: &Attester| (attester.duty.slot, attester.duty.validator_index);
        for attester in &mut duties.attest {
            if let Some(Some(proof)) = proofs.get(&place(attester)) {
                attester.selection_proof = Some(*proof);
                attester.is_aggregator = is_aggregator(attester.duty.committee_length, proof);
            }
        }
        self.subscribe(epoch, |attester| proofs.contains_key(&place(attester)));
    }

    /// A portion of the proofs is signed, or given up: the next one follows after a rest.
    pub(crate) fn proofs_over(&mut self) {
        if let Proving::Signing { since } = self.votes.proving {
            let until = self.now.after_ms(REST * self.now.since(since));
            self.votes.proving = Proving::Resting { until };
        }
        self.prove();
    }

    fn subscribe(&mut self, epoch: Epoch, which: impl Fn(&Attester) -> bool) {
        let current = self.current_slot().unwrap_or_default();
        let Some(duties) = self.epochs.get(&epoch) else { return };
        let wishes: Vec<Subscription> = duties
            .attest
            .iter()
            .filter(|attester| attester.duty.slot >= current && which(attester))
            .map(|attester| Subscription { duty: attester.duty, is_aggregator: attester.is_aggregator })
            .collect();
        for portion in wishes.chunks(WISHES_AT_ONCE) {
            self.ask(Purpose::Subscription, Ask::Subscribe(portion.to_vec()));
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

fn is_active(place: &Place) -> bool {
    place.is_some_and(|(_, active)| active)
}

//! The machine: routes answers to what they were asked for, and starts what is due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use types::constants::GENESIS_SLOT;
use types::{
    AttestationData, BlockContents, BlsPubkey, BlsSignature, CommitteeIndex, Epoch, ExecutionAddress, Root,
    SignedAggregateAndProof, Slot, Spec, Time, ValidatorIndex,
};

use crate::attesting::Votes;
use crate::preparing::Fees;
use crate::schedule::EpochDuties;
use crate::sync_committee::{SyncPurpose, SyncWork};
use crate::traffic::{
    Answer, Ask, AttesterDuty, Done, Due, Duty, Input, Missed, Output, ProposerDuty, RequestId,
};
use crate::{Domains, SigningRequest};

/// Genesis facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The start of slot 0.
    pub time: Time,
    /// The root of the genesis registry.
    pub validators_root: Root,
}

/// What the operator chose.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The keys to work for; a double counts once.
    pub keys: Vec<BlsPubkey>,
    /// 32 bytes for every block.
    pub graffiti: Root,
    /// Who gets the fees of every block; without it the node decides.
    pub fee_recipient: Option<ExecutionAddress>,
}

/// A key's place in the registry, once known.
pub(crate) type Place = Option<(ValidatorIndex, bool)>;

/// What an open question is for; each leads to further work, to `Done`, or to `Missed`.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Keys,
    Proposers(Epoch),
    Attesters(Epoch),
    Proofs(Epoch, Vec<(Slot, ValidatorIndex)>),
    Subscription,
    Fees,
    Data(Slot),
    VoteSignatures(Vec<(AttesterDuty, AttestationData)>),
    VotePublication(Slot, Root, Vec<ValidatorIndex>),
    Reveal(ProposerDuty),
    Block(ProposerDuty, BlsSignature),
    BlockSignature(ProposerDuty, Box<BlockContents>),
    BlockPublication(ProposerDuty, Root),
    Aggregate(Slot, CommitteeIndex, Root),
    AggregateSignatures(Slot, Vec<SignedAggregateAndProof>),
    AggregatePublication(Slot, Root, Vec<ValidatorIndex>),
    Sync(SyncPurpose),
}

/// An open question: when it is given up, and what it is for.
#[derive(Debug)]
struct Open {
    until: Time,
    purpose: Purpose,
}

/// The duties machine; see the crate's documentation.
///
/// Bounds: duties of three epochs, votes and aggregates of three slots, and one open question for each of their
/// steps. A question without an answer is given up after its slot's time, so that nothing waits for ever.
#[derive(Debug)]
pub struct Duties {
    pub(crate) spec: &'static Spec,
    pub(crate) domains: Domains,
    pub(crate) graffiti: Root,
    pub(crate) now: Time,
    /// The first slot in which the machine ran: earlier ones were not its duty.
    pub(crate) started: Option<Slot>,
    /// The first slot whose work is not over.
    pub(crate) next_close: Slot,
    /// The slot of the last head event; none before the first, since the genesis slot has no block to hear of.
    pub(crate) head_slot: Option<Slot>,
    pub(crate) keys: BTreeMap<BlsPubkey, Place>,
    /// How many of them have duties.
    pub(crate) active_keys: usize,
    /// When to ask for keys that are not active; none while asked.
    pub(crate) keys_at: Option<Time>,
    pub(crate) epochs: BTreeMap<Epoch, EpochDuties>,
    pub(crate) votes: Votes,
    pub(crate) proposed: BTreeSet<(Slot, ValidatorIndex)>,
    pub(crate) sync: SyncWork,
    pub(crate) fees: Fees,
    genesis_time: Time,
    open: BTreeMap<RequestId, Open>,
    delayed: Vec<(Time, Purpose)>,
    next_id: u64,
    outputs: VecDeque<Output>,
}

impl Duties {
    /// A machine that knows nothing of the chain but its genesis.
    pub fn new(spec: &'static Spec, genesis: Genesis, config: Config) -> Self {
        Self {
            spec,
            domains: Domains::new(spec, genesis.validators_root),
            graffiti: config.graffiti,
            now: Time(0),
            started: None,
            next_close: Slot(0),
            head_slot: None,
            keys: config.keys.into_iter().map(|key| (key, None)).collect(),
            active_keys: 0,
            keys_at: Some(Time(0)),
            epochs: BTreeMap::new(),
            votes: Votes::default(),
            proposed: BTreeSet::new(),
            sync: SyncWork::default(),
            fees: Fees::new(config.fee_recipient),
            genesis_time: genesis.time,
            open: BTreeMap::new(),
            delayed: Vec::new(),
            next_id: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input; drain [`Duties::poll`] before the next. Time that runs backwards counts as standing still.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        if self.started.is_none() {
            let slot = self.current_slot().unwrap_or_default();
            self.started = Some(slot);
            self.next_close = slot;
            self.sync.begin(slot);
        }
        match input {
            Input::Tick => {}
            Input::Head { slot, root: _, previous_duty_dependent_root, current_duty_dependent_root } => {
                self.head(slot, previous_duty_dependent_root, current_duty_dependent_root);
            }
            Input::Answer(id, answer) => {
                if let Some(open) = self.open.remove(&id) {
                    self.answered(open.purpose, answer);
                }
            }
            Input::Failed(id, why) => {
                if let Some(open) = self.open.remove(&id) {
                    self.failed(open.purpose, why);
                }
            }
        }
        self.advance();
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the machine wants a tick, always after the last input's time.
    pub fn deadline(&self) -> Option<Time> {
        let slot = self.current_slot();
        let next = slot.map_or(self.genesis_time, |slot| self.start_of(slot + 1));
        let in_slot = slot.map(|slot| {
            let of_sync = [self.sync_message_due(slot), self.contribution_due(slot)];
            [self.attestation_due(slot), self.aggregate_due(slot)].into_iter().chain(of_sync)
        });
        let fetches = self.epochs.values().flat_map(EpochDuties::retries);
        [next, self.first_fetch()]
            .into_iter()
            .chain(in_slot.into_iter().flatten())
            .chain(self.open.values().map(|open| open.until))
            .chain(self.delayed.iter().map(|(at, _)| *at))
            .chain(fetches)
            .chain(self.sync.retries())
            .chain(self.votes.proving.rest())
            .chain(self.keys_at.filter(|_| self.has_waiting_keys()))
            .filter(|at| *at > self.now)
            .min()
    }

    /// The slot that the last input's time is in; none before genesis.
    pub fn current_slot(&self) -> Option<Slot> {
        let ms = self.now.0.checked_sub(self.genesis_time.0)?;
        Some(Slot(ms / self.spec.config.slot_duration_ms))
    }

    /// How many duties there are in a slot of this or the next epoch.
    pub fn due_in(&self, slot: Slot) -> Due {
        // The genesis block is nobody's duty, though the draw names a proposer.
        let blocks = if slot > GENESIS_SLOT { self.proposals_of(slot).len() } else { 0 };
        let mut due = Due { blocks, ..Due::default() };
        for attester in self.attesters_of(slot) {
            due.attestations += 1;
            due.aggregates += usize::from(attester.is_aggregator);
        }
        (due.sync_messages, due.contributions) = self.sync_due_in(slot);
        due
    }

    /// The start of a slot.
    pub(crate) fn start_of(&self, slot: Slot) -> Time {
        self.genesis_time.after_ms(slot.0.saturating_mul(self.spec.config.slot_duration_ms))
    }

    /// When an attestation is made at the latest.
    pub(crate) fn attestation_due(&self, slot: Slot) -> Time {
        let bps = self.spec.config.attestation_due_bps;
        self.start_of(slot).after_ms(self.spec.get_slot_component_duration_ms(bps))
    }

    /// When aggregates are made.
    pub(crate) fn aggregate_due(&self, slot: Slot) -> Time {
        let bps = self.spec.config.aggregate_due_bps;
        self.start_of(slot).after_ms(self.spec.get_slot_component_duration_ms(bps))
    }

    /// When the work of a slot is given up: a vote a slot late is better than none, a later one is hardly worth it.
    pub(crate) fn close_of(&self, slot: Slot) -> Time {
        self.start_of(slot + 2)
    }

    /// How long to wait before a question is asked again.
    pub(crate) fn pause_ms(&self) -> u64 {
        (self.spec.config.slot_duration_ms / 16).max(1)
    }

    pub(crate) fn ask(&mut self, purpose: Purpose, ask: Ask) {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let until = self.until(&purpose);
        self.open.insert(id, Open { until, purpose });
        self.outputs.push_back(Output::Ask(id, ask));
    }

    pub(crate) fn sign(&mut self, purpose: Purpose, requests: Vec<SigningRequest>) {
        self.ask(purpose, Ask::Sign(requests));
    }

    pub(crate) fn done(&mut self, duty: Duty, validators: Vec<ValidatorIndex>, root: Root) {
        if !validators.is_empty() {
            self.outputs.push_back(Output::Done(Done { duty, validators, root }));
        }
    }

    pub(crate) fn missed(&mut self, duty: Duty, validators: Vec<ValidatorIndex>, why: impl Into<String>) {
        if !validators.is_empty() {
            self.outputs.push_back(Output::Missed(Missed { duty, validators, why: why.into() }));
        }
    }

    /// Asks the same again after a pause, where there is time left; true then.
    pub(crate) fn again(&mut self, purpose: Purpose, last: Time) -> bool {
        let at = self.now.after_ms(self.pause_ms());
        let in_time = at < last;
        if in_time {
            self.delay(at, purpose);
        }
        in_time
    }

    pub(crate) fn delay(&mut self, at: Time, purpose: Purpose) {
        self.delayed.push((at, purpose));
    }

    fn until(&self, purpose: &Purpose) -> Time {
        let slot_ms = self.spec.config.slot_duration_ms;
        let close = |slot: &Slot| self.close_of(*slot);
        match purpose {
            Purpose::Keys | Purpose::Proposers(_) | Purpose::Attesters(_) => self.now.after_ms(2 * slot_ms),
            Purpose::Proofs(..) | Purpose::Subscription | Purpose::Fees => self.now.after_ms(4 * slot_ms),
            Purpose::Data(slot) | Purpose::Aggregate(slot, ..) => close(slot).min(self.now.after_ms(slot_ms)),
            Purpose::VoteSignatures(votes) => votes.first().map_or(self.now, |(duty, _)| close(&duty.slot)),
            Purpose::VotePublication(slot, ..)
            | Purpose::AggregateSignatures(slot, _)
            | Purpose::AggregatePublication(slot, ..) => close(slot),
            Purpose::Reveal(duty) | Purpose::Block(duty, _) => self.start_of(duty.slot + 1),
            Purpose::BlockSignature(duty, _) | Purpose::BlockPublication(duty, _) => close(&duty.slot),
            Purpose::Sync(purpose) => self.sync_until(purpose),
        }
    }

    fn answered(&mut self, purpose: Purpose, answer: Answer) {
        match (purpose, answer) {
            (Purpose::Keys, Answer::Keys(keys)) => self.keys_known(keys),
            (Purpose::Proposers(epoch), Answer::ProposerDuties(root, duties)) => {
                self.proposers_known(epoch, root, duties);
            }
            (Purpose::Attesters(epoch), Answer::AttesterDuties(root, duties)) => {
                self.attesters_known(epoch, root, duties);
            }
            (Purpose::Proofs(epoch, of), Answer::Signed(proofs)) => {
                self.proofs_known(epoch, of, proofs);
                self.proofs_over();
            }
            (Purpose::Subscription | Purpose::Fees, Answer::Published(_)) => {}
            (Purpose::Data(slot), Answer::AttestationData(data)) => self.data_known(slot, data),
            (Purpose::VoteSignatures(votes), Answer::Signed(results)) => self.votes_signed(votes, results),
            (Purpose::VotePublication(slot, root, of), Answer::Published(refused)) => {
                self.published(Duty::Attestation(slot), root, of, refused);
            }
            (Purpose::Reveal(duty), Answer::Signed(results)) => self.reveal_signed(duty, results),
            (Purpose::Block(duty, reveal), Answer::Block(contents)) => {
                self.block_known(duty, &reveal, contents);
            }
            (Purpose::BlockSignature(duty, contents), Answer::Signed(results)) => {
                self.block_signed(duty, contents, results);
            }
            (Purpose::BlockPublication(duty, root), Answer::Published(refused)) => {
                self.published(Duty::Block(duty.slot), root, vec![duty.validator_index], refused);
            }
            (Purpose::Aggregate(slot, index, root), Answer::Aggregate(aggregate)) => {
                self.aggregate_known(slot, index, root, *aggregate);
            }
            (Purpose::AggregateSignatures(slot, aggregates), Answer::Signed(results)) => {
                self.aggregates_signed(slot, aggregates, results);
            }
            (Purpose::AggregatePublication(slot, root, of), Answer::Published(refused)) => {
                self.published(Duty::Aggregate(slot), root, of, refused);
            }
            (Purpose::Sync(purpose), answer) => self.sync_answered(purpose, answer),
            (purpose, _) => self.failed(purpose, "the answer is to another question".into()),
        }
    }

    /// What is published is done, but for the items that the node refused.
    pub(crate) fn published(
        &mut self,
        duty: Duty,
        root: Root,
        of: Vec<ValidatorIndex>,
        refused: Vec<(usize, String)>,
    ) {
        let reasons: BTreeMap<usize, String> = refused.into_iter().collect();
        let taken = of.iter().enumerate().filter(|(i, _)| !reasons.contains_key(i));
        self.done(duty, taken.map(|(_, validator)| *validator).collect(), root);
        for (i, why) in reasons {
            if let Some(validator) = of.get(i) {
                self.missed(duty, vec![*validator], format!("the node refused it: {why}"));
            }
        }
    }

    fn failed(&mut self, purpose: Purpose, why: String) {
        match purpose {
            Purpose::Keys => self.keys_at = Some(self.now.after_ms(self.spec.config.slot_duration_ms)),
            Purpose::Proposers(epoch) => self.fetch_failed(epoch, |duties| &mut duties.proposers, why),
            Purpose::Attesters(epoch) => self.fetch_failed(epoch, |duties| &mut duties.attesters, why),
            // Without its subnet a vote is published all the same, so nothing is missed for certain.
            Purpose::Proofs(..) => self.proofs_over(),
            Purpose::Subscription => {}
            Purpose::Fees => self.fees_failed(),
            Purpose::Data(slot) => self.data_failed(slot, why),
            Purpose::VoteSignatures(votes) => {
                let Some(slot) = votes.first().map(|(duty, _)| duty.slot) else { return };
                let of = votes.iter().map(|(duty, _)| duty.validator_index).collect();
                self.missed(Duty::Attestation(slot), of, format!("it was not signed: {why}"));
            }
            Purpose::VotePublication(slot, _, of) => {
                self.missed(Duty::Attestation(slot), of, format!("it was not published: {why}"));
            }
            Purpose::Aggregate(slot, index, root) => self.aggregate_failed(slot, index, root, why),
            Purpose::AggregateSignatures(slot, aggregates) => {
                let of = aggregates.iter().map(|item| item.message.aggregator_index).collect();
                self.missed(Duty::Aggregate(slot), of, format!("it was not signed: {why}"));
            }
            Purpose::AggregatePublication(slot, _, of) => {
                self.missed(Duty::Aggregate(slot), of, format!("it was not published: {why}"));
            }
            Purpose::Block(duty, reveal) => self.block_failed(duty, reveal, &why),
            Purpose::Reveal(duty) | Purpose::BlockSignature(duty, _) => {
                self.proposal_lost(duty, format!("it was not signed: {why}"))
            }
            Purpose::BlockPublication(duty, _) => {
                self.proposal_lost(duty, format!("it was not published: {why}"));
            }
            Purpose::Sync(purpose) => self.sync_failed(purpose, why),
        }
    }

    fn advance(&mut self) {
        let now = self.now;
        let overdue: Vec<RequestId> =
            self.open.iter().filter(|(_, open)| open.until <= now).map(|(id, _)| *id).collect();
        for id in overdue {
            let open = self.open.remove(&id).expect("it was found above");
            self.failed(open.purpose, "no answer in time".into());
        }
        let (due, later) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = later;
        let due: Vec<(Time, Purpose)> = due;
        for (_, purpose) in due {
            match &purpose {
                Purpose::Data(slot) => self.ask(purpose.clone(), Ask::AttestationData(*slot)),
                Purpose::Aggregate(slot, index, root) => {
                    self.ask(purpose.clone(), Ask::Aggregate(*slot, *index, *root))
                }
                Purpose::Block(duty, reveal) => self.ask_block(*duty, *reveal),
                Purpose::Fees => self.fees.forget(),
                Purpose::Sync(again) => self.sync_ask_again(again.clone()),
                _ => unreachable!("only these are delayed"),
            }
        }
        self.close_slots();
        self.fetch();
        self.fetch_sync();
        self.prove();
        self.prepare_beacon_proposer();
        self.propose();
        self.attest();
        self.vote_for_sync();
        self.aggregate();
        self.contribute();
    }

    /// Ends the work of slots that are over, and says what of it was missed.
    fn close_slots(&mut self) {
        let Some(current) = self.current_slot() else { return };
        self.close_sync(current);
        // After a long sleep only the duties that are still kept can be accounted for.
        let kept = current.saturating_sub(2 * self.spec.preset.slots_per_epoch);
        self.next_close = self.next_close.max(kept);
        while self.close_of(self.next_close) <= self.now {
            let slot = self.next_close;
            self.next_close = slot + 1;
            self.close_proposals(slot);
            self.close_votes(slot);
            self.close_aggregates(slot);
        }
        let next_close = self.next_close;
        self.proposed.retain(|(slot, _)| *slot >= next_close);
        self.forget_epochs();
    }
}

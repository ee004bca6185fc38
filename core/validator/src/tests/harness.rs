//! A day of duties in a blink: the machine, the time, and a node that answers at once unless told otherwise.

use ssz::{Ctx, SszExt};
use types::{
    AttestationData, BeaconBlock, Bits, BlsPubkey, BlsSignature, Checkpoint, CommitteeIndex, Epoch,
    ExecutionAddress, ForkName, Root, Slot, Spec, SyncCommitteeContribution, Time, ValidatorIndex,
};

use crate::{
    Answer, Ask, AttesterDuty, Config, Done, Duties, Duty, Genesis, Input, KeyInfo, Message, Missed, Output,
    ProposerDuty, RequestId, SigningRequest, SyncDuty,
};

pub(crate) const GENESIS_MS: u64 = 1_000_000;
pub(crate) const SLOT_MS: u64 = 6000;
pub(crate) const FEES: ExecutionAddress = ssz::FixedBytes([0xfe; 20]);

/// How the node answers a question: `None` leaves the question open.
pub(crate) type Manner = Box<dyn Fn(&Ask) -> Option<Result<Answer, String>>>;

pub(crate) struct Play {
    pub(crate) duties: Duties,
    pub(crate) now: Time,
    /// Looked at first; what it does not answer gets the usual answer unless it is held.
    pub(crate) manner: Manner,
    /// Questions of these kinds stay open.
    pub(crate) hold: fn(&Ask) -> bool,
    /// Where a validator attests.
    pub(crate) slot_of: fn(Epoch, u64) -> Slot,
    /// Committees of a slot.
    pub(crate) committees: u64,
    pub(crate) held: Vec<(RequestId, Ask)>,
    pub(crate) asked: Vec<(Time, Ask)>,
    pub(crate) done: Vec<Done>,
    pub(crate) missed: Vec<Missed>,
    keys: u64,
}

pub(crate) fn key(index: u64) -> BlsPubkey {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&index.to_be_bytes());
    BlsPubkey::from(bytes)
}

pub(crate) fn root(byte: u8) -> Root {
    Root::from([byte; 32])
}

fn usual_slot(epoch: Epoch, index: u64) -> Slot {
    epoch.start_slot(Spec::minimal()) + index % 8
}

impl Play {
    /// A machine with so many keys, a second before genesis.
    pub(crate) fn new(keys: u64) -> Self {
        Self::with_spec(keys, Spec::minimal())
    }

    /// The same where the fork to Altair is at an epoch.
    pub(crate) fn with_altair(keys: u64, epoch: u64) -> Self {
        let yaml =
            format!("PRESET_BASE: 'minimal'\nSLOT_DURATION_MS: {SLOT_MS}\nALTAIR_FORK_EPOCH: {epoch}\n");
        Self::with_spec(keys, Spec::from_yaml(&yaml, None).unwrap())
    }

    /// The same where all forks up to this one are at an epoch.
    pub(crate) fn with_fork(keys: u64, fork: ForkName, epoch: u64) -> Self {
        let mut yaml = format!("PRESET_BASE: 'minimal'\nSLOT_DURATION_MS: {SLOT_MS}\n");
        for begun in ForkName::ALL.into_iter().skip(1).filter(|begun| *begun <= fork) {
            yaml.push_str(&format!("{}_FORK_EPOCH: {epoch}\n", begun.as_str().to_uppercase()));
        }
        Self::with_spec(keys, Spec::from_yaml(&yaml, None).unwrap())
    }

    fn with_spec(keys: u64, spec: &'static Spec) -> Self {
        let fee_recipient = Some(FEES);
        let config = Config { keys: (0..keys).map(key).collect(), graffiti: root(7), fee_recipient };
        let genesis = Genesis { time: Time(GENESIS_MS), validators_root: root(1) };
        Self {
            duties: Duties::new(spec, genesis, config),
            now: Time(GENESIS_MS - 1000),
            manner: Box::new(|_| None),
            hold: |_| false,
            slot_of: usual_slot,
            committees: 1,
            held: Vec::new(),
            asked: Vec::new(),
            done: Vec::new(),
            missed: Vec::new(),
            keys,
        }
    }

    /// Lets the time pass up to a slot's start and so many milliseconds, with a tick at each deadline.
    pub(crate) fn until(&mut self, slot: u64, ms: u64) -> &mut Self {
        let end = Time(GENESIS_MS + slot * SLOT_MS + ms);
        self.tick(self.now);
        while let Some(at) = self.duties.deadline().filter(|at| *at <= end) {
            self.tick(at);
        }
        self.tick(end);
        self
    }

    /// Lets the clock jump, with no tick on the way.
    pub(crate) fn leap(&mut self, slot: u64, ms: u64) -> &mut Self {
        self.tick(Time(GENESIS_MS + slot * SLOT_MS + ms));
        self
    }

    fn tick(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.input(Input::Tick);
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.duties.handle(self.now, input);
        while let Some(output) = self.duties.poll() {
            match output {
                Output::Done(done) => self.done.push(done),
                Output::Missed(missed) => self.missed.push(missed),
                Output::Ask(id, ask) => {
                    self.asked.push((self.now, ask.clone()));
                    let at_once = self.asked.iter().rev().take_while(|(at, _)| *at == self.now).count();
                    assert!(at_once < 100, "{at_once} questions at one time, the last one {ask:?}");
                    let answer = match (self.manner)(&ask) {
                        Some(answer) => answer,
                        None if (self.hold)(&ask) => {
                            self.held.push((id, ask));
                            continue;
                        }
                        None => Ok(self.usual(&ask)),
                    };
                    self.duties.handle(
                        self.now,
                        match answer {
                            Ok(answer) => Input::Answer(id, answer),
                            Err(why) => Input::Failed(id, why),
                        },
                    );
                }
            }
        }
    }

    /// A head event whose dependent roots are those that the duties came with.
    pub(crate) fn head(&mut self, slot: u64) {
        self.head_of(slot, dependent(0), dependent(0));
    }

    pub(crate) fn head_of(&mut self, slot: u64, previous: Root, current: Root) {
        self.input(Input::Head {
            slot: Slot(slot),
            root: root(9),
            previous_duty_dependent_root: previous,
            current_duty_dependent_root: current,
        });
    }

    pub(crate) fn usual(&self, ask: &Ask) -> Answer {
        match ask {
            Ask::Keys(keys) => {
                let info = |index| KeyInfo { pubkey: key(index), index: ValidatorIndex(index), active: true };
                let all = (0..self.keys).map(info).filter(|info| keys.contains(&info.pubkey));
                Answer::Keys(all.collect())
            }
            Ask::ProposerDuties(epoch) => {
                let duty = |offset| ProposerDuty {
                    pubkey: key(offset % self.keys),
                    validator_index: ValidatorIndex(offset % self.keys),
                    slot: epoch.start_slot(Spec::minimal()) + offset,
                };
                Answer::ProposerDuties(dependent(0), (0..8).map(duty).collect())
            }
            Ask::AttesterDuties(epoch, indices) => {
                let duty = |index: &ValidatorIndex| AttesterDuty {
                    pubkey: key(index.0),
                    validator_index: *index,
                    committee_index: CommitteeIndex(index.0 % self.committees),
                    committee_length: self.keys,
                    committees_at_slot: self.committees,
                    validator_committee_index: index.0,
                    slot: (self.slot_of)(*epoch, index.0),
                };
                Answer::AttesterDuties(dependent(0), indices.iter().map(duty).collect())
            }
            Ask::AttestationData(slot) => Answer::AttestationData(data(*slot)),
            Ask::Block { slot, randao_reveal, .. } => {
                Answer::Block(Box::new(block(*slot, slot.0 % 8 % self.keys, *randao_reveal).into()))
            }
            Ask::Aggregate(slot, index, _) => {
                let aggregation_bits = Bits::zero(usize::try_from(self.keys).unwrap());
                let is_electra = self.duties.spec.fork_name_at_slot(*slot) >= ForkName::Electra;
                let in_data = if is_electra { CommitteeIndex(0) } else { *index };
                let data = AttestationData { index: in_data, ..data(*slot) };
                let mut committee_bits = Bits::zero(if is_electra { 4 } else { 0 });
                if is_electra {
                    committee_bits.set(index.as_usize(), true);
                }
                let signature = BlsSignature::ZERO;
                let aggregate = types::Attestation { aggregation_bits, data, signature, committee_bits };
                Answer::Aggregate(Box::new(aggregate))
            }
            Ask::Sign(requests) => Answer::Signed(requests.iter().map(|of| Ok(signature(of))).collect()),
            Ask::Subscribe(_)
            | Ask::PublishBlock(_)
            | Ask::PublishAttestations(_)
            | Ask::PublishSingleAttestations(_)
            | Ask::PrepareBeaconProposer(_)
            | Ask::PublishAggregates(_)
            | Ask::SubscribeSync(_)
            | Ask::PublishSyncMessages(_)
            | Ask::PublishContributions(_) => Answer::Published(Vec::new()),
            Ask::HeadRoot(_) => Answer::HeadRoot(root(9)),
            Ask::SyncDuties(_, indices) => Answer::SyncDuties(indices.iter().map(sync_duty).collect()),
            Ask::Contribution(slot, part, root) => {
                Answer::Contribution(Box::new(contribution(*slot, *part, *root)))
            }
        }
    }

    /// When questions of a kind were asked: milliseconds after genesis.
    pub(crate) fn times(&self, kind: fn(&Ask) -> bool) -> Vec<u64> {
        self.asked.iter().filter(|(_, ask)| kind(ask)).map(|(at, _)| at.0 - GENESIS_MS).collect()
    }

    /// Who was handed to the signer with attestations, and for which slot and target.
    pub(crate) fn votes_signed(&self) -> Vec<(BlsPubkey, Slot, Epoch)> {
        let requests = self.asked.iter().flat_map(|(_, ask)| match ask {
            Ask::Sign(requests) => requests.as_slice(),
            _ => &[],
        });
        let vote = |request: &SigningRequest| match request.message {
            Message::Attestation { slot, target, .. } => Some((request.pubkey, slot, target)),
            _ => None,
        };
        requests.filter_map(vote).collect()
    }

    pub(crate) fn done_of(&self, duty: Duty) -> Vec<u64> {
        let of = self.done.iter().filter(|done| done.duty == duty).flat_map(|done| &done.validators);
        of.map(|validator| validator.0).collect()
    }

    /// Who missed a duty and why; none where nobody did.
    pub(crate) fn missed_of(&self, duty: Duty) -> Vec<(Vec<u64>, &str)> {
        let of = self.missed.iter().filter(|missed| missed.duty == duty);
        of.map(|missed| (missed.validators.iter().map(|of| of.0).collect(), missed.why.as_str())).collect()
    }
}

/// Two places for each of the first sixteen validators: in subcommittee 0 or 1, and in 2 or 3.
fn sync_duty(index: &ValidatorIndex) -> SyncDuty {
    let places = vec![index.0 % 16, index.0 % 16 + 16];
    SyncDuty { pubkey: key(index.0), validator_index: *index, places }
}

pub(crate) fn contribution(slot: Slot, part: u64, root: Root) -> SyncCommitteeContribution {
    let mut aggregation_bits = Bits::zero(8);
    aggregation_bits.set(3, true);
    let signature = BlsSignature::ZERO;
    SyncCommitteeContribution {
        slot,
        beacon_block_root: root,
        subcommittee_index: part,
        aggregation_bits,
        signature,
    }
}

pub(crate) fn dependent(change: u8) -> Root {
    root(100 + change)
}

pub(crate) fn data(slot: Slot) -> AttestationData {
    let epoch = slot.epoch(Spec::minimal());
    AttestationData {
        slot,
        index: CommitteeIndex(0),
        beacon_block_root: root(9),
        source: Checkpoint { epoch: epoch.saturating_sub(1), root: root(8) },
        target: Checkpoint { epoch, root: root(9) },
    }
}

pub(crate) fn block(slot: Slot, proposer: u64, randao_reveal: BlsSignature) -> BeaconBlock {
    // A block of the last fork has the fields of all forks.
    let mut block = BeaconBlock::new_default(Spec::minimal().ctx(ForkName::Fulu));
    block.slot = slot;
    block.proposer_index = ValidatorIndex(proposer);
    block.body.randao_reveal = randao_reveal;
    block
}

/// A signature that says what it is of.
pub(crate) fn signature(request: &SigningRequest) -> BlsSignature {
    let mut bytes = [0; 96];
    bytes[..32].copy_from_slice(&request.signing_root.0);
    bytes[32..80].copy_from_slice(&request.pubkey.0);
    BlsSignature::from(bytes)
}

/// The root that a committee's aggregate is asked for by.
pub(crate) fn data_root(slot: u64) -> Root {
    data(Slot(slot)).hash_tree_root(Ctx::PLAIN)
}

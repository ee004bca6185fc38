//! What goes into the duties machine and what comes out of it.

use types::{
    Attestation, AttestationData, BlockContents, BlsPubkey, BlsSignature, CommitteeIndex, Epoch,
    ExecutionAddress, Root, SignedAggregateAndProof, SignedBlockContents, SignedContributionAndProof,
    SingleAttestation, Slot, SyncCommitteeContribution, SyncCommitteeMessage, ValidatorIndex,
};

use crate::SigningRequest;

/// The number that ties an answer to its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the registry says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key.
    pub pubkey: BlsPubkey,
    /// Its place in the registry.
    pub index: ValidatorIndex,
    /// True while it has duties.
    pub active: bool,
}

/// A turn to propose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposerDuty {
    /// The proposer's key.
    pub pubkey: BlsPubkey,
    /// The proposer.
    pub validator_index: ValidatorIndex,
    /// The slot to propose in.
    pub slot: Slot,
}

/// A turn to attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttesterDuty {
    /// The attester's key.
    pub pubkey: BlsPubkey,
    /// The attester.
    pub validator_index: ValidatorIndex,
    /// The committee's place within the slot.
    pub committee_index: CommitteeIndex,
    /// Members of the committee.
    pub committee_length: u64,
    /// Committees in the slot.
    pub committees_at_slot: u64,
    /// The attester's place in the committee.
    pub validator_committee_index: u64,
    /// The slot to attest in.
    pub slot: Slot,
}

/// A wish to hear a committee's subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The duty it is for.
    pub duty: AttesterDuty,
    /// True where the validator aggregates.
    pub is_aggregator: bool,
}

/// A place, or several, in the sync committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDuty {
    /// The member's key.
    pub pubkey: BlsPubkey,
    /// The member.
    pub validator_index: ValidatorIndex,
    /// Its places in the committee.
    pub places: Vec<u64>,
}

/// A wish to hear the subnets of a member of the sync committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSubscription {
    /// The member.
    pub validator_index: ValidatorIndex,
    /// Its places in the committee.
    pub places: Vec<u64>,
    /// The first epoch in which it is no member any more.
    pub until: Epoch,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// The node has a new head.
    Head {
        /// The head's slot.
        slot: Slot,
        /// The head.
        root: Root,
        /// What attester duties of the head's epoch depend on.
        previous_duty_dependent_root: Root,
        /// What attester duties of the next epoch, and proposer duties of the head's epoch, depend on.
        current_duty_dependent_root: Root,
    },
    /// A question was answered. Answers to questions unknown or given up are ignored.
    Answer(RequestId, Answer),
    /// A question brought no answer; the text says why in plain words.
    Failed(RequestId, String),
}

/// Answers, in the order of [`Ask`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Ask::Keys`]: those that the registry has.
    Keys(Vec<KeyInfo>),
    /// To [`Ask::ProposerDuties`]: all proposers of the epoch, and the root that they depend on.
    ProposerDuties(Root, Vec<ProposerDuty>),
    /// To [`Ask::AttesterDuties`], and the root that they depend on.
    AttesterDuties(Root, Vec<AttesterDuty>),
    /// To [`Ask::SyncDuties`]: those of the validators that are members.
    SyncDuties(Vec<SyncDuty>),
    /// To [`Ask::HeadRoot`].
    HeadRoot(Root),
    /// To [`Ask::Contribution`].
    Contribution(Box<SyncCommitteeContribution>),
    /// To [`Ask::AttestationData`].
    AttestationData(AttestationData),
    /// To [`Ask::Block`]: the block, and the blobs that it commits to.
    Block(Box<BlockContents>),
    /// To [`Ask::Aggregate`].
    Aggregate(Box<Attestation>),
    /// To [`Ask::Sign`]: one result for each request, in order; an error says in plain words why not.
    Signed(Vec<Result<BlsSignature, String>>),
    /// To the publications and subscriptions: the items, by place, that were refused, and why.
    Published(Vec<(usize, String)>),
}

/// Questions to the node or the signer.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Which of these keys are in the registry?
    Keys(Vec<BlsPubkey>),
    /// Who proposes in this epoch?
    ProposerDuties(Epoch),
    /// When do these validators attest in this epoch?
    AttesterDuties(Epoch, Vec<ValidatorIndex>),
    /// Which of these validators are in the sync committee of this epoch?
    SyncDuties(Epoch, Vec<ValidatorIndex>),
    /// Prepare the subnets of these members of the sync committee.
    SubscribeSync(Vec<SyncSubscription>),
    /// Which block is the head, in this slot?
    HeadRoot(Slot),
    /// The best contribution of a subcommittee of the sync committee for a block.
    Contribution(Slot, u64, Root),
    /// Prepare the subnets of these committees.
    Subscribe(Vec<Subscription>),
    /// What is to be attested in this slot? The committee index asked for is 0.
    AttestationData(Slot),
    /// A block for this slot.
    Block {
        /// The slot.
        slot: Slot,
        /// The proposer's reveal.
        randao_reveal: BlsSignature,
        /// 32 bytes of the proposer's choice.
        graffiti: Root,
    },
    /// The best aggregate of a committee for some data, by the data's root. Since Electra data names no committee.
    Aggregate(Slot, CommitteeIndex, Root),
    /// Signatures. Blocks and attestations pass slashing protection first, all of one request in one transaction.
    Sign(Vec<SigningRequest>),
    /// Tell who wants the fees of blocks that these validators propose.
    PrepareBeaconProposer(Vec<(ValidatorIndex, ExecutionAddress)>),
    /// Publish a block with its blobs.
    PublishBlock(Box<SignedBlockContents>),
    /// Publish attestations, of slots before Electra.
    PublishAttestations(Vec<Attestation>),
    /// Publish attestations, of slots since Electra.
    PublishSingleAttestations(Vec<SingleAttestation>),
    /// Publish aggregates.
    PublishAggregates(Vec<SignedAggregateAndProof>),
    /// Publish votes of the sync committee.
    PublishSyncMessages(Vec<SyncCommitteeMessage>),
    /// Publish contributions.
    PublishContributions(Vec<SignedContributionAndProof>),
}

/// What the machine wants or tells.
#[derive(Clone, Debug)]
pub enum Output {
    /// A question, to be answered with [`Input::Answer`] or [`Input::Failed`].
    Ask(RequestId, Ask),
    /// Duties done.
    Done(Done),
    /// Duties missed.
    Missed(Missed),
}

/// A kind of duty, and when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// To propose a block.
    Block(Slot),
    /// To attest.
    Attestation(Slot),
    /// To aggregate.
    Aggregate(Slot),
    /// To vote in the sync committee.
    SyncMessage(Slot),
    /// To contribute the votes of a subcommittee.
    Contribution(Slot),
    /// Attestations of a whole epoch, where nobody learned in which slots they were due.
    Epoch(Epoch),
    /// Votes of a whole period of the sync committee up to some slot, since nobody learned before whose they were.
    SyncPeriod(u64),
}

impl std::fmt::Display for Duty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Block(slot) => write!(f, "block of slot {slot}"),
            Self::Attestation(slot) => write!(f, "attestation of slot {slot}"),
            Self::Aggregate(slot) => write!(f, "aggregate of slot {slot}"),
            Self::SyncMessage(slot) => write!(f, "sync committee message of slot {slot}"),
            Self::Contribution(slot) => write!(f, "sync committee contribution of slot {slot}"),
            Self::SyncPeriod(period) => write!(f, "sync committee messages of period {period}"),
            Self::Epoch(epoch) => write!(f, "attestations of epoch {epoch}"),
        }
    }
}

/// Duties done: published and taken by the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was due.
    pub duty: Duty,
    /// Whose duty it was.
    pub validators: Vec<ValidatorIndex>,
    /// The block published or voted for.
    pub root: Root,
}

/// How many duties our keys have in a slot, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Blocks to propose.
    pub blocks: usize,
    /// Attestations to make.
    pub attestations: usize,
    /// Aggregates to make.
    pub aggregates: usize,
    /// Votes of the sync committee to cast.
    pub sync_messages: usize,
    /// Contributions of the sync committee to make.
    pub contributions: usize,
}

/// Duties missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// What was due.
    pub duty: Duty,
    /// Whose duty it was.
    pub validators: Vec<ValidatorIndex>,
    /// Why, in plain words.
    pub why: String,
}

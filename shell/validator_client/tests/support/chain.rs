//! A chain of one node: blocks and votes that are fully verified, and no more fork choice than "the last block".

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use api::{ApiError, AttesterDuty, Duties, Event, Failure, ProposerDuty};
use crypto::Signature;
use ssz::{Ctx, SszExt};
use tokio::sync::broadcast;
use transition::accessors::{
    get_beacon_committee, get_beacon_proposer_indices, get_block_root_at_slot, get_committee_count_per_slot,
    get_indexed_attestation, get_randao_mix,
};
use transition::block::get_expected_withdrawals;
use transition::genesis::{GenesisValidator, genesis_block, genesis_of_validators};
use transition::misc::compute_time_at_slot;
use transition::predicates::is_valid_indexed_attestation;
use transition::signatures::{aggregate_and_proof_set, selection_proof_set};
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{
    Attestation, AttestationData, BeaconBlock, BeaconState, BlockContents, BlsPubkey, BlsSignature, Bytes,
    Checkpoint, CommitteeIndex, Epoch, ExecutionAddress, ExecutionPayload, FixedBytes, ForkName, Gwei,
    KzgProof, Root, SignedAggregateAndProof, SignedBeaconBlock, SignedBlockContents, SingleAttestation, Slot,
    Spec, ValidatorIndex,
};
use validator_client::History;

pub type Answer<T> = Result<T, ApiError>;

/// How the node differs from an honest one.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// A root that votes are to be for, whatever the head is.
    pub vote_for: Option<Root>,
    /// Makes every block another one.
    pub extra_graffiti: u8,
    /// A data folder: what is published must be recorded in it already.
    pub witness: Option<PathBuf>,
    /// True where no engine has verified the head.
    pub optimistic: bool,
}

/// What the node saw and took.
#[derive(Debug)]
pub struct Seen {
    head: BeaconState,
    head_root: Root,
    pub behaviour: Behaviour,
    pub blocks: Vec<SignedBeaconBlock>,
    /// What came with them.
    pub blobs: Vec<(Vec<KzgProof>, Vec<Bytes>)>,
    /// Who wants fees, each time that it was told.
    pub fee_recipients: Vec<Vec<(ValidatorIndex, ExecutionAddress)>>,
    /// Votes that came as single attestations.
    pub single: usize,
    /// Single votes: who, and for what.
    pub votes: Vec<(ValidatorIndex, Attestation)>,
    pub aggregates: Vec<SignedAggregateAndProof>,
    /// Questions for attestation data, by slot.
    pub data_asked: BTreeMap<Slot, usize>,
    /// Questions for a block, by slot.
    pub blocks_asked: BTreeMap<Slot, usize>,
    pub subscriptions: usize,
    /// Work of the sync committee.
    pub sync: super::sync::SyncSeen,
    /// What was refused and why; an honest client leaves it empty.
    pub refused: Vec<String>,
}

pub struct MiniChain {
    pub spec: &'static Spec,
    pub genesis: BeaconState,
    seen: Mutex<Seen>,
    pub events: broadcast::Sender<Event>,
}

pub fn bad(error: impl ToString) -> ApiError {
    ApiError::bad_request(error.to_string())
}

impl MiniChain {
    /// A chain of so many interop validators, whose genesis is at a Unix second.
    pub fn new(spec: &'static Spec, validators: u64, genesis_time: u64) -> Arc<Self> {
        let validator = |index| GenesisValidator {
            pubkey: BlsPubkey::from(keys::interop_secret_key(index).public_key().compress()),
            withdrawal_credentials: Root::ZERO,
            amount: Gwei(32_000_000_000),
        };
        let validators: Vec<_> = (0..validators).map(validator).collect();
        let genesis = genesis_of_validators(spec, &validators, genesis_time, Root::from([0x42; 32])).unwrap();
        let head_root = genesis_block(&genesis).message.hash_tree_root(genesis.ctx());
        let seen = Seen {
            head: genesis.clone(),
            head_root,
            behaviour: Behaviour::default(),
            blocks: Vec::new(),
            blobs: Vec::new(),
            fee_recipients: Vec::new(),
            single: 0,
            votes: Vec::new(),
            aggregates: Vec::new(),
            data_asked: BTreeMap::new(),
            blocks_asked: BTreeMap::new(),
            subscriptions: 0,
            sync: super::sync::SyncSeen::default(),
            refused: Vec::new(),
        };
        Arc::new(Self { spec, genesis, seen: Mutex::new(seen), events: broadcast::channel(256).0 })
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub fn head(&self) -> BeaconState {
        self.seen().head.clone()
    }

    /// The root of the head block, and the block where it is not that of genesis.
    pub fn head_block(&self) -> (Root, SignedBeaconBlock) {
        let seen = self.seen();
        (seen.head_root, seen.blocks.last().cloned().unwrap_or_else(|| genesis_block(&self.genesis)))
    }

    /// The slot that the clock says, zero before genesis.
    pub fn slot_now(&self) -> Slot {
        Slot(self.ms_now().max(0) as u64 / self.spec.config.slot_duration_ms)
    }

    /// Milliseconds since genesis.
    pub fn ms_now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        now as i64 - self.genesis.genesis_time as i64 * 1000
    }

    /// The head's state, advanced to a slot.
    pub fn state_at(&self, slot: Slot) -> Answer<BeaconState> {
        let mut state = self.head();
        if state.slot < slot {
            process_slots(&mut state, slot).map_err(bad)?;
        }
        Ok(state)
    }

    /// A state whose epoch is the given one, or where the epoch is the next one, the one before.
    fn state_for(&self, epoch: Epoch) -> Answer<BeaconState> {
        let now = self.slot_now().epoch(self.spec);
        if epoch > now + 1 {
            return Err(bad(format!("epoch {epoch} is too far away")));
        }
        self.state_at(epoch.min(now).start_slot(self.spec))
    }

    /// The root that duties of an epoch depend on: the last block before the epoch before it.
    fn dependent_root(&self, state: &BeaconState, epoch: Epoch, lookback: u64) -> Root {
        match epoch.0.checked_sub(lookback) {
            Some(of) if of > 0 && Epoch(of).start_slot(self.spec) <= state.slot => {
                let last = Epoch(of).start_slot(self.spec) - 1;
                get_block_root_at_slot(state, last).unwrap_or(self.seen().head_root)
            }
            _ => genesis_block(&self.genesis).message.hash_tree_root(self.genesis.ctx()),
        }
    }

    pub fn proposers(&self, epoch: Epoch) -> Answer<Duties<ProposerDuty>> {
        let state = self.state_at(epoch.start_slot(self.spec))?;
        let proposers = get_beacon_proposer_indices(&state).map_err(bad)?;
        let duty = |(offset, index): (usize, &ValidatorIndex)| ProposerDuty {
            pubkey: state.validators[index.as_usize()].pubkey,
            validator_index: *index,
            slot: epoch.start_slot(self.spec) + offset as u64,
        };
        let duties = proposers.iter().enumerate().map(duty).collect();
        Ok(Duties { dependent_root: self.dependent_root(&state, epoch, 0), duties })
    }

    pub fn attesters(&self, epoch: Epoch, of: &[ValidatorIndex]) -> Answer<Duties<AttesterDuty>> {
        let state = self.state_for(epoch)?;
        let committees_at_slot = get_committee_count_per_slot(&state, epoch);
        let mut duties = Vec::new();
        let first = epoch.start_slot(self.spec);
        for slot in (0..self.spec.preset.slots_per_epoch).map(|offset| first + offset) {
            for committee_index in (0..committees_at_slot).map(CommitteeIndex) {
                let committee = get_beacon_committee(&state, slot, committee_index).map_err(bad)?;
                for (place, validator_index) in
                    committee.iter().enumerate().filter(|(_, index)| of.contains(index))
                {
                    duties.push(AttesterDuty {
                        pubkey: state.validators[validator_index.as_usize()].pubkey,
                        validator_index: *validator_index,
                        committee_index,
                        committee_length: committee.len() as u64,
                        committees_at_slot,
                        validator_committee_index: place as u64,
                        slot,
                    });
                }
            }
        }
        Ok(Duties { dependent_root: self.dependent_root(&state, epoch, 1), duties })
    }

    fn refuse_optimistic(&self) -> Answer<()> {
        match self.seen().behaviour.optimistic {
            true => Err(ApiError::unavailable("the head is optimistic")),
            false => Ok(()),
        }
    }

    pub fn attestation_data(&self, slot: Slot) -> Answer<AttestationData> {
        self.refuse_optimistic()?;
        let state = self.state_at(slot)?;
        let mut seen = self.seen();
        *seen.data_asked.entry(slot).or_default() += 1;
        let epoch = slot.epoch(self.spec);
        let first = epoch.start_slot(self.spec);
        let target = if first < state.slot {
            get_block_root_at_slot(&state, first).map_err(bad)?
        } else {
            seen.head_root
        };
        Ok(AttestationData {
            slot,
            index: CommitteeIndex(0),
            beacon_block_root: seen.behaviour.vote_for.unwrap_or(seen.head_root),
            source: state.current_justified_checkpoint,
            target: Checkpoint { epoch, root: target },
        })
    }

    /// A block, since Deneb with a blob, which nobody here verifies.
    pub fn produce(&self, slot: Slot, randao_reveal: BlsSignature, graffiti: Root) -> Answer<BlockContents> {
        self.refuse_optimistic()?;
        let (mut state, parent_root, extra) = {
            let mut seen = self.seen();
            *seen.blocks_asked.entry(slot).or_default() += 1;
            (seen.head.clone(), seen.head_root, seen.behaviour.extra_graffiti)
        };
        if slot <= state.slot {
            // An equivocation: it builds on what the head's parent left, which a test needs to tempt the client.
            return self.sibling(slot, randao_reveal, extra).map(Into::into);
        }
        process_slots(&mut state, slot).map_err(bad)?;
        let mut block = BeaconBlock::new_default(state.ctx());
        block.slot = slot;
        block.parent_root = parent_root;
        let place = (slot.0 % self.spec.preset.slots_per_epoch) as usize;
        block.proposer_index = get_beacon_proposer_indices(&state).map_err(bad)?[place];
        block.body.randao_reveal = randao_reveal;
        block.body.eth1_data = state.eth1_data.clone();
        block.body.graffiti = graffiti;
        block.body.graffiti.0[31] ^= extra;
        if state.fork_name() >= ForkName::Altair {
            block.body.sync_aggregate = super::sync::sync_aggregate(self, &state, slot, parent_root);
        }
        let fork = state.fork_name();
        if fork >= ForkName::Bellatrix {
            block.body.execution_payload = payload(&state);
        }
        let mut contents = BlockContents::from(block);
        if BlockContents::are_used_in(fork) {
            contents.block.body.blob_kzg_commitments = vec![FixedBytes([0xc0; 48])];
            contents.blobs = vec![Bytes(vec![slot.0 as u8; 131_072])];
            let proofs = if fork >= ForkName::Fulu { self.spec.preset.cells_per_ext_blob } else { 1 };
            contents.kzg_proofs = vec![FixedBytes([slot.0 as u8; 48]); proofs as usize];
        }
        let block = &mut contents.block;
        transition::block::process_block(&mut state, block, &mut Signatures::Skip).map_err(bad)?;
        block.state_root = state.state_root();
        Ok(contents)
    }

    /// Another block for the slot of the head.
    fn sibling(&self, slot: Slot, randao_reveal: BlsSignature, extra: u8) -> Answer<BeaconBlock> {
        let seen = self.seen();
        let head = seen.blocks.last().filter(|block| block.message.slot == slot);
        let mut block = head.ok_or_else(|| bad("the slot is over"))?.message.clone();
        block.body.randao_reveal = randao_reveal;
        block.body.graffiti.0[31] ^= extra;
        Ok(block)
    }

    pub fn take_block(&self, contents: SignedBlockContents) -> Answer<()> {
        let SignedBlockContents { signed_block: block, kzg_proofs, blobs } = contents;
        let block = &block;
        self.bear_witness(|history| {
            let slot = block.message.slot;
            history.data.iter().any(|of| of.signed_blocks.iter().any(|signed| signed.slot == slot))
        })?;
        let mut state = self.head();
        if let Err(error) = state_transition(&mut state, block, &mut Signatures::Verify, ValidateResult::Yes)
        {
            self.seen().refused.push(format!("block: {error}"));
            return Err(bad(error));
        }
        let root = block.message.hash_tree_root(state.ctx());
        let slot = block.message.slot;
        let epoch = slot.epoch(self.spec);
        let event = Event::Head {
            slot,
            block: root,
            state: block.message.state_root,
            epoch_transition: slot.0.is_multiple_of(self.spec.preset.slots_per_epoch),
            previous_duty_dependent_root: self.dependent_root(&state, epoch, 1),
            current_duty_dependent_root: self.dependent_root(&state, epoch, 0),
            execution_optimistic: false,
        };
        let mut seen = self.seen();
        seen.head = state;
        seen.head_root = root;
        seen.blocks.push(block.clone());
        seen.blobs.push((kzg_proofs, blobs));
        drop(seen);
        // Nobody may be listening.
        let _ = self.events.send(event);
        Ok(())
    }

    pub fn take_votes(&self, attestations: &[Attestation]) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (index, attestation) in attestations.iter().enumerate() {
            if let Err(error) = self.take_vote(attestation) {
                self.seen().refused.push(format!("attestation: {error}"));
                failures.push(Failure { index, message: error.message });
            }
        }
        failures
    }

    /// Votes in the form since Electra, kept as what goes into aggregates.
    pub fn take_single_votes(&self, attestations: &[SingleAttestation]) -> Vec<Failure> {
        let with_bits = |single: &SingleAttestation| {
            let state = self.state_at(single.data.slot).unwrap();
            let committee = get_beacon_committee(&state, single.data.slot, single.committee_index).unwrap();
            Attestation {
                aggregation_bits: committee.iter().map(|member| *member == single.attester_index).collect(),
                data: single.data.clone(),
                signature: single.signature,
                committee_bits: (0..self.spec.preset.max_committees_per_slot)
                    .map(|index| single.committee_index == index)
                    .collect(),
            }
        };
        self.seen().single += attestations.len();
        self.take_votes(&attestations.iter().map(with_bits).collect::<Vec<_>>())
    }

    fn take_vote(&self, attestation: &Attestation) -> Answer<()> {
        let target = attestation.data.target.epoch;
        self.bear_witness(|history| {
            let records = history.data.iter().flat_map(|of| &of.signed_attestations);
            records.filter(|signed| signed.target_epoch == target).count() > 0
        })?;
        let state = self.state_at(attestation.data.slot)?;
        let indexed = get_indexed_attestation(&state, attestation).map_err(bad)?;
        if !is_valid_indexed_attestation(&state, &indexed, &mut Signatures::Verify) {
            return Err(bad("the signature is not valid"));
        }
        let [validator] = indexed.attesting_indices[..] else { return Err(bad("not of one validator")) };
        self.seen().votes.push((validator, attestation.clone()));
        Ok(())
    }

    pub fn aggregate(
        &self,
        slot: Slot,
        data_root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Answer<Attestation> {
        let seen = self.seen();
        let is_electra = self.spec.fork_name_at_slot(slot) >= ForkName::Electra;
        let of = |(_, vote): &&(ValidatorIndex, Attestation)| {
            let is_of = |index: CommitteeIndex| match is_electra {
                true => vote.committee_bits.ones().eq([index.as_usize()]),
                false => vote.data.index == index,
            };
            vote.data.slot == slot
                && vote.data.hash_tree_root(Ctx::PLAIN) == data_root
                && committee.is_none_or(is_of)
        };
        let votes: Vec<&Attestation> = seen.votes.iter().filter(of).map(|(_, vote)| vote).collect();
        let mut aggregate = votes.first().copied().cloned().ok_or_else(|| ApiError::not_found("no votes"))?;
        for vote in &votes {
            vote.aggregation_bits.ones().for_each(|place| aggregate.aggregation_bits.set(place, true));
        }
        let signature = |vote: &&Attestation| Signature::from_compressed(&vote.signature.0).unwrap();
        let signatures: Vec<Signature> = votes.iter().map(signature).collect();
        aggregate.signature = BlsSignature::from(crypto::aggregate(&signatures).unwrap().compress());
        Ok(aggregate)
    }

    pub fn take_aggregates(&self, aggregates: &[SignedAggregateAndProof]) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (index, signed) in aggregates.iter().enumerate() {
            match self.check_aggregate(signed) {
                Ok(()) => self.seen().aggregates.push(signed.clone()),
                Err(error) => {
                    self.seen().refused.push(format!("aggregate: {error}"));
                    failures.push(Failure { index, message: error.message });
                }
            }
        }
        failures
    }

    fn check_aggregate(&self, signed: &SignedAggregateAndProof) -> Answer<()> {
        let aggregate = &signed.message.aggregate;
        let state = self.state_at(aggregate.data.slot)?;
        let indexed = get_indexed_attestation(&state, aggregate).map_err(bad)?;
        let proof = selection_proof_set(&state, signed).map_err(bad)?;
        let outer = aggregate_and_proof_set(&state, signed).map_err(bad)?;
        if !proof.verify() || !outer.verify() {
            return Err(bad("the proof or the signature is not valid"));
        }
        if !is_valid_indexed_attestation(&state, &indexed, &mut Signatures::Verify) {
            return Err(bad("the aggregate's signature is not valid"));
        }
        Ok(())
    }

    /// Looks into a copy of the client's database: what is published must be in it by now.
    fn bear_witness(&self, recorded: impl Fn(&keys::Interchange) -> bool) -> Answer<()> {
        let Some(data_dir) = self.seen().behaviour.witness.clone() else { return Ok(()) };
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&data_dir).unwrap() {
            let from = entry.unwrap().path();
            let name = from.file_name().unwrap().to_owned();
            // The lock and the shared memory belong to the running client; the database and its log are the record.
            if name.to_string_lossy().ends_with(".sqlite") || name.to_string_lossy().ends_with("-wal") {
                std::fs::copy(&from, copy.path().join(name)).unwrap();
            }
        }
        let history = History::open(copy.path()).unwrap().export().unwrap();
        if recorded(&history) {
            return Ok(());
        }
        self.seen().refused.push("published before it was recorded".into());
        Err(bad("published before it was recorded"))
    }
}

/// A payload without transactions.
fn payload(state: &BeaconState) -> ExecutionPayload {
    let mut block_hash = Root::from([0xee; 32]);
    block_hash.0[..8].copy_from_slice(&state.slot.0.to_le_bytes());
    ExecutionPayload {
        parent_hash: state.latest_execution_payload_header.block_hash,
        prev_randao: get_randao_mix(state, state.slot.epoch(state.spec())),
        timestamp: compute_time_at_slot(state, state.slot).unwrap(),
        block_hash,
        withdrawals: match state.fork_name() >= ForkName::Capella {
            true => get_expected_withdrawals(state).unwrap().withdrawals,
            false => Vec::new(),
        },
        ..ExecutionPayload::default()
    }
}

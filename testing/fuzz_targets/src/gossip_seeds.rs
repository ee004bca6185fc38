//! A message of each topic and fork that a node would take, were it only signed.

use data_availability::columns::get_data_column_sidecars_from_block;
use data_availability::kzg::CellsAndKzgProofs;
use synthetic::Chain;
use transition::accessors::{get_beacon_committee, sync_committee_validators};
use transition::process_slots;
use types::{
    Attestation, AttesterSlashing, BeaconBlockHeader, BeaconState, Bytes, CommitteeIndex, ForkName,
    IndexedAttestation, KzgCommitment, KzgProof, ProposerSlashing, Root, SignedAggregateAndProof,
    SignedBLSToExecutionChange, SignedBeaconBlock, SignedContributionAndProof, SignedVoluntaryExit,
    SingleAttestation, SszExt, SyncCommitteeMessage, ValidatorIndex,
};

use crate::gossip_message::{SLOT, genesis, keys};
use crate::network::spec_of;

/// The bytes of a cell.
const CELL_BYTES: usize = 2048;

/// The messages, each with its name. See [`crate::gossip_message`] for the bytes before them.
pub fn gossip_seeds() -> Vec<(String, Vec<u8>)> {
    ForkName::ALL.into_iter().flat_map(|fork| Maker::new(fork).all()).collect()
}

/// What messages of a fork are made of.
struct Maker {
    fork: ForkName,
    /// The state at the slot of the messages, without a block since genesis.
    state: BeaconState,
    block: SignedBeaconBlock,
    /// The members of a committee of the slot before.
    committee: Vec<ValidatorIndex>,
    found: Vec<(String, Vec<u8>)>,
}

impl Maker {
    fn new(fork: ForkName) -> Self {
        let mut state = (**genesis(fork)).clone();
        let mut chain = Chain::new(state.clone(), keys().clone());
        let block = chain.block_at(SLOT.into()).expect("a synthetic chain makes blocks");
        process_slots(&mut state, SLOT.into()).expect("slots without blocks");
        let committee = get_beacon_committee(&state, (SLOT - 1).into(), CommitteeIndex(0));
        let committee = committee.expect("each slot has a committee").to_vec();
        Self { fork, state, block, committee, found: Vec::new() }
    }

    fn all(mut self) -> Vec<(String, Vec<u8>)> {
        self.blocks();
        self.votes();
        self.operations();
        if self.fork >= ForkName::Altair {
            self.sync_committee();
        }
        if self.fork >= ForkName::Fulu {
            self.column();
        }
        self.found
    }

    fn add(&mut self, name: &str, topic: u8, subnet: u64, ssz: Vec<u8>) {
        let head = [self.fork as u8, topic, subnet as u8];
        self.found.push((format!("{name}-{}", self.fork), [&head, ssz.as_slice()].concat()));
    }

    fn blocks(&mut self) {
        self.add("block", 0, 1, self.block.to_ssz(self.state.ctx()));
    }

    /// The vote of the committee for genesis.
    fn vote(&self) -> Attestation {
        let votes = &self.block.message.body.attestations;
        let mut vote = votes.first().expect("the block has votes").clone();
        vote.data.index = CommitteeIndex(0);
        vote.data.slot = (SLOT - 1).into();
        vote.aggregation_bits = ssz::Bits::zero(self.committee.len());
        vote.aggregation_bits.set(0, true);
        if self.fork >= ForkName::Electra {
            vote.committee_bits = ssz::Bits::zero(vote.committee_bits.len());
            vote.committee_bits.set(0, true);
        }
        vote
    }

    fn votes(&mut self) {
        let ctx = self.state.ctx();
        let (aggregate, attester_index) = (self.vote(), self.committee[0]);
        let data = aggregate.data.clone();
        // With 64 validators a slot has two committees.
        let subnet = (SLOT - 1) % self.state.spec().preset.slots_per_epoch * 2;
        let single = SingleAttestation { attester_index, data: data.clone(), ..SingleAttestation::default() };
        let alone = if self.fork >= ForkName::Electra { single.to_ssz(ctx) } else { aggregate.to_ssz(ctx) };
        self.add("attestation", 2, subnet, alone);

        let mut signed = SignedAggregateAndProof::new_default(ctx);
        signed.message.aggregator_index = attester_index;
        signed.message.aggregate = aggregate;
        self.add("aggregate", 1, 0, signed.to_ssz(ctx));

        let attesting_indices = vec![1.into(), 2.into()];
        let mut attestation_1 =
            IndexedAttestation { attesting_indices, data, ..IndexedAttestation::default() };
        let attestation_2 = attestation_1.clone();
        attestation_1.data.beacon_block_root.0[0] ^= 1;
        let slashing = AttesterSlashing { attestation_1, attestation_2 };
        self.add("attester-slashing", 5, 0, slashing.to_ssz(ctx));
    }

    fn operations(&mut self) {
        let ctx = self.state.ctx();
        self.add("exit", 3, 0, SignedVoluntaryExit::new_default(ctx).to_ssz(ctx));
        let mut slashing = ProposerSlashing::default();
        slashing.signed_header_1.message =
            BeaconBlockHeader { slot: SLOT.into(), body_root: Root::from([1; 32]), ..Default::default() };
        slashing.signed_header_2.message.slot = SLOT.into();
        self.add("proposer-slashing", 4, 0, slashing.to_ssz(ctx));
        if self.fork >= ForkName::Capella {
            let mut change = SignedBLSToExecutionChange::default();
            change.message.from_bls_pubkey = keys().pubkey(0);
            self.add("credentials", 8, 0, change.to_ssz(ctx));
        }
    }

    fn sync_committee(&mut self) {
        let ctx = self.state.ctx();
        let committee = sync_committee_validators(&self.state, &self.state.current_sync_committee);
        let validator_index = committee.expect("its members are validators")[0];
        let beacon_block_root = self.block.message.parent_root;
        let message = SyncCommitteeMessage {
            slot: SLOT.into(),
            beacon_block_root,
            validator_index,
            ..SyncCommitteeMessage::default()
        };
        self.add("sync", 7, 0, message.to_ssz(ctx));

        let mut signed = SignedContributionAndProof::new_default(ctx);
        signed.message.aggregator_index = validator_index;
        let contribution = &mut signed.message.contribution;
        contribution.slot = SLOT.into();
        contribution.beacon_block_root = beacon_block_root;
        contribution.aggregation_bits.set(0, true);
        self.add("contribution", 6, 0, signed.to_ssz(ctx));
    }

    /// A column of a block with one blob.
    fn column(&mut self) {
        let spec = spec_of(self.fork);
        let mut block = self.block.clone();
        block.message.body.blob_kzg_commitments = vec![KzgCommitment::ZERO];
        let columns = spec.preset.number_of_columns as usize;
        let row = CellsAndKzgProofs {
            cells: vec![Bytes(vec![0; CELL_BYTES]); columns],
            proofs: vec![KzgProof::ZERO; columns],
        };
        let sidecars = get_data_column_sidecars_from_block(spec, &block, &[row]);
        let sidecars = sidecars.expect("as many rows as blobs");
        self.add("column", 10, 0, sidecars[0].to_ssz(self.state.ctx()));
    }
}

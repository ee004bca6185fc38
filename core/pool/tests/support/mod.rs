//! A small network whose validators sign, and seeded choices of who does.
#![allow(clippy::unwrap_used)]

use crypto::SecretKey;
use pool::AttestationPool;
use transition::accessors::{
    get_beacon_committee, get_beacon_proposer_index, get_block_root_at_slot, get_committee_count_per_slot,
    get_domain, get_randao_mix,
};
use transition::block::{get_expected_withdrawals, process_attestation};
use transition::genesis::{GenesisValidator, genesis_of_validators};
use transition::misc::{compute_signing_root, compute_time_at_slot};
use transition::{Signatures, process_slots};
use types::constants::{DOMAIN_BEACON_ATTESTER, DOMAIN_RANDAO};
use types::{
    Attestation, AttestationData, BeaconBlock, BeaconState, Bits, BlsPubkey, BlsSignature, Checkpoint,
    CommitteeIndex, Ctx, ExecutionPayload, FixedBytes, ForkName, Gwei, Root, Slot, Spec, SszExt,
    ValidatorIndex,
};

pub const VALIDATORS: u64 = 128;

/// The minimal preset with these forks at these epochs, and those before the first at its epoch or genesis.
pub fn spec_of(forks: &[(ForkName, u64)]) -> &'static Spec {
    let mut text = "PRESET_BASE: 'minimal'\n".to_owned();
    for fork in ForkName::ALL.into_iter().skip(1) {
        let own = forks.iter().find(|(name, _)| *name == fork).map(|(_, epoch)| *epoch);
        let is_begun = forks.iter().any(|(name, _)| fork < *name);
        if let Some(epoch) = own.or(is_begun.then_some(0)) {
            text.push_str(&format!("{}_FORK_EPOCH: {epoch}\n", fork.as_str().to_uppercase()));
        }
    }
    Spec::from_yaml(&text, None).unwrap()
}

fn key(index: u64) -> SecretKey {
    let mut secret = [0; 32];
    secret[24..].copy_from_slice(&(index + 1).to_be_bytes());
    SecretKey::from_bytes(&secret).unwrap()
}

/// A state at a slot, with no block before it.
pub fn state_at(spec: &'static Spec, slot: u64) -> BeaconState {
    let validator = |index| GenesisValidator {
        pubkey: BlsPubkey::from(key(index).public_key().compress()),
        withdrawal_credentials: Root::ZERO,
        amount: Gwei(32_000_000_000),
    };
    let validators: Vec<_> = (0..VALIDATORS).map(validator).collect();
    let mut state = genesis_of_validators(spec, &validators, 1_600_000_000, Root::from([0x42; 32])).unwrap();
    process_slots(&mut state, Slot(slot)).unwrap();
    state
}

/// What a committee votes for in a slot.
pub fn data(state: &BeaconState, slot: u64, index: u64) -> AttestationData {
    let spec = state.spec();
    let slot = Slot(slot);
    let epoch = slot.epoch(spec);
    let root_at = |slot: Slot| get_block_root_at_slot(state, slot).unwrap();
    let source = match epoch == state.slot.epoch(spec) {
        true => state.current_justified_checkpoint.clone(),
        false => state.previous_justified_checkpoint.clone(),
    };
    AttestationData {
        slot,
        index: CommitteeIndex(if spec.fork_name_at_slot(slot) >= ForkName::Electra { 0 } else { index }),
        beacon_block_root: root_at(slot),
        source,
        target: Checkpoint { epoch, root: root_at(epoch.start_slot(spec)) },
    }
}

pub fn committees(state: &BeaconState, slot: u64) -> u64 {
    get_committee_count_per_slot(state, Slot(slot).epoch(state.spec()))
}

pub fn committee_len(state: &BeaconState, slot: u64, index: u64) -> usize {
    get_beacon_committee(state, Slot(slot), CommitteeIndex(index)).unwrap().len()
}

/// An attestation of these members of a committee, in the form of its slot.
pub fn attestation(
    state: &BeaconState,
    data: &AttestationData,
    index: u64,
    members: &[usize],
) -> Attestation {
    let spec = state.spec();
    let committee = get_beacon_committee(state, data.slot, CommitteeIndex(index)).unwrap();
    let mut aggregation_bits = Bits::zero(committee.len());
    members.iter().for_each(|member| aggregation_bits.set(*member, true));
    let domain = get_domain(state, DOMAIN_BEACON_ATTESTER, data.target.epoch);
    let message = compute_signing_root(data, Ctx::PLAIN, domain).0;
    let signatures: Vec<_> = members.iter().map(|member| key(committee[*member].0).sign(&message)).collect();
    Attestation {
        aggregation_bits,
        data: data.clone(),
        signature: FixedBytes(crypto::aggregate(&signatures).unwrap().compress()),
        committee_bits: match spec.fork_name_at_slot(data.slot) >= ForkName::Electra {
            true => (0..spec.preset.max_committees_per_slot).map(|place| place == index).collect(),
            false => Bits::default(),
        },
    }
}

/// What the proposer earns by attestations that are valid in a block upon the state; panics where one is not.
pub fn reward(state: &mut BeaconState, attestations: &[Attestation]) -> u64 {
    let proposer = get_beacon_proposer_index(state).unwrap().as_usize();
    let before = state.balances[proposer].0;
    for attestation in attestations {
        let in_its_form = attestation.to_ssz(state.ctx());
        assert_eq!(Attestation::from_ssz(&in_its_form, state.ctx()).unwrap(), *attestation);
        process_attestation(state, attestation, &mut Signatures::Verify).unwrap();
    }
    state.balances[proposer].0 - before
}

/// A signed-for block upon a state at its slot.
pub fn block(state: &BeaconState, pool: &AttestationPool) -> BeaconBlock {
    let proposer_index = get_beacon_proposer_index(state).unwrap();
    let mut block = BeaconBlock::new_default(state.ctx());
    block.slot = state.slot;
    block.proposer_index = proposer_index;
    block.parent_root = state.latest_block_header.hash_tree_root(state.ctx());
    block.body.eth1_data = state.eth1_data.clone();
    block.body.randao_reveal = reveal(state, proposer_index);
    block.body.attestations = pool.pack(state).unwrap();
    // Nobody of the committee voted: the signature is the point at infinity.
    block.body.sync_aggregate.sync_committee_signature.0[0] = 0xc0;
    block.body.execution_payload = ExecutionPayload {
        parent_hash: state.latest_execution_payload_header.block_hash,
        prev_randao: get_randao_mix(state, state.slot.epoch(state.spec())),
        timestamp: compute_time_at_slot(state, state.slot).unwrap(),
        block_hash: Root::from([0xee; 32]),
        withdrawals: get_expected_withdrawals(state).unwrap().withdrawals,
        ..ExecutionPayload::default()
    };
    block
}

fn reveal(state: &BeaconState, proposer: ValidatorIndex) -> BlsSignature {
    let epoch = state.slot.epoch(state.spec());
    let domain = get_domain(state, DOMAIN_RANDAO, epoch);
    FixedBytes(key(proposer.0).sign(&compute_signing_root(&epoch, Ctx::PLAIN, domain).0).compress())
}

/// A 64-bit linear congruential generator (Knuth's constants): the same numbers on every machine.
pub struct Noise(pub u64);

impl Noise {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Some places of so many; never none.
    pub fn some(&mut self, len: usize) -> Vec<usize> {
        let sure = self.below(len as u64) as usize;
        (0..len).filter(|place| *place == sure || self.below(3) == 0).collect()
    }
}

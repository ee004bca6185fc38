//! Chains of a small network without signatures, and seeded noise.
#![allow(dead_code, clippy::unwrap_used)]

use transition::accessors::{
    get_beacon_committee, get_beacon_proposer_index, get_committee_count_per_slot, get_current_epoch,
    get_randao_mix,
};
use transition::block::get_expected_withdrawals;
use transition::genesis::{GenesisValidator, genesis_of_validators};
use transition::misc::compute_time_at_slot;
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{
    Attestation, AttestationData, BeaconBlock, BeaconState, Bits, BlsPubkey, Checkpoint, CommitteeIndex,
    ExecutionPayload, ForkName, Gwei, Root, SignedBeaconBlock, Slot, Spec, SszExt,
};

/// The state that a minimal network of so many validators starts from. The keys are those of the secret keys 1, 2, …
pub fn genesis(count: u64) -> BeaconState {
    genesis_with(Spec::minimal(), count)
}

/// The same of a network that forks as its spec says.
pub fn genesis_with(spec: &'static Spec, count: u64) -> BeaconState {
    let validators: Vec<GenesisValidator> = (1..=count)
        .map(|number| {
            let mut secret = [0; 32];
            secret[24..].copy_from_slice(&number.to_be_bytes());
            let key = crypto::SecretKey::from_bytes(&secret).unwrap().public_key();
            GenesisValidator {
                pubkey: BlsPubkey::from(key.compress()),
                withdrawal_credentials: Root::ZERO,
                amount: Gwei(Spec::minimal().preset.max_effective_balance),
            }
        })
        .collect();
    genesis_of_validators(spec, &validators, 1_600_000_000, Root::from([0x42; 32])).unwrap()
}

/// The minimal preset with this fork, and all before it, from the start.
pub fn spec_in(fork: ForkName) -> &'static Spec {
    let mut text = "PRESET_BASE: 'minimal'\n".to_owned();
    for begun in ForkName::ALL.into_iter().skip(1).filter(|begun| *begun <= fork) {
        text.push_str(&format!("{}_FORK_EPOCH: 0\n", begun.as_str().to_uppercase()));
    }
    Spec::from_yaml(&text, None).unwrap()
}

/// A block of the slot upon the state, with the votes of everyone for the slot before it. `graffiti` makes siblings.
pub fn propose(parent: &BeaconState, slot: u64, graffiti: u8) -> SignedBeaconBlock {
    let mut state = parent.clone();
    process_slots(&mut state, Slot(slot)).unwrap();
    let mut block = BeaconBlock::new_default(state.ctx());
    block.slot = Slot(slot);
    block.proposer_index = get_beacon_proposer_index(&state).unwrap();
    block.parent_root = state.latest_block_header.hash_tree_root(state.ctx());
    block.body.eth1_data = state.eth1_data.clone();
    block.body.graffiti = Root::from([graffiti; 32]);
    // The reveal, which nobody verifies here, decides later seeds.
    block.body.randao_reveal.0[0] = graffiti;
    block.body.attestations = votes(&state, Slot(slot - 1));
    let members = state.current_sync_committee.pubkeys.len();
    block.body.sync_aggregate.sync_committee_bits = (0..members).map(|_| true).collect();
    if state.fork_name() >= ForkName::Bellatrix {
        block.body.execution_payload = payload(&state);
    }
    let mut signed = SignedBeaconBlock { message: block, ..SignedBeaconBlock::default() };
    let mut after = parent.clone();
    state_transition(&mut after, &signed, &mut Signatures::Skip, ValidateResult::No).unwrap();
    signed.message.state_root = after.state_root();
    signed
}

/// A payload without transactions for the state's slot.
fn payload(state: &BeaconState) -> ExecutionPayload {
    let mut block_hash = Root::from([0xee; 32]);
    block_hash.0[..8].copy_from_slice(&state.slot.0.to_le_bytes());
    ExecutionPayload {
        parent_hash: state.latest_execution_payload_header.block_hash,
        prev_randao: get_randao_mix(state, get_current_epoch(state)),
        timestamp: compute_time_at_slot(state, state.slot).unwrap(),
        block_hash,
        withdrawals: match state.fork_name() >= ForkName::Capella {
            true => get_expected_withdrawals(state).unwrap().withdrawals,
            false => Vec::new(),
        },
        ..ExecutionPayload::default()
    }
}

/// The votes of all committees of a slot that is over.
pub fn votes(state: &BeaconState, slot: Slot) -> Vec<Attestation> {
    let spec = state.spec();
    let epoch = slot.epoch(spec);
    let root_at = |slot: Slot| transition::accessors::get_block_root_at_slot(state, slot).unwrap();
    let source = match epoch == state.slot.epoch(spec) {
        true => state.current_justified_checkpoint.clone(),
        false => state.previous_justified_checkpoint.clone(),
    };
    let count = get_committee_count_per_slot(state, epoch);
    let is_electra = state.fork_name() >= ForkName::Electra;
    (0..count)
        .map(|index| {
            let index = CommitteeIndex(index);
            let committee = get_beacon_committee(state, slot, index).unwrap();
            let target = Checkpoint { epoch, root: root_at(epoch.start_slot(spec)) };
            let data = AttestationData {
                slot,
                index: if is_electra { CommitteeIndex(0) } else { index },
                beacon_block_root: root_at(slot),
                source: source.clone(),
                target,
            };
            Attestation {
                aggregation_bits: committee.iter().map(|_| true).collect(),
                data,
                committee_bits: match is_electra {
                    true => (0..spec.preset.max_committees_per_slot).map(|place| place == index.0).collect(),
                    false => Bits::default(),
                },
                ..Attestation::default()
            }
        })
        .collect()
}

/// Puts a block in every slot up to `slot`.
pub fn extend(state: &mut BeaconState, slot: u64, graffiti: u8) {
    for slot in state.slot.0 + 1..=slot {
        let block = propose(state, slot, graffiti);
        state_transition(state, &block, &mut Signatures::Skip, ValidateResult::Yes).unwrap();
    }
}

/// The state as another program would read it: without anything remembered.
pub fn forgetful(state: &BeaconState) -> BeaconState {
    BeaconState::decode_at(state.spec(), state.fork_name(), &state.encoded()).unwrap()
}

/// A 64-bit linear congruential generator (Knuth's constants): the same numbers on every machine.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The low bits of such a generator are weak.
        (self.0 >> 32) ^ (self.0 << 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() & 0xffff_ffff) % bound as u64) as usize
    }
}

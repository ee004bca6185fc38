//! Packed attestations are put to the state transition, which says whether they are valid and what they earn.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use pool::AttestationPool;
use support::{Noise, attestation, block, committee_len, committees, data, reward, spec_of, state_at};
use transition::Signatures;
use transition::accessors::{get_attesting_indices, get_block_root_at_slot};
use transition::block::process_block;
use types::{Attestation, BeaconState, Ctx, ForkName, Root, Slot, SszExt};

fn signature_of(attestation: &Attestation) -> crypto::Signature {
    crypto::Signature::from_compressed(&attestation.signature.0).unwrap()
}

fn pool_of(attestations: &[Attestation]) -> AttestationPool {
    let mut pool = AttestationPool::default();
    for attestation in attestations {
        let root = attestation.data.hash_tree_root(Ctx::PLAIN);
        pool.insert(attestation, &signature_of(attestation), root, None);
    }
    pool
}

/// The votes of all members of all committees in a slot, one by one.
fn everyone(state: &BeaconState, slot: u64) -> Vec<Attestation> {
    let votes = |index| {
        let data = data(state, slot, index);
        let members = 0..committee_len(state, slot, index);
        members.map(move |member| attestation(state, &data, index, &[member])).collect::<Vec<_>>()
    };
    (0..committees(state, slot)).flat_map(votes).collect()
}

/// What the network might send of some slots: single votes and aggregates that overlap, some of it for another head.
fn noise(state: &BeaconState, slots: std::ops::Range<u64>, noise: &mut Noise) -> Vec<Attestation> {
    let mut made = Vec::new();
    for slot in slots {
        for index in 0..committees(state, slot) {
            let len = committee_len(state, slot, index);
            // Each validator votes once: some of the committee for the head, the others for something else.
            let is_for_head: Vec<bool> = (0..len).map(|_| noise.below(4) > 0).collect();
            for _ in 0..noise.below(6) {
                let members = noise.some(len);
                for head in [true, false] {
                    let members: Vec<usize> =
                        members.iter().copied().filter(|member| is_for_head[*member] == head).collect();
                    if members.is_empty() {
                        continue;
                    }
                    let mut data = data(state, slot, index);
                    if !head {
                        data.beacon_block_root = Root::from([9; 32]);
                    }
                    made.push(attestation(state, &data, index, &members));
                }
            }
        }
    }
    made
}

/// What a proposer would do who knows nothing but the specification: of each committee the aggregate that alone earns
/// most, joined where the data is equal since Electra, and of all that those that alone earn most.
fn naive(state: &BeaconState, attestations: &[Attestation]) -> Vec<Attestation> {
    let is_electra = state.fork_name() >= ForkName::Electra;
    let alone = |attestation: &Attestation| reward(&mut state.clone(), std::slice::from_ref(attestation));
    let mut best: BTreeMap<(Root, Vec<u8>), &Attestation> = BTreeMap::new();
    for attestation in attestations {
        let root = attestation.data.hash_tree_root(Ctx::PLAIN);
        let place = best.entry((root, attestation.committee_bits.as_bytes().to_vec())).or_insert(attestation);
        if alone(attestation) > alone(place) {
            *place = attestation;
        }
    }
    let mut joined: BTreeMap<(Root, usize), Vec<&Attestation>> = BTreeMap::new();
    for (number, ((root, _), attestation)) in best.into_iter().enumerate() {
        joined.entry((root, if is_electra { 0 } else { number })).or_default().push(attestation);
    }
    let mut made: Vec<Attestation> = joined.into_values().map(|of| naive_join(&of)).collect();
    made.sort_by_key(|attestation| std::cmp::Reverse(alone(attestation)));
    let preset = &state.spec().preset;
    made.truncate(if is_electra { preset.max_attestations_electra } else { preset.max_attestations } as usize);
    made
}

fn naive_join(of: &[&Attestation]) -> Attestation {
    let mut of = of.to_vec();
    of.sort_by_key(|attestation| attestation.committee_bits.ones().next());
    let signatures: Vec<_> =
        of.iter().map(|a| crypto::Signature::from_compressed(&a.signature.0).unwrap()).collect();
    let mut committee_bits = of[0].committee_bits.clone();
    of.iter().for_each(|attestation| committee_bits.union_with(&attestation.committee_bits));
    Attestation {
        aggregation_bits: of.iter().flat_map(|attestation| attestation.aggregation_bits.iter()).collect(),
        data: of[0].data.clone(),
        signature: types::FixedBytes(crypto::aggregate(&signatures).unwrap().compress()),
        committee_bits,
    }
}

fn check_against_naive(fork: ForkName) {
    let mut seeded = Noise(7 + fork as u64);
    let mut state = state_at(spec_of(&[(fork, 0)]), 20);
    for round in 0..4 {
        let attestations = noise(&state, 12 + round..20 + round, &mut seeded);
        let (pool, other) = (pool_of(&attestations), naive(&state, &attestations));
        let packed = pool.pack(&state).unwrap();
        let least = reward(&mut state.clone(), &other);
        let earned = reward(&mut state, &packed);
        assert!(earned >= least && least > 0, "{fork:?} {round}: {earned} is less than {least}");
        // What is in the state now is worth nothing: the next block has other votes, or none.
        for again in pool.pack(&state).unwrap() {
            assert!(reward(&mut state.clone(), &[again]) > 0);
        }
        transition::process_slots(&mut state, Slot(21 + round)).unwrap();
    }
}

#[test]
fn packing_earns_at_least_what_a_naive_choice_earns_before_electra() {
    check_against_naive(ForkName::Altair);
    check_against_naive(ForkName::Deneb);
}

#[test]
fn packing_earns_at_least_what_a_naive_choice_earns_since_electra() {
    check_against_naive(ForkName::Electra);
    check_against_naive(ForkName::Fulu);
}

#[test]
fn since_electra_equal_votes_of_all_committees_are_one_attestation_of_the_block() {
    let state = state_at(spec_of(&[(ForkName::Electra, 0)]), 9);
    let single: Vec<_> = (5..9).flat_map(|slot| everyone(&state, slot)).collect();
    let packed = pool_of(&single).pack(&state).unwrap();
    assert_eq!(packed.len(), 4);
    for attestation in &packed {
        let slot = attestation.data.slot.0;
        assert_eq!(attestation.committee_bits.count_ones() as u64, committees(&state, slot));
        assert_eq!(attestation.aggregation_bits.count_ones(), attestation.aggregation_bits.len());
    }
    assert!(reward(&mut state.clone(), &packed) > 0);
}

#[test]
fn a_packed_block_is_valid_with_all_its_signatures() {
    for fork in [ForkName::Deneb, ForkName::Electra, ForkName::Fulu] {
        let state = state_at(spec_of(&[(fork, 0)]), 14);
        let made = noise(&state, 2..14, &mut Noise(3));
        let block = block(&state, &pool_of(&made));
        let bytes = block.to_ssz(state.ctx());
        assert_eq!(types::BeaconBlock::from_ssz(&bytes, state.ctx()).unwrap(), block);
        assert!(block.body.attestations.len() > 4, "{}", block.body.attestations.len());
        process_block(&mut state.clone(), &block, &mut Signatures::Verify).unwrap();
    }
}

#[test]
fn a_block_has_no_more_attestations_than_its_fork_allows() {
    let state = state_at(spec_of(&[(ForkName::Electra, 0)]), 15);
    let limit = state.spec().preset.max_attestations_electra as usize;
    let single: Vec<_> = (3..15).flat_map(|slot| everyone(&state, slot)).collect();
    let packed = pool_of(&single).pack(&state).unwrap();
    assert_eq!(packed.len(), limit);
    // The newest earn the flag of the head, those of some slots ago that of the source; all here have the same members.
    let mut slots: Vec<u64> = packed.iter().map(|attestation| attestation.data.slot.0).collect();
    slots.sort();
    assert!(slots.contains(&14) && slots.contains(&13), "{slots:?}");
}

#[test]
fn the_first_block_of_electra_takes_what_was_signed_before_where_it_has_a_form() {
    let spec = spec_of(&[(ForkName::Electra, 2)]);
    let before = state_at(spec, 15);
    let state = state_at(spec, 16);
    assert_eq!((before.fork_name(), state.fork_name()), (ForkName::Deneb, ForkName::Electra));
    assert!(committees(&state, 15) > 1);
    let pool = pool_of(&everyone(&state, 15));
    assert_eq!(
        pool.aggregate_attestation(Slot(15), root_of(&state, 15, 1), None).unwrap().committee_bits.len(),
        0
    );
    let packed = pool.pack(&state).unwrap();
    // Data of committee 0 is the same in both forks; that of other committees names them, which Electra refuses.
    assert_eq!(packed.len(), 1);
    assert_eq!(packed[0].committee_bits.ones().collect::<Vec<_>>(), [0]);
    assert_eq!(get_attesting_indices(&state, &packed[0]).unwrap().len(), committee_len(&state, 15, 0));
    let block = block(&state, &pool);
    process_block(&mut state.clone(), &block, &mut Signatures::Verify).unwrap();
}

fn root_of(state: &BeaconState, slot: u64, index: u64) -> Root {
    data(state, slot, index).hash_tree_root(Ctx::PLAIN)
}

#[test]
fn since_deneb_votes_of_the_whole_epoch_before_are_taken() {
    let slots_of = |fork| {
        let state = state_at(spec_of(&[(fork, 0)]), 23);
        let pool = pool_of(&everyone(&state, 9));
        let packed = pool.pack(&state).unwrap();
        reward(&mut state.clone(), &packed);
        packed.len() as u64
    };
    assert_eq!(slots_of(ForkName::Capella), 0);
    let state = state_at(spec_of(&[(ForkName::Deneb, 0)]), 23);
    assert_eq!(slots_of(ForkName::Deneb), committees(&state, 9));
}

#[test]
fn votes_of_another_shuffling_are_left_out() {
    let state = state_at(spec_of(&[(ForkName::Electra, 0)]), 18);
    let vote = everyone(&state, 17).remove(0);
    let root = vote.data.hash_tree_root(Ctx::PLAIN);
    let decisive = get_block_root_at_slot(&state, Slot(7)).unwrap();
    for (shuffling, expected) in [(decisive, 1), (Root::from([1; 32]), 0)] {
        let mut pool = AttestationPool::default();
        pool.insert(&vote, &signature_of(&vote), root, Some(shuffling));
        assert_eq!(pool.pack(&state).unwrap().len(), expected);
    }
}

//! The key of an attestation from the sums of committees is that of its attesters one by one.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Noise, extend, genesis_with, spec_in, votes};
use transition::accessors::get_indexed_attestation;
use transition::signatures::{attestation_set, indexed_attestation_set};
use types::{Attestation, BeaconState, Bits, BlsPubkey, ForkName, Slot};

/// Since Electra one attestation for several committees.
fn joined(state: &BeaconState, votes: Vec<Attestation>) -> Vec<Attestation> {
    if state.fork_name() < ForkName::Electra {
        return votes;
    }
    let mut whole = votes[0].clone();
    for vote in &votes[1..] {
        whole.committee_bits.union_with(&vote.committee_bits);
        whole.aggregation_bits = whole.aggregation_bits.iter().chain(vote.aggregation_bits.iter()).collect();
    }
    vec![whole]
}

fn check(state: &BeaconState, attestation: &Attestation) {
    let indexed = get_indexed_attestation(state, attestation).unwrap();
    let [sum, one_by_one] =
        [attestation_set(state, attestation), indexed_attestation_set(state, &indexed)].map(Result::unwrap);
    assert_eq!(
        sum.pubkey,
        one_by_one.pubkey,
        "{} of {}",
        indexed.attesting_indices.len(),
        attestation.aggregation_bits.len()
    );
    assert_eq!((sum.message, sum.signature), (one_by_one.message, one_by_one.signature));
}

#[test]
fn whoever_of_the_committees_signed() {
    for fork in [ForkName::Phase0, ForkName::Deneb, ForkName::Electra] {
        let mut state = genesis_with(spec_in(fork), 256);
        extend(&mut state, 5, 1);
        let mut noise = Noise(7);
        for attestation in joined(&state, votes(&state, Slot(4))) {
            let len = attestation.aggregation_bits.len();
            for chance in [0, 1, 2, 5, 9, 10] {
                let bits: Bits = (0..len).map(|_| noise.below(10) < chance).collect();
                check(&state, &Attestation { aggregation_bits: bits, ..attestation.clone() });
            }
            // From a memo of all, with one missing and with all.
            let bits: Bits = (0..len).map(|place| place != len / 2).collect();
            check(&state, &Attestation { aggregation_bits: bits, ..attestation.clone() });
            check(&state, &attestation);
        }
    }
}

#[test]
fn a_member_without_a_key_matters_only_where_they_signed() {
    let mut state = genesis_with(spec_in(ForkName::Phase0), 256);
    extend(&mut state, 5, 1);
    let attestation = votes(&state, Slot(4)).remove(0);
    let indexed = get_indexed_attestation(&state, &attestation).unwrap();
    let member = indexed.attesting_indices[1];
    state.validators[member.as_usize()].pubkey = BlsPubkey::from([0xff; 48]);
    state.context.caches.pubkeys = Default::default();
    assert!(attestation_set(&state, &attestation).is_err());
    let committee =
        transition::accessors::get_beacon_committee(&state, Slot(4), attestation.data.index).unwrap();
    let place = committee.iter().position(|other| *other == member).unwrap();
    let mut without = attestation;
    without.aggregation_bits.set(place, false);
    check(&state, &without);
}

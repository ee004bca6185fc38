use types::{CommitteeIndex, Slot};

use super::harness::{Play, data_root};
use crate::{Ask, Duty};

fn is_aggregate(ask: &Ask) -> bool {
    matches!(ask, Ask::Aggregate(..))
}

#[test]
fn an_aggregate_of_the_data_voted_for_is_asked_for_at_two_thirds_of_the_slot() {
    let mut play = Play::new(3);
    // A committee of three has only aggregators.
    play.until(1, 4000 - 1);
    assert_eq!(play.times(is_aggregate), [4000], "slot 0 only, at 6667 basis points of 6000 ms");
    play.until(1, 4000);
    let asked = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::Aggregate(slot, index, root) => Some((*slot, *index, *root)),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let wanted = |slot: u64| (Slot(slot), CommitteeIndex(0), data_root(slot));
    assert_eq!(asked, [wanted(0), wanted(1)]);
    assert_eq!(play.done_of(Duty::Aggregate(Slot(1))), [1]);
}

#[test]
fn the_selection_proof_of_the_slot_goes_into_the_aggregate() {
    let mut play = Play::new(3);
    play.until(1, 5000);
    let published = play.asked.iter().find_map(|(_, ask)| match ask {
        Ask::PublishAggregates(all) => Some(all),
        _ => None,
    });
    let [signed] = published.unwrap().as_slice() else { panic!("one aggregator in slot 0") };
    let domains = play.duties.domains;
    let proof = super::harness::signature(&domains.get_slot_signature(super::harness::key(0), Slot(0)));
    assert_eq!(signed.message.selection_proof, proof);
    let request = domains.get_aggregate_and_proof_signature(super::harness::key(0), &signed.message);
    assert_eq!(signed.signature, super::harness::signature(&request));
}

#[test]
fn subnets_are_subscribed_to_before_the_epoch_begins_and_aggregators_say_so() {
    let mut play = Play::new(3);
    play.until(0, 10);
    let subscribed: Vec<_> = play
        .asked
        .iter()
        .filter_map(|(_, ask)| match ask {
            Ask::Subscribe(all) => Some(all),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(subscribed.len(), 6, "three validators in each of epochs 0 and 1");
    assert!(subscribed.iter().all(|of| of.is_aggregator));
    assert!(subscribed.iter().any(|of| of.duty.slot == Slot(9)));
}

#[test]
fn an_aggregate_of_other_data_is_not_signed_and_said_so() {
    let mut play = Play::new(3);
    play.manner = Box::new(|ask| match ask {
        Ask::Aggregate(slot, ..) => {
            let aggregate = types::Attestation {
                aggregation_bits: types::Bits::zero(3),
                data: super::harness::data(*slot + 1),
                signature: types::BlsSignature::ZERO,
                committee_bits: types::Bits::default(),
            };
            Some(Ok(crate::Answer::Aggregate(Box::new(aggregate))))
        }
        _ => None,
    });
    play.until(0, 5000);
    let [(who, why)] = play.missed_of(Duty::Aggregate(Slot(0))).try_into().unwrap();
    assert_eq!((who.as_slice(), why), ([0].as_slice(), "the node's aggregate is of other data"));
    assert!(play.times(|ask| matches!(ask, Ask::PublishAggregates(_))).is_empty());
}

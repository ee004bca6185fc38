use ssz::{Ctx, SszExt};
use types::{Attestation, AttestationData, Bits, CommitteeIndex, ForkName, Root, SingleAttestation, Slot};

use super::harness::{Play, data, key, signature};
use crate::{Answer, Ask, Duty};

/// Sixteen validators in committees 0 and 1 of their slots, with Electra at an epoch.
fn electra(epoch: u64) -> Play {
    let mut play = Play::with_fork(16, ForkName::Electra, epoch);
    play.committees = 2;
    play.slot_of = |epoch, index| epoch.start_slot(types::Spec::minimal()) + index / 2;
    play
}

fn single(play: &Play) -> Vec<SingleAttestation> {
    let all = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::PublishSingleAttestations(all) => Some(all.clone()),
        _ => None,
    });
    all.flatten().collect()
}

fn bits(play: &Play) -> Vec<Attestation> {
    let all = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::PublishAttestations(all) => Some(all.clone()),
        _ => None,
    });
    all.flatten().collect()
}

#[test]
fn since_electra_a_vote_names_its_committee_beside_the_data_and_not_in_it() {
    let mut play = electra(0);
    play.until(0, 3000);
    let votes = single(&play);
    assert!(bits(&play).is_empty());
    let places: Vec<_> = votes.iter().map(|vote| (vote.attester_index.0, vote.committee_index.0)).collect();
    assert_eq!(places, [(0, 0), (1, 1)]);
    for vote in &votes {
        assert_eq!(vote.data, data(Slot(0)), "its index is 0 whatever the committee");
        let request =
            play.duties.domains.get_attestation_signature(key(vote.attester_index.0), &data(Slot(0)));
        assert_eq!(vote.signature, signature(&request));
    }
    assert_eq!(play.done_of(Duty::Attestation(Slot(0))), [0, 1]);
}

#[test]
fn the_form_of_a_vote_is_that_of_its_slot() {
    let mut play = electra(1);
    play.until(16, 0);
    let (before, since) = (bits(&play), single(&play));
    assert_eq!((before.len(), since.len()), (16, 16));
    assert!(before.iter().all(|vote| vote.data.slot < 8) && since.iter().all(|vote| vote.data.slot >= 8));
    assert!(before.iter().any(|vote| vote.data.index == 1), "before Electra the data names the committee");
    assert!(play.missed.is_empty(), "{:?}", play.missed);
}

#[test]
fn committees_with_the_same_data_have_an_aggregate_each() {
    let mut play = electra(0);
    play.until(0, 5000);
    let asked: Vec<(Slot, CommitteeIndex, Root)> = play
        .asked
        .iter()
        .filter_map(|(_, ask)| match ask {
            Ask::Aggregate(slot, index, root) => Some((*slot, *index, *root)),
            _ => None,
        })
        .collect();
    let root = data(Slot(0)).hash_tree_root(Ctx::PLAIN);
    assert_eq!(asked, [(Slot(0), CommitteeIndex(0), root), (Slot(0), CommitteeIndex(1), root)]);
    let aggregates = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::PublishAggregates(all) => Some(all.clone()),
        _ => None,
    });
    let committees: Vec<_> = aggregates
        .flatten()
        .map(|signed| {
            (
                signed.message.aggregator_index.0,
                signed.message.aggregate.committee_bits.ones().collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(committees, [(0, vec![0]), (1, vec![1])]);
    assert_eq!(play.done_of(Duty::Aggregate(Slot(0))), [0, 1]);
}

#[test]
fn an_aggregate_of_another_committee_is_not_signed() {
    let mut play = electra(0);
    play.manner = Box::new(|ask| match ask {
        Ask::Aggregate(slot, ..) => {
            let committee_bits: Bits = (0..4).map(|place| place == 0).collect();
            let data = AttestationData { index: CommitteeIndex(0), ..data(*slot) };
            let aggregate = Attestation {
                aggregation_bits: Bits::zero(16),
                data,
                committee_bits,
                ..Attestation::default()
            };
            Some(Ok(Answer::Aggregate(Box::new(aggregate))))
        }
        _ => None,
    });
    play.until(0, 5000);
    assert_eq!(play.done_of(Duty::Aggregate(Slot(0))), [0]);
    let missed = play.missed_of(Duty::Aggregate(Slot(0)));
    assert_eq!(missed, [(vec![1], "the node's aggregate is of another committee")]);
}

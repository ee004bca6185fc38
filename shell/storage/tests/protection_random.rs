//! Random histories: no slashable pair is ever admitted, and what is refused is refused for a reason that holds.
#![allow(clippy::unwrap_used)]

mod support;

use storage::{Attempt, InterchangeRecord, NotSafe, Protection, Safe, SignedAttestation};
use support::{Noise, Scratch, root};

const KEY: [u8; 48] = [7; 48];

/// A double vote, or one surrounding the other.
fn is_slashable(one: &Attempt, other: &Attempt) -> bool {
    let same_data =
        (one.source, one.target, one.signing_root) == (other.source, other.target, other.signing_root);
    let surrounds =
        |outer: &Attempt, inner: &Attempt| outer.source < inner.source && inner.target < outer.target;
    (one.target == other.target && !same_data) || surrounds(one, other) || surrounds(other, one)
}

fn draw(noise: &mut Noise, horizon: u64) -> Attempt {
    let target = horizon + noise.below(12);
    let source = target.saturating_sub(noise.below(10));
    Attempt { pubkey: KEY, source, target, signing_root: root(noise.below(3)) }
}

#[test]
fn no_slashable_pair_is_admitted_even_where_history_is_trimmed() {
    let scratch = Scratch::new();
    let file = scratch.join("protection.sqlite");
    let mut protection = Protection::open(&file, &[1; 32]).unwrap();
    protection.register(&[KEY]).unwrap();
    let mut noise = Noise(3);
    let mut admitted: Vec<Attempt> = Vec::new();
    let mut refused = 0;
    for round in 0..260u64 {
        let attempts: Vec<Attempt> = (0..24)
            // Now and then one from long ago, when the records of that time are gone.
            .map(|_| {
                let horizon = if noise.below(8) == 0 { noise.below(round * 6 + 1) } else { round * 6 };
                draw(&mut noise, horizon)
            })
            .collect();
        for (attempt, verdict) in attempts.iter().zip(protection.check_and_insert_attestations(&attempts)) {
            match verdict {
                Ok(_) => {
                    assert!(admitted.iter().all(|signed| !is_slashable(signed, attempt)), "{attempt:?}");
                    admitted.push(*attempt);
                }
                Err(
                    NotSafe::DoubleVote { .. } | NotSafe::Surrounding { .. } | NotSafe::Surrounded { .. },
                ) => {
                    assert!(admitted.iter().any(|signed| is_slashable(signed, attempt)), "{attempt:?}");
                    refused += 1;
                }
                Err(NotSafe::SourceTooOld { .. } | NotSafe::TargetTooOld { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        if round % 100 == 99 {
            drop(protection);
            protection = Protection::open(&file, &[1; 32]).unwrap();
        }
    }
    assert!(admitted.len() > 700 && refused > 700, "{} admitted, {refused} refused", admitted.len());
    let kept = protection.export(None).unwrap()[0].signed_attestations.len();
    assert!(kept < 700, "{kept} kept");
}

#[test]
fn blocks_are_signed_once_a_slot_and_never_at_or_below_the_floor() {
    let scratch = Scratch::new();
    let protection = Protection::open(&scratch.join("protection.sqlite"), &[1; 32]).unwrap();
    protection.register(&[KEY]).unwrap();
    let mut noise = Noise(5);
    let mut admitted: Vec<(u64, [u8; 32])> = Vec::new();
    for round in 0..1500 {
        let (slot, signing_root) = (round + noise.below(20), root(noise.below(2)));
        match protection.check_and_insert_block(&KEY, slot, &signing_root) {
            Ok(verdict) => {
                let known = admitted.contains(&(slot, signing_root));
                assert_eq!(verdict == Safe::SameData, known);
                assert!(admitted.iter().all(|signed| signed.0 != slot || signed.1 == signing_root));
                admitted.push((slot, signing_root));
            }
            Err(NotSafe::DoubleBlock { .. }) => assert!(admitted.iter().any(|signed| signed.0 == slot)),
            Err(NotSafe::BlockTooOld { floor, .. }) => assert!(slot <= floor),
            Err(other) => panic!("{other}"),
        }
    }
    let oldest = admitted[0].0;
    assert!(protection.check_and_insert_block(&KEY, oldest, &root(9)).is_err());
}

#[test]
fn many_attestations_get_a_verdict_each_in_order_and_one_refusal_hinders_no_other() {
    let scratch = Scratch::new();
    let protection = Protection::open(&scratch.join("protection.sqlite"), &[1; 32]).unwrap();
    protection.register(&[[1; 48], [2; 48]]).unwrap();
    let attempt = |key: u8, source, target, number| Attempt {
        pubkey: [key; 48],
        source,
        target,
        signing_root: root(number),
    };
    let verdicts = protection.check_and_insert_attestations(&[
        attempt(1, 2, 3, 1),
        attempt(3, 2, 3, 1),
        attempt(1, 2, 3, 2),
        attempt(2, 2, 3, 1),
        attempt(1, 2, 3, 1),
        attempt(2, 5, 4, 1),
        attempt(2, 3, u64::MAX, 1),
        attempt(2, 3, 4, 1),
    ]);
    assert_eq!(
        verdicts,
        [
            Ok(Safe::New),
            Err(NotSafe::Unregistered),
            Err(NotSafe::DoubleVote { target: 3 }),
            Ok(Safe::New),
            Ok(Safe::SameData),
            Err(NotSafe::SourceAfterTarget { source_epoch: 5, target: 4 }),
            Err(NotSafe::OutOfRange(u64::MAX)),
            Ok(Safe::New),
        ]
    );
    assert_eq!(protection.check_and_insert_attestations(&[]), []);
}

#[test]
fn what_is_exported_forbids_the_same_where_it_is_imported() {
    let scratch = Scratch::new();
    let protection = Protection::open(&scratch.join("a.sqlite"), &[1; 32]).unwrap();
    protection.register(&[KEY]).unwrap();
    let mut noise = Noise(11);
    for round in 0..800 {
        let attempt = draw(&mut noise, round);
        let _ = protection.check_and_insert_attestations(&[attempt]);
        let _ = protection.check_and_insert_block(&KEY, round * 2, &root(round));
    }
    let records = protection.export(None).unwrap();
    let other = Protection::open(&scratch.join("b ?#%.sqlite"), &[1; 32]).unwrap();
    other.import(&[1; 32], &records).unwrap();
    assert_eq!(other.export(None).unwrap(), records);
    for _ in 0..2_000 {
        let horizon = noise.below(820);
        let attempt = draw(&mut noise, horizon);
        let verdicts =
            [&protection, &other].map(|one| one.check_and_insert_attestations(&[attempt])[0].is_ok());
        assert_eq!(verdicts[0], verdicts[1], "{attempt:?}");
    }
    drop(other);
    // A name with letters that mean something in a URI is found again.
    let other = Protection::open(&scratch.join("b ?#%.sqlite"), &[1; 32]).unwrap();
    assert!(!other.export(None).unwrap()[0].signed_attestations.is_empty());
}

#[test]
fn an_import_that_does_not_fit_changes_nothing() {
    let scratch = Scratch::new();
    let protection = Protection::open(&scratch.join("protection.sqlite"), &[1; 32]).unwrap();
    let signed =
        |source_epoch, target_epoch| SignedAttestation { source_epoch, target_epoch, signing_root: None };
    let records = [InterchangeRecord {
        pubkey: KEY,
        signed_blocks: vec![],
        signed_attestations: vec![signed(1, 2), signed(3, u64::MAX)],
    }];
    assert!(protection.import(&[1; 32], &records).is_err());
    assert!(protection.import(&[2; 32], &records[..0]).is_err());
    assert!(protection.registered().unwrap().is_empty());
}

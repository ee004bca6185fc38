//! Whether many points lie in their subgroup, at the price of few checks.
//!
//! Signatures are checked while they are summed for the pairing.
//!
//! A point of the curve that is no signature has a part outside of the subgroup, and to look for it costs 50 µs a
//! point. Many are looked at together. Each has a random factor of 18 digits, see [`crate::factor`]; for each place of
//! the digits the points times their digits are summed, and it is the 18 sums that are checked.
//!
//! Why that is sound: Let P be a bad point, and d and e two digits that both make its part outside of the subgroup
//! vanish from a sum, whatever the other points add. Then that part vanishes when it is multiplied by d - e, and so when
//! it is multiplied by the norm of d - e. But these norms (1, 3, 4, 7, 9, 12 and 16) have no divisor in common with the
//! cofactor of G2, which is 13² · 23² · 2713 · 11953 · 262069 times a prime of 448 bits: nothing vanishes by them. So at
//! most one of 13 digits hides P from one sum, and it stays unseen in all 18, whose digits are independent, with a
//! chance of 13^-18 < 2^-66. More digits than 13 would see no more, since the part may have the order 13. The same
//! factors weigh the pairing, where they are 13^18 numbers that differ modulo the group's order, and so let a wrong
//! signature pass with the same chance.
//!
//! A sum with numbers as factors, checked once, would not do: it misses a part of order 13 with a chance of 1/13.
//!
//! Public keys are checked in a like way, where thousands are decompressed. The least prime factor of the cofactor of G1
//! is 3, and so 42 digits of base 3 are needed. Three at a time choose one of 27 heaps for a point, so that it is
//! added up 14 times.

use blst::min_pk::{AggregatePublicKey, AggregateSignature, PublicKey, Signature};
use blst::{BLST_ERROR, MultiPoint, blst_p1};

use crate::factor::{Factor, Signatures, place_sums, sum_of_places, weighted_sum};
use crate::hash::hash;

/// From so many points on sums are cheaper than single checks.
const SUMS_FROM: usize = 20;

/// The sum of points of the curve times their factors; none where one of them lies outside of the subgroup.
pub(crate) fn checked_sum(points: &[Signature], factors: &[Factor]) -> Option<AggregateSignature> {
    if points.len() < SUMS_FROM {
        let fine = points.iter().all(Signature::subgroup_check);
        return fine.then(|| weighted_sum::<Signatures>(points, factors));
    }
    let places = place_sums::<Signatures>(points, factors);
    places.iter().all(Signature::subgroup_check).then(|| sum_of_places::<Signatures>(&places))
}

/// From so many keys on sums are cheaper than single checks.
const KEY_SUMS_FROM: usize = 256;
/// Times that keys are put on heaps, each for three digits.
const ROUNDS: usize = 14;
const HEAPS: usize = 27;

/// True where all points of the curve lie in the subgroup of public keys. The point at infinity does.
pub(crate) fn lie_in_the_subgroup(points: &[PublicKey], seed: [u8; 32]) -> bool {
    if points.len() < KEY_SUMS_FROM {
        return points.iter().all(lies_in_the_subgroup);
    }
    let mut transcript = seed.to_vec();
    points.iter().for_each(|point| transcript.extend_from_slice(&point.serialize()));
    let base = hash(&transcript);
    let random: Vec<[u8; 32]> = (0..points.len() as u64)
        .map(|number| {
            let mut bytes = [0; 40];
            bytes[..32].copy_from_slice(&base);
            bytes[32..].copy_from_slice(&number.to_le_bytes());
            hash(&bytes)
        })
        .collect();
    (0..ROUNDS).all(|round| {
        let mut heaps: [Vec<PublicKey>; HEAPS] = std::array::from_fn(|_| Vec::new());
        for (point, bytes) in points.iter().zip(&random) {
            // Two bytes are so much more than 27 that no heap is likelier by more than a thousandth of a third.
            let word = u16::from_le_bytes([bytes[2 * round], bytes[2 * round + 1]]);
            heaps[usize::from(word) % HEAPS].push(*point);
        }
        let sums = heaps.map(|heap| match heap.as_slice() {
            [] => AggregatePublicKey::from(blst_p1::default()),
            some => some.add(),
        });
        [1, 3, 9].into_iter().all(|place| {
            let of_digit =
                |digit: usize| sums.iter().enumerate().filter(move |(heap, _)| heap / place % 3 == digit);
            let mut sum = AggregatePublicKey::from(blst_p1::default());
            of_digit(2).for_each(|(_, heap)| sum.add_aggregate(heap));
            let twice = sum;
            sum.add_aggregate(&twice);
            of_digit(1).for_each(|(_, heap)| sum.add_aggregate(heap));
            lies_in_the_subgroup(&sum.to_public_key())
        })
    })
}

fn lies_in_the_subgroup(point: &PublicKey) -> bool {
    !matches!(point.validate(), Err(BLST_ERROR::BLST_POINT_NOT_IN_GROUP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use blst::blst_p2;
    use blst::min_pk::SecretKey;

    use crate::affine::Point;

    fn factor(number: usize) -> Factor {
        let digest = hash(&number.to_le_bytes());
        Factor::from_random(digest[..16].try_into().unwrap())
    }

    fn signatures(count: usize) -> Vec<Signature> {
        let key = SecretKey::from_bytes(&[5; 32]).unwrap();
        (0..count).map(|n| key.sign(&n.to_le_bytes(), crate::bls::DST, &[])).collect()
    }

    /// A point of the curve outside of the subgroup: the first x that has a y.
    pub(crate) fn stranger(number: u8) -> Signature {
        let mut bytes = [0; 96];
        bytes[0] = 0x80;
        let found = (0..=255).filter_map(|x| {
            bytes[95] = x;
            Signature::uncompress(&bytes).ok()
        });
        let mut outside = found.filter(|point| !point.subgroup_check());
        outside.nth(number.into()).unwrap()
    }

    #[test]
    fn the_checked_sum_is_the_weighted_sum() {
        for count in [0, 1, 2, 19, 20, 31, 32, 33, 100] {
            let points = signatures(count);
            let factors: Vec<Factor> = (0..count).map(factor).collect();
            let sum = checked_sum(&points, &factors).unwrap().to_signature();
            assert_eq!(sum, weighted_sum::<Signatures>(&points, &factors).to_signature(), "{count}");
        }
    }

    #[test]
    fn one_point_outside_of_the_subgroup_is_seen_wherever_it_is() {
        for count in [1, 19, 20, 64] {
            let factors: Vec<Factor> = (0..count).map(factor).collect();
            for place in [0, count / 2, count - 1] {
                let mut points = signatures(count);
                points[place] = stranger(place as u8 % 3);
                assert!(checked_sum(&points, &factors).is_none(), "{place} of {count}");
            }
        }
    }

    #[test]
    fn points_that_cancel_out_outside_of_the_subgroup_are_seen() {
        let mut points = signatures(40);
        let mut negated = stranger(0).compress();
        negated[0] ^= 0x20;
        points[3] = stranger(0);
        points[30] = Signature::uncompress(&negated).unwrap();
        assert!(points.add().subgroup_check(), "their plain sum shows nothing");
        let factors: Vec<Factor> = (0..40).map(factor).collect();
        assert!(checked_sum(&points, &factors).is_none());
    }

    #[test]
    fn a_point_of_order_13_escapes_one_digit_of_13_and_no_factor() {
        let small = stranger_of_order_13();
        let mut points = signatures(32);
        points[7] = small;
        let with_digit = |digit: u128| {
            let mut factors: Vec<Factor> = (0..32).map(factor).collect();
            factors[7] = Factor::from_random((13u128.pow(17) + digit).to_le_bytes());
            place_sums::<Signatures>(&points, &factors)[0].subgroup_check()
        };
        assert_eq!((0..13).filter(|digit| with_digit(*digit)).count(), 1);
        for number in 0..200 {
            let factors: Vec<Factor> = (0..32).map(|place| factor(1000 * number + place)).collect();
            assert!(checked_sum(&points, &factors).is_none());
        }
    }

    #[test]
    fn sums_that_vanish_lie_in_the_subgroup() {
        let infinity = AggregateSignature::from(blst_p2::default()).to_signature();
        assert!(infinity.subgroup_check());
        let (one, factors) = (signatures(1)[0], [factor(1); 60]);
        for count in 20..60 {
            let sum = checked_sum(&vec![one; count], &factors[..count]).unwrap();
            assert_eq!(
                sum.to_signature(),
                weighted_sum::<Signatures>(&vec![one; count], &factors).to_signature()
            );
        }
        // A point and its negative cancel out at every place.
        let negated = Point::from(&one).turned()[3].into();
        let sum = checked_sum(&[one, negated].repeat(15), &factors[..30]).unwrap();
        assert_eq!(sum.to_signature(), infinity);
    }

    #[test]
    fn one_key_outside_of_the_subgroup_is_seen_among_many() {
        let key = SecretKey::from_bytes(&[5; 32]).unwrap();
        let mut sum = AggregatePublicKey::from_public_key(&key.sk_to_pk());
        let mut keys = Vec::new();
        for _ in 0..300 {
            keys.push(sum.to_public_key());
            sum.add_public_key(&keys[0], false).unwrap();
        }
        keys[9] = PublicKey::default();
        assert!(lie_in_the_subgroup(&keys, [0; 32]));
        // Of order 3, which is the least: two of three digits see it.
        let small = key_of_order_3();
        assert!(!lies_in_the_subgroup(&small));
        for seed in 0..50 {
            keys[200] = small;
            assert!(!lie_in_the_subgroup(&keys, [seed; 32]));
        }
        // A second one that takes the first off.
        keys[100] = {
            let mut negated = AggregatePublicKey::from(blst_p1::default());
            negated.sub_aggregate(&AggregatePublicKey::from_public_key(&small));
            negated.to_public_key()
        };
        assert!(
            lies_in_the_subgroup(&keys.as_slice().add().to_public_key()),
            "their plain sum shows nothing"
        );
        assert!(!lie_in_the_subgroup(&keys, [0; 32]));
    }

    /// A key plus a point of order 3, which is the least that there is.
    fn key_of_order_3() -> PublicKey {
        // All of a point but its part of order 3 vanishes when it is multiplied by the rest of the curve's order.
        let rest = hex::decode(ORDER_WITHOUT_3).unwrap();
        let mut bytes = [0; 48];
        bytes[0] = 0x80;
        let strangers = (1..=255).filter_map(|x| {
            bytes[47] = x;
            PublicKey::uncompress(&bytes).ok()
        });
        let mut parts = strangers.map(|point| {
            let mut sum = AggregatePublicKey::from(blst_p1::default());
            for bit in rest.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
                let twice = sum;
                sum.add_aggregate(&twice);
                if bit == 1 {
                    sum.add_public_key(&point, false).unwrap();
                }
            }
            sum
        });
        let mut sum = parts.find(|part| part.to_public_key() != PublicKey::default()).unwrap();
        sum.add_public_key(&SecretKey::from_bytes(&[5; 32]).unwrap().sk_to_pk(), false).unwrap();
        sum.to_public_key()
    }

    /// The order of the curve over Fp, without 3, in big-endian bytes.
    const ORDER_WITHOUT_3: &str = concat!(
        "08ab05f8bdd54cde190937e76bc3e447cc27c3d6fbd7063fcd104635a790520c0a395554e5c6aaaad955555555",
        "558e39",
    );

    /// A signature plus a point of order 13, which is the least that there is.
    fn stranger_of_order_13() -> Signature {
        // All of a point but its part of order 13 or 13² vanishes when it is multiplied by the rest of the curve's order.
        let rest = hex::decode(ORDER_WITHOUT_13).unwrap();
        let infinity = AggregateSignature::from(blst_p2::default()).to_signature();
        let parts = (0..20).map(|number| {
            let (point, mut sum) = (stranger(number), AggregateSignature::from(blst_p2::default()));
            for bit in rest.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
                let twice = sum;
                sum.add_aggregate(&twice);
                if bit == 1 {
                    sum.add_signature(&point, false).unwrap();
                }
            }
            sum
        });
        let part = parts.into_iter().find(|part| part.to_signature() != infinity).unwrap();
        let more = {
            let mut sum = part;
            (1..13).for_each(|_| sum.add_aggregate(&part));
            sum
        };
        let mut small = if more.to_signature() == infinity { part } else { more };
        small.add_signature(&signatures(1)[0], false).unwrap();
        small.to_signature()
    }

    /// The order of the curve over Fp2, without 13², in big-endian bytes.
    const ORDER_WITHOUT_13: &str = concat!(
        "04005449cda731a7136c440a0c65b728ba1c1fa6b6708356f3b9bdc84396cab33907d71557a7d33677f5d45f7c",
        "edb8cfdac10ff1fc5b48d6461e907737d78e96568f2d18c750b4b3ca5c33c3fd8ff8a70629888281914529f4e3",
        "380941cfdd",
    );
}

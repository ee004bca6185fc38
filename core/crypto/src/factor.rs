//! Random factors in a form that makes sums of points times their factors cheap.
//!
//! Both curves have a map that costs one multiplication, (x, y) ↦ (βx, y), which multiplies the points of the subgroup by a
//! number ω with ω² + ω + 1 = 0. So points can be multiplied by a + bω, and by the six units ±1, ±ω, ±ω² for nothing.
//! A factor is 18 digits in base τ = 4 + ω, and each digit is 0, or 1 or 2 times a unit: 13 digits, as many as τ has
//! remainders, for its norm is 4² - 4 + 1 = 13. There are 13^18 > 2^66 factors, each of them a + bω with a and b of 34
//! bits, so that they differ modulo the group's order (a multiple of which has a norm of 255 bits at the least).
//!
//! Points times their factors are added up by places, two at a time. What is common to both digits, the unit of the
//! first, is taken out, and the point is put on one of 28 heaps:
//!
//! ```text
//!   digits (d, e) = unit · (1 or 2, 0 or 1 or 2 · unit')    24 + 2 heaps
//!                 = unit · (0, 1 or 2)                            2 heaps
//!   sum of a place  = Σ digit of the heap · heap                (13 · 4 additions for two places)
//!   weighted sum    = sum 0 + τ · sum 1 + … + τ^17 · sum 17
//! ```

use blst::MultiPoint;
use blst::min_pk::{AggregatePublicKey, AggregateSignature, PublicKey, Signature};
use blst::{blst_p1, blst_p2};
use blstrs::{Fp, Fp2};

use crate::affine::{Coordinate, Point, sum_each};

/// How many digits there are: the norm of τ, and the least prime factor of the cofactor of signatures.
pub(crate) const BASE: u64 = 13;
/// Digits of a factor.
pub(crate) const DIGITS: usize = 18;
/// Half of the digits fit into 64 bits, which divide faster.
const HALF: u64 = BASE.pow(DIGITS as u32 / 2);
/// Bits of the two parts of a factor, and the bytes that take them.
const PART_BITS: usize = 34;
const PART_BYTES: usize = 5;
/// Heaps for two digits.
const HEAPS: usize = 28;
/// From so many points on heaps are cheaper than the library's way.
const HEAPS_FROM: usize = 32;
/// The units 1, -ω², ω, -1, ω², -ω as a + bω.
const UNITS: [(i64, i64); 6] = [(1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1)];

/// A random factor, not zero: its digits, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factor([u8; DIGITS]);

/// A digit: this many times the power of -ω².
#[derive(Clone, Copy)]
struct Digit {
    times: usize,
    turns: usize,
}

impl From<u8> for Digit {
    fn from(number: u8) -> Self {
        let rest = usize::from(number.saturating_sub(1));
        Self { times: usize::from(number > 0) + rest / 6, turns: rest % 6 }
    }
}

impl Factor {
    /// From 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        // 2^128 is so much larger than 13^18 that no factor is likelier than another by more than 2^-61 of it.
        let number = u128::from_le_bytes(bytes) % u128::from(HALF).pow(2);
        // One of zero would leave its point unseen.
        let number = number.max(1);
        let mut digits = [0; DIGITS];
        let halves = [number % u128::from(HALF), number / u128::from(HALF)];
        for (half, digits) in halves.into_iter().zip(digits.chunks_exact_mut(DIGITS / 2)) {
            let mut rest = half as u64;
            for digit in digits {
                *digit = (rest % BASE) as u8;
                rest /= BASE;
            }
        }
        Self(digits)
    }

    /// The parts a and b of a + bω.
    fn parts(&self) -> (i64, i64) {
        self.0.iter().rev().fold((0, 0), |(a, b), digit| {
            let Digit { times, turns } = Digit::from(*digit);
            let (unit_a, unit_b) = UNITS[turns];
            // (a + bω)(4 + ω), where ω² = -1 - ω.
            (4 * a - b + times as i64 * unit_a, a + 3 * b + times as i64 * unit_b)
        })
    }

    fn digit(&self, place: usize) -> Digit {
        self.0[place].into()
    }
}

/// Keys or signatures, which are added up in the same way.
pub(crate) trait Group {
    type Coordinate: Coordinate;
    /// A point with its coordinates.
    type Point: Copy + From<Point<Self::Coordinate>>;
    /// A sum as the library has it.
    type Sum: Copy;

    fn zero() -> Self::Sum;
    fn coordinates(point: &Self::Point) -> Point<Self::Coordinate>;
    fn mult(points: &[Self::Point], scalars: &[u8], bits: usize) -> Self::Sum;
    fn add(sum: &mut Self::Sum, other: &Self::Sum);
    fn add_point(sum: &mut Self::Sum, point: &Self::Point);
    /// The sum times ω.
    fn turn(sum: &Self::Sum) -> Self::Sum;
}

/// Public keys.
pub(crate) struct Keys;

/// Signatures, and other points of their curve.
pub(crate) struct Signatures;

impl Group for Keys {
    type Coordinate = Fp;
    type Point = PublicKey;
    type Sum = AggregatePublicKey;

    fn zero() -> Self::Sum {
        blst_p1::default().into()
    }

    fn coordinates(point: &Self::Point) -> Point<Fp> {
        point.into()
    }

    fn mult(points: &[Self::Point], scalars: &[u8], bits: usize) -> Self::Sum {
        points.mult(scalars, bits)
    }

    fn add(sum: &mut Self::Sum, other: &Self::Sum) {
        sum.add_aggregate(other);
    }

    fn add_point(sum: &mut Self::Sum, point: &Self::Point) {
        sum.add_public_key(point, false).expect("nothing is checked");
    }

    fn turn(sum: &Self::Sum) -> Self::Sum {
        let mut sum: blst_p1 = (*sum).into();
        sum.x = (Fp::from(sum.x) * Fp::beta()).into();
        sum.into()
    }
}

impl Group for Signatures {
    type Coordinate = Fp2;
    type Point = Signature;
    type Sum = AggregateSignature;

    fn zero() -> Self::Sum {
        blst_p2::default().into()
    }

    fn coordinates(point: &Self::Point) -> Point<Fp2> {
        point.into()
    }

    fn mult(points: &[Self::Point], scalars: &[u8], bits: usize) -> Self::Sum {
        points.mult(scalars, bits)
    }

    fn add(sum: &mut Self::Sum, other: &Self::Sum) {
        sum.add_aggregate(other);
    }

    fn add_point(sum: &mut Self::Sum, point: &Self::Point) {
        sum.add_signature(point, false).expect("nothing is checked");
    }

    fn turn(sum: &Self::Sum) -> Self::Sum {
        let mut sum: blst_p2 = (*sum).into();
        sum.x = (Fp2::from(sum.x) * Fp2::beta()).into();
        sum.into()
    }
}

/// The sum of points of the subgroup times their factors.
pub(crate) fn weighted_sum<G: Group>(points: &[G::Point], factors: &[Factor]) -> G::Sum {
    match points.len() {
        0 => G::zero(),
        few if few < HEAPS_FROM => {
            let mut scalars = Vec::with_capacity(2 * few * PART_BYTES);
            let mut turned = Vec::with_capacity(2 * few);
            for (point, factor) in points.iter().zip(factors) {
                let units = G::coordinates(point).turned();
                let (a, b) = factor.parts();
                // 1 or -1, ω or -ω.
                turned.push(units[if a < 0 { 3 } else { 0 }].into());
                turned.push(units[if b < 0 { 5 } else { 2 }].into());
                for part in [a, b] {
                    scalars.extend_from_slice(&part.unsigned_abs().to_le_bytes()[..PART_BYTES]);
                }
            }
            G::mult(&turned, &scalars, PART_BITS)
        }
        _ => sum_of_places::<G>(&place_sums::<G>(points, factors)),
    }
}

/// For each place of the digits, the sum of points times their digits. The points may be any of the curve.
pub(crate) fn place_sums<G: Group>(points: &[G::Point], factors: &[Factor]) -> Vec<G::Point> {
    let turned: Vec<_> = points.iter().map(|point| G::coordinates(point).turned()).collect();
    let mut heaps: Vec<Vec<_>> = (0..DIGITS / 2 * HEAPS).map(|_| Vec::new()).collect();
    for (heaps, place) in heaps.chunks_exact_mut(HEAPS).zip((0..DIGITS).step_by(2)) {
        for (turned, factor) in turned.iter().zip(factors) {
            let (first, second) = (factor.digit(place), factor.digit(place + 1));
            let heap = match (first.times, second.times) {
                (0, 0) => continue,
                (0, times) => 25 + times,
                (times, 0) => 23 + times,
                (one, two) => 12 * (one - 1) + 6 * (two - 1) + (6 + second.turns - first.turns) % 6,
            };
            heaps[heap].push(turned[if first.times == 0 { second.turns } else { first.turns }]);
        }
    }
    let heaps = sum_each(heaps);
    // For each of two places: the sum of what is to be taken once, and of what is to be taken twice.
    let mut parts = Vec::with_capacity(2 * DIGITS);
    for heaps in heaps.chunks_exact(HEAPS) {
        let both = |one: usize, two: usize| &heaps[12 * (one - 1) + 6 * (two - 1)..][..6];
        let turned = |one, two| both(one, two).iter().enumerate().map(|(turns, heap)| heap.turned()[turns]);
        for times in 1..=2 {
            parts.push([both(times, 1), both(times, 2), &heaps[23 + times..][..1]].concat());
        }
        for times in 1..=2 {
            parts.push(turned(1, times).chain(turned(2, times)).chain([heaps[25 + times]]).collect());
        }
    }
    let parts = sum_each(parts);
    let places = parts.chunks_exact(2).map(|parts| vec![parts[0], parts[1], parts[1]]).collect();
    sum_each(places).into_iter().map(G::Point::from).collect()
}

/// The weighted sum from those of the places.
pub(crate) fn sum_of_places<G: Group>(places: &[G::Point]) -> G::Sum {
    let mut total = G::zero();
    for place in places.iter().rev() {
        // Times 4 + ω.
        let turned = G::turn(&total);
        for _ in 0..2 {
            let once = total;
            G::add(&mut total, &once);
        }
        G::add(&mut total, &turned);
        G::add_point(&mut total, place);
    }
    total
}

#[cfg(test)]
mod tests {
    use blst::min_pk::SecretKey;

    use super::*;
    use crate::hash::hash;

    pub(crate) fn factor(number: usize) -> Factor {
        let digest = hash(&number.to_le_bytes());
        Factor::from_random(digest[..16].try_into().unwrap())
    }

    #[test]
    fn digits_are_those_of_the_random_number() {
        let number = 13u128.pow(18) - 5;
        let digits = Factor::from_random(number.to_le_bytes());
        let back = digits.0.iter().rev().fold(0, |number, digit| number * 13 + u128::from(*digit));
        assert_eq!(back, number);
        assert_eq!(Factor::from_random((13u128.pow(18) + 3).to_le_bytes()).0[..2], [3, 0]);
        assert_eq!(Factor::from_random([0; 16]).0[..2], [1, 0], "zero would see nothing");
    }

    #[test]
    fn no_two_digits_differ_by_what_a_bad_point_could_hide_behind() {
        let digit = |number: u8| {
            let Digit { times, turns } = Digit::from(number);
            (UNITS[turns].0 * times as i64, UNITS[turns].1 * times as i64)
        };
        let mut norms = Vec::new();
        for one in 0..13u8 {
            for two in 0..one {
                let (a, b) = (digit(one).0 - digit(two).0, digit(one).1 - digit(two).1);
                norms.push(a * a - a * b + b * b);
            }
        }
        norms.sort_unstable();
        norms.dedup();
        // None has a prime factor of 13 or more.
        assert_eq!(norms, [1, 3, 4, 7, 9, 12, 16]);
    }

    #[test]
    fn the_parts_of_factors_are_small() {
        let largest = (0..2000).map(|number| {
            let (a, b) = factor(number).parts();
            a.unsigned_abs().max(b.unsigned_abs())
        });
        assert!(largest.max().unwrap() < 1 << PART_BITS);
        // Two at every place, of the unit that leads furthest: |factor| < 2 · 13^9 / (√13 - 1), and a part is at most
        // 2/√3 of that.
        let bound = 2.0 * 13f64.powi(9) / (13f64.sqrt() - 1.0) * 2.0 / 3f64.sqrt();
        assert!(bound < (1u64 << PART_BITS) as f64);
    }

    #[test]
    fn omega_is_the_same_number_for_keys_and_for_signatures() {
        let key = SecretKey::from_bytes(&[5; 32]).unwrap();
        let factors: Vec<Factor> = (0..40).map(factor).collect();
        let keys = vec![key.sk_to_pk(); 40];
        let signatures = vec![key.sign(b"vote", crate::bls::DST, &[]); 40];
        for count in [1, 2, 31, 32, 40] {
            let key = weighted_sum::<Keys>(&keys[..count], &factors).to_public_key();
            let signature = weighted_sum::<Signatures>(&signatures[..count], &factors).to_signature();
            let error = signature.verify(true, b"vote", crate::bls::DST, &[], &key, true);
            assert_eq!(error, blst::BLST_ERROR::BLST_SUCCESS, "{count}");
        }
    }

    #[test]
    fn heaps_and_the_library_come_to_the_same_sum() {
        let keys: Vec<PublicKey> =
            (1..=60u8).map(|number| SecretKey::from_bytes(&[number; 32]).unwrap().sk_to_pk()).collect();
        let factors: Vec<Factor> = (0..60).map(factor).collect();
        for count in [1, 2, 5, 31, 32, 60] {
            let mut alone = Keys::zero();
            for place in 0..count {
                let one = weighted_sum::<Keys>(&keys[place..=place], &factors[place..=place]);
                alone.add_aggregate(&one);
            }
            let heaps = sum_of_places::<Keys>(&place_sums::<Keys>(&keys[..count], &factors));
            assert_eq!(heaps.to_public_key(), alone.to_public_key(), "{count}");
            let sum = weighted_sum::<Keys>(&keys[..count], &factors);
            assert_eq!(sum.to_public_key(), alone.to_public_key(), "{count}");
        }
        assert_eq!(weighted_sum::<Keys>(&[], &[]).to_public_key(), PublicKey::default());
    }
}

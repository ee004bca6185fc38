//! Points by their two coordinates, and the sums of many heaps of them.
//!
//! To add two such points takes a division. All additions that do not wait for each other share one: the products of
//! their divisors are divided once, and each addition is then six multiplications, where the usual formulas without
//! divisions take eleven or more.
//!
//! Nothing here takes the same time for all points; what is added up is public.

use blst::min_pk::{PublicKey, Signature};
use blst::{blst_fp, blst_fp2, blst_p1_affine, blst_p2_affine};
use blstrs::{Fp, Fp2};
use ff::Field;

/// A point of a curve y² = x³ + b without points of order 2, which those of keys and signatures are. The point at
/// infinity is (0, 0), which lies on neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point<F> {
    x: F,
    y: F,
}

/// The coordinates of one of the two curves.
pub(crate) trait Coordinate: Field {
    /// The cube root of one which makes (x, y) ↦ (βx, y) multiply points of the subgroup by [`crate::factor`]'s ω, the
    /// same number on both curves.
    fn beta() -> Self;

    /// True for zero, told at once: the field's own `==` always takes as long.
    fn is_nought(&self) -> bool;
}

/// One of the two that are not one.
const BETA: [u64; 6] = [
    0x8bfd_0000_0000_aaac,
    0x4094_27eb_4f49_fffd,
    0x897d_2965_0fb8_5f9b,
    0xaa0d_857d_8975_9ad4,
    0xec02_4086_63d4_de85,
    0x1a01_11ea_397f_e699,
];

impl Coordinate for Fp {
    fn beta() -> Self {
        Self::from_u64s_le(&BETA).expect("it is below the modulus")
    }

    fn is_nought(&self) -> bool {
        blst_fp::from(*self).l == [0; 6]
    }
}

impl Coordinate for Fp2 {
    fn beta() -> Self {
        Self::from(Fp::beta().square())
    }

    fn is_nought(&self) -> bool {
        blst_fp2::from(*self).fp.iter().all(|part| part.l == [0; 6])
    }
}

impl From<&Signature> for Point<Fp2> {
    fn from(signature: &Signature) -> Self {
        let point: &blst_p2_affine = signature.into();
        Self { x: point.x.into(), y: point.y.into() }
    }
}

impl From<Point<Fp2>> for Signature {
    fn from(point: Point<Fp2>) -> Self {
        blst_p2_affine { x: point.x.into(), y: point.y.into() }.into()
    }
}

impl From<&PublicKey> for Point<Fp> {
    fn from(key: &PublicKey) -> Self {
        let point: &blst_p1_affine = key.into();
        Self { x: point.x.into(), y: point.y.into() }
    }
}

impl From<Point<Fp>> for PublicKey {
    fn from(point: Point<Fp>) -> Self {
        blst_p1_affine { x: point.x.into(), y: point.y.into() }.into()
    }
}

impl<F: Coordinate> Point<F> {
    pub const INFINITY: Self = Self { x: F::ZERO, y: F::ZERO };

    fn is_infinity(&self) -> bool {
        self.x.is_nought() && self.y.is_nought()
    }

    /// The point times the six units 1, -ω², ω, -1, ω², -ω, in this order: the powers of -ω².
    pub fn turned(self) -> [Self; 6] {
        let once = self.x * F::beta();
        // 1 + β + β² = 0
        let twice = -(self.x + once);
        let minus = -self.y;
        [(self.x, self.y), (twice, minus), (once, self.y), (self.x, minus), (twice, self.y), (once, minus)]
            .map(|(x, y)| Self { x, y })
    }

    /// How two points are added, and what to divide by for it; one where nothing is divided.
    fn way_to(&self, other: &Self) -> (Way, F) {
        if self.is_infinity() {
            return (Way::Other, F::ONE);
        }
        if other.is_infinity() {
            return (Way::This, F::ONE);
        }
        let step = other.x - self.x;
        if !step.is_nought() {
            return (Way::Chord, step);
        }
        if (other.y - self.y).is_nought() { (Way::Tangent, self.y.double()) } else { (Way::Nothing, F::ONE) }
    }

    /// The sum of two points, by the way that was found and from one over its divisor.
    fn plus(&self, other: &Self, way: Way, inverse: F) -> Self {
        let rise = match way {
            Way::This => return *self,
            Way::Other => return *other,
            Way::Nothing => return Self::INFINITY,
            Way::Chord => other.y - self.y,
            Way::Tangent => {
                let square = self.x.square();
                square.double() + square
            }
        };
        let slope = rise * inverse;
        let x = slope.square() - self.x - other.x;
        Self { x, y: slope * (self.x - x) - self.y }
    }
}

/// How two points are added.
#[derive(Clone, Copy)]
enum Way {
    /// The first is the sum.
    This,
    /// The second is the sum.
    Other,
    /// They cancel out.
    Nothing,
    /// They differ.
    Chord,
    /// They are one and the same.
    Tangent,
}

/// The sum of each heap; at infinity where there is nothing in it.
pub(crate) fn sum_each<F: Coordinate>(mut heaps: Vec<Vec<Point<F>>>) -> Vec<Point<F>> {
    let (mut ways, mut divisors) = (Vec::new(), Vec::new());
    while heaps.iter().any(|heap| heap.len() > 1) {
        ways.clear();
        divisors.clear();
        for pair in heaps.iter().flat_map(|heap| heap.chunks_exact(2)) {
            let (way, divisor) = pair[0].way_to(&pair[1]);
            ways.push(way);
            divisors.push(divisor);
        }
        invert(&mut divisors);
        let mut done = 0;
        for heap in &mut heaps {
            let pairs = heap.len() / 2;
            for pair in 0..pairs {
                let (way, inverse) = (ways[done + pair], divisors[done + pair]);
                heap[pair] = heap[2 * pair].plus(&heap[2 * pair + 1], way, inverse);
            }
            done += pairs;
            if heap.len() % 2 == 1 {
                heap.swap(pairs, 2 * pairs);
            }
            heap.truncate(heap.len().div_ceil(2));
        }
    }
    heaps.iter().map(|heap| heap.first().copied().unwrap_or(Point::INFINITY)).collect()
}

/// One over each of some numbers, none of which is zero.
fn invert<F: Field>(numbers: &mut [F]) {
    let mut products = Vec::with_capacity(numbers.len());
    let mut product = F::ONE;
    for number in &*numbers {
        products.push(product);
        product *= number;
    }
    let mut inverse = product.invert().expect("none of them is zero, and so their product is not");
    for (number, before) in numbers.iter_mut().zip(products).rev() {
        let own = inverse * before;
        inverse *= &*number;
        *number = own;
    }
}

#[cfg(test)]
mod tests {
    use blst::MultiPoint;
    use blst::min_pk::SecretKey;

    use super::*;

    fn keys(count: u8) -> Vec<PublicKey> {
        (1..=count).map(|number| SecretKey::from_bytes(&[number; 32]).unwrap().sk_to_pk()).collect()
    }

    #[test]
    fn heaps_of_any_size_add_up_as_the_library_has_it() {
        let keys = keys(60);
        let signatures: Vec<Signature> = (1..60u8)
            .map(|number| SecretKey::from_bytes(&[number; 32]).unwrap().sign(b"vote", crate::bls::DST, &[]))
            .collect();
        let sizes = [1, 2, 3, 4, 7, 8, 9, 31, 58];
        let heaps = sizes.map(|size| keys[..size].iter().map(Point::from).collect());
        let sums = sum_each::<Fp>(heaps.to_vec());
        for (size, sum) in sizes.into_iter().zip(sums) {
            assert_eq!(PublicKey::from(sum), keys[..size].add().to_public_key(), "{size} keys");
        }
        let heaps = sizes.map(|size| signatures[..size].iter().map(Point::from).collect());
        let sums = sum_each::<Fp2>(heaps.to_vec());
        for (size, sum) in sizes.into_iter().zip(sums) {
            assert_eq!(Signature::from(sum), signatures[..size].add().to_signature(), "{size} signatures");
        }
    }

    #[test]
    fn equal_points_opposite_points_and_infinity_are_added_too() {
        let all = keys(3);
        let [one, two, three] = [0, 1, 2].map(|at| Point::from(&all[at]));
        let minus = one.turned()[3];
        let infinity = Point::INFINITY;
        let heaps = vec![
            vec![one, one, one, two],
            vec![one, minus, two],
            vec![one, minus],
            vec![infinity, infinity, three, infinity, infinity],
            vec![],
            vec![one, one, minus, minus],
        ];
        let of = |places: &[usize]| {
            let some: Vec<PublicKey> = places.iter().map(|at| all[*at]).collect();
            Point::from(&some.add().to_public_key())
        };
        let expected = [of(&[0, 0, 0, 1]), two, infinity, three, infinity, infinity];
        assert_eq!(sum_each(heaps), expected);
    }

    #[test]
    fn the_six_units_add_up_to_nothing_and_turn_into_each_other() {
        let turned = Point::from(&keys(1)[0]).turned();
        assert_eq!(sum_each(vec![turned.to_vec()]), [Point::INFINITY]);
        for (steps, point) in turned.into_iter().enumerate() {
            assert_eq!(point.turned()[1], turned[(steps + 1) % 6]);
        }
        // 1 - ω = -ω² + … : the first, less the third, is the sixth and the first.
        let differ = sum_each(vec![vec![turned[0], turned[2]], vec![turned[1]]]);
        assert_eq!(differ[0], differ[1], "1 + ω = -ω²");
    }
}

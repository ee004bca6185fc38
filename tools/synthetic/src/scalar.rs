//! Numbers modulo the order of the signature group, as far as sums of secret keys need them.

/// The order of the signature group, in 64-bit digits, the lowest first.
const ORDER: [u64; 4] =
    [0xffff_ffff_0000_0001, 0x53bd_a402_fffe_5bfe, 0x3339_d808_09a1_d805, 0x73ed_a753_299d_7d48];

/// A number below the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalar([u64; 4]);

impl Scalar {
    pub const ZERO: Self = Self([0; 4]);

    /// The number of 32 bytes, shortened to 254 bits so that it is below the order.
    pub fn from_noise(bytes: [u8; 32]) -> Self {
        let mut digits = [0; 4];
        for (digit, bytes) in digits.iter_mut().zip(bytes.chunks_exact(8)) {
            *digit = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        }
        digits[3] >>= 2;
        Self(digits)
    }

    pub fn from_u128(number: u128) -> Self {
        Self([number as u64, (number >> 64) as u64, 0, 0])
    }

    pub fn plus(self, other: Self) -> Self {
        let mut sum = [0; 4];
        let mut carry = false;
        for (place, digit) in sum.iter_mut().enumerate() {
            let (partial, first) = self.0[place].overflowing_add(other.0[place]);
            let (partial, second) = partial.overflowing_add(u64::from(carry));
            (*digit, carry) = (partial, first || second);
        }
        // Both are below the order, which leaves the highest bit free: nothing is carried out of the last digit.
        let (reduced, borrow) = minus_order(sum);
        Self(if borrow { sum } else { reduced })
    }

    pub fn times(self, factor: u64) -> Self {
        let mut product = Self::ZERO;
        for bit in (0..64 - factor.leading_zeros()).rev() {
            product = product.plus(product);
            if factor >> bit & 1 == 1 {
                product = product.plus(self);
            }
        }
        product
    }

    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (bytes, digit) in bytes.chunks_exact_mut(8).zip(self.0.iter().rev()) {
            bytes.copy_from_slice(&digit.to_be_bytes());
        }
        bytes
    }
}

/// The number less the order, and whether it was smaller than the order.
fn minus_order(number: [u64; 4]) -> ([u64; 4], bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    for (place, digit) in difference.iter_mut().enumerate() {
        let (partial, first) = number[place].overflowing_sub(ORDER[place]);
        let (partial, second) = partial.overflowing_sub(u64::from(borrow));
        (*digit, borrow) = (partial, first || second);
    }
    (difference, borrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_wrap_at_the_order() {
        let one = Scalar::from_u128(1);
        let mut largest = ORDER;
        largest[0] -= 1;
        assert_eq!(Scalar(largest).plus(one), Scalar::ZERO);
        assert_eq!(Scalar(largest).plus(Scalar(largest)).plus(Scalar::from_u128(2)), Scalar::ZERO);
        assert_eq!(Scalar(largest).times(5).plus(Scalar::from_u128(5)), Scalar::ZERO);
    }

    #[test]
    fn a_product_is_the_sum_of_as_many() {
        let number = Scalar::from_noise([0xab; 32]);
        let mut sum = Scalar::ZERO;
        for count in 0..40 {
            assert_eq!(number.times(count), sum);
            sum = sum.plus(number);
        }
        assert_eq!(Scalar::from_u128(1 << 100).to_be_bytes()[19], 0x10);
    }
}

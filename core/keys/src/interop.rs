//! Keys that everyone knows, for test networks: validator `i` of every client's interop genesis has the same key.

use crypto::{SecretKey, hash};

/// The order of the signature group, big-endian.
const CURVE_ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53,
    0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

/// The secret key of interop validator `index`: SHA-256 of the index as 32 little-endian bytes, read as a
/// little-endian number, modulo the curve order. It protects nothing.
pub fn interop_secret_key(index: u64) -> SecretKey {
    let mut preimage = [0; 32];
    preimage[..8].copy_from_slice(&index.to_le_bytes());
    let mut number = hash(&preimage);
    number.reverse();
    // The order is more than a third of 2^256, so this subtracts twice at most.
    while number >= CURVE_ORDER {
        number = minus_order(number);
    }
    SecretKey::from_bytes(&number).expect("it is below the order, and no known hash is a multiple of it")
}

/// `number - CURVE_ORDER`, both big-endian; `number` must not be the smaller one.
fn minus_order(mut number: [u8; 32]) -> [u8; 32] {
    let mut borrow = false;
    for (digit, order) in number.iter_mut().zip(CURVE_ORDER).rev() {
        let (difference, first) = digit.overflowing_sub(order);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (difference, first || second);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keys_are_those_that_all_clients_use() {
        let known = [
            (
                "25295f0d1d592a90b333e26e85149708208e9f8e8bc18f6c77bd62f8ad7a6866",
                "a99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c",
            ),
            (
                "51d0b65185db6989ab0b560d6deed19c7ead0e24b9b6372cbecb1f26bdfad000",
                "b89bebc699769726a318c8e9971bd3171297c61aea4a6578a7a4f94b547dcba5bac16a89108b6b6a1fe3695d1a874a0b",
            ),
        ];
        for (index, (secret, public)) in known.into_iter().enumerate() {
            let key = interop_secret_key(index as u64);
            assert_eq!(hex::encode(key.to_bytes()), secret);
            assert_eq!(hex::encode(key.public_key().compress()), public);
        }
    }

    #[test]
    fn a_borrow_runs_through_all_digits() {
        assert_eq!(minus_order(CURVE_ORDER), [0; 32]);
        // 2^254 + order - order
        let mut sum = CURVE_ORDER;
        sum[0] += 0x40;
        let mut expected = [0; 32];
        expected[0] = 0x40;
        assert_eq!(minus_order(sum), expected);
        // 2^255 - order: borrows come from the first digit down.
        let mut power = [0; 32];
        power[0] = 0x80;
        let difference = minus_order(power);
        assert_eq!(
            hex::encode(difference),
            "0c1258acd66282b7ccc627f7f65e27faac425bfd0001a40100000000ffffffff"
        );
    }
}

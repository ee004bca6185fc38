//! Arithmetic of the specification.

/// [`integer_squareroot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#integer_squareroot):
/// the largest integer whose square is not above `n`.
pub fn integer_squareroot(n: u64) -> u64 {
    n.isqrt()
}

/// [`xor`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#xor).
pub fn xor(bytes_1: &[u8; 32], bytes_2: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|place| bytes_1[place] ^ bytes_2[place])
}

/// [`bytes_to_uint64`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#bytes_to_uint64)
/// of the first 8 bytes of a digest.
pub fn bytes_to_uint64(digest: &[u8; 32]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_root_is_rounded_down() {
        let roots = [(0, 0), (1, 1), (3, 1), (4, 2), (24, 4), (25, 5), (u64::MAX, 4_294_967_295)];
        for (n, root) in roots {
            assert_eq!(integer_squareroot(n), root);
        }
    }

    #[test]
    fn numbers_are_little_endian_and_end_after_eight_bytes() {
        let mut digest = [0xff; 32];
        digest[..8].copy_from_slice(&[1, 2, 0, 0, 0, 0, 0, 3]);
        assert_eq!(bytes_to_uint64(&digest), 0x0300_0000_0000_0201);
    }

    #[test]
    fn xor_is_byte_by_byte() {
        let mut expected = [0b0110; 32];
        expected[31] = 0b1010;
        let mut right = [0b0011; 32];
        right[31] = 0b1111;
        assert_eq!(xor(&[0b0101; 32], &right), expected);
    }
}

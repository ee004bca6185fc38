//! What looks random and is the same at every call.

use crypto::hash;
use types::Root;

/// A root for a purpose and a number.
pub fn root(purpose: &str, number: u64) -> Root {
    let mut bytes = purpose.as_bytes().to_vec();
    bytes.extend_from_slice(&number.to_le_bytes());
    Root::from(hash(&bytes))
}

/// 64 bits for a purpose and a number.
pub fn bits(purpose: u64, number: u64) -> u64 {
    // The finalizer of SplitMix64.
    let mut x = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

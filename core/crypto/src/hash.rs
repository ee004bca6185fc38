//! SHA-256, the specification's [`hash`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#hash).

use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of two 32-byte strings, one behind the other.
pub fn hash_concat(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

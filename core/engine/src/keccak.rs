//! Keccak-256, the hash of the execution layer. (Its padding is older than SHA-3's, so the two differ.)

use sha3::{Digest, Keccak256};
use types::Root;

/// Keccak-256 of `bytes`.
pub fn keccak256(bytes: &[u8]) -> Root {
    Root::from(<[u8; 32]>::from(Keccak256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_the_known_one() {
        assert_eq!(
            keccak256(b"").to_string(),
            "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
    }
}

//! Verdicts on signatures, remembered for all nodes of a world.
//!
//! Verification is a pure function of message, keys and signature. Every node of a network verifies the same ones, so
//! a world that asks production code once for each and remembers the answer sees what it would see without: the jobs
//! are the production jobs, and the answer is that of `crypto::find_invalid`.

use std::collections::BTreeMap;

use crypto::{SignatureSet, find_invalid, hash};

use crate::scenario::SignatureMode;

/// Verdicts by the hash of what they are about. Bounded by the messages of one world.
#[derive(Debug)]
pub struct Verdicts {
    mode: SignatureMode,
    known: BTreeMap<[u8; 32], bool>,
    /// How many verdicts were asked for.
    pub asked: u64,
}

impl Verdicts {
    /// No verdicts yet.
    pub fn new(mode: SignatureMode) -> Self {
        Self { mode, known: BTreeMap::new(), asked: 0 }
    }

    /// How many sets were verified with pairings.
    pub fn verified(&self) -> usize {
        self.known.len()
    }

    /// The places of the invalid sets, ascending.
    pub fn find_invalid(&mut self, sets: &[SignatureSet], seed: [u8; 32]) -> Vec<usize> {
        self.asked += sets.len() as u64;
        if self.mode == SignatureMode::Assumed {
            return Vec::new();
        }
        let keys: Vec<[u8; 32]> = sets.iter().map(key).collect();
        let unknown: Vec<usize> = (0..sets.len()).filter(|at| !self.known.contains_key(&keys[*at])).collect();
        let batch: Vec<SignatureSet> = unknown.iter().map(|at| sets[*at]).collect();
        let invalid = find_invalid(&batch, seed);
        for (place, at) in unknown.iter().enumerate() {
            self.known.insert(keys[*at], invalid.binary_search(&place).is_err());
        }
        (0..sets.len()).filter(|at| !self.known[&keys[*at]]).collect()
    }
}

fn key(set: &SignatureSet) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(176);
    bytes.extend_from_slice(&set.message);
    bytes.extend_from_slice(&set.signature);
    bytes.extend_from_slice(&set.pubkey.compress());
    hash(&bytes)
}

#[cfg(test)]
mod tests {
    use keys::interop_secret_key;

    use super::*;

    fn set(signer: u64, claimed: u64, message: u8) -> SignatureSet {
        let signature = interop_secret_key(signer).sign(&[message; 32]).compress();
        let pubkey = interop_secret_key(claimed).public_key();
        SignatureSet { message: [message; 32], signature, pubkey }
    }

    #[test]
    fn what_is_remembered_is_what_verification_says() {
        let sets = [set(0, 0, 1), set(0, 1, 1), set(1, 1, 1), set(1, 1, 2), set(2, 1, 2)];
        let mut verdicts = Verdicts::new(SignatureMode::Real);
        assert_eq!(verdicts.find_invalid(&sets[..2], [1; 32]), [1]);
        for _ in 0..2 {
            assert_eq!(verdicts.find_invalid(&sets, [2; 32]), find_invalid(&sets, [2; 32]));
        }
        assert_eq!((verdicts.verified(), verdicts.asked), (5, 12));
    }

    #[test]
    fn assumed_signatures_are_good_and_cost_nothing() {
        let mut verdicts = Verdicts::new(SignatureMode::Assumed);
        assert!(verdicts.find_invalid(&[set(0, 1, 1)], [0; 32]).is_empty());
        assert_eq!(verdicts.verified(), 0);
    }
}

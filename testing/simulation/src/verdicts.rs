//! Verdicts on signatures, remembered for all nodes of a world.
//!
//! Verification is a pure function of message, keys and signature. Every node of a network verifies the same ones, so
//! a world that asks production code once for each and remembers the answer sees what it would see without: the jobs
//! are the production jobs, and the answer is that of `crypto::verify_each`.

use std::collections::BTreeMap;

use crypto::{Signature, SignatureSet, hash, verify_each};

use crate::scenario::SignatureMode;

/// Verdicts by the hash of what they are about. Bounded by the messages of one world.
#[derive(Debug)]
pub struct Verdicts {
    mode: SignatureMode,
    known: BTreeMap<[u8; 32], Option<Signature>>,
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
        if self.mode == SignatureMode::Assumed { 0 } else { self.known.len() }
    }

    /// The signature of each set, none where it is invalid.
    pub fn verify_each(&mut self, sets: &[SignatureSet], seed: [u8; 32]) -> Vec<Option<Signature>> {
        self.asked += sets.len() as u64;
        let keys: Vec<[u8; 32]> = sets.iter().map(key).collect();
        let unknown: Vec<usize> = (0..sets.len()).filter(|at| !self.known.contains_key(&keys[*at])).collect();
        let batch: Vec<SignatureSet> = unknown.iter().map(|at| sets[*at]).collect();
        let signatures = match self.mode {
            SignatureMode::Real => verify_each(&batch, seed),
            SignatureMode::Assumed => {
                batch.iter().map(|set| Signature::from_verified(&set.signature).ok()).collect()
            }
        };
        self.known.extend(unknown.iter().map(|at| keys[*at]).zip(signatures));
        keys.iter().map(|key| self.known[key]).collect()
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
        assert_eq!(verdicts.verify_each(&sets[..2], [1; 32]), verify_each(&sets[..2], [1; 32]));
        for _ in 0..2 {
            let signatures = verdicts.verify_each(&sets, [2; 32]);
            assert_eq!(signatures, verify_each(&sets, [2; 32]));
            assert_eq!(signatures.iter().filter(|signature| signature.is_none()).count(), 2);
        }
        assert_eq!((verdicts.verified(), verdicts.asked), (5, 12));
    }

    #[test]
    fn assumed_signatures_are_good_and_cost_no_pairing() {
        let mut verdicts = Verdicts::new(SignatureMode::Assumed);
        let wrong = set(0, 1, 1);
        let signatures = verdicts.verify_each(&[wrong], [0; 32]);
        assert_eq!(signatures[0].unwrap().compress(), wrong.signature);
        assert_eq!(verdicts.verified(), 0);
    }
}

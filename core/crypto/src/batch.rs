//! Many signatures at the price of fewer pairings.
//!
//! The sum of all signatures, each times a random factor, must match the keys times the same factors. Without the
//! factors two bad signatures could cancel out; with 64 random bits that nobody can foresee they cannot. Sets
//! that sign one message share a pairing: their keys are added up first.
//!
//! The factors follow from a seed that the caller draws, and from the sets themselves, so that a batch is pure:
//! the same seed and sets give the same answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use blst::MultiPoint;
use blst::min_pk;
use blst::{BLST_ERROR, min_pk::AggregatePublicKey};

use crate::bls::{DST, PublicKey, Signature};
use crate::hash::hash;

/// Bits of a random factor.
const FACTOR_BITS: usize = 64;

/// A message, a signature over it, and the keys that made it together.
#[derive(Clone, Debug)]
pub struct SignatureSet {
    /// The signing root.
    pub message: [u8; 32],
    /// The compressed signature, checked when the set is verified.
    pub signature: [u8; 96],
    /// The keys; none makes the set invalid.
    pub pubkeys: Vec<Arc<PublicKey>>,
}

impl SignatureSet {
    /// True where the keys signed the message.
    pub fn verify(&self) -> bool {
        match Signature::from_compressed(&self.signature) {
            Ok(signature) => crate::fast_aggregate_verify(&self.pubkeys, &self.message, &signature),
            Err(_) => false,
        }
    }

    fn parsed(&self) -> Option<Parsed> {
        let signature = Signature::from_compressed(&self.signature).ok()?;
        let pubkey = match self.pubkeys.as_slice() {
            [] => return None,
            [only] => only.0,
            many => {
                let keys: Vec<&min_pk::PublicKey> = many.iter().map(|key| &key.0).collect();
                AggregatePublicKey::aggregate(&keys, false).ok()?.to_public_key()
            }
        };
        Some(Parsed { message: self.message, signature: signature.0, pubkey })
    }
}

struct Parsed {
    message: [u8; 32],
    signature: min_pk::Signature,
    pubkey: min_pk::PublicKey,
}

/// True where every set is valid. An empty batch is valid.
///
/// `seed` must be unforeseeable to whoever made the signatures.
pub fn verify_signature_sets(sets: &[SignatureSet], seed: [u8; 32]) -> bool {
    match sets {
        [] => true,
        [only] => only.verify(),
        _ => {
            let parsed: Option<Vec<Parsed>> = sets.iter().map(SignatureSet::parsed).collect();
            parsed.is_some_and(|parsed| verify_parsed(&parsed, &factors(sets, seed)))
        }
    }
}

/// The places of the sets that are invalid, found by halving.
pub fn find_invalid(sets: &[SignatureSet], seed: [u8; 32]) -> Vec<usize> {
    let mut invalid = Vec::new();
    let mut ranges = vec![0..sets.len()];
    while let Some(range) = ranges.pop() {
        if range.is_empty() || verify_signature_sets(&sets[range.clone()], seed) {
            continue;
        }
        if range.len() == 1 {
            invalid.push(range.start);
            continue;
        }
        let middle = range.start + range.len() / 2;
        ranges.push(range.start..middle);
        ranges.push(middle..range.end);
    }
    invalid.sort_unstable();
    invalid
}

/// A factor per set, none of them zero.
fn factors(sets: &[SignatureSet], seed: [u8; 32]) -> Vec<u64> {
    let mut transcript = seed.to_vec();
    for set in sets {
        transcript.extend_from_slice(&set.message);
        transcript.extend_from_slice(&set.signature);
    }
    let base = hash(&transcript);
    let factor = |index: usize| {
        let mut bytes = base.to_vec();
        bytes.extend_from_slice(&index.to_le_bytes());
        let digest = hash(&bytes);
        u64::from_le_bytes(digest[..8].try_into().expect("8 bytes")) | 1
    };
    (0..sets.len()).map(factor).collect()
}

fn scalar_bytes(factors: impl Iterator<Item = u64>) -> Vec<u8> {
    factors.flat_map(u64::to_le_bytes).collect()
}

fn verify_parsed(sets: &[Parsed], factors: &[u64]) -> bool {
    let signatures: Vec<min_pk::Signature> = sets.iter().map(|set| set.signature).collect();
    let scalars = scalar_bytes(factors.iter().copied());
    let signature = signatures.as_slice().mult(&scalars, FACTOR_BITS).to_signature();

    let mut by_message: BTreeMap<[u8; 32], (Vec<min_pk::PublicKey>, Vec<u64>)> = BTreeMap::new();
    for (set, factor) in sets.iter().zip(factors) {
        let group = by_message.entry(set.message).or_default();
        group.0.push(set.pubkey);
        group.1.push(*factor);
    }
    let keys: Vec<min_pk::PublicKey> = by_message
        .values()
        .map(|(keys, factors)| {
            keys.as_slice().mult(&scalar_bytes(factors.iter().copied()), FACTOR_BITS).to_public_key()
        })
        .collect();
    let messages: Vec<&[u8]> = by_message.keys().map(|message| &message[..]).collect();
    let keys: Vec<&min_pk::PublicKey> = keys.iter().collect();
    signature.aggregate_verify(false, &messages, DST, &keys, false) == BLST_ERROR::BLST_SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::{SecretKey, aggregate};

    fn key(number: u8) -> SecretKey {
        let mut bytes = [7; 32];
        bytes[31] = number;
        SecretKey::from_bytes(&bytes).unwrap()
    }

    fn set(signer: u8, message: u8) -> SignatureSet {
        let key = key(signer);
        SignatureSet {
            message: [message; 32],
            signature: key.sign(&[message; 32]).compress(),
            pubkeys: vec![Arc::new(key.public_key())],
        }
    }

    #[test]
    fn a_batch_of_valid_sets_is_valid() {
        let sets: Vec<_> = (0..12).map(|n| set(n, n % 5)).collect();
        assert!(verify_signature_sets(&sets, [1; 32]));
        assert!(verify_signature_sets(&[], [1; 32]));
    }

    #[test]
    fn every_bad_set_is_found() {
        let mut sets: Vec<_> = (0..12).map(|n| set(n, n % 5)).collect();
        sets[3].message = [99; 32];
        sets[8].signature = sets[0].signature;
        sets[9].pubkeys.clear();
        sets[11].signature = [0xff; 96];
        assert_eq!(find_invalid(&sets, [2; 32]), [3, 8, 9, 11]);
    }

    #[test]
    fn two_bad_signatures_that_cancel_out_are_caught() {
        // a + d and b - d: their sum is that of the valid signatures.
        let (mut first, mut second) = (set(1, 7), set(2, 7));
        let point = |set: &SignatureSet| Signature::from_compressed(&set.signature).unwrap();
        let noise = key(3).sign(b"noise");
        let mut negated = noise.compress();
        negated[0] ^= 0x20;
        let negated = Signature::from_compressed(&negated).unwrap();
        first.signature = aggregate(&[point(&first), noise]).unwrap().compress();
        second.signature = aggregate(&[point(&second), negated]).unwrap().compress();
        let sum = aggregate(&[point(&first), point(&second)]).unwrap();
        let keys = [first.pubkeys[0].clone(), second.pubkeys[0].clone()];
        assert!(crate::fast_aggregate_verify(&keys, &first.message, &sum), "the noise must cancel out");
        let sets = [first, second];
        assert!(!verify_signature_sets(&sets, [3; 32]));
        assert_eq!(find_invalid(&sets, [3; 32]), [0, 1]);
    }
}

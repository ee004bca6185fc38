//! Many signatures at the price of fewer pairings.
//!
//! The sum of all signatures, each times a random factor, must match the keys times the same factors. Without the
//! factors two bad signatures could cancel out; with 64 random bits that nobody can foresee they cannot. Sets
//! that sign one message share a pairing: their keys are added up first.
//!
//! The factors follow from a seed that the caller draws, and from the sets themselves, so that a batch is pure:
//! the same seed and sets give the same answer.
//!
//! Measured on one thread: a set alone costs 1.1 ms; in a batch of 128 it costs 0.50 ms where all messages differ and
//! 0.12 ms where four messages are shared. Finding one bad set among those takes 150 and 44 ms.
//!
//! A batch says what its sets say one by one. That needs one check more than the pairing: keys that add up to
//! infinity (anyone can register a key and its negative) make a set invalid on its own, but would vanish unseen in
//! the sum of a message that another set signs too.

use std::collections::BTreeMap;
use std::sync::Arc;

use blst::min_pk;
use blst::{BLST_ERROR, MultiPoint};

use crate::bls::{DST, PublicKey, Signature};
use crate::hash::hash;

/// Bits of a random factor.
const FACTOR_BITS: usize = 64;

/// The bit of a compressed point's first byte that says it is at infinity.
const INFINITY_FLAG: u8 = 0x40;

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
    /// True where the keys signed the message: `FastAggregateVerify`, false for what is no signature.
    pub fn verify(&self) -> bool {
        self.parsed().is_some_and(|parsed| parsed.verify())
    }

    /// The set as curve points, unless it is invalid without any pairing.
    fn parsed(&self) -> Option<Parsed> {
        let signature = Signature::from_compressed(&self.signature).ok()?;
        let pubkey = match self.pubkeys.as_slice() {
            [] => return None,
            [only] => only.0,
            many => {
                let keys: Vec<&min_pk::PublicKey> = many.iter().map(|key| &key.0).collect();
                min_pk::AggregatePublicKey::aggregate(&keys, false).ok()?.to_public_key()
            }
        };
        let mut transcript = [0; 176];
        transcript[..32].copy_from_slice(&self.message);
        transcript[32..128].copy_from_slice(&self.signature);
        transcript[128..].copy_from_slice(&pubkey.compress());
        if transcript[128] & INFINITY_FLAG != 0 {
            return None;
        }
        Some(Parsed { message: self.message, signature: signature.0, pubkey, transcript })
    }
}

/// A set whose signature is a point of its group and whose keys are added up, to a point not at infinity.
#[derive(Clone)]
struct Parsed {
    message: [u8; 32],
    signature: min_pk::Signature,
    pubkey: min_pk::PublicKey,
    /// All of the above, compressed: what the factors depend on.
    transcript: [u8; 176],
}

impl Parsed {
    fn verify(&self) -> bool {
        let error = self.signature.verify(false, &self.message, DST, &[], &self.pubkey, false);
        error == BLST_ERROR::BLST_SUCCESS
    }
}

/// True where every set is valid. An empty batch is valid.
///
/// `seed` must be unforeseeable to whoever made the signatures.
pub fn verify_signature_sets(sets: &[SignatureSet], seed: [u8; 32]) -> bool {
    let parsed: Option<Vec<Parsed>> = sets.iter().map(SignatureSet::parsed).collect();
    parsed.is_some_and(|parsed| verify_parsed(&parsed, seed))
}

/// The places of the sets that are invalid, in ascending order, found by halving.
///
/// One bad set among `n` costs about `2 log2(n)` further batches, half of them small. `seed` is as for
/// [`verify_signature_sets`].
pub fn find_invalid(sets: &[SignatureSet], seed: [u8; 32]) -> Vec<usize> {
    let mut invalid = Vec::new();
    let (mut places, mut parsed) = (Vec::new(), Vec::new());
    for (place, set) in sets.iter().enumerate() {
        match set.parsed() {
            Some(set) => {
                places.push(place);
                parsed.push(set);
            }
            None => invalid.push(place),
        }
    }
    if !verify_parsed(&parsed, seed) {
        halve(&places, &parsed, seed, &mut invalid);
    }
    invalid.sort_unstable();
    invalid
}

/// Collects the invalid ones of `sets`, which as a whole are known to be invalid.
fn halve(places: &[usize], sets: &[Parsed], seed: [u8; 32], invalid: &mut Vec<usize>) {
    if let [only] = places {
        invalid.push(*only);
        return;
    }
    let middle = places.len() / 2;
    let (left, right) = sets.split_at(middle);
    let left_is_valid = verify_parsed(left, seed);
    if !left_is_valid {
        halve(&places[..middle], left, seed, invalid);
    }
    // Where the left half is valid the fault is in the right one, so asking again would be a batch for nothing.
    if left_is_valid || !verify_parsed(right, seed) {
        halve(&places[middle..], right, seed, invalid);
    }
}

/// A factor per set, none of them zero.
fn factors(sets: &[Parsed], seed: [u8; 32]) -> Vec<u64> {
    let mut transcript = seed.to_vec();
    sets.iter().for_each(|set| transcript.extend_from_slice(&set.transcript));
    let base = hash(&transcript);
    let factor = |index: usize| {
        let mut bytes = base.to_vec();
        bytes.extend_from_slice(&(index as u64).to_le_bytes());
        let digest = hash(&bytes);
        // A factor of zero would leave its set unchecked.
        u64::from_le_bytes(digest[..8].try_into().expect("8 of 32 bytes")).max(1)
    };
    (0..sets.len()).map(factor).collect()
}

fn scalar_bytes(factors: impl Iterator<Item = u64>) -> Vec<u8> {
    factors.flat_map(u64::to_le_bytes).collect()
}

fn verify_parsed(sets: &[Parsed], seed: [u8; 32]) -> bool {
    match sets {
        [] => return true,
        [only] => return only.verify(),
        _ => {}
    }
    let factors = factors(sets, seed);
    let signatures: Vec<min_pk::Signature> = sets.iter().map(|set| set.signature).collect();
    let scalars = scalar_bytes(factors.iter().copied());
    let signature = signatures.as_slice().mult(&scalars, FACTOR_BITS).to_signature();

    let mut by_message: BTreeMap<[u8; 32], (Vec<min_pk::PublicKey>, Vec<u64>)> = BTreeMap::new();
    for (set, factor) in sets.iter().zip(factors) {
        let group = by_message.entry(set.message).or_default();
        group.0.push(set.pubkey);
        group.1.push(factor);
    }
    let sum = |(keys, factors): &(Vec<min_pk::PublicKey>, Vec<u64>)| {
        keys.as_slice().mult(&scalar_bytes(factors.iter().copied()), FACTOR_BITS).to_public_key()
    };
    let keys: Vec<min_pk::PublicKey> = by_message.values().map(sum).collect();
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

    #[test]
    fn keys_that_add_up_to_infinity_are_invalid_in_a_batch_as_they_are_alone() {
        let valid = set(1, 7);
        let mut negated = key(2).public_key().compress();
        negated[0] ^= 0x20;
        let negated = PublicKey::from_compressed(&negated).unwrap();
        let mut infinity = [0; 96];
        infinity[0] = 0xc0;
        let nothing = SignatureSet {
            message: valid.message,
            signature: infinity,
            pubkeys: vec![Arc::new(key(2).public_key()), Arc::new(negated)],
        };
        assert!(!nothing.verify());
        let sets = [valid, nothing];
        assert!(!verify_signature_sets(&sets, [4; 32]));
        assert_eq!(find_invalid(&sets, [4; 32]), [1]);
    }

    #[test]
    fn a_signature_at_infinity_spoils_a_batch_of_any_size() {
        for size in [1, 2, 3, 31, 32, 40] {
            let mut sets: Vec<_> = (0..size).map(|n| set(n, n % 3)).collect();
            assert!(verify_signature_sets(&sets, [5; 32]), "{size} valid sets");
            let last = sets.len() - 1;
            sets[last].signature = [0; 96];
            sets[last].signature[0] = 0xc0;
            assert_eq!(find_invalid(&sets, [5; 32]), [last], "{size} sets");
        }
    }

    #[test]
    fn a_set_of_several_keys_needs_all_of_their_signatures() {
        let keys: Vec<SecretKey> = (1..5).map(key).collect();
        let signatures: Vec<Signature> = keys.iter().map(|key| key.sign(&[9; 32])).collect();
        let mut whole = set(1, 9);
        whole.signature = aggregate(&signatures).unwrap().compress();
        whole.pubkeys = keys.iter().map(|key| Arc::new(key.public_key())).collect();
        let mut fewer_keys = whole.clone();
        fewer_keys.pubkeys.pop();
        assert_eq!(find_invalid(&[set(2, 9), fewer_keys, whole, set(2, 8)], [6; 32]), [1]);
    }

    #[test]
    fn factors_depend_on_the_seed_and_on_every_part_of_every_set() {
        let sets = [set(1, 7), set(2, 8)];
        let of = |sets: &[SignatureSet], seed| {
            let parsed: Vec<Parsed> = sets.iter().map(|set| set.parsed().unwrap()).collect();
            factors(&parsed, seed)
        };
        let base = of(&sets, [0; 32]);
        assert_eq!(base, of(&sets, [0; 32]));
        assert_ne!(base, of(&sets, [1; 32]));
        let mut changed = vec![sets.clone(); 3];
        changed[0][1].message = [1; 32];
        changed[1][1].signature = sets[0].signature;
        changed[2][1].pubkeys = sets[0].pubkeys.clone();
        for changed in changed {
            assert_ne!(base[0], of(&changed, [0; 32])[0]);
        }
    }
}

//! Batches of signatures as blst verifies them when it is called directly: what the product's batches stand against.

use blst::min_pk::{AggregatePublicKey, PublicKey, Signature};
use blst::{BLST_ERROR, Pairing, blst_p1_affine, blst_p2_affine};

const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
/// Bits of the random factors.
const FACTOR_BITS: usize = 64;

/// A message, who signed it, and the compressed signature.
#[derive(Clone)]
pub struct PlainSet {
    /// What was signed.
    pub message: [u8; 32],
    /// Who signed, as points.
    pub pubkeys: Vec<PublicKey>,
    /// The signature.
    pub signature: [u8; 96],
}

/// Sets whose signatures are decompressed and whose keys are added up.
pub struct Points {
    messages: Vec<[u8; 32]>,
    pubkeys: Vec<PublicKey>,
    signatures: Vec<Signature>,
    factors: Vec<[u8; 8]>,
}

impl Points {
    /// Keys added up, signatures decompressed; factors as good as any for a measurement.
    pub fn of(sets: &[PlainSet]) -> Option<Self> {
        let sum = |set: &PlainSet| match set.pubkeys.as_slice() {
            [only] => Some(*only),
            many => {
                let keys: Vec<&PublicKey> = many.iter().collect();
                Some(AggregatePublicKey::aggregate(&keys, false).ok()?.to_public_key())
            }
        };
        let factor = |place: usize| (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        Some(Self {
            messages: sets.iter().map(|set| set.message).collect(),
            pubkeys: sets.iter().map(sum).collect::<Option<_>>()?,
            signatures: sets
                .iter()
                .map(|set| Signature::from_bytes(&set.signature).ok())
                .collect::<Option<_>>()?,
            factors: (0..sets.len()).map(factor).collect(),
        })
    }

    /// `verify_multiple_aggregate_signatures` of the library; each signature's group is checked.
    pub fn verify_multiple(&self) -> bool {
        let messages: Vec<&[u8]> = self.messages.iter().map(<[u8; 32]>::as_slice).collect();
        let pubkeys: Vec<&PublicKey> = self.pubkeys.iter().collect();
        let signatures: Vec<&Signature> = self.signatures.iter().collect();
        let factors: Vec<blst::blst_scalar> = self.factors.iter().map(scalar).collect();
        let error = Signature::verify_multiple_aggregate_signatures(
            &messages,
            DST,
            &pubkeys,
            false,
            &signatures,
            true,
            &factors,
            FACTOR_BITS,
        );
        error == BLST_ERROR::BLST_SUCCESS
    }

    /// One part of the product of pairings; each signature's group is checked.
    fn pairing(&self, places: std::ops::Range<usize>) -> Option<Pairing<'_>> {
        let mut pairing = Pairing::new(true, DST);
        for place in places {
            let error = pairing.mul_n_aggregate(
                <&blst_p1_affine>::from(&self.pubkeys[place]),
                false,
                <&blst_p2_affine>::from(&self.signatures[place]),
                true,
                &self.factors[place],
                FACTOR_BITS,
                &self.messages[place],
                &[],
            );
            if error != BLST_ERROR::BLST_SUCCESS {
                return None;
            }
        }
        pairing.commit();
        Some(pairing)
    }
}

/// [`Points::verify_multiple`] from compressed signatures and the keys of each set.
pub fn verify_multiple(sets: &[PlainSet]) -> bool {
    Points::of(sets).is_some_and(|points| points.verify_multiple())
}

fn scalar(factor: &[u8; 8]) -> blst::blst_scalar {
    let mut scalar = blst::blst_scalar::default();
    scalar.b[..8].copy_from_slice(factor);
    scalar
}

/// The same on two threads, as the library would share it out where it was built with threads.
pub fn verify_on_two_threads(sets: &[PlainSet]) -> bool {
    let Some(points) = Points::of(sets) else { return false };
    let middle = sets.len() / 2;
    let (low, high) = std::thread::scope(|scope| {
        let low = scope.spawn(|| points.pairing(0..middle));
        let high = points.pairing(middle..sets.len());
        (low.join().ok().flatten(), high)
    });
    let (Some(mut low), Some(high)) = (low, high) else { return false };
    low.merge(&high) == BLST_ERROR::BLST_SUCCESS && low.finalverify(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use blst::min_pk::SecretKey;

    #[test]
    fn both_ways_accept_valid_sets_and_refuse_a_changed_one() {
        let set = |number: u8| {
            let key = SecretKey::key_gen(&[number; 32], &[]).unwrap();
            let message = [number; 32];
            PlainSet {
                message,
                pubkeys: vec![key.sk_to_pk()],
                signature: key.sign(&message, DST, &[]).compress(),
            }
        };
        let mut sets: Vec<PlainSet> = (1..6).map(set).collect();
        assert!(verify_multiple(&sets) && verify_on_two_threads(&sets));
        sets[3].message = [9; 32];
        assert!(!verify_multiple(&sets) && !verify_on_two_threads(&sets));
        sets[3].signature = [0xff; 96];
        assert!(!verify_multiple(&sets) && !verify_on_two_threads(&sets));
    }
}

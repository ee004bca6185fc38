//! Keys by the million, each of which can sign.
//!
//! The secret key of validator `i` is `base + i`, so each public key is the one before it plus the generator: an
//! addition on the curve instead of a multiplication, which makes a million keys in seconds. The sum of any validators'
//! secrets signs what their aggregate would, so that a committee's signature costs one signature. They protect nothing.

use blst::min_pk::{AggregatePublicKey, PublicKey, SecretKey as BlstSecretKey};
use blst::{blst_p1, p1_affines};
use crypto::{SecretKey, hash};
use types::{BlsPubkey, ValidatorIndex};

use crate::scalar::Scalar;

/// Points that share an inversion when they are compressed.
const BATCH: usize = 4096;

/// The keys of validators from index 0 on.
#[derive(Debug)]
pub struct Keys {
    base: Scalar,
    pubkeys: Vec<BlsPubkey>,
}

impl Keys {
    /// `count` keys that a seed decides. Takes about 2 µs a key on each of two threads.
    pub fn new(seed: u64, count: usize) -> Self {
        let mut bytes = b"synthetic keys".to_vec();
        bytes.extend_from_slice(&seed.to_le_bytes());
        let base = Scalar::from_noise(hash(&bytes));
        let middle = count / 2;
        let mut pubkeys = vec![BlsPubkey::ZERO; count];
        let (low, high) = pubkeys.split_at_mut(middle);
        std::thread::scope(|scope| {
            scope.spawn(|| fill(low, base, 0));
            fill(high, base, middle);
        });
        Self { base, pubkeys }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pubkeys.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.pubkeys.is_empty()
    }

    /// The secret key of a validator, of any index.
    pub fn secret(&self, index: usize) -> SecretKey {
        secret_key(self.base.plus(Scalar::from_u128(index as u128)))
    }

    /// The compressed public key of a validator; panics where the index is not below [`Keys::len`].
    pub fn pubkey(&self, index: usize) -> BlsPubkey {
        self.pubkeys[index]
    }

    /// The key that signs as the aggregate of these validators does; one that is named twice counts twice. None where
    /// nobody is named.
    pub fn aggregate_secret(&self, indices: impl IntoIterator<Item = ValidatorIndex>) -> Option<SecretKey> {
        let (mut count, mut sum) = (0u64, 0u128);
        for index in indices {
            count += 1;
            sum += u128::from(index.0);
        }
        (count > 0).then(|| secret_key(self.base.times(count).plus(Scalar::from_u128(sum))))
    }
}

fn secret_key(scalar: Scalar) -> SecretKey {
    SecretKey::from_bytes(&scalar.to_be_bytes()).expect("no sum of keys that are drawn by hashing is zero")
}

/// Writes the public keys of `base + first` and those that follow.
fn fill(pubkeys: &mut [BlsPubkey], base: Scalar, first: usize) {
    let public_key = |scalar: Scalar| -> PublicKey {
        let secret = BlstSecretKey::from_bytes(&scalar.to_be_bytes());
        secret.expect("no sum of keys that are drawn by hashing is zero").sk_to_pk()
    };
    let generator = public_key(Scalar::from_u128(1));
    let start = public_key(base.plus(Scalar::from_u128(first as u128)));
    let mut sum = AggregatePublicKey::from_public_key(&start);
    for pubkeys in pubkeys.chunks_mut(BATCH) {
        let mut points: Vec<blst_p1> = Vec::with_capacity(pubkeys.len());
        for _ in 0..pubkeys.len() {
            points.push(sum.into());
            sum.add_public_key(&generator, false).expect("only a validation can fail");
        }
        let affine = p1_affines::from(&points);
        for (pubkey, point) in pubkeys.iter_mut().zip(affine.as_slice()) {
            *pubkey = BlsPubkey::from(PublicKey::from(*point).compress());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{aggregate, eth_aggregate_pubkeys};

    #[test]
    fn each_public_key_is_that_of_its_secret() {
        let keys = Keys::new(7, 2 * BATCH + 10);
        for index in [0, 1, BATCH - 1, BATCH, BATCH + 4, BATCH + 5, 2 * BATCH + 9] {
            assert_eq!(keys.pubkey(index).0, keys.secret(index).public_key().compress(), "{index}");
        }
        assert_ne!(Keys::new(8, 1).pubkey(0), keys.pubkey(0));
        assert_eq!(Keys::new(7, 1).pubkey(0), keys.pubkey(0));
    }

    #[test]
    fn the_sum_of_secrets_signs_as_the_aggregate() {
        let keys = Keys::new(1, 0);
        let indices = [5usize, 900, 5, 1 << 20];
        let sum = keys.aggregate_secret(indices.map(|index| ValidatorIndex(index as u64))).unwrap();
        let each = indices.map(|index| keys.secret(index));
        let signatures = each.each_ref().map(|key| key.sign(b"vote"));
        assert_eq!(sum.sign(b"vote"), aggregate(&signatures).unwrap());
        let public = each.each_ref().map(SecretKey::public_key);
        assert_eq!(sum.public_key(), eth_aggregate_pubkeys(&public).unwrap());
        assert!(keys.aggregate_secret([]).is_none());
    }
}

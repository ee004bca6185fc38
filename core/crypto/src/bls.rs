//! [BLS signatures](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#bls-signatures)
//! of the proof-of-possession scheme, minimal public keys, over the library `blst`.

use std::fmt;

use blst::min_pk;
use blst::{BLST_ERROR, MultiPoint, blst_p1};

use crate::subgroup::lie_in_the_subgroup;

/// The domain separation tag of Ethereum's signatures.
pub(crate) const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// The compressed point at infinity of G2.
const G2_POINT_AT_INFINITY: [u8; 96] = {
    let mut bytes = [0; 96];
    bytes[0] = 0xc0;
    bytes
};

/// Why bytes are no key or signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlsError {
    /// A secret key that is zero or not below the group's order.
    #[error("not a secret key")]
    SecretKey,
    /// Bytes that are no point of the public keys' subgroup.
    #[error("not a public key")]
    PublicKey,
    /// The point at infinity, which decodes but is nobody's public key.
    #[error("the public key is at infinity")]
    PublicKeyAtInfinity,
    /// Bytes that are no point of the signatures' subgroup.
    #[error("not a signature")]
    Signature,
    /// A seed of fewer than 32 bytes.
    #[error("a seed needs at least 32 bytes")]
    Seed,
    /// Nothing to aggregate.
    #[error("nothing to aggregate")]
    Empty,
}

/// A secret key; erased when dropped, never printed.
///
/// Debug output names its public key alone. There is no `==`: compare public keys.
#[derive(Clone)]
pub struct SecretKey(min_pk::SecretKey);

/// A public key, checked: on the curve, in the subgroup, not at infinity.
///
/// Only a sum of keys, from [`eth_aggregate_pubkeys`], can be at infinity, where keys cancel out. No signature
/// verifies under it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) min_pk::PublicKey);

/// A signature, checked to be in the subgroup; it may be at infinity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) min_pk::Signature);

impl SecretKey {
    /// The key of 32 big-endian bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BlsError> {
        min_pk::SecretKey::from_bytes(bytes).map(Self).map_err(|_| BlsError::SecretKey)
    }

    /// 32 big-endian bytes; erasing them is the caller's duty.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The master key of a seed by [EIP-2333](https://eips.ethereum.org/EIPS/eip-2333), an error for a seed of
    /// fewer than 32 bytes.
    pub fn derive_master(seed: &[u8]) -> Result<Self, BlsError> {
        min_pk::SecretKey::derive_master_eip2333(seed).map(Self).map_err(|_| BlsError::Seed)
    }

    /// The child of this key at `index` by [EIP-2333](https://eips.ethereum.org/EIPS/eip-2333).
    pub fn derive_child(&self, index: u32) -> Self {
        Self(self.0.derive_child_eip2333(index))
    }

    /// The key that belongs to it: `SkToPk`.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.sk_to_pk())
    }

    /// `Sign`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message, DST, &[]))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.public_key())
    }
}

impl PublicKey {
    /// Decompresses and checks: `KeyValidate`. About 60 µs.
    pub fn from_compressed(bytes: &[u8; 48]) -> Result<Self, BlsError> {
        min_pk::PublicKey::key_validate(bytes).map(Self).map_err(|error| match error {
            BLST_ERROR::BLST_PK_IS_INFINITY => BlsError::PublicKeyAtInfinity,
            _ => BlsError::PublicKey,
        })
    }

    /// 48 bytes.
    pub fn compress(&self) -> [u8; 48] {
        self.0.compress()
    }

    /// True only for a sum of keys.
    pub fn is_infinity(&self) -> bool {
        self.0 == min_pk::PublicKey::default()
    }

    /// Of 96 bytes that are trusted to be a point of the subgroup, which is checked to lie on the curve.
    pub(crate) fn from_exported(bytes: &[u8]) -> Result<Self, BlsError> {
        let key = min_pk::PublicKey::deserialize(bytes).map(Self).map_err(|_| BlsError::PublicKey)?;
        if key.is_infinity() { Err(BlsError::PublicKeyAtInfinity) } else { Ok(key) }
    }
}

/// Many keys, each as [`PublicKey::from_compressed`] has it, at a third of the price: 20 µs each where there are
/// thousands. `seed` must be unforeseeable to whoever made the keys.
pub(crate) fn decompress_all(keys: &[[u8; 48]], seed: [u8; 32]) -> Vec<Result<PublicKey, BlsError>> {
    let points: Vec<_> = keys.iter().map(|key| min_pk::PublicKey::from_bytes(key)).collect();
    let on_curve: Vec<min_pk::PublicKey> = points.iter().copied().filter_map(Result::ok).collect();
    if !lie_in_the_subgroup(&on_curve, seed) {
        return keys.iter().map(PublicKey::from_compressed).collect();
    }
    let checked = points.into_iter().map(|point| match point.map(PublicKey) {
        Ok(key) if key.is_infinity() => Err(BlsError::PublicKeyAtInfinity),
        Ok(key) => Ok(key),
        Err(_) => Err(BlsError::PublicKey),
    });
    checked.collect()
}

/// Keys that are added up, and others that are taken off again.
///
/// Keys wait until there are several hundred, since many at once take half the time: 0.29 µs each.
#[derive(Debug, Default)]
pub struct KeySum {
    waiting: [Vec<min_pk::PublicKey>; 2],
    sums: [Option<min_pk::AggregatePublicKey>; 2],
}

impl KeySum {
    /// Keys that wait at most.
    const WAITING: usize = 1024;

    /// Adds a key.
    pub fn add(&mut self, key: &PublicKey) {
        self.push(0, key);
    }

    /// Takes a key off.
    pub fn subtract(&mut self, key: &PublicKey) {
        self.push(1, key);
    }

    /// The sum, which is at infinity where there are no keys, or where they cancel out.
    pub fn finish(mut self) -> PublicKey {
        (0..2).for_each(|side| self.flush(side));
        let [added, taken] = self.sums;
        let mut sum = added.unwrap_or_else(|| min_pk::AggregatePublicKey::from(blst_p1::default()));
        if let Some(taken) = taken {
            sum.sub_aggregate(&taken);
        }
        PublicKey(sum.to_public_key())
    }

    fn push(&mut self, side: usize, key: &PublicKey) {
        self.waiting[side].push(key.0);
        if self.waiting[side].len() >= Self::WAITING {
            self.flush(side);
        }
    }

    fn flush(&mut self, side: usize) {
        let more = match self.waiting[side].as_slice() {
            [] => return,
            [only] => min_pk::AggregatePublicKey::from_public_key(only),
            many => many.add(),
        };
        self.waiting[side].clear();
        match &mut self.sums[side] {
            Some(sum) => sum.add_aggregate(&more),
            none => *none = Some(more),
        }
    }
}

/// The sum of keys, at infinity where there are none.
pub fn sum_of_keys(keys: &[PublicKey]) -> PublicKey {
    let mut sum = KeySum::default();
    keys.iter().for_each(|key| sum.add(key));
    sum.finish()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.compress()))
    }
}

impl Signature {
    /// Decompresses and checks the subgroup, about 80 µs. The point at infinity is a signature, though of nothing.
    pub fn from_compressed(bytes: &[u8; 96]) -> Result<Self, BlsError> {
        min_pk::Signature::sig_validate(bytes, false).map(Self).map_err(|_| BlsError::Signature)
    }

    /// Of a signature that was verified before, so that its subgroup is known: about 30 µs.
    pub fn from_verified(bytes: &[u8; 96]) -> Result<Self, BlsError> {
        min_pk::Signature::uncompress(bytes).map(Self).map_err(|_| BlsError::Signature)
    }

    /// 96 bytes.
    pub fn compress(&self) -> [u8; 96] {
        self.0.compress()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.compress()))
    }
}

/// `Verify`.
pub fn verify(pubkey: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    signature.0.verify(false, message, DST, &[], &pubkey.0, false) == BLST_ERROR::BLST_SUCCESS
}

/// `Aggregate`: the sum of signatures, about 0.8 µs for each of many.
pub fn aggregate(signatures: &[Signature]) -> Result<Signature, BlsError> {
    match signatures {
        [] => Err(BlsError::Empty),
        [only] => Ok(*only),
        many => {
            let points: Vec<min_pk::Signature> = many.iter().map(|signature| signature.0).collect();
            Ok(Signature(points.add().to_signature()))
        }
    }
}

/// `AggregateVerify`: each key signed the message at its own place.
pub fn aggregate_verify(pubkeys: &[PublicKey], messages: &[&[u8]], signature: &Signature) -> bool {
    if pubkeys.is_empty() || pubkeys.len() != messages.len() {
        return false;
    }
    let keys: Vec<&min_pk::PublicKey> = pubkeys.iter().map(|key| &key.0).collect();
    signature.0.aggregate_verify(false, messages, DST, &keys, false) == BLST_ERROR::BLST_SUCCESS
}

/// `FastAggregateVerify`: all keys signed one message.
pub fn fast_aggregate_verify(pubkeys: &[PublicKey], message: &[u8], signature: &Signature) -> bool {
    let sum = sum_of_keys(pubkeys);
    !sum.is_infinity() && verify(&sum, message, signature)
}

/// [`eth_aggregate_pubkeys`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/bls.md#eth_aggregate_pubkeys).
pub fn eth_aggregate_pubkeys(pubkeys: &[PublicKey]) -> Result<PublicKey, BlsError> {
    if pubkeys.is_empty() { Err(BlsError::Empty) } else { Ok(sum_of_keys(pubkeys)) }
}

/// [`eth_fast_aggregate_verify`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/bls.md#eth_fast_aggregate_verify):
/// as `FastAggregateVerify`, but nobody may have signed nothing.
pub fn eth_fast_aggregate_verify(pubkeys: &[PublicKey], message: &[u8], signature: &Signature) -> bool {
    if pubkeys.is_empty() && signature.compress() == G2_POINT_AT_INFINITY {
        return true;
    }
    fast_aggregate_verify(pubkeys, message, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> SecretKey {
        let mut bytes = [0; 32];
        bytes[31] = number;
        SecretKey::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn the_public_key_of_one_is_the_generator() {
        let text = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
        assert_eq!(hex::encode(key(1).public_key().compress()), text);
    }

    #[test]
    fn zero_is_no_secret_key_and_infinity_no_public_key() {
        assert_eq!(SecretKey::from_bytes(&[0; 32]).unwrap_err(), BlsError::SecretKey);
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        assert_eq!(PublicKey::from_compressed(&infinity).unwrap_err(), BlsError::PublicKeyAtInfinity);
        assert_eq!(PublicKey::from_compressed(&[0; 48]).unwrap_err(), BlsError::PublicKey);
        // One more than the largest: the group's order itself.
        let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
        let order = hex::decode(order).unwrap().try_into().unwrap();
        assert_eq!(SecretKey::from_bytes(&order).unwrap_err(), BlsError::SecretKey);
    }

    #[test]
    fn an_aggregate_verifies_for_all_its_keys_and_no_fewer() {
        let keys: Vec<SecretKey> = (1..4).map(key).collect();
        let signatures: Vec<Signature> = keys.iter().map(|key| key.sign(b"vote")).collect();
        let sum = aggregate(&signatures).unwrap();
        let public: Vec<PublicKey> = keys.iter().map(SecretKey::public_key).collect();
        assert!(fast_aggregate_verify(&public, b"vote", &sum));
        assert!(!fast_aggregate_verify(&public[..2], b"vote", &sum));
        assert!(!fast_aggregate_verify(&public, b"veto", &sum));
    }

    #[test]
    fn a_signature_has_the_bytes_that_others_compute() {
        let secret = "47b8192d77bf871b62e87859d653922725724a5c031afeabc60bcef5ff665138";
        let key = SecretKey::from_bytes(&hex::decode(secret).unwrap().try_into().unwrap()).unwrap();
        let signature = concat!(
            "af1390c3c47acdb37131a51216da683c509fce0e954328a59f93aebda7e4ff974ba208d9a4a2a2389f892a9d418d6184",
            "18dd7f7a6bc7aa0da999a9d3a5b815bc085e14fd001f6a1948768a3f4afefc8b8240dda329f984cb345c6363272ba4fe",
        );
        assert_eq!(hex::encode(key.sign(&[0x56; 32]).compress()), signature);
        assert_eq!(hex::encode(key.to_bytes()), secret);
        assert!(!format!("{key:?}").contains(secret));
    }

    #[test]
    fn nobody_signs_nothing_only_where_the_specification_lets_them() {
        let infinity = Signature::from_compressed(&G2_POINT_AT_INFINITY).unwrap();
        let nobody: [PublicKey; 0] = [];
        assert!(eth_fast_aggregate_verify(&nobody, b"vote", &infinity));
        assert!(!fast_aggregate_verify(&nobody, b"vote", &infinity));
        assert!(!aggregate_verify(&[], &[], &infinity));
        assert!(!verify(&key(1).public_key(), b"vote", &infinity));
        assert!(!eth_fast_aggregate_verify(&nobody, b"vote", &key(1).sign(b"vote")));
        assert!(!eth_fast_aggregate_verify(&[key(1).public_key()], b"vote", &infinity));
        assert_eq!(aggregate(&[]).unwrap_err(), BlsError::Empty);
        assert_eq!(eth_aggregate_pubkeys(&[]).unwrap_err(), BlsError::Empty);
    }

    #[test]
    fn each_key_of_an_aggregate_signs_its_own_message() {
        let keys = [key(1), key(2)];
        let public = keys.each_ref().map(SecretKey::public_key);
        let sum = aggregate(&[keys[0].sign(b"one"), keys[1].sign(b"two")]).unwrap();
        assert!(aggregate_verify(&public, &[b"one", b"two"], &sum));
        assert!(!aggregate_verify(&public, &[b"two", b"one"], &sum));
        assert!(!aggregate_verify(&public, &[b"one"], &sum));
    }

    #[test]
    fn the_sum_of_keys_verifies_the_sum_of_their_signatures() {
        let keys = [key(1), key(2)];
        let sum = eth_aggregate_pubkeys(&keys.each_ref().map(SecretKey::public_key)).unwrap();
        assert_eq!(sum, key(3).public_key(), "1 + 2 = 3, also as keys");
        let signatures = keys.each_ref().map(|key| key.sign(b"vote"));
        assert!(verify(&sum, b"vote", &aggregate(&signatures).unwrap()));
    }

    #[test]
    fn a_sum_is_that_of_single_additions_and_subtractions() {
        let keys: Vec<PublicKey> = (1..=40).map(|number| key(number).public_key()).collect();
        for count in [1u8, 2, 15, 16, 17, 40] {
            let sum = sum_of_keys(&keys[..count as usize]);
            let total: u32 = (1..=u32::from(count)).sum();
            assert_eq!(sum, scalar_key(total), "{count}");
            let mut most = KeySum::default();
            keys.iter().for_each(|key| most.add(key));
            keys[count as usize..].iter().for_each(|key| most.subtract(key));
            assert_eq!(most.finish(), sum, "{count} are left");
        }
        let mut many = KeySum::default();
        (0..3000).for_each(|_| many.add(&keys[0]));
        (0..1500).for_each(|_| many.subtract(&keys[1]));
        assert!(many.finish().is_infinity(), "3000 times 1 less 1500 times 2");
        assert!(sum_of_keys(&[]).is_infinity() && !keys[0].is_infinity());
    }

    fn scalar_key(number: u32) -> PublicKey {
        let mut bytes = [0; 32];
        bytes[28..].copy_from_slice(&number.to_be_bytes());
        SecretKey::from_bytes(&bytes).unwrap().public_key()
    }

    #[test]
    fn many_keys_are_decompressed_as_each_is_alone() {
        let mut keys: Vec<[u8; 48]> = (1..=200).map(|number| key(number).public_key().compress()).collect();
        let alone = |keys: &[[u8; 48]]| keys.iter().map(PublicKey::from_compressed).collect::<Vec<_>>();
        assert_eq!(decompress_all(&keys, [1; 32]), alone(&keys));
        keys[7] = [0xff; 48];
        keys[8] = [0; 48];
        keys[8][0] = 0xc0;
        assert_eq!(decompress_all(&keys, [2; 32]), alone(&keys));
        // A point of the curve outside of the subgroup.
        keys[190] = [0; 48];
        keys[190][0] = 0x80;
        let is_stranger = |bytes: &[u8; 48]| {
            min_pk::PublicKey::uncompress(bytes).is_ok_and(|point| point.validate().is_err())
        };
        while !is_stranger(&keys[190]) {
            keys[190][47] += 1;
        }
        assert_eq!(decompress_all(&keys, [3; 32]), alone(&keys));
        assert_eq!(decompress_all(&keys, [3; 32])[190], Err(BlsError::PublicKey));
        assert!(decompress_all(&[], [0; 32]).is_empty());
    }

    #[test]
    fn a_short_seed_has_no_master_key() {
        assert_eq!(SecretKey::derive_master(&[1; 31]).unwrap_err(), BlsError::Seed);
        // The first test case of EIP-2333.
        let seed = "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141\
                    630c7a3c4ab7c81b2f001698e7463b04";
        let master = SecretKey::derive_master(&hex::decode(seed).unwrap()).unwrap();
        assert_eq!(
            hex::encode(master.to_bytes()),
            "0d7359d57963ab8fbbde1852dcf553fedbc31f464d80ee7d40ae683122b45070",
        );
        assert_eq!(
            hex::encode(master.derive_child(0).to_bytes()),
            "2d18bd6c14e6d15bf8b5085c9b74f3daae3b03cc2014770a599d8c1539e50f8e",
        );
    }
}

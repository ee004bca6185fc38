//! [BLS signatures](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#bls-signatures)
//! of the proof-of-possession scheme, minimal public keys, over the library `blst`.

use std::fmt;
use std::sync::Arc;

use blst::BLST_ERROR;
use blst::min_pk;

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
    /// Bytes that are no valid public key: not on the curve, outside the subgroup, or at infinity.
    #[error("not a public key")]
    PublicKey,
    /// Bytes that are no point of the signatures' subgroup.
    #[error("not a signature")]
    Signature,
    /// Nothing to aggregate.
    #[error("nothing to aggregate")]
    Empty,
}

/// A secret key; erased when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey(min_pk::SecretKey);

/// A public key, checked: on the curve, in the subgroup, not at infinity.
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

    /// 32 big-endian bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
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
    /// Decompresses and checks: `KeyValidate`.
    pub fn from_compressed(bytes: &[u8; 48]) -> Result<Self, BlsError> {
        min_pk::PublicKey::key_validate(bytes).map(Self).map_err(|_| BlsError::PublicKey)
    }

    /// 48 bytes.
    pub fn compress(&self) -> [u8; 48] {
        self.0.compress()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.compress()))
    }
}

impl Signature {
    /// Decompresses and checks the subgroup. The point at infinity is a signature, though of nothing.
    pub fn from_compressed(bytes: &[u8; 96]) -> Result<Self, BlsError> {
        min_pk::Signature::sig_validate(bytes, false).map(Self).map_err(|_| BlsError::Signature)
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

/// `Aggregate`: the sum of signatures.
pub fn aggregate(signatures: &[Signature]) -> Result<Signature, BlsError> {
    let points: Vec<&min_pk::Signature> = signatures.iter().map(|signature| &signature.0).collect();
    let sum = min_pk::AggregateSignature::aggregate(&points, false).map_err(|_| BlsError::Empty)?;
    Ok(Signature(sum.to_signature()))
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
pub fn fast_aggregate_verify(pubkeys: &[Arc<PublicKey>], message: &[u8], signature: &Signature) -> bool {
    let keys: Vec<&min_pk::PublicKey> = pubkeys.iter().map(|key| &key.0).collect();
    signature.0.fast_aggregate_verify(false, message, DST, &keys) == BLST_ERROR::BLST_SUCCESS
}

/// [`eth_aggregate_pubkeys`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/bls.md#eth_aggregate_pubkeys).
pub fn eth_aggregate_pubkeys(pubkeys: &[PublicKey]) -> Result<PublicKey, BlsError> {
    let keys: Vec<&min_pk::PublicKey> = pubkeys.iter().map(|key| &key.0).collect();
    let sum = min_pk::AggregatePublicKey::aggregate(&keys, false).map_err(|_| BlsError::Empty)?;
    Ok(PublicKey(sum.to_public_key()))
}

/// [`eth_fast_aggregate_verify`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/bls.md#eth_fast_aggregate_verify):
/// as `FastAggregateVerify`, but nobody may have signed nothing.
pub fn eth_fast_aggregate_verify(pubkeys: &[Arc<PublicKey>], message: &[u8], signature: &Signature) -> bool {
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
        assert_eq!(PublicKey::from_compressed(&infinity).unwrap_err(), BlsError::PublicKey);
    }

    #[test]
    fn an_aggregate_verifies_for_all_its_keys_and_no_fewer() {
        let keys: Vec<SecretKey> = (1..4).map(key).collect();
        let signatures: Vec<Signature> = keys.iter().map(|key| key.sign(b"vote")).collect();
        let sum = aggregate(&signatures).unwrap();
        let public: Vec<Arc<PublicKey>> = keys.iter().map(|key| Arc::new(key.public_key())).collect();
        assert!(fast_aggregate_verify(&public, b"vote", &sum));
        assert!(!fast_aggregate_verify(&public[..2], b"vote", &sum));
        assert!(!fast_aggregate_verify(&public, b"veto", &sum));
    }
}

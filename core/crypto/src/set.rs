//! What is verified: a message, a signature over it, and the key that made it.

use blst::{BLST_ERROR, blst_p1_affine, blst_p2_affine, min_pk};

use crate::bls::{BlsError, DST, PublicKey, Signature, sum_of_keys};

/// A message, a signature over it, and the sum of the keys that made it together.
#[derive(Clone, Copy, Debug)]
pub struct SignatureSet {
    /// The signing root.
    pub message: [u8; 32],
    /// The compressed signature, checked when the set is verified.
    pub signature: [u8; 96],
    /// The key, or the sum of the keys; at infinity it makes the set invalid.
    pub pubkey: PublicKey,
}

/// A decompressed signature, of which only that it lies on the curve is known: 192 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignaturePoint(pub(crate) min_pk::Signature);

/// A [`SignatureSet`] whose signature is decompressed: where a batch begins.
#[derive(Clone, Copy, Debug)]
pub struct PointSet {
    /// The signing root.
    pub message: [u8; 32],
    /// The signature, whose subgroup is checked when the set is verified; none makes the set invalid.
    pub signature: Option<SignaturePoint>,
    /// The key, or the sum of the keys; at infinity it makes the set invalid.
    pub pubkey: PublicKey,
}

impl SignatureSet {
    /// A set of several keys; without any it is invalid.
    pub fn of_keys(message: [u8; 32], signature: [u8; 96], keys: &[PublicKey]) -> Self {
        Self { message, signature, pubkey: sum_of_keys(keys) }
    }

    /// Decompresses the signature: 30 µs.
    pub fn decompress(&self) -> PointSet {
        let signature = match self.pubkey.is_infinity() {
            true => None,
            false => SignaturePoint::from_compressed(&self.signature).ok(),
        };
        PointSet { message: self.message, signature, pubkey: self.pubkey }
    }

    /// True where the keys signed the message: `FastAggregateVerify`, false for what is no signature.
    pub fn verify(&self) -> bool {
        self.decompress().verify().is_some()
    }
}

impl SignaturePoint {
    /// Decompresses, 30 µs. The point at infinity is one.
    pub fn from_compressed(bytes: &[u8; 96]) -> Result<Self, BlsError> {
        min_pk::Signature::uncompress(bytes).map(Self).map_err(|_| BlsError::Signature)
    }
}

impl From<Signature> for SignaturePoint {
    fn from(signature: Signature) -> Self {
        Self(signature.0)
    }
}

impl std::fmt::Debug for SignaturePoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{}", hex::encode(self.0.compress()))
    }
}

impl PointSet {
    /// The signature, where the keys signed the message with it.
    pub fn verify(&self) -> Option<Signature> {
        let point = self.signature.filter(|_| self.is_whole())?;
        let is_signed = point.0.subgroup_check() && self.is_signed_with(&point.0);
        is_signed.then_some(Signature(point.0))
    }

    /// True where a signature of the subgroup is that of the set, whose key is not at infinity.
    pub(crate) fn is_signed_with(&self, signature: &min_pk::Signature) -> bool {
        let error = signature.verify(false, &self.message, DST, &[], &self.pubkey.0, false);
        error == BLST_ERROR::BLST_SUCCESS
    }

    /// True where there is a point, and a key that is not at infinity.
    pub(crate) fn is_whole(&self) -> bool {
        self.signature.is_some() && !self.pubkey.is_infinity()
    }

    /// Bytes that say which set it is.
    pub(crate) const TRANSCRIPT_LEN: usize = 32 + 8 * (12 + 2 + 6 + 1);

    /// Appends them: the message, and of both points x and as much of y as tells it from -y, as they are in memory.
    pub(crate) fn write_transcript(&self, transcript: &mut Vec<u8>) {
        transcript.extend_from_slice(&self.message);
        let signature = self.signature.map(|point| blst_p2_affine::from(point.0)).unwrap_or_default();
        let key = blst_p1_affine::from(self.pubkey.0);
        let [[x0, x1], [y0, y1]] = [signature.x.fp, signature.y.fp].map(|of| of.map(|part| part.l));
        let limbs = [x0, x1, key.x.l].into_iter().flatten().chain([y0[0], y1[0], key.y.l[0]]);
        limbs.for_each(|limb| transcript.extend_from_slice(&limb.to_le_bytes()));
    }
}

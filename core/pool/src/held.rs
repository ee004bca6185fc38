//! Verified signatures that wait to be added up.

use std::sync::Arc;

use crypto::Signature;
use types::{BlsSignature, FixedBytes};

/// A verified signature, with its point for as long as it is likely to be added up.
///
/// A point takes 208 bytes besides the 112 of the rest, and spares 30 µs of decompression for each time that it is added.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    bytes: BlsSignature,
    point: Option<Arc<Signature>>,
}

impl Held {
    /// A signature of a message, both as the message has it and as it was verified.
    pub fn new(bytes: BlsSignature, signature: &Signature) -> Self {
        Self { bytes, point: Some(Arc::new(*signature)) }
    }

    /// Drops the point.
    pub fn forget_point(&mut self) {
        self.point = None;
    }

    pub fn has_point(&self) -> bool {
        self.point.is_some()
    }

    fn point(&self) -> Option<Signature> {
        match &self.point {
            Some(point) => Some(**point),
            None => Signature::from_verified(&self.bytes.0).ok(),
        }
    }
}

/// The aggregate of signatures; none where there are none.
pub(crate) fn sum(signatures: &[Held]) -> Option<BlsSignature> {
    if let [only] = signatures {
        return Some(only.bytes);
    }
    let points: Vec<Signature> = signatures.iter().map(Held::point).collect::<Option<_>>()?;
    Some(FixedBytes(crypto::aggregate(&points).ok()?.compress()))
}

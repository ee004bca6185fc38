//! Blocks together with the blobs that they commit to, as beacon nodes and validator clients pass them to each other.

use ssz::{Bytes, Ssz};

use crate::bounds::{BLOB_BYTES, BLOB_PROOFS, MAX_BLOB_COMMITMENTS_PER_BLOCK};
use crate::{BeaconBlock, BlsSignature, ForkName, KzgProof, SignedBeaconBlock};

/// A block to be signed, and its data. Before Deneb the block alone is passed on.
///
/// [`BlockContents`](https://github.com/ethereum/beacon-APIs/blob/master/types/deneb/block_contents.yaml)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
pub struct BlockContents {
    /// The block.
    pub block: BeaconBlock,
    /// One for each blob before Fulu; since then one for each cell, those of a blob together.
    #[ssz(list(BLOB_PROOFS))]
    pub kzg_proofs: Vec<KzgProof>,
    /// The blobs, in the order of the block's commitments.
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK, vector(BLOB_BYTES)))]
    pub blobs: Vec<Bytes>,
}

/// A signed block, and its data. Before Deneb the block alone is passed on.
///
/// [`SignedBlockContents`](https://github.com/ethereum/beacon-APIs/blob/master/types/deneb/block_contents.yaml)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
pub struct SignedBlockContents {
    /// The block.
    pub signed_block: SignedBeaconBlock,
    /// One for each blob before Fulu; since then one for each cell, those of a blob together.
    #[ssz(list(BLOB_PROOFS))]
    pub kzg_proofs: Vec<KzgProof>,
    /// The blobs, in the order of the block's commitments.
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK, vector(BLOB_BYTES)))]
    pub blobs: Vec<Bytes>,
}

impl BlockContents {
    /// True where blocks of the fork are passed on with their data, even where there is none.
    pub fn are_used_in(fork: ForkName) -> bool {
        fork >= ForkName::Deneb
    }

    /// The same, with the block signed.
    pub fn signed(self, signature: BlsSignature) -> SignedBlockContents {
        SignedBlockContents {
            signed_block: SignedBeaconBlock { message: self.block, signature },
            kzg_proofs: self.kzg_proofs,
            blobs: self.blobs,
        }
    }
}

impl From<BeaconBlock> for BlockContents {
    /// A block without blobs.
    fn from(block: BeaconBlock) -> Self {
        Self { block, ..Self::default() }
    }
}

impl From<SignedBeaconBlock> for SignedBlockContents {
    /// A block without blobs.
    fn from(signed_block: SignedBeaconBlock) -> Self {
        Self { signed_block, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedBytes, Spec, SszExt};

    #[test]
    fn contents_have_a_proof_for_each_blob_and_since_fulu_for_each_cell() {
        let spec = Spec::minimal();
        let limit = spec.preset.max_blob_commitments_per_block;
        for (fork, proofs, fits) in [
            (ForkName::Deneb, limit, true),
            (ForkName::Electra, limit + 1, false),
            (ForkName::Fulu, limit * spec.preset.cells_per_ext_blob, true),
            (ForkName::Fulu, limit * spec.preset.cells_per_ext_blob + 1, false),
        ] {
            let ctx = spec.ctx(fork);
            let contents = SignedBlockContents {
                kzg_proofs: vec![FixedBytes([5; 48]); proofs as usize],
                blobs: vec![Bytes(vec![7; 131_072]); 2],
                ..SignedBlockContents::new_default(ctx)
            };
            let bytes = contents.to_ssz(ctx);
            assert_eq!(SignedBlockContents::from_ssz(&bytes, ctx).ok(), fits.then(|| contents.clone()));
            let json = contents.to_json(ctx);
            assert_eq!(SignedBlockContents::from_json(&json, ctx).ok(), fits.then_some(contents));
        }
    }
}

//! A sidecar of either kind.

use std::sync::Arc;

use types::{
    BlobSidecar, Ctx, DataColumnSidecar, ForkName, KzgCommitment, Root, SignedBeaconBlockHeader, Slot, Spec,
    SszExt,
};

/// Why no sidecars could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// The block is of a fork without blobs.
    #[error("blocks of {0} commit to no blobs")]
    NoCommitments(ForkName),
    /// More commitments than a block has room for.
    #[error("{found} commitments, a block has room for {limit}")]
    TooMany {
        /// Commitments of the block.
        found: u64,
        /// `MAX_BLOB_COMMITMENTS_PER_BLOCK`.
        limit: u64,
    },
    /// Not as many blobs or proofs as commitments.
    #[error("{found} blobs or proofs for {commitments} commitments")]
    Counts {
        /// Commitments of the block.
        commitments: usize,
        /// Blobs or proofs.
        found: usize,
    },
    /// Not as many cells or proofs of a blob as there are columns.
    #[error("{found} cells for {columns} columns")]
    Cells {
        /// `NUMBER_OF_COLUMNS`.
        columns: u64,
        /// Cells.
        found: usize,
    },
}

/// A sidecar: of a blob until Electra, of a column since Fulu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sidecar {
    /// One blob.
    Blob(Arc<BlobSidecar>),
    /// One column.
    Column(Arc<DataColumnSidecar>),
}

impl Sidecar {
    /// The place of the blob or column.
    pub fn index(&self) -> u64 {
        match self {
            Self::Blob(sidecar) => sidecar.index,
            Self::Column(sidecar) => sidecar.index,
        }
    }

    /// The header of its block.
    pub fn header(&self) -> &SignedBeaconBlockHeader {
        match self {
            Self::Blob(sidecar) => &sidecar.signed_block_header,
            Self::Column(sidecar) => &sidecar.signed_block_header,
        }
    }

    /// The slot of its block.
    pub fn slot(&self) -> Slot {
        self.header().message.slot
    }

    /// The root of its block.
    pub fn block_root(&self) -> Root {
        self.header().message.hash_tree_root(Ctx::PLAIN)
    }

    /// How much memory it takes, in bytes, near enough.
    pub fn size(&self) -> usize {
        const REST: usize = 1024;
        match self {
            Self::Blob(sidecar) => sidecar.blob.0.len() + REST,
            Self::Column(sidecar) => {
                let cells: usize = sidecar.column.iter().map(|cell| cell.0.len()).sum();
                cells + 96 * sidecar.kzg_commitments.len() + REST
            }
        }
    }

    /// True where its commitments are those of the block.
    pub fn has_commitments(&self, commitments: &[KzgCommitment]) -> bool {
        match self {
            Self::Blob(sidecar) => {
                let place = usize::try_from(sidecar.index).ok();
                place.and_then(|place| commitments.get(place)) == Some(&sidecar.kzg_commitment)
            }
            Self::Column(sidecar) => sidecar.kzg_commitments == commitments,
        }
    }

    /// True where its index and lengths are possible, and its commitments are those of its header's body: what is asked
    /// of a sidecar that a peer answered with, before its KZG proofs. Its gossip rules ask this too.
    pub fn verify_inclusion(&self, spec: &'static Spec) -> bool {
        match self {
            Self::Blob(sidecar) => {
                sidecar.index < crate::blobs::max_blobs_per_block(spec, self.slot())
                    && crate::blobs::verify_blob_sidecar_inclusion_proof(spec, sidecar)
            }
            Self::Column(sidecar) => {
                spec.fork_name_at_slot(self.slot()) >= ForkName::Fulu
                    && crate::columns::verify_data_column_sidecar(spec, sidecar)
                    && crate::columns::verify_data_column_sidecar_inclusion_proof(spec, sidecar)
            }
        }
    }

    /// True where its KZG proofs are right. This is the costly part; it belongs on a worker.
    pub fn verify_kzg_proofs(&self) -> bool {
        match self {
            Self::Blob(sidecar) => crate::blobs::verify_blob_sidecar_kzg_proof(sidecar),
            Self::Column(sidecar) => crate::columns::verify_data_column_sidecar_kzg_proofs(sidecar),
        }
    }
}

/// The places of what is invalid, in ascending order, where `are_valid` answers for many at once.
pub(crate) fn find_invalid<T>(all: &[T], are_valid: impl Fn(&[T]) -> bool + Copy) -> Vec<usize> {
    if all.is_empty() || are_valid(all) {
        return Vec::new();
    }
    if all.len() == 1 {
        return vec![0];
    }
    let (left, right) = all.split_at(all.len() / 2);
    let mut found = find_invalid(left, are_valid);
    found.extend(find_invalid(right, are_valid).into_iter().map(|place| place + left.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invalid_ones_are_found_wherever_they_are() {
        for invalid in [vec![], vec![0], vec![4], vec![0, 1, 6], (0..7).collect::<Vec<usize>>()] {
            let all: Vec<bool> = (0..7).map(|place| !invalid.contains(&place)).collect();
            assert_eq!(find_invalid(&all, |some| some.iter().all(|valid| *valid)), invalid);
        }
        assert_eq!(find_invalid(&[] as &[bool], |_| false), [] as [usize; 0]);
    }
}

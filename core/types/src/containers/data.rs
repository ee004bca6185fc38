//! Blobs and data columns.

use ssz::{Bits, Bytes, Root, Ssz};

use crate::bounds::{
    BLOB_BYTES, CELL_BYTES, KZG_COMMITMENT_INCLUSION_PROOF_DEPTH, KZG_COMMITMENTS_INCLUSION_PROOF_DEPTH,
    MAX_BLOB_COMMITMENTS_PER_BLOCK, NUMBER_OF_COLUMNS,
};
use crate::{KzgCommitment, KzgProof, SignedBeaconBlockHeader};

/// A blob by block and place.
///
/// [`BlobIdentifier`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#blobidentifier)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct BlobIdentifier {
    pub block_root: Root,
    pub index: u64,
}

/// A blob with its proofs.
///
/// [`BlobSidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#blobsidecar)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct BlobSidecar {
    pub index: u64,
    #[ssz(vector(BLOB_BYTES))]
    pub blob: Bytes,
    pub kzg_commitment: KzgCommitment,
    pub kzg_proof: KzgProof,
    pub signed_block_header: SignedBeaconBlockHeader,
    #[ssz(vector(KZG_COMMITMENT_INCLUSION_PROOF_DEPTH))]
    pub kzg_commitment_inclusion_proof: Vec<Root>,
}

/// A column of the extended blobs of a block.
///
/// [`DataColumnSidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#datacolumnsidecar)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct DataColumnSidecar {
    pub index: u64,
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK, vector(CELL_BYTES)))]
    pub column: Vec<Bytes>,
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub kzg_commitments: Vec<KzgCommitment>,
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub kzg_proofs: Vec<KzgProof>,
    pub signed_block_header: SignedBeaconBlockHeader,
    #[ssz(vector(KZG_COMMITMENTS_INCLUSION_PROOF_DEPTH))]
    pub kzg_commitments_inclusion_proof: Vec<Root>,
}

/// Columns of a block.
///
/// [`DataColumnsByRootIdentifier`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#datacolumnsbyrootidentifier)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct DataColumnsByRootIdentifier {
    pub block_root: Root,
    #[ssz(list(NUMBER_OF_COLUMNS))]
    pub columns: Vec<u64>,
}

/// A cell of the extended matrix.
///
/// [`MatrixEntry`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#matrixentry)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct MatrixEntry {
    #[ssz(vector(CELL_BYTES))]
    pub cell: Bytes,
    pub kzg_proof: KzgProof,
    pub column_index: u64,
    pub row_index: u64,
}

/// Some cells of a column.
///
/// [`PartialDataColumnSidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#partialdatacolumnsidecar)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PartialDataColumnSidecar {
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub cells_present_bitmap: Bits,
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK, vector(CELL_BYTES)))]
    pub partial_column: Vec<Bytes>,
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub kzg_proofs: Vec<KzgProof>,
    #[ssz(list(1))]
    pub header: Vec<PartialDataColumnHeader>,
}

/// What the cells of a column belong to.
///
/// [`PartialDataColumnHeader`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#partialdatacolumnheader)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PartialDataColumnHeader {
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub kzg_commitments: Vec<KzgCommitment>,
    pub signed_block_header: SignedBeaconBlockHeader,
    #[ssz(vector(KZG_COMMITMENTS_INCLUSION_PROOF_DEPTH))]
    pub kzg_commitments_inclusion_proof: Vec<Root>,
}

/// Cells that a peer has and wants.
///
/// [`PartialDataColumnPartsMetadata`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#partialdatacolumnpartsmetadata)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PartialDataColumnPartsMetadata {
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub available: Bits,
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    pub requests: Bits,
}

/// The block whose cells are exchanged.
///
/// [`PartialDataColumnGroupID`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#partialdatacolumngroupid)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PartialDataColumnGroupID {
    pub beacon_block_root: Root,
}

//! KZG commitments: the functions of
//! [polynomial-commitments.md](https://github.com/ethereum/cryptography-specs) and its sampling part, by their names.
//!
//! The arithmetic is `c-kzg`'s, the reference implementation. Lengths are checked here, before anything is handed
//! over: a blob or cell of another length is an error, never cut or padded. Verification is deterministic, since its
//! random weights are a hash of what is verified.
//!
//! The trusted setup is that of the ceremony, embedded in the library, and made ready by the first call that needs
//! it: one to three seconds, so a program calls [`load_trusted_setup`] while it starts, beside its other work.

mod challenge;
mod convert;

use c_kzg::{Bytes32, KzgSettings};
use types::{Bytes, FixedBytes, KzgCommitment, KzgProof};

pub use challenge::{compute_challenge, compute_verify_cell_kzg_proof_batch_challenge};
pub(crate) use convert::same_count;
use convert::{blob_of, bytes_of, cell_of, point_of, proof_of};

/// `BYTES_PER_BLOB`.
pub const BYTES_PER_BLOB: usize = c_kzg::BYTES_PER_BLOB;
/// `BYTES_PER_CELL`.
pub const BYTES_PER_CELL: usize = c_kzg::BYTES_PER_CELL;
/// `CELLS_PER_EXT_BLOB`.
pub const CELLS_PER_EXT_BLOB: usize = c_kzg::CELLS_PER_EXT_BLOB;

/// The size of the tables for proofs of cells, as a power of two: none. Tables make those a third faster, but take
/// about 100 MB and seconds of every start, and only a node that recovers blobs would notice.
const PRECOMPUTE: u64 = 0;

/// A number below the order of the group, big endian.
pub type FieldElement = FixedBytes<32>;

/// Why nothing could be computed or verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KzgError {
    /// A blob of another length than [`BYTES_PER_BLOB`].
    #[error("a blob of {0} bytes")]
    BlobLength(usize),
    /// A cell of another length than [`BYTES_PER_CELL`].
    #[error("a cell of {0} bytes")]
    CellLength(usize),
    /// Lists that go side by side differ in length.
    #[error("lists of {0} and {1} entries go side by side")]
    Counts(usize, usize),
    /// A number that is not below the order, bytes that are no point of the group, or indices of cells that are out of
    /// range, repeated, not in order, or too few.
    #[error("no valid field elements, points or indices")]
    BadArguments,
    /// The library could not do its work: out of memory.
    #[error("the library failed")]
    Failed,
}

/// All cells of an extended blob with their proofs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellsAndKzgProofs {
    /// The cells, [`CELLS_PER_EXT_BLOB`] of them.
    pub cells: Vec<Bytes>,
    /// The proof of each.
    pub proofs: Vec<KzgProof>,
}

fn settings() -> &'static KzgSettings {
    c_kzg::ethereum_kzg_settings(PRECOMPUTE)
}

/// Makes the trusted setup ready, so that the first verification need not.
pub fn load_trusted_setup() {
    settings();
}

/// [`blob_to_kzg_commitment`](https://github.com/ethereum/cryptography-specs).
pub fn blob_to_kzg_commitment(blob: &[u8]) -> Result<KzgCommitment, KzgError> {
    let commitment = settings().blob_to_kzg_commitment(&blob_of(blob)?)?;
    Ok(FixedBytes(commitment.to_bytes().into_inner()))
}

/// [`compute_kzg_proof`](https://github.com/ethereum/cryptography-specs): the proof that the blob's polynomial has a
/// value at `z`, and the value.
pub fn compute_kzg_proof(blob: &[u8], z: &FieldElement) -> Result<(KzgProof, FieldElement), KzgError> {
    let (proof, y) = settings().compute_kzg_proof(&blob_of(blob)?, &Bytes32::new(z.0))?;
    Ok((proof_of(&proof), FixedBytes(*y)))
}

/// [`compute_blob_kzg_proof`](https://github.com/ethereum/cryptography-specs); the commitment is not checked to be
/// the blob's.
pub fn compute_blob_kzg_proof(blob: &[u8], commitment: &KzgCommitment) -> Result<KzgProof, KzgError> {
    Ok(proof_of(&settings().compute_blob_kzg_proof(&blob_of(blob)?, &point_of(commitment))?))
}

/// [`verify_kzg_proof`](https://github.com/ethereum/cryptography-specs): the committed polynomial is `y` at `z`.
pub fn verify_kzg_proof(
    commitment: &KzgCommitment,
    z: &FieldElement,
    y: &FieldElement,
    proof: &KzgProof,
) -> Result<bool, KzgError> {
    let (z, y) = (Bytes32::new(z.0), Bytes32::new(y.0));
    Ok(settings().verify_kzg_proof(&point_of(commitment), &z, &y, &point_of(proof))?)
}

/// [`verify_blob_kzg_proof`](https://github.com/ethereum/cryptography-specs): the commitment is the blob's.
pub fn verify_blob_kzg_proof(
    blob: &[u8],
    commitment: &KzgCommitment,
    proof: &KzgProof,
) -> Result<bool, KzgError> {
    Ok(settings().verify_blob_kzg_proof(&blob_of(blob)?, &point_of(commitment), &point_of(proof))?)
}

/// [`verify_blob_kzg_proof_batch`](https://github.com/ethereum/cryptography-specs): true where there are none.
pub fn verify_blob_kzg_proof_batch(
    blobs: &[&[u8]],
    commitments: &[KzgCommitment],
    proofs: &[KzgProof],
) -> Result<bool, KzgError> {
    same_count(blobs.len(), commitments.len())?;
    same_count(blobs.len(), proofs.len())?;
    let blobs = blobs.iter().map(|blob| blob_of(blob)).collect::<Result<Vec<_>, _>>()?;
    let commitments: Vec<_> = commitments.iter().map(point_of).collect();
    let proofs: Vec<_> = proofs.iter().map(point_of).collect();
    Ok(settings().verify_blob_kzg_proof_batch(&blobs, &commitments, &proofs)?)
}

/// [`compute_cells`](https://github.com/ethereum/cryptography-specs): the cells of the extended blob, without proofs,
/// which take a hundred times longer.
pub fn compute_cells(blob: &[u8]) -> Result<Vec<Bytes>, KzgError> {
    let cells = settings().compute_cells(&blob_of(blob)?)?;
    Ok(cells.iter().map(bytes_of).collect())
}

/// [`compute_cells_and_kzg_proofs`](https://github.com/ethereum/cryptography-specs).
pub fn compute_cells_and_kzg_proofs(blob: &[u8]) -> Result<CellsAndKzgProofs, KzgError> {
    let (cells, proofs) = settings().compute_cells_and_kzg_proofs(&blob_of(blob)?)?;
    Ok(CellsAndKzgProofs {
        cells: cells.iter().map(bytes_of).collect(),
        proofs: proofs.iter().map(proof_of).collect(),
    })
}

/// [`verify_cell_kzg_proof_batch`](https://github.com/ethereum/cryptography-specs): each cell is the one with its
/// index in the blob of its commitment; true where there are none.
pub fn verify_cell_kzg_proof_batch(
    commitments: &[KzgCommitment],
    cell_indices: &[u64],
    cells: &[&[u8]],
    proofs: &[KzgProof],
) -> Result<bool, KzgError> {
    same_count(cells.len(), commitments.len())?;
    same_count(cells.len(), cell_indices.len())?;
    same_count(cells.len(), proofs.len())?;
    let cells = cells.iter().map(|cell| cell_of(cell)).collect::<Result<Vec<_>, _>>()?;
    let commitments: Vec<_> = commitments.iter().map(point_of).collect();
    let proofs: Vec<_> = proofs.iter().map(point_of).collect();
    Ok(settings().verify_cell_kzg_proof_batch(&commitments, cell_indices, &cells, &proofs)?)
}

/// [`recover_cells_and_kzg_proofs`](https://github.com/ethereum/cryptography-specs) of an extended blob of which at
/// least half of the cells are known; the indices are in ascending order.
///
/// The cells are not verified: from wrong ones something wrong is made, or an error.
pub fn recover_cells_and_kzg_proofs(
    cell_indices: &[u64],
    cells: &[&[u8]],
) -> Result<CellsAndKzgProofs, KzgError> {
    same_count(cells.len(), cell_indices.len())?;
    let cells = cells.iter().map(|cell| cell_of(cell)).collect::<Result<Vec<_>, _>>()?;
    let (cells, proofs) = settings().recover_cells_and_kzg_proofs(cell_indices, &cells)?;
    Ok(CellsAndKzgProofs {
        cells: cells.iter().map(bytes_of).collect(),
        proofs: proofs.iter().map(proof_of).collect(),
    })
}

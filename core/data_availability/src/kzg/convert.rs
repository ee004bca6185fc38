//! Between our types and the library's, with the lengths checked.

use c_kzg::{Blob, Bytes48, Cell, CkzgError, Error};
use types::{Bytes, FixedBytes, KzgProof};

use super::{BYTES_PER_BLOB, BYTES_PER_CELL, KzgError};

impl From<Error> for KzgError {
    fn from(error: Error) -> Self {
        match error {
            Error::CError(CkzgError::C_KZG_MALLOC | CkzgError::C_KZG_ERROR) => Self::Failed,
            _ => Self::BadArguments,
        }
    }
}

/// Refuses lists of different lengths.
pub fn same_count(left: usize, right: usize) -> Result<(), KzgError> {
    if left == right { Ok(()) } else { Err(KzgError::Counts(left, right)) }
}

pub fn blob_of(bytes: &[u8]) -> Result<Blob, KzgError> {
    if bytes.len() != BYTES_PER_BLOB {
        return Err(KzgError::BlobLength(bytes.len()));
    }
    Blob::from_bytes(bytes).map_err(KzgError::from)
}

pub fn cell_of(bytes: &[u8]) -> Result<Cell, KzgError> {
    if bytes.len() != BYTES_PER_CELL {
        return Err(KzgError::CellLength(bytes.len()));
    }
    Cell::from_bytes(bytes).map_err(KzgError::from)
}

pub fn point_of(bytes: &FixedBytes<48>) -> Bytes48 {
    Bytes48::new(bytes.0)
}

pub fn proof_of(proof: &c_kzg::KzgProof) -> KzgProof {
    FixedBytes(proof.to_bytes().into_inner())
}

pub fn bytes_of(cell: &Cell) -> Bytes {
    Bytes(cell.to_bytes().to_vec())
}

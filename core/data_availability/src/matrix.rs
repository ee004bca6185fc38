//! The matrix of cells: a row for each blob, a column for each sidecar.

use std::collections::BTreeMap;

use types::{Bytes, KzgProof, MatrixEntry};

use crate::kzg::{
    CELLS_PER_EXT_BLOB, CellsAndKzgProofs, KzgError, compute_cells, compute_cells_and_kzg_proofs,
    recover_cells_and_kzg_proofs, same_count,
};

/// [`compute_matrix`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#compute_matrix):
/// row by row.
pub fn compute_matrix(blobs: &[Bytes]) -> Result<Vec<MatrixEntry>, KzgError> {
    let mut matrix = Vec::new();
    for (row, blob) in blobs.iter().enumerate() {
        matrix.extend(entries(row as u64, compute_cells_and_kzg_proofs(&blob.0)?));
    }
    Ok(matrix)
}

/// [`recover_matrix`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#recover_matrix):
/// the whole, row by row, from at least half of each row. The entries may lie in any order; where one is there twice,
/// the later counts.
pub fn recover_matrix(partial_matrix: &[MatrixEntry], blob_count: u64) -> Result<Vec<MatrixEntry>, KzgError> {
    let mut matrix = Vec::new();
    for row in 0..blob_count {
        let entries_of_row = partial_matrix.iter().filter(|entry| entry.row_index == row);
        let known: BTreeMap<u64, &[u8]> =
            entries_of_row.map(|entry| (entry.column_index, entry.cell.0.as_slice())).collect();
        let (indices, cells): (Vec<u64>, Vec<&[u8]>) = known.into_iter().unzip();
        matrix.extend(entries(row, recover_cells_and_kzg_proofs(&indices, &cells)?));
    }
    Ok(matrix)
}

/// The cells of a block's blobs with their proofs, where the execution layer made the proofs: all of the first blob,
/// then all of the second, and so on. Far cheaper than making them; they are not verified.
pub fn compute_rows(blobs: &[Bytes], cell_proofs: &[KzgProof]) -> Result<Vec<CellsAndKzgProofs>, KzgError> {
    same_count(blobs.len() * CELLS_PER_EXT_BLOB, cell_proofs.len())?;
    let proofs = cell_proofs.chunks(CELLS_PER_EXT_BLOB);
    let rows = blobs.iter().zip(proofs).map(|(blob, proofs)| {
        Ok(CellsAndKzgProofs { cells: compute_cells(&blob.0)?, proofs: proofs.to_vec() })
    });
    rows.collect()
}

fn entries(row_index: u64, row: CellsAndKzgProofs) -> impl Iterator<Item = MatrixEntry> {
    row.cells.into_iter().zip(row.proofs).enumerate().map(move |(column, (cell, kzg_proof))| MatrixEntry {
        cell,
        kzg_proof,
        column_index: column as u64,
        row_index,
    })
}

//! [Reconstruction](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#reconstruction-and-cross-seeding):
//! all columns of a block from half of them.
//!
//! About half a second of one core for each blob, so it is a job; rows are independent, so many workers may share it.

use std::sync::Arc;

use types::{Bytes, DataColumnSidecar, Spec};

use crate::columns::get_data_column_sidecars_from_column_sidecar;
use crate::kzg::{CellsAndKzgProofs, KzgError, recover_cells_and_kzg_proofs};
use crate::{ColumnIndex, SidecarError};

/// Why nothing was recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// Fewer than half of the columns, or one twice or out of order.
    #[error("{found} columns in order are needed, at least {needed} of them")]
    Columns {
        /// Columns given.
        found: usize,
        /// Half of `NUMBER_OF_COLUMNS`.
        needed: u64,
    },
    /// The columns are of different blocks.
    #[error("the columns are of different blocks")]
    Blocks,
    /// The cells make no blob.
    #[error(transparent)]
    Kzg(#[from] KzgError),
    /// The sidecars could not be made.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
}

/// The recovery of a block's columns, from verified ones.
#[derive(Clone, Debug)]
pub struct Recovery {
    spec: &'static Spec,
    /// By index, ascending, of one block, at least half of all.
    columns: Vec<Arc<DataColumnSidecar>>,
}

impl Recovery {
    /// A recovery from these columns, whose proofs are verified.
    pub fn new(spec: &'static Spec, columns: Vec<Arc<DataColumnSidecar>>) -> Result<Self, RecoveryError> {
        let needed = spec.preset.number_of_columns.div_ceil(2);
        let in_order = columns.is_sorted_by(|left, right| left.index < right.index);
        if !in_order || columns.is_empty() || (columns.len() as u64) < needed {
            return Err(RecoveryError::Columns { found: columns.len(), needed });
        }
        let first = &columns[0];
        let is_alike = |column: &Arc<DataColumnSidecar>| {
            column.signed_block_header.message == first.signed_block_header.message
                && column.kzg_commitments == first.kzg_commitments
                && column.column.len() == first.kzg_commitments.len()
        };
        if !columns.iter().all(is_alike) {
            return Err(RecoveryError::Blocks);
        }
        Ok(Self { spec, columns })
    }

    /// How many rows there are: one for each blob.
    pub fn row_count(&self) -> usize {
        self.columns[0].kzg_commitments.len()
    }

    /// Recovers the cells and proofs of one blob; the row is less than [`Recovery::row_count`].
    pub fn recover_row(&self, row: usize) -> Result<CellsAndKzgProofs, KzgError> {
        let indices: Vec<ColumnIndex> = self.columns.iter().map(|column| column.index).collect();
        let cells: Vec<&[u8]> = self.columns.iter().map(|column| column.column[row].0.as_slice()).collect();
        recover_cells_and_kzg_proofs(&indices, &cells)
    }

    /// The columns that were not there, from all rows in order.
    pub fn assemble(&self, rows: &[CellsAndKzgProofs]) -> Result<Vec<DataColumnSidecar>, SidecarError> {
        let mut all = get_data_column_sidecars_from_column_sidecar(self.spec, &self.columns[0], rows)?;
        all.retain(|sidecar| {
            self.columns.binary_search_by_key(&sidecar.index, |column| column.index).is_err()
        });
        Ok(all)
    }

    /// The columns that were not there. They need no verification: cells and proofs were just made.
    pub fn run(&self) -> Result<Vec<DataColumnSidecar>, RecoveryError> {
        let rows: Vec<CellsAndKzgProofs> =
            (0..self.row_count()).map(|row| self.recover_row(row)).collect::<Result<_, _>>()?;
        Ok(self.assemble(&rows)?)
    }

    /// The blobs themselves, without proofs; cheap where the first half of the columns is there.
    pub fn blobs(&self) -> Result<Vec<Bytes>, KzgError> {
        let half = self.spec.preset.number_of_columns.div_ceil(2) as usize;
        // The first half of an extended blob is the blob.
        let is_systematic = self.columns[half - 1].index == half as u64 - 1;
        let blob = |row: usize| -> Result<Bytes, KzgError> {
            if is_systematic {
                let cells = self.columns[..half].iter().map(|column| column.column[row].0.as_slice());
                return Ok(Bytes(cells.collect::<Vec<_>>().concat()));
            }
            let cells = self.recover_row(row)?.cells;
            Ok(Bytes(cells[..half].iter().map(|cell| cell.0.as_slice()).collect::<Vec<_>>().concat()))
        };
        (0..self.row_count()).map(blob).collect()
    }
}

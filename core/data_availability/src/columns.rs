//! Fulu: a sidecar for each column of the extended blobs.

use types::{
    BeaconState, DataColumnSidecar, KzgCommitment, PartialDataColumnHeader, PartialDataColumnSidecar, Root,
    SignedBeaconBlock, SignedBeaconBlockHeader, Spec, ValidatorIndex,
};

use crate::inclusion::{are_commitments_included, commitments_branch, compute_signed_block_header};
use crate::kzg::{CellsAndKzgProofs, verify_cell_kzg_proof_batch};
use crate::{ColumnIndex, SidecarError};

/// [`verify_data_column_sidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#verify_data_column_sidecar):
/// its index and lengths are possible.
pub fn verify_data_column_sidecar(spec: &Spec, sidecar: &DataColumnSidecar) -> bool {
    let epoch = sidecar.signed_block_header.message.slot.epoch(spec);
    let blobs = sidecar.kzg_commitments.len();
    sidecar.index < spec.preset.number_of_columns
        && blobs > 0
        && blobs as u64 <= spec.get_blob_parameters(epoch).max_blobs_per_block
        && sidecar.column.len() == blobs
        && sidecar.kzg_proofs.len() == blobs
}

/// [`verify_data_column_sidecar_kzg_proofs`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#verify_data_column_sidecar_kzg_proofs).
pub fn verify_data_column_sidecar_kzg_proofs(sidecar: &DataColumnSidecar) -> bool {
    verify_together(&[sidecar])
}

/// The places of the sidecars whose proofs are wrong, found by one batch, and by halves where that fails. They may be
/// of several blocks; columns of one block share most of the work.
pub fn find_invalid_data_column_sidecars(sidecars: &[&DataColumnSidecar]) -> Vec<usize> {
    crate::sidecar::find_invalid(sidecars, verify_together)
}

fn verify_together(sidecars: &[&DataColumnSidecar]) -> bool {
    let mut commitments = Vec::new();
    let mut cell_indices = Vec::new();
    let mut cells = Vec::new();
    let mut proofs = Vec::new();
    for sidecar in sidecars {
        let count = sidecar.column.len();
        // Without this, a missing proof of one sidecar and a spare one of the next would make up for each other.
        if sidecar.kzg_commitments.len() != count || sidecar.kzg_proofs.len() != count {
            return false;
        }
        commitments.extend(&sidecar.kzg_commitments);
        cell_indices.extend(vec![sidecar.index; count]);
        cells.extend(sidecar.column.iter().map(|cell| cell.0.as_slice()));
        proofs.extend(&sidecar.kzg_proofs);
    }
    verify_cell_kzg_proof_batch(&commitments, &cell_indices, &cells, &proofs) == Ok(true)
}

/// [`verify_data_column_sidecar_inclusion_proof`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#verify_data_column_sidecar_inclusion_proof).
pub fn verify_data_column_sidecar_inclusion_proof(spec: &'static Spec, sidecar: &DataColumnSidecar) -> bool {
    are_commitments_included(
        spec,
        &sidecar.kzg_commitments,
        &sidecar.kzg_commitments_inclusion_proof,
        &sidecar.signed_block_header.message.body_root,
    )
}

/// [`verify_partial_data_column_header_inclusion_proof`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/partial-columns/p2p-interface.md).
pub fn verify_partial_data_column_header_inclusion_proof(
    spec: &'static Spec,
    header: &PartialDataColumnHeader,
) -> bool {
    are_commitments_included(
        spec,
        &header.kzg_commitments,
        &header.kzg_commitments_inclusion_proof,
        &header.signed_block_header.message.body_root,
    )
}

/// [`verify_partial_data_column_sidecar_kzg_proofs`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/partial-columns/p2p-interface.md);
/// false too where a cell has no commitment.
pub fn verify_partial_data_column_sidecar_kzg_proofs(
    sidecar: &PartialDataColumnSidecar,
    all_commitments: &[KzgCommitment],
    column_index: ColumnIndex,
) -> bool {
    let blobs = sidecar.cells_present_bitmap.ones();
    let commitments: Option<Vec<KzgCommitment>> =
        blobs.map(|blob| all_commitments.get(blob).copied()).collect();
    commitments.is_some_and(|commitments| {
        let cells: Vec<&[u8]> = sidecar.partial_column.iter().map(|cell| cell.0.as_slice()).collect();
        let cell_indices = vec![column_index; commitments.len()];
        verify_cell_kzg_proof_batch(&commitments, &cell_indices, &cells, &sidecar.kzg_proofs) == Ok(true)
    })
}

/// [`compute_subnet_for_data_column_sidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#compute_subnet_for_data_column_sidecar).
pub fn compute_subnet_for_data_column_sidecar(spec: &Spec, column_index: ColumnIndex) -> u64 {
    column_index.checked_rem(spec.config.data_column_sidecar_subnet_count).unwrap_or(0)
}

/// [`compute_max_request_data_column_sidecars`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#compute_max_request_data_column_sidecars).
pub fn compute_max_request_data_column_sidecars(spec: &Spec) -> u64 {
    spec.config.max_request_blocks_deneb.saturating_mul(spec.preset.number_of_columns)
}

/// [`get_validators_custody_requirement`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/validator.md#validator-custody):
/// how many groups a node with these validators attached keeps. Indices that the registry does not have add nothing.
pub fn get_validators_custody_requirement(state: &BeaconState, validator_indices: &[ValidatorIndex]) -> u64 {
    let config = &state.spec().config;
    let validators = validator_indices.iter().filter_map(|index| state.validators.get(index.as_usize()));
    let total = validators.map(|validator| validator.effective_balance.0).fold(0, u64::saturating_add);
    let count = total.checked_div(config.balance_per_additional_custody_group).unwrap_or(u64::MAX);
    count.max(config.validator_custody_requirement).min(config.number_of_custody_groups)
}

/// [`get_data_column_sidecars`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/validator.md#get_data_column_sidecars):
/// all columns of a block, from the cells and proofs of each blob.
pub fn get_data_column_sidecars(
    spec: &Spec,
    signed_block_header: &SignedBeaconBlockHeader,
    kzg_commitments: &[KzgCommitment],
    kzg_commitments_inclusion_proof: &[Root],
    cells_and_kzg_proofs: &[CellsAndKzgProofs],
) -> Result<Vec<DataColumnSidecar>, SidecarError> {
    let columns = spec.preset.number_of_columns;
    if cells_and_kzg_proofs.len() != kzg_commitments.len() {
        let (commitments, found) = (kzg_commitments.len(), cells_and_kzg_proofs.len());
        return Err(SidecarError::Counts { commitments, found });
    }
    let is_whole = |row: &&CellsAndKzgProofs| {
        [row.cells.len(), row.proofs.len()].map(|count| count as u64) == [columns; 2]
    };
    if let Some(row) = cells_and_kzg_proofs.iter().find(|row| !is_whole(row)) {
        return Err(SidecarError::Cells { columns, found: row.cells.len() });
    }
    let sidecar = |index: u64| DataColumnSidecar {
        index,
        column: cells_and_kzg_proofs.iter().map(|row| row.cells[index as usize].clone()).collect(),
        kzg_commitments: kzg_commitments.to_vec(),
        kzg_proofs: cells_and_kzg_proofs.iter().map(|row| row.proofs[index as usize]).collect(),
        signed_block_header: signed_block_header.clone(),
        kzg_commitments_inclusion_proof: kzg_commitments_inclusion_proof.to_vec(),
    };
    Ok((0..columns).map(sidecar).collect())
}

/// [`get_data_column_sidecars_from_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/validator.md#get_data_column_sidecars_from_block).
pub fn get_data_column_sidecars_from_block(
    spec: &'static Spec,
    signed_block: &SignedBeaconBlock,
    cells_and_kzg_proofs: &[CellsAndKzgProofs],
) -> Result<Vec<DataColumnSidecar>, SidecarError> {
    get_data_column_sidecars(
        spec,
        &compute_signed_block_header(spec, signed_block),
        &signed_block.message.body.blob_kzg_commitments,
        &commitments_branch(spec, signed_block)?,
        cells_and_kzg_proofs,
    )
}

/// [`get_data_column_sidecars_from_column_sidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/validator.md#get_data_column_sidecars_from_column_sidecar):
/// from any one column of the block, which tells all but the cells.
pub fn get_data_column_sidecars_from_column_sidecar(
    spec: &Spec,
    sidecar: &DataColumnSidecar,
    cells_and_kzg_proofs: &[CellsAndKzgProofs],
) -> Result<Vec<DataColumnSidecar>, SidecarError> {
    get_data_column_sidecars(
        spec,
        &sidecar.signed_block_header,
        &sidecar.kzg_commitments,
        &sidecar.kzg_commitments_inclusion_proof,
        cells_and_kzg_proofs,
    )
}

/// [`is_data_available`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/fork-choice.md#modified-is_data_available)
/// where the columns to sample are at hand.
pub fn is_data_available(spec: &Spec, column_sidecars: &[&DataColumnSidecar]) -> bool {
    column_sidecars.iter().all(|sidecar| verify_data_column_sidecar(spec, sidecar))
        && verify_together(column_sidecars)
}

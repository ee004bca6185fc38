//! Sidecars made from a block, judged by what verifies them.

use types::{Bits, Bytes, ForkName, PartialDataColumnHeader, PartialDataColumnSidecar};

use crate::blobs::{
    find_invalid_blob_sidecars, get_blob_sidecars, verify_blob_sidecar_inclusion_proof,
    verify_blob_sidecar_kzg_proof,
};
use crate::columns::{
    find_invalid_data_column_sidecars, get_data_column_sidecars_from_block,
    get_data_column_sidecars_from_column_sidecar, verify_data_column_sidecar,
    verify_data_column_sidecar_inclusion_proof, verify_data_column_sidecar_kzg_proofs,
    verify_partial_data_column_header_inclusion_proof, verify_partial_data_column_sidecar_kzg_proofs,
};
use crate::fixture::{BLOBS, blob_sidecars, block, column_sidecars, data, root, spec};
use crate::kzg::{KzgError, compute_cells, verify_blob_kzg_proof, verify_cell_kzg_proof_batch};
use crate::matrix::{compute_matrix, compute_rows, recover_matrix};
use crate::{Recovery, RecoveryError, Sidecar, SidecarError, blobs, columns};

#[test]
fn the_blob_sidecars_of_a_block_are_valid_and_spoilt_ones_are_not() {
    for fork in [ForkName::Deneb, ForkName::Electra] {
        let spec = spec(fork);
        let block = block(3, 1);
        let sidecars = blob_sidecars(spec, &block);
        assert_eq!(sidecars.len(), BLOBS);
        for sidecar in &sidecars {
            assert!(verify_blob_sidecar_inclusion_proof(spec, sidecar));
            assert!(verify_blob_sidecar_kzg_proof(sidecar));
            assert_eq!(Sidecar::Blob(sidecar.clone()).block_root(), root(spec, &block));
        }
        let mut moved = (*sidecars[0]).clone();
        moved.index = 1;
        assert!(!verify_blob_sidecar_inclusion_proof(spec, &moved));
        moved.index = u64::MAX;
        assert!(!verify_blob_sidecar_inclusion_proof(spec, &moved));
        let mut other = (*sidecars[0]).clone();
        other.blob = data().blobs[1].clone();
        assert!(!verify_blob_sidecar_kzg_proof(&other));
        assert_eq!(find_invalid_blob_sidecars(&[&sidecars[0], &other, &sidecars[1]]), [1]);
    }
}

#[test]
fn blobs_are_available_only_where_each_is_the_one_committed_to() {
    let data = data();
    let blobs: Vec<&[u8]> = data.blobs.iter().map(|blob| blob.0.as_slice()).collect();
    assert!(blobs::is_data_available(&data.commitments, &blobs, &data.proofs));
    assert!(blobs::is_data_available(&[], &[], &[]));
    assert!(!blobs::is_data_available(&data.commitments, &blobs[..1], &data.proofs[..1]));
    assert!(!blobs::is_data_available(&data.commitments, &[blobs[1], blobs[0]], &data.proofs));
}

#[test]
fn the_columns_of_a_block_are_valid_and_spoilt_ones_are_not() {
    let spec = spec(ForkName::Fulu);
    let block = block(3, 1);
    let sidecars = column_sidecars(spec, &block);
    assert_eq!(sidecars.len(), 128);
    let sample: Vec<_> = [0, 5, 64, 127].iter().map(|index| &*sidecars[*index]).collect();
    for sidecar in &sample {
        assert!(verify_data_column_sidecar(spec, sidecar));
        assert!(verify_data_column_sidecar_inclusion_proof(spec, sidecar));
        assert!(verify_data_column_sidecar_kzg_proofs(sidecar));
    }
    assert!(columns::is_data_available(spec, &sample));
    let mut bad = (*sidecars[5]).clone();
    bad.column.swap(0, 1);
    assert!(!verify_data_column_sidecar_kzg_proofs(&bad));
    assert!(!columns::is_data_available(spec, &[sample[0], &bad]));
    assert_eq!(find_invalid_data_column_sidecars(&[sample[0], &bad, sample[2], sample[3], &bad]), [1, 4]);
    // A proof that moved from one sidecar to the next is noticed, though the batch as a whole has all of them.
    let (mut short, mut long) = ((*sidecars[0]).clone(), (*sidecars[1]).clone());
    long.kzg_proofs.insert(0, short.kzg_proofs.pop().unwrap());
    assert_eq!(find_invalid_data_column_sidecars(&[&short, &long]), [0, 1]);
}

#[test]
fn a_column_with_impossible_lengths_or_commitments_is_refused() {
    let spec = spec(ForkName::Fulu);
    let sidecar = (*column_sidecars(spec, &block(3, 1))[0]).clone();
    let refused = |change: fn(&mut types::DataColumnSidecar)| {
        let mut changed = sidecar.clone();
        change(&mut changed);
        assert!(!verify_data_column_sidecar(spec, &changed));
    };
    refused(|sidecar| sidecar.index = 128);
    refused(|sidecar| sidecar.kzg_commitments.clear());
    refused(|sidecar| sidecar.column.truncate(1));
    refused(|sidecar| sidecar.kzg_proofs.truncate(1));
    let mut many = sidecar.clone();
    let limit = spec.get_blob_parameters(types::Epoch(0)).max_blobs_per_block as usize;
    many.kzg_commitments = vec![many.kzg_commitments[0]; limit + 1];
    many.kzg_proofs = vec![many.kzg_proofs[0]; limit + 1];
    many.column = vec![many.column[0].clone(); limit + 1];
    assert!(!verify_data_column_sidecar(spec, &many));
    let mut other = sidecar;
    other.kzg_commitments.swap(0, 1);
    assert!(!verify_data_column_sidecar_inclusion_proof(spec, &other));
    // More than the tree has room for.
    other.kzg_commitments = vec![other.kzg_commitments[0]; 4097];
    assert!(!verify_data_column_sidecar_inclusion_proof(spec, &other));
}

#[test]
fn one_column_tells_all_but_the_cells() {
    let spec = spec(ForkName::Fulu);
    let all = column_sidecars(spec, &block(3, 1));
    let again = get_data_column_sidecars_from_column_sidecar(spec, &all[77], &data().cells).unwrap();
    assert!(again.iter().eq(all.iter().map(|sidecar| &**sidecar)));
    assert_eq!(
        get_data_column_sidecars_from_column_sidecar(spec, &all[77], &data().cells[..1]),
        Err(SidecarError::Counts { commitments: 2, found: 1 })
    );
    let mut rows = data().cells.clone();
    rows[1].cells.pop();
    assert_eq!(
        get_data_column_sidecars_from_column_sidecar(spec, &all[77], &rows),
        Err(SidecarError::Cells { columns: 128, found: 127 })
    );
}

#[test]
fn sidecars_are_made_only_of_what_fits_the_block() {
    let block = block(3, 1);
    let counts = Err(SidecarError::Counts { commitments: 2, found: 1 });
    let deneb = spec(ForkName::Deneb);
    assert_eq!(get_blob_sidecars(deneb, &block, data().blobs[..1].to_vec(), &data().proofs[..1]), counts);
    let capella = spec(ForkName::Capella);
    let none = SidecarError::NoCommitments(ForkName::Capella);
    assert_eq!(get_blob_sidecars(capella, &block, data().blobs.clone(), &data().proofs), Err(none));
    assert_eq!(get_data_column_sidecars_from_block(capella, &block, &data().cells), Err(none));
}

#[test]
fn the_matrix_is_recovered_from_any_half_of_it() {
    let matrix = compute_matrix(&data().blobs[..1]).unwrap();
    assert_eq!(matrix.len(), 128);
    let mut half: Vec<_> = matrix.iter().filter(|entry| entry.column_index % 2 == 1).cloned().collect();
    half.reverse();
    assert_eq!(recover_matrix(&half, 1).unwrap(), matrix);
    assert_eq!(recover_matrix(&half[1..], 1), Err(KzgError::BadArguments));
    assert_eq!(recover_matrix(&half, 2), Err(KzgError::BadArguments));
}

#[test]
fn half_of_the_columns_recover_the_rest_and_the_blobs() {
    let spec = spec(ForkName::Fulu);
    let all = column_sidecars(spec, &block(3, 1));
    let first_half = Recovery::new(spec, all[..64].to_vec()).unwrap();
    assert_eq!(first_half.blobs().unwrap(), data().blobs);
    let mixed: Vec<_> = all.iter().skip(1).step_by(2).cloned().collect();
    let recovery = Recovery::new(spec, mixed.clone()).unwrap();
    let recovered = recovery.run().unwrap();
    assert!(recovered.iter().eq(all.iter().step_by(2).map(|sidecar| &**sidecar)));
    let too_few = Recovery::new(spec, mixed[1..].to_vec()).unwrap_err();
    assert_eq!(too_few, RecoveryError::Columns { found: 63, needed: 64 });
    let mut twice = mixed.clone();
    twice[1] = twice[0].clone();
    assert!(matches!(Recovery::new(spec, twice), Err(RecoveryError::Columns { .. })));
    let mut foreign = mixed;
    foreign[63] = column_sidecars(spec, &block(4, 1))[127].clone();
    assert_eq!(Recovery::new(spec, foreign).unwrap_err(), RecoveryError::Blocks);
}

#[test]
fn some_cells_of_a_column_are_verified_by_their_places() {
    let spec = spec(ForkName::Fulu);
    let sidecar = &column_sidecars(spec, &block(3, 1))[9];
    let header = PartialDataColumnHeader {
        kzg_commitments: sidecar.kzg_commitments.clone(),
        signed_block_header: sidecar.signed_block_header.clone(),
        kzg_commitments_inclusion_proof: sidecar.kzg_commitments_inclusion_proof.clone(),
    };
    assert!(verify_partial_data_column_header_inclusion_proof(spec, &header));
    let mut present = Bits::zero(2);
    present.set(1, true);
    let mut partial = PartialDataColumnSidecar {
        cells_present_bitmap: present,
        partial_column: vec![sidecar.column[1].clone()],
        kzg_proofs: vec![sidecar.kzg_proofs[1]],
        header: Vec::new(),
    };
    let verify = verify_partial_data_column_sidecar_kzg_proofs;
    assert!(verify(&partial, &header.kzg_commitments, 9));
    assert!(!verify(&partial, &header.kzg_commitments, 8));
    assert!(!verify(&partial, &header.kzg_commitments[..1], 9));
    partial.partial_column[0] = sidecar.column[0].clone();
    assert!(!verify(&partial, &header.kzg_commitments, 9));
}

#[test]
fn the_execution_layer_s_proofs_make_the_same_rows() {
    let proofs: Vec<_> = data().cells.iter().flat_map(|row| row.proofs.clone()).collect();
    assert_eq!(compute_rows(&data().blobs, &proofs).unwrap(), data().cells);
    assert_eq!(compute_rows(&data().blobs, &proofs[1..]), Err(KzgError::Counts(256, 255)));
}

#[test]
fn what_a_peer_answers_with_must_be_of_its_block_and_slot() {
    let block = block(3, 1);
    let (electra, fulu) = (spec(ForkName::Electra), spec(ForkName::Fulu));
    let blob = Sidecar::Blob(blob_sidecars(electra, &block)[0].clone());
    let column = Sidecar::Column(column_sidecars(fulu, &block)[0].clone());
    assert!(blob.verify_inclusion(electra) && column.verify_inclusion(fulu));
    assert!(!column.verify_inclusion(electra) && !blob.verify_inclusion(spec(ForkName::Capella)));
}

#[test]
fn what_has_another_length_is_never_computed_with() {
    let data = data();
    let (commitment, proof) = (&data.commitments[0], &data.proofs[0]);
    let blob = &data.blobs[0].0;
    assert_eq!(verify_blob_kzg_proof(&blob[1..], commitment, proof), Err(KzgError::BlobLength(131_071)));
    assert_eq!(compute_cells(&[]), Err(KzgError::BlobLength(0)));
    let cell = Bytes(vec![0; 2047]);
    assert_eq!(
        verify_cell_kzg_proof_batch(&[*commitment], &[0], &[&cell.0], &[*proof]),
        Err(KzgError::CellLength(2047))
    );
    assert_eq!(verify_cell_kzg_proof_batch(&[*commitment], &[0], &[], &[]), Err(KzgError::Counts(0, 1)));
    assert_eq!(verify_cell_kzg_proof_batch(&[], &[], &[], &[]), Ok(true));
}

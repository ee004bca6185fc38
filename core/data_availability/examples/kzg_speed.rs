//! How long KZG takes on this machine: `cargo run --release -p data_availability --example kzg_speed`.
//!
//! Prints the trusted setup's load, one verification of each kind, batches against as many single verifications, and
//! what extending and recovering a blob costs.

#![allow(clippy::disallowed_methods, reason = "the core reads no clock, a measurement of it does")]

use std::time::{Duration, Instant};

use data_availability::kzg::{
    BYTES_PER_BLOB, CellsAndKzgProofs, KzgError, blob_to_kzg_commitment, compute_blob_kzg_proof,
    compute_cells, compute_cells_and_kzg_proofs, load_trusted_setup, recover_cells_and_kzg_proofs,
    verify_blob_kzg_proof, verify_blob_kzg_proof_batch, verify_cell_kzg_proof_batch,
};
use types::{KzgCommitment, KzgProof};

const BLOBS: usize = 6;

fn main() -> Result<(), KzgError> {
    timed("load the trusted setup", 1, || {
        load_trusted_setup();
        Ok(())
    })?;
    let blobs: Vec<Vec<u8>> = (0..BLOBS).map(blob).collect();
    let commitments = timed("blob_to_kzg_commitment", BLOBS, || {
        blobs.iter().map(|blob| blob_to_kzg_commitment(blob)).collect::<Result<Vec<_>, _>>()
    })?;
    let proofs = timed("compute_blob_kzg_proof", BLOBS, || {
        blobs
            .iter()
            .zip(&commitments)
            .map(|(blob, to)| compute_blob_kzg_proof(blob, to))
            .collect::<Result<Vec<_>, _>>()
    })?;
    verify_blobs(&blobs, &commitments, &proofs)?;
    timed("compute_cells", 1, || compute_cells(&blobs[0]))?;
    let rows = timed("compute_cells_and_kzg_proofs", BLOBS, || {
        blobs.iter().map(|blob| compute_cells_and_kzg_proofs(blob)).collect::<Result<Vec<_>, _>>()
    })?;
    verify_columns(&rows, &commitments)?;
    let (half, indices): (Vec<&[u8]>, Vec<u64>) =
        (64..128).map(|column| (rows[0].cells[column].0.as_slice(), column as u64)).unzip();
    timed("recover_cells_and_kzg_proofs", 1, || recover_cells_and_kzg_proofs(&indices, &half))?;
    Ok(())
}

/// Different numbers in every place, all below the order.
fn blob(seed: usize) -> Vec<u8> {
    let element = |place: usize| {
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate().skip(1) {
            *byte = (seed * 31 + place * 7 + at * 131 + (place >> 5)) as u8;
        }
        bytes
    };
    (0..BYTES_PER_BLOB / 32).flat_map(element).collect()
}

fn verify_blobs(
    blobs: &[Vec<u8>],
    commitments: &[KzgCommitment],
    proofs: &[KzgProof],
) -> Result<(), KzgError> {
    timed("verify_blob_kzg_proof, one by one", BLOBS, || {
        for place in 0..BLOBS {
            assert!(verify_blob_kzg_proof(&blobs[place], &commitments[place], &proofs[place])?);
        }
        Ok(())
    })?;
    let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
    timed("verify_blob_kzg_proof_batch", BLOBS, || {
        assert!(verify_blob_kzg_proof_batch(&blobs, commitments, proofs)?);
        Ok(())
    })
}

/// Columns of one block: each alone, and 8 or all 128 as one batch.
fn verify_columns(rows: &[CellsAndKzgProofs], commitments: &[KzgCommitment]) -> Result<(), KzgError> {
    let verify = |columns: std::ops::Range<usize>| {
        let places = columns.flat_map(|column| (0..BLOBS).map(move |row| (row, column)));
        let places: Vec<(usize, usize)> = places.collect();
        let commitments: Vec<_> = places.iter().map(|(row, _)| commitments[*row]).collect();
        let indices: Vec<u64> = places.iter().map(|(_, column)| *column as u64).collect();
        let cells: Vec<&[u8]> =
            places.iter().map(|(row, column)| rows[*row].cells[*column].0.as_slice()).collect();
        let proofs: Vec<_> = places.iter().map(|(row, column)| rows[*row].proofs[*column]).collect();
        assert!(verify_cell_kzg_proof_batch(&commitments, &indices, &cells, &proofs)?);
        Ok(())
    };
    timed("a column, one by one", 8, || (0..8).try_for_each(|column| verify(column..column + 1)))?;
    timed("a column, in a batch of 8", 8, || verify(0..8))?;
    timed("a column, in a batch of 128", 128, || verify(0..128))
}

fn timed<T>(what: &str, count: usize, work: impl FnOnce() -> Result<T, KzgError>) -> Result<T, KzgError> {
    let begin = Instant::now();
    let result = work()?;
    let each: Duration = begin.elapsed() / count as u32;
    println!("{what:40} {:9.2} ms each of {count}", each.as_secs_f64() * 1000.0);
    Ok(result)
}

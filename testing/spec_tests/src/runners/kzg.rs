//! The vectors of KZG commitments: those of [`c-kzg-4844`](https://github.com/ethereum/c-kzg-4844/tree/main/tests),
//! which are the specification's own and more.
//!
//! Input that is not valid has no output: the function must refuse it. Points of another length than 48 bytes and field
//! elements of another than 32 are refused by their types, blobs and cells by the functions.

use std::fmt::Debug;

use anyhow::{bail, ensure};
use data_availability::kzg;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use types::FixedBytes;

use crate::case::Case;

/// Bytes of any length, from their hexadecimal text.
#[derive(PartialEq)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        hex::decode(digits).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Shown by its first bytes: a blob fills screens.
impl Debug for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.len().min(48);
        write!(f, "{} bytes 0x{}", self.0.len(), hex::encode(&self.0[..shown]))
    }
}

impl Hex {
    /// As a string of a fixed length, or none where it has another.
    fn fixed<const N: usize>(&self) -> Option<FixedBytes<N>> {
        self.0.as_slice().try_into().ok()
    }
}

impl<const N: usize> From<FixedBytes<N>> for Hex {
    fn from(bytes: FixedBytes<N>) -> Self {
        Self(bytes.0.to_vec())
    }
}

fn points(all: &[Hex]) -> Option<Vec<FixedBytes<48>>> {
    all.iter().map(Hex::fixed).collect()
}

fn slices(all: &[Hex]) -> Vec<&[u8]> {
    all.iter().map(|bytes| bytes.0.as_slice()).collect()
}

#[derive(Deserialize)]
struct Data<I, O> {
    input: I,
    output: Option<O>,
}

#[derive(Deserialize)]
struct Blob {
    blob: Hex,
}

#[derive(Deserialize)]
struct BlobAndCommitment {
    blob: Hex,
    commitment: Hex,
}

#[derive(Deserialize)]
struct BlobAndPoint {
    blob: Hex,
    z: Hex,
}

#[derive(Deserialize)]
struct PointProof {
    commitment: Hex,
    z: Hex,
    y: Hex,
    proof: Hex,
}

#[derive(Deserialize)]
struct BlobProof {
    blob: Hex,
    commitment: Hex,
    proof: Hex,
}

#[derive(Deserialize)]
struct BlobProofs {
    blobs: Vec<Hex>,
    commitments: Vec<Hex>,
    proofs: Vec<Hex>,
}

#[derive(Deserialize)]
struct CellProofs {
    commitments: Vec<Hex>,
    cell_indices: Vec<u64>,
    cells: Vec<Hex>,
    proofs: Vec<Hex>,
}

#[derive(Deserialize)]
struct SomeCells {
    cell_indices: Vec<u64>,
    cells: Vec<Hex>,
}

#[derive(Deserialize)]
struct Transcript {
    commitments: Vec<Hex>,
    commitment_indices: Vec<u64>,
    cell_indices: Vec<u64>,
    cosets_evals: Vec<Vec<Hex>>,
    proofs: Vec<Hex>,
}

pub fn run(case: &Case) -> super::Result {
    match case.handler.as_str() {
        "blob_to_kzg_commitment" => {
            check(case, |input: &Blob| kzg::blob_to_kzg_commitment(&input.blob.0).ok().map(Hex::from))
        }
        "compute_kzg_proof" => check(case, |input: &BlobAndPoint| {
            let (proof, y) = kzg::compute_kzg_proof(&input.blob.0, &input.z.fixed()?).ok()?;
            Some((Hex::from(proof), Hex::from(y)))
        }),
        "compute_blob_kzg_proof" => check(case, |input: &BlobAndCommitment| {
            kzg::compute_blob_kzg_proof(&input.blob.0, &input.commitment.fixed()?).ok().map(Hex::from)
        }),
        "compute_challenge" => check(case, |input: &BlobAndCommitment| {
            kzg::compute_challenge(&input.blob.0, &input.commitment.fixed()?).ok().map(Hex::from)
        }),
        "verify_kzg_proof" => check(case, |input: &PointProof| {
            let PointProof { commitment, z, y, proof } = input;
            kzg::verify_kzg_proof(&commitment.fixed()?, &z.fixed()?, &y.fixed()?, &proof.fixed()?).ok()
        }),
        "verify_blob_kzg_proof" => check(case, verify_blob_kzg_proof),
        "verify_blob_kzg_proof_batch" => check(case, |input: &BlobProofs| {
            let (commitments, proofs) = (points(&input.commitments)?, points(&input.proofs)?);
            kzg::verify_blob_kzg_proof_batch(&slices(&input.blobs), &commitments, &proofs).ok()
        }),
        "compute_cells" => check(case, |input: &Blob| {
            let cells = kzg::compute_cells(&input.blob.0).ok()?;
            Some(cells.into_iter().map(|cell| Hex(cell.0)).collect::<Vec<_>>())
        }),
        "compute_cells_and_kzg_proofs" => {
            check(case, |input: &Blob| all_cells(kzg::compute_cells_and_kzg_proofs(&input.blob.0)))
        }
        "recover_cells_and_kzg_proofs" => check(case, |input: &SomeCells| {
            all_cells(kzg::recover_cells_and_kzg_proofs(&input.cell_indices, &slices(&input.cells)))
        }),
        "verify_cell_kzg_proof_batch" => check(case, |input: &CellProofs| {
            let (commitments, proofs) = (points(&input.commitments)?, points(&input.proofs)?);
            let cells = slices(&input.cells);
            kzg::verify_cell_kzg_proof_batch(&commitments, &input.cell_indices, &cells, &proofs).ok()
        }),
        "compute_verify_cell_kzg_proof_batch_challenge" => check(case, transcript),
        other => bail!("no handler {other}"),
    }
}

/// Compares what is found with the case's output; none where the input is refused.
fn check<I: DeserializeOwned, O: DeserializeOwned + PartialEq + Debug>(
    case: &Case,
    find: impl Fn(&I) -> Option<O>,
) -> super::Result {
    let Data::<I, O> { input, output } = case.yaml("data.yaml")?;
    let found = find(&input);
    ensure!(found == output, "found {found:?}, expected {output:?}");
    Ok(())
}

/// One proof is also a batch of one.
fn verify_blob_kzg_proof(input: &BlobProof) -> Option<bool> {
    let BlobProof { blob, commitment, proof } = input;
    let (commitment, proof) = (commitment.fixed()?, proof.fixed()?);
    let found = kzg::verify_blob_kzg_proof(&blob.0, &commitment, &proof).ok();
    let batch = kzg::verify_blob_kzg_proof_batch(&[&blob.0], &[commitment], &[proof]).ok();
    assert_eq!(found, batch, "alone and in a batch");
    found
}

fn all_cells(found: Result<kzg::CellsAndKzgProofs, kzg::KzgError>) -> Option<(Vec<Hex>, Vec<Hex>)> {
    let kzg::CellsAndKzgProofs { cells, proofs } = found.ok()?;
    Some((cells.into_iter().map(|cell| Hex(cell.0)).collect(), proofs.into_iter().map(Hex::from).collect()))
}

fn transcript(input: &Transcript) -> Option<Hex> {
    let cells: Vec<Hex> = input.cosets_evals.iter().map(|cell| Hex(slices(cell).concat())).collect();
    let challenge = kzg::compute_verify_cell_kzg_proof_batch_challenge(
        &points(&input.commitments)?,
        &input.commitment_indices,
        &input.cell_indices,
        &slices(&cells),
        &points(&input.proofs)?,
    );
    challenge.ok().map(Hex::from)
}

//! The challenges of the proofs: hashes of what is proved, as field elements.
//!
//! The library makes them itself while it proves and verifies. They stand here too, because proofs of other
//! implementations are only understood where all of them hash the very same bytes, and the vectors say which.

use crypto::hash;
use types::{FixedBytes, KzgCommitment, KzgProof};

use super::convert::same_count;
use super::{BYTES_PER_BLOB, BYTES_PER_CELL, FieldElement, KzgError};

/// `FIAT_SHAMIR_PROTOCOL_DOMAIN`.
const FIAT_SHAMIR_PROTOCOL_DOMAIN: &[u8; 16] = b"FSBLOBVERIFY_V1_";
/// `RANDOM_CHALLENGE_KZG_CELL_BATCH_DOMAIN`.
const RANDOM_CHALLENGE_KZG_CELL_BATCH_DOMAIN: &[u8; 16] = b"RCKZGCBATCH__V1_";

/// `BLS_MODULUS`, big endian.
const BLS_MODULUS: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53,
    0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

/// [`hash_to_bls_field`](https://github.com/ethereum/cryptography-specs): the hash, reduced.
fn hash_to_bls_field(data: &[u8]) -> FieldElement {
    let mut number = hash(data);
    // The modulus goes at most twice into a number of 256 bits.
    while number >= BLS_MODULUS {
        let mut borrow = 0;
        for (digit, modulus) in number.iter_mut().zip(BLS_MODULUS).rev() {
            let difference = i16::from(*digit) - i16::from(modulus) - borrow;
            borrow = i16::from(difference < 0);
            *digit = (difference + 256 * borrow) as u8;
        }
    }
    FixedBytes(number)
}

/// [`compute_challenge`](https://github.com/ethereum/cryptography-specs): where a blob's polynomial is evaluated for
/// its proof.
pub fn compute_challenge(blob: &[u8], commitment: &KzgCommitment) -> Result<FieldElement, KzgError> {
    if blob.len() != BYTES_PER_BLOB {
        return Err(KzgError::BlobLength(blob.len()));
    }
    let mut data = Vec::with_capacity(16 + 16 + BYTES_PER_BLOB + 48);
    data.extend(FIAT_SHAMIR_PROTOCOL_DOMAIN);
    data.extend(u128::to_be_bytes(c_kzg::FIELD_ELEMENTS_PER_BLOB as u128));
    data.extend(blob);
    data.extend(commitment.0);
    Ok(hash_to_bls_field(&data))
}

/// [`compute_verify_cell_kzg_proof_batch_challenge`](https://github.com/ethereum/cryptography-specs): the weight of
/// the second proof of a batch, whose powers are those of the others.
///
/// `commitments` are told apart, and `commitment_indices` says which of them is each cell's.
pub fn compute_verify_cell_kzg_proof_batch_challenge(
    commitments: &[KzgCommitment],
    commitment_indices: &[u64],
    cell_indices: &[u64],
    cells: &[&[u8]],
    proofs: &[KzgProof],
) -> Result<FieldElement, KzgError> {
    for count in [commitment_indices.len(), cell_indices.len(), proofs.len()] {
        same_count(cells.len(), count)?;
    }
    if let Some(cell) = cells.iter().find(|cell| cell.len() != BYTES_PER_CELL) {
        return Err(KzgError::CellLength(cell.len()));
    }
    let mut data = RANDOM_CHALLENGE_KZG_CELL_BATCH_DOMAIN.to_vec();
    let counts =
        [c_kzg::FIELD_ELEMENTS_PER_BLOB, c_kzg::FIELD_ELEMENTS_PER_CELL, commitments.len(), cells.len()];
    data.extend(counts.iter().flat_map(|count| (*count as u64).to_be_bytes()));
    data.extend(commitments.iter().flat_map(|commitment| commitment.0));
    for (place, cell) in cells.iter().enumerate() {
        data.extend(commitment_indices[place].to_be_bytes());
        data.extend(cell_indices[place].to_be_bytes());
        data.extend(*cell);
        data.extend(proofs[place].0);
    }
    Ok(hash_to_bls_field(&data))
}

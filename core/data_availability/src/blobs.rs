//! Deneb and Electra: a sidecar for each blob.

use types::{BlobSidecar, Bytes, ForkName, KzgCommitment, KzgProof, SignedBeaconBlock, Slot, Spec};

use crate::inclusion::{commitment_branches, compute_signed_block_header, is_commitment_included};
use crate::kzg::{verify_blob_kzg_proof, verify_blob_kzg_proof_batch};
use crate::{BlobIndex, SidecarError};

/// The most blobs that a block of this slot may carry: none before Deneb.
pub fn max_blobs_per_block(spec: &Spec, slot: Slot) -> u64 {
    match spec.fork_name_at_slot(slot) {
        fork if fork < ForkName::Deneb => 0,
        ForkName::Deneb => spec.config.max_blobs_per_block,
        ForkName::Electra => spec.config.max_blobs_per_block_electra,
        _ => spec.get_blob_parameters(slot.epoch(spec)).max_blobs_per_block,
    }
}

/// [`verify_blob_sidecar_inclusion_proof`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#verify_blob_sidecar_inclusion_proof).
pub fn verify_blob_sidecar_inclusion_proof(spec: &Spec, sidecar: &BlobSidecar) -> bool {
    is_commitment_included(
        spec,
        &sidecar.kzg_commitment,
        sidecar.index,
        &sidecar.kzg_commitment_inclusion_proof,
        &sidecar.signed_block_header.message.body_root,
    )
}

/// True where the sidecar's blob is the one that its commitment is to.
pub fn verify_blob_sidecar_kzg_proof(sidecar: &BlobSidecar) -> bool {
    verify_blob_kzg_proof(&sidecar.blob.0, &sidecar.kzg_commitment, &sidecar.kzg_proof) == Ok(true)
}

/// The places of the sidecars whose proofs are wrong, found by one batch, and by halves where that fails.
pub fn find_invalid_blob_sidecars(sidecars: &[&BlobSidecar]) -> Vec<usize> {
    crate::sidecar::find_invalid(sidecars, |sidecars| {
        let blobs: Vec<&[u8]> = sidecars.iter().map(|sidecar| sidecar.blob.0.as_slice()).collect();
        let commitments: Vec<_> = sidecars.iter().map(|sidecar| sidecar.kzg_commitment).collect();
        let proofs: Vec<_> = sidecars.iter().map(|sidecar| sidecar.kzg_proof).collect();
        verify_blob_kzg_proof_batch(&blobs, &commitments, &proofs) == Ok(true)
    })
}

/// [`compute_subnet_for_blob_sidecar`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/validator.md#sidecar);
/// `fork` is that of the topic.
pub fn compute_subnet_for_blob_sidecar(spec: &Spec, fork: ForkName, blob_index: BlobIndex) -> u64 {
    let subnets = if fork >= ForkName::Electra {
        spec.config.blob_sidecar_subnet_count_electra
    } else {
        spec.config.blob_sidecar_subnet_count
    };
    blob_index.checked_rem(subnets).unwrap_or(0)
}

/// [`compute_max_request_blob_sidecars`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#compute_max_request_blob_sidecars).
pub fn compute_max_request_blob_sidecars(spec: &Spec, fork: ForkName) -> u64 {
    let blobs = if fork >= ForkName::Electra {
        spec.config.max_blobs_per_block_electra
    } else {
        spec.config.max_blobs_per_block
    };
    spec.config.max_request_blocks_deneb.saturating_mul(blobs)
}

/// [`get_blob_sidecars`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/validator.md#sidecar)
/// of a block, whose blobs and proofs the execution layer gave. Each blob has a commitment and a proof; that they fit
/// each other is not verified here.
pub fn get_blob_sidecars(
    spec: &'static Spec,
    signed_block: &SignedBeaconBlock,
    blobs: Vec<Bytes>,
    blob_kzg_proofs: &[KzgProof],
) -> Result<Vec<BlobSidecar>, SidecarError> {
    let commitments = &signed_block.message.body.blob_kzg_commitments;
    let found = (blobs.len(), blob_kzg_proofs.len());
    if found != (commitments.len(), commitments.len()) {
        return Err(SidecarError::Counts { commitments: commitments.len(), found: found.0.max(found.1) });
    }
    let branches = commitment_branches(spec, signed_block)?;
    let signed_block_header = compute_signed_block_header(spec, signed_block);
    let parts = blobs.into_iter().zip(branches).zip(commitments).zip(blob_kzg_proofs);
    let sidecars = parts.enumerate().map(|(index, (((blob, branch), commitment), proof))| BlobSidecar {
        index: index as u64,
        blob,
        kzg_commitment: *commitment,
        kzg_proof: *proof,
        signed_block_header: signed_block_header.clone(),
        kzg_commitment_inclusion_proof: branch,
    });
    Ok(sidecars.collect())
}

/// [`is_data_available`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/fork-choice.md#is_data_available)
/// where the blobs and proofs of a block are at hand. False too where they are not as many as the commitments.
pub fn is_data_available(
    blob_kzg_commitments: &[KzgCommitment],
    blobs: &[&[u8]],
    proofs: &[KzgProof],
) -> bool {
    verify_blob_kzg_proof_batch(blobs, blob_kzg_commitments, proofs) == Ok(true)
}

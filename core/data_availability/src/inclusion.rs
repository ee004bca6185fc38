//! Where a block's commitments lie below the root of its body.

use ssz::{MerkleProof, Shape, is_valid_merkle_proof};
use types::bounds::MAX_BLOB_COMMITMENTS_PER_BLOCK;
use types::{
    BeaconBlockHeader, ForkName, KzgCommitment, Root, SignedBeaconBlock, SignedBeaconBlockHeader, Spec, Ssz,
    SszExt,
};

use crate::SidecarError;

/// The generalized index of `blob_kzg_commitments` in a block's body, in all forks from Deneb to Fulu.
pub const BLOB_KZG_COMMITMENTS_INDEX: u64 = 27;

/// A list of commitments alone. The tree of a container with one field is that field's.
#[derive(Clone, Debug, Default, PartialEq, Ssz)]
struct Commitments {
    #[ssz(list(MAX_BLOB_COMMITMENTS_PER_BLOCK))]
    list: Vec<KzgCommitment>,
}

/// The generalized index of the commitment to a blob in a block's body; none for a place that no block has.
pub fn commitment_index(spec: &Spec, blob: u64) -> Option<u64> {
    let limit = spec.preset.max_blob_commitments_per_block;
    // The list has its commitments to the left of its length.
    (blob < limit).then(|| BLOB_KZG_COMMITMENTS_INDEX * 2 * limit.next_power_of_two() + blob)
}

/// True where the commitment is that to the blob at `blob` in the body with this root.
pub fn is_commitment_included(
    spec: &Spec,
    commitment: &KzgCommitment,
    blob: u64,
    branch: &[Root],
    body_root: &Root,
) -> bool {
    commitment_index(spec, blob).is_some_and(|index| {
        let leaf = commitment.hash_tree_root(ssz::Ctx::PLAIN);
        is_valid_merkle_proof(&leaf, branch, index, body_root)
    })
}

/// True where these are all commitments of the body with this root.
pub fn are_commitments_included(
    spec: &'static Spec,
    commitments: &[KzgCommitment],
    branch: &[Root],
    body_root: &Root,
) -> bool {
    if commitments.len() as u64 > spec.preset.max_blob_commitments_per_block {
        return false;
    }
    let shape = Shape::List(MAX_BLOB_COMMITMENTS_PER_BLOCK, &Shape::Plain);
    let leaf = Ssz::root(&commitments.to_vec(), &shape, &spec.ctx(ForkName::Deneb));
    is_valid_merkle_proof(&leaf, branch, BLOB_KZG_COMMITMENTS_INDEX, body_root)
}

/// The branch from all commitments up to the body's root.
pub fn commitments_branch(spec: &'static Spec, block: &SignedBeaconBlock) -> Result<Vec<Root>, SidecarError> {
    let fork = spec.fork_name_at_slot(block.message.slot);
    if fork < ForkName::Deneb {
        return Err(SidecarError::NoCommitments(fork));
    }
    let proof = block.message.body.compute_merkle_proof(BLOB_KZG_COMMITMENTS_INDEX, spec.ctx(fork));
    Ok(proof.expect("a body has commitments since Deneb").branch)
}

/// The branch from each commitment up to the body's root.
pub fn commitment_branches(
    spec: &'static Spec,
    block: &SignedBeaconBlock,
) -> Result<Vec<Vec<Root>>, SidecarError> {
    let above = commitments_branch(spec, block)?;
    let list = Commitments { list: block.message.body.blob_kzg_commitments.clone() };
    let limit = spec.preset.max_blob_commitments_per_block;
    if list.list.len() as u64 > limit {
        return Err(SidecarError::TooMany { found: list.list.len() as u64, limit });
    }
    let first = 2 * limit.next_power_of_two();
    let branches = (0..list.list.len() as u64).map(|blob| {
        let proof = list.compute_merkle_proof(first + blob, spec.ctx(ForkName::Deneb));
        let MerkleProof { mut branch, .. } = proof.expect("every commitment has its place");
        branch.extend(&above);
        branch
    });
    Ok(branches.collect())
}

/// [`compute_signed_block_header`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/validator.md#sidecar).
pub fn compute_signed_block_header(
    spec: &'static Spec,
    signed_block: &SignedBeaconBlock,
) -> SignedBeaconBlockHeader {
    let block = &signed_block.message;
    let message = BeaconBlockHeader {
        slot: block.slot,
        proposer_index: block.proposer_index,
        parent_root: block.parent_root,
        state_root: block.state_root,
        body_root: block.body.hash_tree_root(spec.ctx_at_slot(block.slot)),
    };
    SignedBeaconBlockHeader { message, signature: signed_block.signature }
}

#[cfg(test)]
mod tests {
    use ssz::{PathStep, get_generalized_index};
    use types::BeaconBlockBody;

    use super::*;

    #[test]
    fn the_indices_are_those_of_the_body_s_own_schema_in_every_fork_and_preset() {
        for spec in [Spec::minimal(), Spec::mainnet()] {
            for fork in [ForkName::Deneb, ForkName::Electra, ForkName::Fulu] {
                let schema = BeaconBlockBody::schema_of(spec.ctx(fork));
                let path = [PathStep::Field("blob_kzg_commitments"), PathStep::Index(3)];
                assert_eq!(get_generalized_index(&schema, &path[..1]), Some(BLOB_KZG_COMMITMENTS_INDEX));
                assert_eq!(get_generalized_index(&schema, &path), commitment_index(spec, 3));
            }
            let (blob, blobs) = (
                spec.preset.kzg_commitment_inclusion_proof_depth,
                spec.preset.kzg_commitments_inclusion_proof_depth,
            );
            assert_eq!(u64::from(commitment_index(spec, 0).unwrap().ilog2()), blob);
            assert_eq!(u64::from(BLOB_KZG_COMMITMENTS_INDEX.ilog2()), blobs);
            assert_eq!(commitment_index(spec, spec.preset.max_blob_commitments_per_block), None);
        }
    }
}

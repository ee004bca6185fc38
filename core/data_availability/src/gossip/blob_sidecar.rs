//! `blob_sidecar_{subnet_id}`, from Deneb to Electra.

use types::{BeaconState, BlobSidecar, Ctx, ForkName, Root, Slot, SszExt, Time, ValidatorIndex};

use super::header::{Reasons, check_header, check_proposer};
use super::{Checked, HeaderStore, SeenSidecars, Verdict, Why};
use crate::BlobIndex;
use crate::blobs::{
    compute_subnet_for_blob_sidecar, max_blobs_per_block, verify_blob_sidecar_inclusion_proof,
};

/// The reason for rejecting a sidecar whose KZG proof is wrong.
pub const INVALID_BLOB_KZG_PROOF: Why = Why("invalid blob kzg proof");

pub(super) const REASONS: Reasons = Reasons {
    future_slot: Why("blob sidecar is from a future slot"),
    not_after_finalized: Why("blob sidecar is not from a slot greater than the latest finalized slot"),
    signature: Why("invalid proposer signature on blob sidecar block header"),
    parent_not_seen: Why("blob sidecar's parent has not been seen"),
    parent_invalid: Why("blob sidecar's parent failed validation"),
    not_after_parent: Why("blob sidecar is not from a higher slot than its parent"),
    not_of_finalized: Why("finalized checkpoint is not an ancestor of blob sidecar's block"),
    other_proposer: Why("blob sidecar proposer_index does not match expected proposer"),
};

/// A sidecar that passed all rules but its header's signature and its KZG proof.
#[derive(Clone, Copy, Debug)]
pub struct CheckedBlobSidecar {
    slot: Slot,
    proposer: ValidatorIndex,
    index: BlobIndex,
    /// The root of its block.
    pub block_root: Root,
}

/// [`validate_blob_sidecar_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#blob_sidecar_subnet_id).
///
/// `state` tells the proposer's key: any state of the network whose registry is long enough does. The KZG proof
/// remains to be verified, see [`INVALID_BLOB_KZG_PROOF`].
pub fn validate_blob_sidecar_gossip(
    seen: &SeenSidecars,
    store: &dyn HeaderStore,
    state: &BeaconState,
    blob_sidecar: &BlobSidecar,
    now: Time,
    subnet_id: u64,
) -> Result<Checked<CheckedBlobSidecar>, Verdict> {
    let spec = state.spec();
    let header = &blob_sidecar.signed_block_header.message;
    let fork = spec.fork_name_at_slot(header.slot);
    // A slot of another fork is not one of this topic.
    if !(ForkName::Deneb..=ForkName::Electra).contains(&fork)
        || blob_sidecar.index >= max_blobs_per_block(spec, header.slot)
    {
        return Err(Verdict::reject("blob index out of range"));
    }
    if compute_subnet_for_blob_sidecar(spec, fork, blob_sidecar.index) != subnet_id {
        return Err(Verdict::reject("blob sidecar is for wrong subnet"));
    }
    let signature = check_header(store, state, &blob_sidecar.signed_block_header, now, &REASONS)?;
    if !verify_blob_sidecar_inclusion_proof(spec, blob_sidecar) {
        return Err(Verdict::reject("invalid blob sidecar inclusion proof"));
    }
    let facts = CheckedBlobSidecar {
        slot: header.slot,
        proposer: header.proposer_index,
        index: blob_sidecar.index,
        block_root: header.hash_tree_root(Ctx::PLAIN),
    };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen blob sidecar from this proposer for this slot and index"));
    }
    check_proposer(store, &blob_sidecar.signed_block_header, &REASONS)?;
    Ok(Checked { signatures: vec![signature], facts })
}

impl CheckedBlobSidecar {
    /// True where a valid sidecar of this slot, proposer and index was seen.
    pub fn is_seen(&self, seen: &SeenSidecars) -> bool {
        seen.blob_sidecar_tuples.contains(&(self.slot, self.proposer, self.index))
    }

    /// Remembers the sidecar; its signature and its KZG proof are verified.
    pub fn mark_seen(&self, seen: &mut SeenSidecars) {
        seen.blob_sidecar_tuples.insert((self.slot, self.proposer, self.index));
        seen.bound();
    }
}

//! `data_column_sidecar_{subnet_id}`, since Fulu.

use types::{BeaconState, Ctx, DataColumnSidecar, ForkName, Root, Slot, SszExt, Time, ValidatorIndex};

use super::header::{PARENT_NOT_SEEN, Reasons, check_header, check_proposer};
use super::{Checked, HeaderStore, SeenSidecars, Verdict, Why};
use crate::ColumnIndex;
use crate::columns::{
    compute_subnet_for_data_column_sidecar, verify_data_column_sidecar,
    verify_data_column_sidecar_inclusion_proof,
};

/// The reason for rejecting a sidecar whose KZG proofs are wrong.
pub const INVALID_SIDECAR_KZG_PROOFS: Why = Why("invalid sidecar kzg proofs");

pub(super) const REASONS: Reasons = Reasons {
    future_slot: Why("sidecar is from a future slot"),
    not_after_finalized: Why("sidecar is not from a slot greater than the latest finalized slot"),
    signature: Why("invalid proposer signature on sidecar block header"),
    parent_not_seen: PARENT_NOT_SEEN,
    parent_invalid: Why("sidecar's parent failed validation"),
    not_after_parent: Why("sidecar is not from a higher slot than its parent"),
    not_of_finalized: Why("finalized checkpoint is not an ancestor of sidecar's block"),
    other_proposer: Why("sidecar proposer_index does not match expected proposer"),
};

/// A sidecar that passed all rules but its header's signature and its KZG proofs.
#[derive(Clone, Copy, Debug)]
pub struct CheckedDataColumnSidecar {
    slot: Slot,
    proposer: ValidatorIndex,
    index: ColumnIndex,
    /// The root of its block.
    pub block_root: Root,
}

/// [`validate_data_column_sidecar_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#data_column_sidecar_subnet_id).
///
/// `state` tells the proposer's key: any state of the network whose registry is long enough does. The KZG proofs
/// remain to be verified, see [`INVALID_SIDECAR_KZG_PROOFS`].
pub fn validate_data_column_sidecar_gossip(
    seen: &SeenSidecars,
    store: &dyn HeaderStore,
    state: &BeaconState,
    sidecar: &DataColumnSidecar,
    now: Time,
    subnet_id: u64,
) -> Result<Checked<CheckedDataColumnSidecar>, Verdict> {
    let spec = state.spec();
    let header = &sidecar.signed_block_header.message;
    let facts = CheckedDataColumnSidecar {
        slot: header.slot,
        proposer: header.proposer_index,
        index: sidecar.index,
        block_root: header.hash_tree_root(Ctx::PLAIN),
    };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen sidecar from this proposer for this slot and index"));
    }
    // A slot before Fulu has no columns.
    if spec.fork_name_at_slot(header.slot) < ForkName::Fulu || !verify_data_column_sidecar(spec, sidecar) {
        return Err(Verdict::reject("invalid sidecar"));
    }
    if compute_subnet_for_data_column_sidecar(spec, sidecar.index) != subnet_id {
        return Err(Verdict::reject("sidecar is for wrong subnet"));
    }
    let signature = check_header(store, state, &sidecar.signed_block_header, now, &REASONS)?;
    if !verify_data_column_sidecar_inclusion_proof(spec, sidecar) {
        return Err(Verdict::reject("invalid sidecar inclusion proof"));
    }
    check_proposer(store, &sidecar.signed_block_header, &REASONS)?;
    Ok(Checked { signatures: vec![signature], facts })
}

impl CheckedDataColumnSidecar {
    /// True where a valid sidecar of this slot, proposer and index was seen.
    pub fn is_seen(&self, seen: &SeenSidecars) -> bool {
        seen.data_column_sidecar_tuples.contains(&(self.slot, self.proposer, self.index))
    }

    /// Remembers the sidecar; its signature and its KZG proofs are verified.
    pub fn mark_seen(&self, seen: &mut SeenSidecars) {
        seen.data_column_sidecar_tuples.insert((self.slot, self.proposer, self.index));
        seen.bound();
    }
}

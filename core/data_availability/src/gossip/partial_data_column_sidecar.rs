//! Some cells of a column, since Fulu.
//!
//! A message has a header, cells, or both. The first valid header of a block is remembered, and every later message
//! of that block is judged by it.

use types::{
    BeaconState, Ctx, PartialDataColumnGroupID, PartialDataColumnHeader, PartialDataColumnSidecar, Root,
    SszExt, Time,
};

use super::header::{Reasons, check_header, check_proposer, check_slot};
use super::{Checked, HeaderStore, SeenSidecars, Verdict, Why};
use crate::columns::verify_partial_data_column_header_inclusion_proof;

/// The reason for ignoring cells of a block whose header is not known.
pub const HEADER_NOT_SEEN: Why = Why("valid corresponding header has not been seen");

const REASONS: Reasons = Reasons {
    future_slot: Why("header is from a future slot"),
    not_after_finalized: Why("header is not from a slot greater than the latest finalized slot"),
    signature: Why("invalid proposer signature on header"),
    parent_not_seen: Why("header's parent has not been seen"),
    parent_invalid: Why("header's parent failed validation"),
    not_after_parent: Why("header is not from a higher slot than its parent"),
    not_of_finalized: Why("finalized checkpoint is not an ancestor of header's block"),
    other_proposer: Why("header proposer_index does not match expected proposer"),
};

/// The reasons of a message whose header came before.
const LATER_REASONS: Reasons = Reasons {
    future_slot: Why("corresponding header is from a future slot"),
    not_after_finalized: Why(
        "corresponding header is not from a slot greater than the latest finalized slot",
    ),
    ..REASONS
};

/// A message that passed all rules but its header's signature and its cells' KZG proofs.
#[derive(Clone, Debug)]
pub struct CheckedPartialDataColumnSidecar {
    block_root: Root,
    /// The header that the cells belong to: the message's own, or the one that was remembered.
    pub header: PartialDataColumnHeader,
}

/// [`validate_partial_data_column_sidecar_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/partial-columns/p2p-interface.md).
///
/// The KZG proofs of the cells remain to be verified against the header's commitments, with the reason
/// [`INVALID_SIDECAR_KZG_PROOFS`](super::INVALID_SIDECAR_KZG_PROOFS). A header that is good beside cells
/// with wrong proofs is remembered all the same: `mark_seen` follows the signature, not the proofs. One beside cells
/// that are refused here is not; the next message of the block brings it again.
pub fn validate_partial_data_column_sidecar_gossip(
    seen: &SeenSidecars,
    store: &dyn HeaderStore,
    state: &BeaconState,
    sidecar: &PartialDataColumnSidecar,
    now: Time,
    group_id: &PartialDataColumnGroupID,
) -> Result<Checked<CheckedPartialDataColumnSidecar>, Verdict> {
    let bitmap = &sidecar.cells_present_bitmap;
    let present = bitmap.count_ones();
    if sidecar.header.is_empty() && present == 0 {
        return Err(Verdict::reject("partial message is semantically empty"));
    }
    if sidecar.partial_column.len() != present {
        return Err(Verdict::reject("number of cells does not match number of set bits"));
    }
    if sidecar.kzg_proofs.len() != present {
        return Err(Verdict::reject("number of proofs does not match number of set bits"));
    }
    let block_root = group_id.beacon_block_root;
    let mut signatures = Vec::new();
    if let Some(header) = sidecar.header.first() {
        check_new_header(seen, &block_root, header)?;
        signatures.push(check_header(store, state, &header.signed_block_header, now, &REASONS)?);
        if !verify_partial_data_column_header_inclusion_proof(state.spec(), header) {
            return Err(Verdict::reject("invalid header inclusion proof"));
        }
        check_proposer(store, &header.signed_block_header, &REASONS)?;
    }
    let header = sidecar.header.first().or_else(|| seen.partial_data_column_header(&block_root));
    let Some(header) = header else { return Err(Verdict::Ignore(HEADER_NOT_SEEN)) };
    if present > 0 {
        check_slot(store, state, header.signed_block_header.message.slot, now, &LATER_REASONS)?;
        if bitmap.len() != header.kzg_commitments.len() {
            return Err(Verdict::reject("bitmap length does not match commitments length"));
        }
    }
    Ok(Checked { signatures, facts: CheckedPartialDataColumnSidecar { block_root, header: header.clone() } })
}

/// What is asked of a header before anything that takes the state.
fn check_new_header(
    seen: &SeenSidecars,
    block_root: &Root,
    header: &PartialDataColumnHeader,
) -> Result<(), Verdict> {
    if seen.partial_data_column_header(block_root).is_some_and(|prior| prior != header) {
        return Err(Verdict::reject("header differs from previously validated header"));
    }
    if header.signed_block_header.message.hash_tree_root(Ctx::PLAIN) != *block_root {
        return Err(Verdict::reject("header's block root does not match group id's block root"));
    }
    if header.kzg_commitments.is_empty() {
        return Err(Verdict::reject("header's kzg_commitments is empty"));
    }
    Ok(())
}

impl CheckedPartialDataColumnSidecar {
    /// Remembers the header; its signature is verified.
    pub fn mark_seen(&self, seen: &mut SeenSidecars) {
        seen.insert_partial_data_column_header(self.block_root, self.header.clone());
    }
}

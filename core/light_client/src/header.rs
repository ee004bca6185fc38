//! Headers for light clients: a block's header, and that of its execution payload since Capella.

use ssz::{Ctx, SszExt};
use transition::block::header_of;
use types::{
    BeaconBlockHeader, ExecutionPayloadHeader, ForkName, LightClientHeader, Root, SignedBeaconBlock, Spec,
};

use crate::branches::{EXECUTION_PAYLOAD_GINDEX, depth, is_empty_branch, is_valid_normalized_merkle_branch};

/// [`get_lc_execution_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/light-client/sync-protocol.md#get_lc_execution_root):
/// zero before Capella; modified in Deneb.
pub fn get_lc_execution_root(spec: &'static Spec, header: &LightClientHeader) -> Root {
    let fork = spec.fork_name_at_slot(header.beacon.slot);
    if fork < ForkName::Capella {
        return Root::ZERO;
    }
    // Hashed as the fork of the block had it, so fields of later forms are left out.
    header.execution.hash_tree_root(spec.ctx(fork))
}

/// [`is_valid_light_client_header`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#is_valid_light_client_header);
/// modified in Capella and Deneb. The execution payload lies in the block, and nothing is said of it where the block's
/// fork does not say it.
pub fn is_valid_light_client_header(spec: &'static Spec, header: &LightClientHeader) -> bool {
    let fork = spec.fork_name_at_slot(header.beacon.slot);
    let execution = &header.execution;
    if fork < ForkName::Deneb && (execution.blob_gas_used != 0 || execution.excess_blob_gas != 0) {
        return false;
    }
    if fork < ForkName::Capella {
        return is_without_execution(header);
    }
    let root = get_lc_execution_root(spec, header);
    let is_exact = header.execution_branch.len() == depth(EXECUTION_PAYLOAD_GINDEX);
    is_exact
        && is_valid_normalized_merkle_branch(
            &root,
            &header.execution_branch,
            EXECUTION_PAYLOAD_GINDEX,
            &header.beacon.body_root,
        )
}

fn is_without_execution(header: &LightClientHeader) -> bool {
    header.execution == ExecutionPayloadHeader::default() && is_empty_branch(&header.execution_branch)
}

/// True for `LightClientHeader()` of any form.
pub(crate) fn is_empty_header(header: &LightClientHeader) -> bool {
    header.beacon == BeaconBlockHeader::default() && is_without_execution(header)
}

/// [`block_to_light_client_header`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/full-node.md#block_to_light_client_header)
/// in the form of the block's fork; modified in Capella and Deneb. Bellatrix's payloads are left out, as they always
/// were.
pub fn block_to_light_client_header(spec: &'static Spec, block: &SignedBeaconBlock) -> LightClientHeader {
    let message = &block.message;
    let fork = spec.fork_name_at_slot(message.slot);
    let ctx = spec.ctx(fork);
    let beacon = BeaconBlockHeader {
        slot: message.slot,
        proposer_index: message.proposer_index,
        parent_root: message.parent_root,
        state_root: message.state_root,
        body_root: message.body.hash_tree_root(ctx),
    };
    if fork < ForkName::Capella {
        return LightClientHeader { beacon, ..LightClientHeader::default() };
    }
    let proof = message.body.compute_merkle_proof(EXECUTION_PAYLOAD_GINDEX, ctx);
    LightClientHeader {
        beacon,
        execution: header_of(&message.body.execution_payload, &ctx),
        execution_branch: proof.expect("a body has a payload since Bellatrix").branch,
    }
}

/// The root of the block.
pub(crate) fn block_root(header: &LightClientHeader) -> Root {
    header.beacon.hash_tree_root(Ctx::PLAIN)
}

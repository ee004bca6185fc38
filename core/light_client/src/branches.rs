//! Where things lie below the root of a state or of a block's body, and the branches that prove it.

use ssz::is_valid_merkle_proof;
use types::{ForkName, Root, Slot, Spec};

/// Of `finalized_checkpoint.root` in a state before Electra.
pub const FINALIZED_ROOT_GINDEX: u64 = 105;
/// Of `current_sync_committee` in a state before Electra.
pub const CURRENT_SYNC_COMMITTEE_GINDEX: u64 = 54;
/// Of `next_sync_committee` in a state before Electra.
pub const NEXT_SYNC_COMMITTEE_GINDEX: u64 = 55;
/// Of `finalized_checkpoint.root` in a state since Electra.
pub const FINALIZED_ROOT_GINDEX_ELECTRA: u64 = 169;
/// Of `current_sync_committee` in a state since Electra.
pub const CURRENT_SYNC_COMMITTEE_GINDEX_ELECTRA: u64 = 86;
/// Of `next_sync_committee` in a state since Electra.
pub const NEXT_SYNC_COMMITTEE_GINDEX_ELECTRA: u64 = 87;
/// Of `execution_payload` in a block's body.
pub const EXECUTION_PAYLOAD_GINDEX: u64 = 25;

/// [`finalized_root_gindex_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#finalized_root_gindex_at_slot);
/// modified in Electra.
pub fn finalized_root_gindex_at_slot(spec: &Spec, slot: Slot) -> u64 {
    if is_electra(spec, slot) { FINALIZED_ROOT_GINDEX_ELECTRA } else { FINALIZED_ROOT_GINDEX }
}

/// [`current_sync_committee_gindex_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#current_sync_committee_gindex_at_slot);
/// modified in Electra.
pub fn current_sync_committee_gindex_at_slot(spec: &Spec, slot: Slot) -> u64 {
    if is_electra(spec, slot) { CURRENT_SYNC_COMMITTEE_GINDEX_ELECTRA } else { CURRENT_SYNC_COMMITTEE_GINDEX }
}

/// [`next_sync_committee_gindex_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#next_sync_committee_gindex_at_slot);
/// modified in Electra.
pub fn next_sync_committee_gindex_at_slot(spec: &Spec, slot: Slot) -> u64 {
    if is_electra(spec, slot) { NEXT_SYNC_COMMITTEE_GINDEX_ELECTRA } else { NEXT_SYNC_COMMITTEE_GINDEX }
}

fn is_electra(spec: &Spec, slot: Slot) -> bool {
    spec.fork_name_at_slot(slot) >= ForkName::Electra
}

/// How many siblings lie on the way from a place up to the root.
pub(crate) fn depth(generalized_index: u64) -> usize {
    generalized_index.ilog2() as usize
}

/// [`is_valid_normalized_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#is_valid_normalized_merkle_branch):
/// a branch may be longer than the way, if it begins with zeros. False too where it is shorter.
pub fn is_valid_normalized_merkle_branch(leaf: &Root, branch: &[Root], gindex: u64, root: &Root) -> bool {
    let Some(extra) = branch.len().checked_sub(depth(gindex)) else { return false };
    let (zeros, branch) = branch.split_at(extra);
    is_empty_branch(zeros) && is_valid_merkle_proof(leaf, branch, gindex, root)
}

/// [`normalize_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/light-client/fork.md#normalize_merkle_branch):
/// zeros before a branch, so that it is as long as the way from `gindex`. One that is longer stays as it is.
pub fn normalize_merkle_branch(branch: &[Root], gindex: u64) -> Vec<Root> {
    let mut normalized = vec![Root::ZERO; depth(gindex).saturating_sub(branch.len())];
    normalized.extend_from_slice(branch);
    normalized
}

/// True for the default branch of any form: what is not there.
pub(crate) fn is_empty_branch(branch: &[Root]) -> bool {
    branch.iter().all(Root::is_zero)
}

#[cfg(test)]
mod tests {
    use ssz::{PathStep, SszExt, get_generalized_index};
    use types::{BeaconBlockBody, BeaconState};

    use super::*;
    use crate::fixture;

    #[test]
    fn the_places_are_those_of_the_containers_of_every_fork() {
        let spec = Spec::mainnet();
        let field = |name| PathStep::Field(name);
        for fork in ForkName::ALL.into_iter().filter(|fork| *fork >= ForkName::Altair) {
            let slot = spec.fork_epoch(fork).start_slot(spec);
            let schema = BeaconState::schema_of(spec.ctx(fork));
            let place = |path: &[PathStep]| get_generalized_index(&schema, path).unwrap();
            let finalized = place(&[field("finalized_checkpoint"), field("root")]);
            assert_eq!(finalized_root_gindex_at_slot(spec, slot), finalized, "{fork}");
            let current = place(&[field("current_sync_committee")]);
            assert_eq!(current_sync_committee_gindex_at_slot(spec, slot), current, "{fork}");
            let next = place(&[field("next_sync_committee")]);
            assert_eq!(next_sync_committee_gindex_at_slot(spec, slot), next, "{fork}");
            if fork >= ForkName::Capella {
                let body = BeaconBlockBody::schema_of(spec.ctx(fork));
                let payload = get_generalized_index(&body, &[field("execution_payload")]);
                assert_eq!(payload, Some(EXECUTION_PAYLOAD_GINDEX), "{fork}");
            }
        }
    }

    #[test]
    fn zeros_before_a_branch_change_nothing_and_anything_else_makes_it_invalid() {
        let state = fixture::state(ForkName::Deneb);
        let proof = state.compute_merkle_proof(FINALIZED_ROOT_GINDEX, state.ctx()).unwrap();
        let root = state.state_root();
        let is_valid = |branch: &[Root]| {
            is_valid_normalized_merkle_branch(&proof.leaf, branch, FINALIZED_ROOT_GINDEX, &root)
        };
        assert!(is_valid(&proof.branch));
        let mut longer = normalize_merkle_branch(&proof.branch, FINALIZED_ROOT_GINDEX_ELECTRA);
        assert_eq!(longer.len(), 7);
        assert!(is_valid(&longer));
        longer[0].0[31] = 1;
        assert!(!is_valid(&longer));
        assert!(!is_valid(&proof.branch[1..]));
        assert!(!is_valid(&[]));
    }
}

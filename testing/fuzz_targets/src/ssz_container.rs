//! SSZ of every container, fork and preset.

use inspect::Value;
use ssz::{Ssz, SszExt};
use types::{BeaconState, Ctx, ForkName, Spec, with_container};

use crate::network::fork_of;

/// The containers, by the second byte.
pub const CONTAINERS: [&str; 62] = [
    "AggregateAndProof",
    "Attestation",
    "AttestationData",
    "AttesterSlashing",
    "BLSToExecutionChange",
    "BeaconBlock",
    "BeaconBlockBody",
    "BeaconBlockHeader",
    "BeaconState",
    "BlobIdentifier",
    "BlobSidecar",
    "Checkpoint",
    "ConsolidationRequest",
    "ContributionAndProof",
    "DataColumnSidecar",
    "DataColumnsByRootIdentifier",
    "Deposit",
    "DepositData",
    "DepositMessage",
    "DepositRequest",
    "Eth1Block",
    "Eth1Data",
    "ExecutionPayload",
    "ExecutionPayloadHeader",
    "ExecutionRequests",
    "Fork",
    "ForkData",
    "HistoricalBatch",
    "HistoricalSummary",
    "IndexedAttestation",
    "LightClientBootstrap",
    "LightClientFinalityUpdate",
    "LightClientHeader",
    "LightClientOptimisticUpdate",
    "LightClientUpdate",
    "MatrixEntry",
    "PartialDataColumnGroupID",
    "PartialDataColumnHeader",
    "PartialDataColumnPartsMetadata",
    "PartialDataColumnSidecar",
    "PendingAttestation",
    "PendingConsolidation",
    "PendingDeposit",
    "PendingPartialWithdrawal",
    "PowBlock",
    "ProposerSlashing",
    "SignedAggregateAndProof",
    "SignedBLSToExecutionChange",
    "SignedBeaconBlock",
    "SignedBeaconBlockHeader",
    "SignedContributionAndProof",
    "SignedVoluntaryExit",
    "SigningData",
    "SingleAttestation",
    "SyncAggregate",
    "SyncAggregatorSelectionData",
    "SyncCommittee",
    "SyncCommitteeContribution",
    "SyncCommitteeMessage",
    "Validator",
    "VoluntaryExit",
    "Withdrawal",
];

/// Preset and fork (first byte), container (second byte), encoding: what decodes is written as it was read, in SSZ and in
/// JSON, and the walker by schema takes what the typed decoder takes, with the same root.
pub fn ssz_container(data: &[u8]) {
    let [first, second, bytes @ ..] = data else { return };
    let spec = if first & 0x80 == 0 { Spec::minimal() } else { Spec::mainnet() };
    let fork = fork_of(first & 0x7f);
    let ctx = spec.ctx(fork);
    let name = CONTAINERS[usize::from(*second) % CONTAINERS.len()];
    with_container!(name, T => check::<T>(name, bytes, ctx), else { panic!("no container {name}") });
    if name == "BeaconState" {
        state(spec, fork, bytes);
    }
}

fn check<T: Ssz + PartialEq>(name: &str, bytes: &[u8], ctx: Ctx) {
    let schema = T::schema_of(ctx);
    let walked = Value::read(&schema, bytes);
    let Ok(value) = T::from_ssz(bytes, ctx) else {
        assert!(walked.is_err(), "{name}: the walker takes what the decoder refuses");
        return;
    };
    assert!(walked.is_ok(), "{name}: the walker refuses what the decoder takes");
    assert!(value.to_ssz(ctx) == bytes, "{name}: another encoding than was read");
    let root = value.hash_tree_root(ctx);
    let json = value.to_json(ctx);
    match T::from_json(&json, ctx) {
        Ok(again) => {
            assert!(again.to_ssz(ctx) == bytes, "{name}: another value after JSON");
            assert!(again.hash_tree_root(ctx) == root, "{name}: another root after JSON");
        }
        Err(error) => panic!("{name}: its own JSON is refused: {error}"),
    }
}

/// A state is read in a way of its own, with its spec.
fn state(spec: &'static Spec, fork: ForkName, bytes: &[u8]) {
    if let Ok(state) = BeaconState::decode_at(spec, fork, bytes) {
        assert!(state.encoded() == bytes, "another state than was read");
        state.state_root();
    }
}

//! Containers by name, for tools and tests that are told a type's name.

/// Evaluates an expression with a type alias set to the container of a name:
/// `with_container!(name, T => T::from_ssz(bytes, ctx).is_ok(), else { false })`.
#[macro_export]
macro_rules! with_container {
    ($name:expr, $alias:ident => $body:expr, else $otherwise:expr) => {
        $crate::with_container!(@match ($name) $alias ($body) ($otherwise)
            AggregateAndProof
            Attestation
            AttestationData
            AttesterSlashing
            BLSToExecutionChange
            BeaconBlock
            BeaconBlockBody
            BeaconBlockHeader
            BeaconState
            BlobIdentifier
            BlobSidecar
            Checkpoint
            ConsolidationRequest
            ContributionAndProof
            DataColumnSidecar
            DataColumnsByRootIdentifier
            Deposit
            DepositData
            DepositMessage
            DepositRequest
            Eth1Block
            Eth1Data
            ExecutionPayload
            ExecutionPayloadHeader
            ExecutionRequests
            Fork
            ForkData
            HistoricalBatch
            HistoricalSummary
            IndexedAttestation
            LightClientBootstrap
            LightClientFinalityUpdate
            LightClientHeader
            LightClientOptimisticUpdate
            LightClientUpdate
            MatrixEntry
            PartialDataColumnGroupID
            PartialDataColumnHeader
            PartialDataColumnPartsMetadata
            PartialDataColumnSidecar
            PendingAttestation
            PendingConsolidation
            PendingDeposit
            PendingPartialWithdrawal
            PowBlock
            ProposerSlashing
            SignedAggregateAndProof
            SignedBLSToExecutionChange
            SignedBeaconBlock
            SignedBeaconBlockHeader
            SignedContributionAndProof
            SignedVoluntaryExit
            SigningData
            SingleAttestation
            SyncAggregate
            SyncAggregatorSelectionData
            SyncCommittee
            SyncCommitteeContribution
            SyncCommitteeMessage
            Validator
            VoluntaryExit
            Withdrawal
            WithdrawalRequest
        )
    };
    (@match ($name:expr) $alias:ident ($body:expr) ($otherwise:expr) $($container:ident)*) => {
        match $name {
            $(stringify!($container) => {
                type $alias = $crate::$container;
                $body
            })*
            _ => $otherwise,
        }
    };
}

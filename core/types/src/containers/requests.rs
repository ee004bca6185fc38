//! Execution-layer requests and the queues they feed.

use ssz::{Root, Ssz};

use crate::bounds::{
    MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD, MAX_DEPOSIT_REQUESTS_PER_PAYLOAD,
    MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD,
};
use crate::{BlsPubkey, BlsSignature, Epoch, ExecutionAddress, Gwei, Slot, ValidatorIndex};

/// A deposit made on the execution layer.
///
/// [`DepositRequest`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#depositrequest)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct DepositRequest {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Root,
    pub amount: Gwei,
    pub signature: BlsSignature,
    pub index: u64,
}

/// A withdrawal asked for on the execution layer.
///
/// [`WithdrawalRequest`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#withdrawalrequest)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct WithdrawalRequest {
    pub source_address: ExecutionAddress,
    pub validator_pubkey: BlsPubkey,
    pub amount: Gwei,
}

/// A consolidation asked for on the execution layer.
///
/// [`ConsolidationRequest`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#consolidationrequest)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct ConsolidationRequest {
    pub source_address: ExecutionAddress,
    pub source_pubkey: BlsPubkey,
    pub target_pubkey: BlsPubkey,
}

/// Requests from the execution layer.
///
/// [`ExecutionRequests`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#executionrequests)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct ExecutionRequests {
    #[ssz(list(MAX_DEPOSIT_REQUESTS_PER_PAYLOAD))]
    pub deposits: Vec<DepositRequest>,
    #[ssz(list(MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD))]
    pub withdrawals: Vec<WithdrawalRequest>,
    #[ssz(list(MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD))]
    pub consolidations: Vec<ConsolidationRequest>,
}

/// A deposit that waits for its turn.
///
/// [`PendingDeposit`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#pendingdeposit)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PendingDeposit {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Root,
    pub amount: Gwei,
    pub signature: BlsSignature,
    pub slot: Slot,
}

/// A partial withdrawal that waits for its turn.
///
/// [`PendingPartialWithdrawal`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#pendingpartialwithdrawal)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PendingPartialWithdrawal {
    pub validator_index: ValidatorIndex,
    pub amount: Gwei,
    pub withdrawable_epoch: Epoch,
}

/// A consolidation that waits for its turn.
///
/// [`PendingConsolidation`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#pendingconsolidation)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PendingConsolidation {
    pub source_index: ValidatorIndex,
    pub target_index: ValidatorIndex,
}

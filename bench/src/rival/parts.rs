//! Containers that states of several forks share.

use alloy_primitives::{Address, FixedBytes, U256};
use milhouse::List;
use ssz_derive::{Decode, Encode};
use ssz_types::typenum::{U32, U512, U2048};
use ssz_types::{BitList, FixedVector, VariableList};
use tree_hash_derive::TreeHash;
use typenum::{Prod, U1024, U1073741824};

pub type Root = FixedBytes<32>;
pub type Pubkey = FixedBytes<48>;
pub type ValidatorRegistryLimit = Prod<U1073741824, U1024>;

/// A list with an entry for each validator.
pub type PerValidator<T> = List<T, ValidatorRegistryLimit>;

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Fork {
    pub previous_version: FixedBytes<4>,
    pub current_version: FixedBytes<4>,
    pub epoch: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Checkpoint {
    pub epoch: u64,
    pub root: Root,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct BeaconBlockHeader {
    pub slot: u64,
    pub proposer_index: u64,
    pub parent_root: Root,
    pub state_root: Root,
    pub body_root: Root,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Eth1Data {
    pub deposit_root: Root,
    pub deposit_count: u64,
    pub block_hash: Root,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Validator {
    pub pubkey: Pubkey,
    pub withdrawal_credentials: Root,
    pub effective_balance: u64,
    pub slashed: bool,
    pub activation_eligibility_epoch: u64,
    pub activation_epoch: u64,
    pub exit_epoch: u64,
    pub withdrawable_epoch: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct AttestationData {
    pub slot: u64,
    pub index: u64,
    pub beacon_block_root: Root,
    pub source: Checkpoint,
    pub target: Checkpoint,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PendingAttestation {
    pub aggregation_bits: BitList<U2048>,
    pub data: AttestationData,
    pub inclusion_delay: u64,
    pub proposer_index: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct SyncCommittee {
    pub pubkeys: FixedVector<Pubkey, U512>,
    pub aggregate_pubkey: Pubkey,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct ExecutionPayloadHeader {
    pub parent_hash: Root,
    pub fee_recipient: Address,
    pub state_root: Root,
    pub receipts_root: Root,
    pub logs_bloom: FixedBytes<256>,
    pub prev_randao: Root,
    pub block_number: u64,
    pub gas_limit: u64,
    pub gas_used: u64,
    pub timestamp: u64,
    pub extra_data: VariableList<u8, U32>,
    pub base_fee_per_gas: U256,
    pub block_hash: Root,
    pub transactions_root: Root,
    pub withdrawals_root: Root,
    pub blob_gas_used: u64,
    pub excess_blob_gas: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct HistoricalSummary {
    pub block_summary_root: Root,
    pub state_summary_root: Root,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PendingDeposit {
    pub pubkey: Pubkey,
    pub withdrawal_credentials: Root,
    pub amount: u64,
    pub signature: FixedBytes<96>,
    pub slot: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PendingPartialWithdrawal {
    pub validator_index: u64,
    pub amount: u64,
    pub withdrawable_epoch: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PendingConsolidation {
    pub source_index: u64,
    pub target_index: u64,
}

/// Adds one Gwei to every balance, and settles the tree.
pub fn touch_balances(balances: &mut PerValidator<u64>) -> Result<(), milhouse::Error> {
    let mut balance = balances.iter_cow();
    while let Some((_, balance)) = balance.next_cow() {
        *balance.into_mut()? += 1;
    }
    balances.apply_updates()
}

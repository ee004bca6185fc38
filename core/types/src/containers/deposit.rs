//! Deposits and Eth1 data.

use ssz::{Root, Ssz};

use crate::{BlsPubkey, BlsSignature, Gwei};

/// The deposit contract as seen in an Eth1 block.
///
/// [`Eth1Data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#eth1data)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Eth1Data {
    pub deposit_root: Root,
    pub deposit_count: u64,
    pub block_hash: Root,
}

/// An Eth1 block as far as voting needs it.
///
/// [`Eth1Block`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#eth1block)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Eth1Block {
    pub timestamp: u64,
    pub deposit_root: Root,
    pub deposit_count: u64,
}

/// The signed part of a deposit.
///
/// [`DepositMessage`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#depositmessage)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct DepositMessage {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Root,
    pub amount: Gwei,
}

/// A deposit as the contract logs it.
///
/// [`DepositData`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#depositdata)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct DepositData {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Root,
    pub amount: Gwei,
    pub signature: BlsSignature,
}

/// A deposit with its proof against the deposit root.
///
/// [`Deposit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#deposit)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Deposit {
    #[ssz(vector(33))]
    pub proof: Vec<Root>,
    pub data: DepositData,
}

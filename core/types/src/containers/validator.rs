//! The registry's entry.

use ssz::{Root, Ssz};

use crate::{BlsPubkey, Epoch, Gwei};

/// A validator of the registry.
///
/// [`Validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#validator)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Validator {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Root,
    pub effective_balance: Gwei,
    pub slashed: bool,
    pub activation_eligibility_epoch: Epoch,
    pub activation_epoch: Epoch,
    pub exit_epoch: Epoch,
    pub withdrawable_epoch: Epoch,
}

//! Deposits.

use crypto::{PublicKey, Signature};
use types::constants::{DEPOSIT_CONTRACT_TREE_DEPTH, DOMAIN_DEPOSIT, FAR_FUTURE_EPOCH, GENESIS_SLOT};
use types::{
    BeaconState, Ctx, Deposit, DepositData, DepositMessage, ForkName, Gwei, PendingDeposit, Root, Spec,
    SszExt, Validator,
};

use super::DepositInvalid;
use crate::accessors::{AccessError, refresh_validator_index, validator_index};
use crate::misc::{compute_domain, compute_signing_root};
use crate::mutators::{increase_balance, queue_deposit};
use crate::predicates::{get_max_effective_balance, is_valid_merkle_branch};

/// [`process_deposit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#deposits).
pub fn process_deposit(state: &mut BeaconState, deposit: &Deposit) -> Result<(), DepositInvalid> {
    let leaf = deposit.data.hash_tree_root(Ctx::PLAIN);
    let depth = DEPOSIT_CONTRACT_TREE_DEPTH as usize + 1;
    let root = state.eth1_data.deposit_root;
    if !is_valid_merkle_branch(leaf, &deposit.proof, depth, state.eth1_deposit_index, root) {
        return Err(DepositInvalid::Proof);
    }
    let next = state.eth1_deposit_index.checked_add(1);
    state.eth1_deposit_index = next.ok_or(AccessError::Overflow("the deposit index"))?;
    Ok(apply_deposit(state, &deposit.data)?)
}

/// [`apply_deposit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#apply_deposit):
/// a deposit of a new key with a wrong signature is lost, not invalid. Modified in Electra. An error where the balance has no room for it.
pub fn apply_deposit(state: &mut BeaconState, data: &DepositData) -> Result<(), AccessError> {
    refresh_validator_index(state);
    if state.fork_name() >= ForkName::Electra {
        return queue_applied_deposit(state, data);
    }
    match validator_index(state, &data.pubkey) {
        Some(index) => increase_balance(state, index, data.amount),
        None if is_valid_deposit_signature(state.spec(), data) => add_validator_to_registry(state, data),
        None => Ok(()),
    }
}

/// Since Electra a new validator begins without a balance, and what was deposited waits in the queue.
fn queue_applied_deposit(state: &mut BeaconState, data: &DepositData) -> Result<(), AccessError> {
    if validator_index(state, &data.pubkey).is_none() {
        if !is_valid_deposit_signature(state.spec(), data) {
            return Ok(());
        }
        add_validator_to_registry(state, &DepositData { amount: Gwei(0), ..data.clone() })?;
    }
    let DepositData { pubkey, withdrawal_credentials, amount, signature } = data.clone();
    // The first slot tells it from a deposit that the execution layer asked for.
    let slot = GENESIS_SLOT;
    queue_deposit(state, PendingDeposit { pubkey, withdrawal_credentials, amount, signature, slot })
}

/// The proof of possession, in the domain that all forks share.
pub fn is_valid_deposit_signature(spec: &Spec, data: &DepositData) -> bool {
    let message = DepositMessage {
        pubkey: data.pubkey,
        withdrawal_credentials: data.withdrawal_credentials,
        amount: data.amount,
    };
    let domain = compute_domain(DOMAIN_DEPOSIT, spec.fork_version(ForkName::Phase0), Root::ZERO);
    let signing_root = compute_signing_root(&message, Ctx::PLAIN, domain);
    match (PublicKey::from_compressed(&data.pubkey.0), Signature::from_compressed(&data.signature.0)) {
        (Ok(key), Ok(signature)) => crypto::verify(&key, &signing_root.0, &signature),
        _ => false,
    }
}

/// [`get_validator_from_deposit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_validator_from_deposit);
/// modified in Electra.
pub fn get_validator_from_deposit(spec: &Spec, fork: ForkName, data: &DepositData) -> Validator {
    let increment: u64 = spec.preset.effective_balance_increment;
    let rounded = data.amount - data.amount % increment;
    let mut validator = Validator {
        pubkey: data.pubkey,
        withdrawal_credentials: data.withdrawal_credentials,
        effective_balance: Gwei(0),
        slashed: false,
        activation_eligibility_epoch: FAR_FUTURE_EPOCH,
        activation_epoch: FAR_FUTURE_EPOCH,
        exit_epoch: FAR_FUTURE_EPOCH,
        withdrawable_epoch: FAR_FUTURE_EPOCH,
    };
    validator.effective_balance = rounded.min(get_max_effective_balance(spec, fork, &validator));
    validator
}

/// [`add_validator_to_registry`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#add_validator_to_registry);
/// modified in Altair, whose validators have more than a balance, and in Electra.
pub fn add_validator_to_registry(state: &mut BeaconState, data: &DepositData) -> Result<(), AccessError> {
    let validator = get_validator_from_deposit(state.spec(), state.fork_name(), data);
    state.validators.push(validator);
    state.balances.push(data.amount);
    if state.fork_name() >= ForkName::Altair {
        state.previous_epoch_participation.push(0);
        state.current_epoch_participation.push(0);
        state.inactivity_scores.push(0);
    }
    Ok(())
}

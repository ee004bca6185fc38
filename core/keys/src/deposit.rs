//! [Deposits](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#submit-deposit):
//! what a validator signs to enter the registry.

use crypto::{PublicKey, SecretKey, hash};
use types::constants::{
    BLS_WITHDRAWAL_PREFIX, COMPOUNDING_WITHDRAWAL_PREFIX, DOMAIN_DEPOSIT, ETH1_ADDRESS_WITHDRAWAL_PREFIX,
};
use types::{
    BlsPubkey, BlsSignature, Ctx, DepositData, DepositMessage, Domain, ExecutionAddress, ForkData, Gwei,
    Root, SigningData, SszExt, Version,
};

/// Withdrawal credentials that name a BLS key.
///
/// [`BLS_WITHDRAWAL_PREFIX`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#bls_withdrawal_prefix)
pub fn bls_withdrawal_credentials(withdrawal_key: &PublicKey) -> Root {
    let mut credentials = hash(&withdrawal_key.compress());
    credentials[0] = BLS_WITHDRAWAL_PREFIX;
    Root::from(credentials)
}

/// Withdrawal credentials that name an address of the execution layer.
///
/// [`ETH1_ADDRESS_WITHDRAWAL_PREFIX`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#eth1_address_withdrawal_prefix)
pub fn address_withdrawal_credentials(address: &ExecutionAddress) -> Root {
    prefixed(ETH1_ADDRESS_WITHDRAWAL_PREFIX, address)
}

/// Withdrawal credentials of a validator that compounds its rewards.
///
/// [`COMPOUNDING_WITHDRAWAL_PREFIX`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#withdrawal-prefixes)
pub fn compounding_withdrawal_credentials(address: &ExecutionAddress) -> Root {
    prefixed(COMPOUNDING_WITHDRAWAL_PREFIX, address)
}

fn prefixed(prefix: u8, address: &ExecutionAddress) -> Root {
    let mut credentials = [0; 32];
    credentials[0] = prefix;
    credentials[12..].copy_from_slice(&address.0);
    Root::from(credentials)
}

/// What the key of a deposit signs. Deposits are valid across forks, so the domain knows the genesis fork version
/// alone, and no chain has a validators' root before its first deposits.
pub fn deposit_signing_root(message: &DepositMessage, genesis_fork_version: Version) -> Root {
    let fork_data = ForkData { current_version: genesis_fork_version, genesis_validators_root: Root::ZERO };
    let fork_data_root = fork_data.hash_tree_root(Ctx::PLAIN);
    let mut domain = Domain::ZERO;
    domain.0[..4].copy_from_slice(&DOMAIN_DEPOSIT.0);
    domain.0[4..].copy_from_slice(&fork_data_root.0[..28]);
    SigningData { object_root: message.hash_tree_root(Ctx::PLAIN), domain }.hash_tree_root(Ctx::PLAIN)
}

/// A deposit of `amount` for `key`, signed. `genesis_fork_version` names the network.
pub fn deposit_data(
    key: &SecretKey,
    withdrawal_credentials: Root,
    amount: Gwei,
    genesis_fork_version: Version,
) -> DepositData {
    let pubkey = BlsPubkey::from(key.public_key().compress());
    let message = DepositMessage { pubkey, withdrawal_credentials, amount };
    let signing_root = deposit_signing_root(&message, genesis_fork_version);
    let signature = BlsSignature::from(key.sign(&signing_root.0).compress());
    DepositData { pubkey, withdrawal_credentials, amount, signature }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop_secret_key;

    #[test]
    fn a_deposit_is_signed_for_its_network_and_its_content() {
        let key = interop_secret_key(0);
        let credentials = bls_withdrawal_credentials(&key.public_key());
        let data = deposit_data(&key, credentials, Gwei(32_000_000_000), Version::from([0, 0, 0, 1]));
        let verifies = |message: &DepositMessage, version| {
            let root = deposit_signing_root(message, Version::from(version));
            let signature = crypto::Signature::from_compressed(&data.signature.0).unwrap();
            crypto::verify(&key.public_key(), &root.0, &signature)
        };
        let message = DepositMessage {
            pubkey: data.pubkey,
            withdrawal_credentials: data.withdrawal_credentials,
            amount: data.amount,
        };
        assert!(verifies(&message, [0, 0, 0, 1]));
        assert!(!verifies(&message, [0, 0, 0, 2]));
        assert!(!verifies(&DepositMessage { amount: Gwei(1), ..message.clone() }, [0, 0, 0, 1]));
        let credentials = address_withdrawal_credentials(&ExecutionAddress::from([1; 20]));
        assert!(!verifies(&DepositMessage { withdrawal_credentials: credentials, ..message }, [0, 0, 0, 1]));
    }

    #[test]
    fn credentials_begin_with_their_prefix_and_hold_the_address_at_the_end() {
        let address = ExecutionAddress::from([0xab; 20]);
        let text = |root: Root| root.to_string();
        let tail = "0000000000000000000000abababababababababababababababababababab";
        assert_eq!(text(address_withdrawal_credentials(&address)), format!("0x01{tail}"));
        assert_eq!(text(compounding_withdrawal_credentials(&address)), format!("0x02{tail}"));
        let bls = bls_withdrawal_credentials(&interop_secret_key(0).public_key());
        assert_eq!(text(bls), "0x00fad2a6bfb0e7f1f0f45460944fbd8dfa7f37da06a4d13b3983cc90bb46963b");
    }
}

//! Real transactions: transfers of the one account that has money in the drill's first block.

use anyhow::Context;
use engine::{keccak256, rlp};
use k256::ecdsa::SigningKey;
use types::ExecutionAddress;

/// The account's secret, which everyone knows: execution clients use it in their own tests.
const SECRET: &str = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291";
/// What a transfer costs.
const GAS: u64 = 21_000;
/// In wei, far above what a nearly empty chain asks for.
const FEE_MAX: u64 = 10_000_000_000;
const TIP: u64 = 1_000_000_000;

/// The account.
pub struct Account {
    key: SigningKey,
    /// Its address.
    pub address: ExecutionAddress,
}

impl Account {
    /// The account that has money.
    pub fn funded() -> anyhow::Result<Self> {
        let secret = hex::decode(SECRET).context("the secret is hexadecimal")?;
        let key = SigningKey::from_slice(&secret).context("the secret is a key")?;
        let point = key.verifying_key().to_sec1_point(false);
        // An address is the end of the hash of the point without its first byte, which tells its form.
        let hash = keccak256(&point.as_bytes()[1..]);
        let mut address = ExecutionAddress::default();
        address.0.copy_from_slice(&hash.as_ref()[12..]);
        Ok(Self { key, address })
    }

    /// A signed transfer of some wei, in the form of [EIP-1559](https://eips.ethereum.org/EIPS/eip-1559).
    pub fn transfer(&self, chain_id: u64, nonce: u64, to: ExecutionAddress, wei: u64) -> Vec<u8> {
        let mut fields = Vec::new();
        for number in [chain_id, nonce, TIP, FEE_MAX, GAS] {
            rlp::number(&mut fields, number);
        }
        rlp::bytes(&mut fields, &to.0);
        rlp::number(&mut fields, wei);
        // No data, and no list of what is accessed.
        rlp::bytes(&mut fields, &[]);
        rlp::list(&mut fields, &[]);
        let hash = keccak256(&enveloped(&fields));
        let (signature, recovery) = self.key.sign_prehash_recoverable(hash.as_ref());
        let (r, s) = signature.split_bytes();
        rlp::number(&mut fields, u64::from(recovery.is_y_odd()));
        rlp::big_number(&mut fields, &r);
        rlp::big_number(&mut fields, &s);
        enveloped(&fields)
    }
}

/// A transaction of type 2 with these fields.
fn enveloped(fields: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2];
    rlp::list(&mut bytes, fields);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_the_one_that_the_first_block_pays() {
        let account = Account::funded().unwrap();
        assert_eq!(account.address.to_string().to_lowercase(), "0x71562b71999873db5b286df957af199ec94617f7");
    }

    #[test]
    fn the_same_transfer_has_the_same_bytes() {
        let account = Account::funded().unwrap();
        let bytes = account.transfer(1337, 0, ExecutionAddress::from([0x11; 20]), 5);
        assert_eq!(bytes, account.transfer(1337, 0, ExecutionAddress::from([0x11; 20]), 5));
        assert_ne!(bytes, account.transfer(1337, 1, ExecutionAddress::from([0x11; 20]), 5));
        assert_eq!(bytes[0], 2);
    }
}

//! Deposits of the contract that blocks of given numbers bring, whichever payload becomes the block.
//!
//! Each is logged by its block, and since Electra (EIP-6110) its payload asks for it too. All engines of a network must
//! be given the same deposits, as no engine tells another which transactions wait.

use execution::DepositLog;
use serde_json::Value;
use types::{Ctx, DepositData, DepositRequest, FixedBytes, Gwei, Root, SszExt};

/// Which block brings which deposits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepositSchedule {
    /// The deposits that the contract has before the first block.
    pub first_index: u64,
    /// In the order of their blocks.
    deposits: Vec<(u64, DepositData)>,
}

impl DepositSchedule {
    /// A contract that has so many deposits already, as one of a network that begins with validators has.
    pub fn new(first_index: u64) -> Self {
        Self { first_index, deposits: Vec::new() }
    }

    /// Has a block bring a deposit, behind those that it brings already. What comes in later blocks moves on by one
    /// index, so that deposits are only to be added for blocks that nobody has seen.
    pub fn add(&mut self, block_number: u64, data: DepositData) {
        let place = self.deposits.partition_point(|(number, _)| *number <= block_number);
        self.deposits.insert(place, (block_number, data));
    }

    /// The deposits that a block brings.
    pub fn of_block(&self, block_number: u64) -> Vec<DepositRequest> {
        let first = self.deposits.partition_point(|(number, _)| *number < block_number);
        let of_block = self.deposits[first..].iter().take_while(|(number, _)| *number == block_number);
        let request = |(index, (_, data)): (u64, &(u64, DepositData))| {
            let DepositData { pubkey, withdrawal_credentials, amount, signature } = data.clone();
            DepositRequest { pubkey, withdrawal_credentials, amount, signature, index }
        };
        (self.first_index + first as u64..).zip(of_block).map(request).collect()
    }

    /// The logs of a block.
    pub(crate) fn logs(&self, block_number: u64, block_hash: Root) -> Vec<DepositLog> {
        let log = |deposit| DepositLog { block_number, block_hash, deposit };
        self.of_block(block_number).into_iter().map(log).collect()
    }

    /// The numbers of the blocks that bring any, between two, both included.
    pub(crate) fn blocks(&self, first: u64, last: u64) -> Vec<u64> {
        let numbers = self.deposits.iter().map(|(number, _)| *number);
        let mut blocks: Vec<u64> = numbers.filter(|number| (first..=last).contains(number)).collect();
        blocks.dedup();
        blocks
    }
}

/// The deposits of a `deposit_data-….json`, as the tools that make keys for stakers write it: a list of objects with
/// `pubkey`, `withdrawal_credentials`, `amount` in Gwei and `signature`, in hexadecimal without `0x`. Where
/// `deposit_data_root` is there, it has to be right. Signatures are not verified: a wrong one is worth testing.
pub fn read_deposit_data(text: &str) -> Result<Vec<DepositData>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let list = value.as_array().ok_or("not a list of deposits")?;
    list.iter()
        .enumerate()
        .map(|(place, value)| one(value).map_err(|why| format!("deposit {place}: {why}")))
        .collect()
}

fn one(value: &Value) -> Result<DepositData, String> {
    let amount = &value["amount"];
    // Some tools write numbers of Gwei as text.
    let amount = amount.as_u64().or_else(|| amount.as_str()?.parse().ok());
    let data = DepositData {
        pubkey: bytes(value, "pubkey")?,
        withdrawal_credentials: bytes(value, "withdrawal_credentials")?,
        amount: Gwei(amount.ok_or("amount is no number of Gwei")?),
        signature: bytes(value, "signature")?,
    };
    if !value["deposit_data_root"].is_null() {
        let (stated, found) = (bytes(value, "deposit_data_root")?, data.hash_tree_root(Ctx::PLAIN));
        if stated != found {
            return Err(format!("deposit_data_root is {stated}, that of the deposit is {found}"));
        }
    }
    Ok(data)
}

fn bytes<const N: usize>(value: &Value, key: &str) -> Result<FixedBytes<N>, String> {
    let text = value[key].as_str().ok_or_else(|| format!("{key} is missing"))?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    format!("0x{digits}").parse().map_err(|error| format!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(amount: u64) -> DepositData {
        DepositData { amount: Gwei(amount), ..DepositData::default() }
    }

    #[test]
    fn deposits_are_counted_in_the_order_of_their_blocks() {
        let mut schedule = DepositSchedule::new(64);
        [(7, 1), (3, 2), (7, 3), (9, 4)]
            .into_iter()
            .for_each(|(block, amount)| schedule.add(block, data(amount)));
        let found = |block| -> Vec<(u64, u64)> {
            let requests = schedule.of_block(block);
            requests.iter().map(|request| (request.index, request.amount.0)).collect()
        };
        assert_eq!(found(3), [(64, 2)]);
        assert_eq!(found(7), [(65, 1), (66, 3)]);
        assert_eq!(found(9), [(67, 4)]);
        assert_eq!(found(8), []);
        assert_eq!(schedule.blocks(4, 9), [7, 9]);
        assert_eq!(schedule.logs(7, Root::from([1; 32])).len(), 2);
    }

    #[test]
    fn files_of_deposit_data_are_read_and_their_roots_checked() {
        let root = data(32_000_000_000).hash_tree_root(Ctx::PLAIN).to_string();
        let file = |root: &str| {
            serde_json::json!([{
                "pubkey": "00".repeat(48), "withdrawal_credentials": "00".repeat(32), "amount": 32_000_000_000_u64,
                "signature": "00".repeat(96), "deposit_message_root": "11".repeat(32), "deposit_data_root": root,
                "fork_version": "00000001", "network_name": "devnet", "deposit_cli_version": "2.8.0",
            }])
            .to_string()
        };
        assert_eq!(read_deposit_data(&file(&root)), Ok(vec![data(32_000_000_000)]));
        assert_eq!(read_deposit_data(&file(&root[2..])), Ok(vec![data(32_000_000_000)]));
        assert!(
            read_deposit_data(&file(&"00".repeat(32)))
                .unwrap_err()
                .starts_with("deposit 0: deposit_data_root")
        );
        assert_eq!(read_deposit_data("[{}]"), Err("deposit 0: pubkey is missing".to_owned()));
        assert_eq!(read_deposit_data("{}"), Err("not a list of deposits".to_owned()));
    }
}

//! What is asked of the execution chain itself: blocks, for the merge and for votes on deposits, and the logs of the
//! deposit contract.

use deposits::{DepositLog, ExecutionBlock};
use engine::{PowBlock, keccak256};
use serde_json::{Value, json};
use types::{Bytes, DepositRequest, ExecutionAddress, FixedBytes, Gwei, Root, Uint256};

use crate::codec::{self, Malformed, Object, data_to_json, quantity_to_json};
use crate::method;
use crate::{Engine, EngineError};

/// The topic of the deposit contract's only event.
pub const DEPOSIT_EVENT_TOPIC: Root = FixedBytes([
    0x64, 0x9b, 0xbc, 0x62, 0xd0, 0xe3, 0x13, 0x42, 0xaf, 0xea, 0x4e, 0x5c, 0xd8, 0x2d, 0x40, 0x49, 0xe7,
    0xe1, 0xee, 0x91, 0x2f, 0xc0, 0x88, 0x9a, 0xa7, 0x90, 0x80, 0x3b, 0xe3, 0x90, 0x38, 0xc5,
]);

/// A block of the execution chain, as far as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eth1Block {
    /// Its hash.
    pub hash: Root,
    /// Its parent's hash.
    pub parent_hash: Root,
    /// Its number.
    pub number: u64,
    /// In seconds.
    pub timestamp: u64,
    /// The work up to it; engines of today no longer say.
    pub total_difficulty: Option<Uint256>,
}

impl Eth1Block {
    /// What the merge asks about it.
    pub fn pow_block(&self) -> PowBlock {
        let Self { hash, parent_hash, total_difficulty, .. } = *self;
        PowBlock { block_hash: hash, parent_hash, total_difficulty }
    }

    /// What those who follow the deposit contract ask about it.
    pub fn execution_block(&self) -> ExecutionBlock {
        let Self { hash, parent_hash, number, timestamp, .. } = *self;
        ExecutionBlock { hash, parent_hash, number, timestamp }
    }
}

impl Engine {
    /// `eth_getBlockByNumber`; none where the engine does not have it.
    pub async fn block_by_number(&self, number: u64) -> Result<Option<Eth1Block>, EngineError> {
        let params = json!([quantity_to_json(number), false]);
        self.call(&method::ETH_GET_BLOCK_BY_NUMBER, params, block_from_json).await
    }

    /// `eth_getBlockByNumber` of the newest block.
    pub async fn latest_block(&self) -> Result<Option<Eth1Block>, EngineError> {
        self.call(&method::ETH_GET_BLOCK_BY_NUMBER, json!(["latest", false]), block_from_json).await
    }

    /// `eth_getBlockByHash`; none where the engine does not have it.
    pub async fn block_by_hash(&self, hash: Root) -> Result<Option<Eth1Block>, EngineError> {
        let params = json!([data_to_json(&hash.0), false]);
        self.call(&method::ETH_GET_BLOCK_BY_HASH, params, block_from_json).await
    }

    /// `eth_getLogs` of the deposit contract, from one block to another, both included; in the order of the chain.
    pub async fn deposit_logs(
        &self,
        contract: ExecutionAddress,
        first: u64,
        last: u64,
    ) -> Result<Vec<DepositLog>, EngineError> {
        let params = json!([{
            "address": data_to_json(&contract.0),
            "topics": [data_to_json(&DEPOSIT_EVENT_TOPIC.0)],
            "fromBlock": quantity_to_json(first),
            "toBlock": quantity_to_json(last),
        }]);
        self.call(&method::ETH_GET_LOGS, params, |value| codec::each(value, log_from_json)).await
    }
}

fn block_from_json(value: &Value) -> Result<Option<Eth1Block>, Malformed> {
    if value.is_null() {
        return Ok(None);
    }
    let object = Object::of(value)?;
    Ok(Some(Eth1Block {
        hash: object.get("hash", codec::fixed)?,
        parent_hash: object.get("parentHash", codec::fixed)?,
        number: object.get("number", codec::quantity)?,
        timestamp: object.get("timestamp", codec::quantity)?,
        total_difficulty: object.optional("totalDifficulty", codec::quantity256)?,
    }))
}

fn log_from_json(value: &Value) -> Result<DepositLog, Malformed> {
    let object = Object::of(value)?;
    let topics = object.get("topics", |value| codec::each(value, codec::fixed::<32>))?;
    if topics != [DEPOSIT_EVENT_TOPIC] {
        return Err(Malformed::new("not the deposit event").under("topics"));
    }
    if object.optional("removed", codec::flag)? == Some(true) {
        return Err(Malformed::new("the log was taken back").under("removed"));
    }
    Ok(DepositLog {
        block_number: object.get("blockNumber", codec::quantity)?,
        block_hash: object.get("blockHash", codec::fixed)?,
        deposit: object.get("data", |value| {
            let Bytes(data) = codec::data(value)?;
            deposit_from_abi(&data).ok_or_else(|| Malformed::new("not the data of a deposit event"))
        })?,
    })
}

/// The event's data: five places of 32 bytes, then five byte strings, each its length in 32 bytes and itself padded.
fn deposit_from_abi(data: &[u8]) -> Option<DepositRequest> {
    Some(DepositRequest {
        pubkey: abi_bytes(data, 0)?,
        withdrawal_credentials: abi_bytes(data, 1)?,
        amount: Gwei(u64::from_le_bytes(abi_bytes::<8>(data, 2)?.0)),
        signature: abi_bytes(data, 3)?,
        index: u64::from_le_bytes(abi_bytes::<8>(data, 4)?.0),
    })
}

fn abi_bytes<const N: usize>(data: &[u8], argument: usize) -> Option<FixedBytes<N>> {
    let place = abi_number(data, argument * 32)?;
    if abi_number(data, place)? != N {
        return None;
    }
    let start = place.checked_add(32)?;
    FixedBytes::try_from(data.get(start..start.checked_add(N)?)?).ok()
}

fn abi_number(data: &[u8], at: usize) -> Option<usize> {
    let (zeros, digits) = data.get(at..at.checked_add(32)?)?.split_at(24);
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    usize::try_from(u64::from_be_bytes(digits.try_into().ok()?)).ok()
}

/// The data of the deposit event, as the contract logs it: for engines that are not real.
pub fn deposit_event_data(deposit: &DepositRequest) -> Vec<u8> {
    let (amount, index) = (deposit.amount.0.to_le_bytes(), deposit.index.to_le_bytes());
    let arguments: [&[u8]; 5] =
        [&deposit.pubkey.0, &deposit.withdrawal_credentials.0, &amount, &deposit.signature.0, &index];
    let word = |number: usize| [[0; 24].as_slice(), &(number as u64).to_be_bytes()].concat();
    let (mut places, mut strings) = (Vec::new(), Vec::new());
    for argument in arguments {
        places.extend(word(5 * 32 + strings.len()));
        strings.extend(word(argument.len()));
        strings.extend_from_slice(argument);
        strings.resize(strings.len().next_multiple_of(32), 0);
    }
    [places, strings].concat()
}

/// The topic of an event by its signature.
pub fn event_topic(signature: &str) -> Root {
    keccak256(signature.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deposit() -> DepositRequest {
        DepositRequest {
            pubkey: FixedBytes([1; 48]),
            withdrawal_credentials: Root::from([2; 32]),
            amount: Gwei(32_000_000_000),
            signature: FixedBytes([3; 96]),
            index: 258,
        }
    }

    #[test]
    fn the_topic_is_the_hash_of_the_events_signature() {
        assert_eq!(event_topic("DepositEvent(bytes,bytes,bytes,bytes,bytes)"), DEPOSIT_EVENT_TOPIC);
    }

    #[test]
    fn a_deposit_log_is_read_back_and_has_the_contracts_length() {
        let data = deposit_event_data(&deposit());
        // Known from the logs of mainnet: five places, then 3, 2, 2, 4 and 2 words.
        assert_eq!(data.len(), 576);
        assert_eq!(deposit_from_abi(&data), Some(deposit()));
        let log = |data: &[u8], topic: Root| {
            json!({
                "topics": [data_to_json(&topic.0)], "data": data_to_json(data), "blockNumber": "0x10",
                "blockHash": data_to_json(&[7; 32]), "logIndex": "0x0", "removed": false,
            })
        };
        let read = log_from_json(&log(&data, DEPOSIT_EVENT_TOPIC)).unwrap();
        assert_eq!((read.block_number, read.block_hash, read.deposit), (16, Root::from([7; 32]), deposit()));
        assert!(log_from_json(&log(&data, Root::ZERO)).is_err());
        for at in [0, 31, 24, 160 + 31, 575] {
            let mut broken = data.clone();
            broken[at] ^= 0x80;
            // The last byte is padding, which nobody reads.
            assert_eq!(log_from_json(&log(&broken, DEPOSIT_EVENT_TOPIC)).is_ok(), at == 575, "{at}");
        }
        assert!(log_from_json(&log(&data[..500], DEPOSIT_EVENT_TOPIC)).is_err());
    }
}

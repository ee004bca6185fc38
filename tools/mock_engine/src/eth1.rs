//! The methods of the `eth_` family that consensus clients call.

use execution::codec::{self, data_to_json, quantity_to_json, text};
use execution::{DEPOSIT_EVENT_TOPIC, DepositLog, deposit_event_data};
use serde_json::{Value, json};

use crate::calls::{RpcError, block_to_json, param};
use crate::mock_engine::MockEngine;
use crate::tree::MockBlock;

impl MockEngine {
    pub(crate) fn call_eth(&self, now_ms: u64, name: &str, params: &[Value]) -> Result<Value, RpcError> {
        let invalid = |error| (-32602, format!("Invalid params: {error}"));
        let head = self.forkchoice().head_block_hash;
        let newest = self.block(head).map_or(0, |block| block.number);
        Ok(match name {
            "eth_chainId" => quantity_to_json(self.config.chain_id),
            "eth_blockNumber" => quantity_to_json(newest),
            "eth_syncing" if self.is_syncing(now_ms) => {
                let newest = quantity_to_json(newest);
                json!({ "startingBlock": "0x0", "currentBlock": newest, "highestBlock": newest })
            }
            "eth_syncing" => Value::Bool(false),
            "eth_getBlockByHash" => {
                let hash = param(params, 0).and_then(codec::fixed).map_err(invalid)?;
                self.block(hash).map_or(Value::Null, block_to_json)
            }
            "eth_getBlockByNumber" => {
                let state = self.forkchoice();
                let number = param(params, 0).map_err(invalid)?;
                let block = match text(number).map_err(invalid)? {
                    "latest" | "pending" => self.block(head),
                    "safe" => self.block(state.safe_block_hash),
                    "finalized" => self.block(state.finalized_block_hash),
                    "earliest" => self.tree.ancestor_at(head, 0),
                    _ => self.tree.ancestor_at(head, codec::quantity(number).map_err(invalid)?),
                };
                block.map_or(Value::Null, block_to_json)
            }
            "eth_getLogs" => self.logs(param(params, 0).map_err(invalid)?).map_err(invalid)?,
            _ => return Err((-32601, format!("the method {name} does not exist"))),
        })
    }

    /// The logs of deposits between two blocks of the head's chain, both included; and those that were put in by hand.
    pub fn deposit_logs(&self, first: u64, last: u64) -> Vec<DepositLog> {
        let mut logs = self.deposit_logs.clone();
        logs.retain(|log| (first..=last).contains(&log.block_number));
        for number in self.config.deposits.blocks(first, last) {
            if let Some(block) = self.block_by_number(number) {
                logs.extend(self.config.deposits.logs(number, block.hash));
            }
        }
        logs
    }

    /// The block of a number in the head's chain, as far as blocks are kept.
    pub fn block_by_number(&self, number: u64) -> Option<&MockBlock> {
        self.tree.ancestor_at(self.forkchoice().head_block_hash, number)
    }

    /// The deposits of the blocks that a filter names; it is taken to name the deposit contract.
    fn logs(&self, filter: &Value) -> Result<Value, codec::Malformed> {
        let filter = codec::Object::of(filter)?;
        let (first, last) =
            (filter.get("fromBlock", codec::quantity)?, filter.get("toBlock", codec::quantity)?);
        let address = filter.get("address", codec::fixed::<20>)?;
        let logs = self.deposit_logs(first, last);
        let one = |log: &DepositLog| {
            json!({
                "address": data_to_json(&address.0),
                "topics": [data_to_json(&DEPOSIT_EVENT_TOPIC.0)],
                "data": data_to_json(&deposit_event_data(&log.deposit)),
                "blockNumber": quantity_to_json(log.block_number),
                "blockHash": data_to_json(&log.block_hash.0),
                "logIndex": quantity_to_json(log.deposit.index),
                "removed": false,
            })
        };
        Ok(logs.iter().map(one).collect())
    }
}

//! How `@ethereumjs/client` is started, and what is asked of it besides the Engine API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use devnet::{NodePorts, ProcessPlan};
use serde_json::{Value, json};
use types::{ExecutionAddress, Root, Spec};

use crate::engine::Engine;

/// What the network and the engines call their chain.
pub const CHAIN_ID: u64 = 1337;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The first block and the fork times that it is told, in the form that Geth reads. Blocks before the genesis of the
/// beacon chain there are none but the first, so that the first that is built is of Shanghai.
pub fn genesis(spec: &Spec, genesis_time: u64, account: ExecutionAddress) -> Value {
    let time = |fork| {
        let slots = spec.fork_epoch(fork).0 * spec.preset.slots_per_epoch;
        genesis_time + slots * spec.config.slot_duration_ms / 1000
    };
    json!({
        "config": {
            "chainId": CHAIN_ID,
            "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0, "byzantiumBlock": 0,
            "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0,
            "londonBlock": 0, "mergeNetsplitBlock": 0,
            "terminalTotalDifficulty": 0, "terminalTotalDifficultyPassed": true,
            "shanghaiTime": time(types::ForkName::Capella),
            "cancunTime": time(types::ForkName::Deneb),
            "pragueTime": time(types::ForkName::Electra),
            "blobSchedule": {
                "cancun": { "target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477 },
                "prague": { "target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716 },
            },
        },
        "nonce": "0x42", "timestamp": "0x0", "extraData": "0x", "gasLimit": "0x1c9c380", "difficulty": "0x0",
        "mixHash": Root::ZERO.to_string(), "parentHash": Root::ZERO.to_string(),
        "coinbase": ExecutionAddress::default().to_string(),
        "number": "0x0", "gasUsed": "0x0", "baseFeePerGas": "0x7",
        "alloc": { account.to_string(): { "balance": "0x6d6172697573766477000000" } },
    })
}

/// A client with its data in a folder, and how it is started. It takes all of the ports.
pub fn process(
    program: &Path,
    (name, dir): (&str, &Path),
    genesis: &Path,
    ports: NodePorts,
) -> anyhow::Result<(Engine, ProcessPlan)> {
    let secret = dir.join("jwt.hex");
    std::fs::write(&secret, "5e".repeat(32)).with_context(|| secret.display().to_string())?;
    let mut process = ProcessPlan::new(name, program, dir.join("log.txt"));
    // It writes files into the folder that it is started in, whatever it is told of logs.
    process.folder = Some(dir.to_owned());
    for (option, value) in [
        ("--rpcAddr", "127.0.0.1"),
        ("--rpcEngineAddr", "127.0.0.1"),
        ("--extIP", "127.0.0.1"),
        ("--maxPeers", "0"),
        ("--sync", "none"),
        ("--logFile", "false"),
        ("--discV4", "false"),
        ("--discDns", "false"),
    ] {
        process = process.option(option, value);
    }
    let process = process
        .arg("--rpc")
        .arg("--rpcEngine")
        .arg("--isSingleNode")
        .option("--rpcPort", ports.tcp)
        .option("--rpcEnginePort", ports.http)
        .path("--gethGenesis", genesis)
        .path("--dataDir", &data_dir(dir))
        .path("--jwtSecret", &secret);
    let url = |port| format!("http://127.0.0.1:{port}");
    Ok((Engine { url: url(ports.http), rpc_url: url(ports.tcp), secret }, process))
}

/// Where its database is.
pub fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// Asks a running client.
#[derive(Clone, Debug)]
pub struct Rpc {
    url: String,
    http: reqwest::Client,
}

impl Rpc {
    /// Of the client whose `eth_` methods are at a URL.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build()?;
        Ok(Self { url: url.to_owned(), http })
    }

    async fn ask(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer: Value = self.http.post(&self.url).json(&body).send().await?.json().await?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].take())
    }

    /// The hash of a block by its number.
    pub async fn block_hash(&self, number: u64) -> anyhow::Result<Root> {
        let block = self.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await?;
        let hash = block["hash"].as_str().with_context(|| format!("no block {number}"))?;
        hash.parse().ok().with_context(|| format!("{hash:?} is no hash"))
    }

    /// True where it has executed a block.
    pub async fn has_block(&self, hash: Root) -> anyhow::Result<bool> {
        // For a hash that it does not know some versions answer with an error and not with null.
        let block = self.ask("eth_getBlockByHash", json!([hash.to_string(), false])).await;
        Ok(block.is_ok_and(|block| block["hash"].as_str() == Some(hash.to_string().as_str())))
    }

    /// How many transactions of an account its newest block counts.
    pub async fn transactions_of(&self, account: ExecutionAddress) -> anyhow::Result<u64> {
        let count = self.ask("eth_getTransactionCount", json!([account.to_string(), "latest"])).await?;
        let digits = count.as_str().and_then(|text| text.strip_prefix("0x")).context("no number")?;
        u64::from_str_radix(digits, 16).with_context(|| format!("{digits:?} is no number"))
    }

    /// Puts a transaction into its pool; one that it has already is as good.
    pub async fn send(&self, transaction: &[u8]) -> anyhow::Result<()> {
        let params = json!([format!("0x{}", hex::encode(transaction))]);
        match self.ask("eth_sendRawTransaction", params).await {
            Err(error) if !error.to_string().contains("already in the TxPool") => Err(error),
            _ => Ok(()),
        }
    }
}

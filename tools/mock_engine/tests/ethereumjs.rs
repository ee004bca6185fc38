//! Our client against an execution client that this project did not write, from the merge to Prague.
//!
//! ```text
//! tools/mock_engine/ethereumjs/install.sh DIR
//! INTERLOCK_ETHEREUMJS=DIR cargo test --release -p mock_engine --test ethereumjs -- --ignored
//! ```
//!
//! Each block is built by the foreign client, its hash computed by us, and given to both that client and the mock: the
//! three must agree on all of it, and on what is wrong with blocks that were changed.

#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use engine::{
    EngineReply, EngineRequest, ForkchoiceState, NewPayload, PayloadAttributes, PayloadStatus,
    PayloadVerdict, block_hash,
};
use execution::{
    Backoff, Engine, EngineError, EngineState, Engines, EnginesConfig, JwtSecret, RpcConfig, method,
};
use mock_engine::{Conduct, MockBlock, MockConfig, MockEngine, Schedule};
use tokio::process::{Child, Command};
use types::{
    ExecutionRequests, FixedBytes, ForkName, Gwei, Root, ValidatorIndex, Withdrawal, WithdrawalRequest,
};

/// As `genesis.json` has it.
const CHAIN_ID: u64 = 1337;
const SCHEDULE: Schedule =
    Schedule { shanghai: Some(100), cancun: Some(200), prague: Some(300), osaka: None };

struct Foreign {
    _process: Child,
    _data: tempfile::TempDir,
    url: String,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn client(url: &str, byte: u8) -> Engine {
    let secret = Some(JwtSecret::from_bytes([byte; 32]));
    Engine::new(RpcConfig { url: url.to_owned(), secret, timeout_ms_max: None })
}

impl Foreign {
    async fn start(installed: &Path) -> Self {
        let data = tempfile::tempdir().unwrap();
        let secret = data.path().join("jwt.hex");
        std::fs::write(&secret, "5e".repeat(32)).unwrap();
        let port = free_port();
        let genesis = concat!(env!("CARGO_MANIFEST_DIR"), "/ethereumjs/genesis.json");
        let (engine_port, rpc_port) = (port.to_string(), free_port().to_string());
        let (folder, secret) = (data.path().join("data"), secret.to_str().unwrap().to_owned());
        let arguments = [
            ["--gethGenesis", genesis],
            ["--dataDir", folder.to_str().unwrap()],
            ["--jwtSecret", &secret],
            ["--rpcAddr", "127.0.0.1"],
            ["--rpcPort", &rpc_port],
            ["--rpcEngineAddr", "127.0.0.1"],
            ["--rpcEnginePort", &engine_port],
            ["--extIP", "127.0.0.1"],
            ["--maxPeers", "0"],
            ["--sync", "none"],
            ["--logFile", "false"],
            ["--discV4", "false"],
            ["--discDns", "false"],
        ];
        let process = Command::new(installed.canonicalize().unwrap().join("bin/ethereumjs"))
            .args(arguments.as_flattened())
            .args(["--rpc", "--rpcEngine", "--isSingleNode"])
            // It writes files into the folder that it is started in, whatever it is told of logs.
            .current_dir(data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let foreign = Self { _process: process, _data: data, url };
        let is_up = async {
            while client(&foreign.url, 0x5e).chain_id().await.is_err() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(90), is_up)
            .await
            .expect("the foreign client does not start");
        foreign
    }
}

fn attributes(fork: ForkName, timestamp: u64) -> PayloadAttributes {
    let withdrawal = |index| Withdrawal {
        index: timestamp * 16 + index,
        validator_index: ValidatorIndex(index * 1000),
        address: FixedBytes([index as u8 + 1; 20]),
        amount: Gwei(index * 7),
    };
    PayloadAttributes {
        timestamp,
        prev_randao: Root::from([timestamp as u8; 32]),
        suggested_fee_recipient: FixedBytes([0xfe; 20]),
        withdrawals: if fork >= ForkName::Capella {
            (0..timestamp % 17).map(withdrawal).collect()
        } else {
            Vec::new()
        },
        parent_beacon_block_root: if fork >= ForkName::Deneb { Root::from([0xbb; 32]) } else { Root::ZERO },
    }
}

fn head(hash: Root) -> ForkchoiceState {
    ForkchoiceState { head_block_hash: hash, ..ForkchoiceState::default() }
}

fn give_to_mock(mock: &mut MockEngine, payload: &NewPayload) -> PayloadStatus {
    match mock.handle(0, &EngineRequest::NewPayload(payload.clone().into())) {
        EngineReply::NewPayload(status) => status,
        other => panic!("{other:?}"),
    }
}

/// One block: built by the foreign client, computed by us, valid to all.
async fn extend(foreign: &Engine, mock: &mut MockEngine, on: Root, timestamp: u64) -> NewPayload {
    let fork = SCHEDULE.fork_at(timestamp);
    let attributes = attributes(fork, timestamp);
    let (status, id) = foreign.forkchoice_updated(fork, &head(on), Some(&attributes)).await.unwrap();
    assert_eq!(status, PayloadStatus::valid(on), "{fork}");
    let built = foreign.get_payload(fork, id.unwrap()).await.unwrap();
    assert_eq!((built.payload.timestamp, &built.payload.withdrawals), (timestamp, &attributes.withdrawals));
    let payload = NewPayload {
        fork,
        payload: built.payload,
        versioned_hashes: Vec::new(),
        parent_beacon_block_root: attributes.parent_beacon_block_root,
        execution_requests: built.execution_requests,
    };
    let hash = payload.payload.block_hash;
    assert_eq!(our_hash(&payload), hash, "{fork} at {timestamp}");
    assert_eq!(payload.fault(), None);
    let valid = PayloadStatus::valid(hash);
    assert_eq!(foreign.new_payload(&payload).await.unwrap(), valid, "{fork}");
    assert_eq!(give_to_mock(mock, &payload), valid, "{fork}");
    let (status, _) = foreign.forkchoice_updated(fork, &head(hash), None).await.unwrap();
    assert_eq!(status, valid);
    assert_eq!(foreign.block_by_hash(hash).await.unwrap().unwrap().number, payload.payload.block_number);
    payload
}

fn our_hash(payload: &NewPayload) -> Root {
    block_hash(payload.fork, &payload.payload, payload.parent_beacon_block_root, &payload.execution_requests)
}

/// Blocks that were changed: what all refuse by the hash alone, and what only execution finds.
async fn change(foreign: &Engine, mock: &mut MockEngine, good: &NewPayload) {
    let mut by_hash = good.clone();
    by_hash.payload.gas_limit += 1;
    assert!(by_hash.fault().is_some());
    assert!(foreign.new_payload(&by_hash).await.unwrap().is_invalid(), "{}", good.fork);
    assert!(give_to_mock(mock, &by_hash).is_invalid());
    // With a hash that is right again the foreign client goes on to what is wrong: it agrees with our hash.
    let mut by_state = good.clone();
    by_state.payload.state_root = Root::from([0x66; 32]);
    by_state.payload.block_hash = our_hash(&by_state);
    let status = foreign.new_payload(&by_state).await.unwrap();
    assert_eq!(status.verdict, PayloadVerdict::Invalid, "{status:?}");
    let why = status.validation_error.unwrap_or_default();
    assert!(!why.contains("blockHash"), "{} {why}", good.fork);
    if good.fork >= ForkName::Electra {
        let mut with_requests = good.clone();
        let withdrawals = vec![WithdrawalRequest { amount: Gwei(1), ..WithdrawalRequest::default() }];
        with_requests.execution_requests = ExecutionRequests { withdrawals, ..ExecutionRequests::default() };
        with_requests.payload.block_hash = our_hash(&with_requests);
        let status = foreign.new_payload(&with_requests).await.unwrap();
        assert_eq!(status.verdict, PayloadVerdict::Invalid, "{status:?}");
    }
}

async fn walk(foreign: &Foreign) {
    let engine = client(&foreign.url, 0x5e);
    let genesis = engine.block_by_number(0).await.unwrap().unwrap();
    let first = MockBlock {
        hash: genesis.hash,
        parent_hash: genesis.parent_hash,
        number: 0,
        timestamp: genesis.timestamp,
        payload: None,
    };
    let config = MockConfig { genesis: first, schedule: Some(SCHEDULE), ..MockConfig::default() };
    let mut mock = MockEngine::new(config, Conduct::default());
    let (mut on, mut blocks) = (genesis.hash, Vec::new());
    for timestamp in [12, 24, 99, 100, 112, 133, 199, 200, 219, 235, 299, 300, 312, 321] {
        let block = extend(&engine, &mut mock, on, timestamp).await;
        on = block.payload.block_hash;
        blocks.push(block);
    }
    for (fork, timestamp) in [(ForkName::Capella, 199), (ForkName::Deneb, 299), (ForkName::Electra, 321)] {
        let good = blocks.iter().find(|block| block.payload.timestamp == timestamp).unwrap();
        assert_eq!(good.fork, fork);
        change(&engine, &mut mock, good).await;
    }
    compare_bodies(&engine, &mut mock, &blocks).await;
    // A head that nobody has heard of: both say that they would have to sync.
    let unknown = head(Root::from([0x77; 32]));
    let (status, id) = engine.forkchoice_updated(ForkName::Electra, &unknown, None).await.unwrap();
    assert_eq!((status.verdict, id), (PayloadVerdict::Syncing, None));
}

async fn compare_bodies(engine: &Engine, mock: &mut MockEngine, blocks: &[NewPayload]) {
    let mut hashes: Vec<Root> = blocks.iter().map(|block| block.payload.block_hash).collect();
    hashes.push(Root::from([0x77; 32]));
    let bodies = engine.get_payload_bodies_by_hash(&hashes).await.unwrap();
    let EngineReply::Bodies(ours) = mock.handle(0, &EngineRequest::GetPayloadBodies { hashes }) else {
        panic!()
    };
    assert_eq!(bodies, ours);
    assert_eq!(bodies.iter().flatten().count(), blocks.len());
    assert_eq!(engine.get_payload_bodies_by_range(3, 5).await.unwrap(), ours[2..7]);
}

async fn states(url: &str, byte: u8, chain_id: u64) -> EngineState {
    let config = EnginesConfig { chain_id, latest_fork: ForkName::Electra, backoff: Backoff::default() };
    let engines = Engines::new(vec![client(url, byte)], config);
    engines.check_due().await;
    engines.states()[0].1
}

#[tokio::test]
#[ignore = "needs a foreign client: see the top of this file"]
async fn an_execution_client_that_is_not_ours_agrees_on_every_block() {
    let installed = std::env::var_os("INTERLOCK_ETHEREUMJS").map(PathBuf::from);
    let foreign =
        Foreign::start(&installed.expect("INTERLOCK_ETHEREUMJS names the folder of the installation")).await;
    let engine = client(&foreign.url, 0x5e);
    assert_eq!(engine.chain_id().await, Ok(CHAIN_ID));
    let offered = engine.exchange_capabilities().await.unwrap();
    assert_eq!(method::lacking(&offered, ForkName::Electra), Vec::<&str>::new());
    assert_eq!(method::lacking(&offered, ForkName::Fulu), ["engine_getPayloadV5"]);
    let refused = client(&foreign.url, 1).chain_id().await;
    assert!(matches!(refused, Err(EngineError::Unauthorized { .. })), "{refused:?}");
    assert_eq!(states(&foreign.url, 1, CHAIN_ID).await, EngineState::Unauthorized);
    assert_eq!(states(&foreign.url, 0x5e, 1).await, EngineState::WrongChain);
    assert_eq!(states(&foreign.url, 0x5e, CHAIN_ID).await, EngineState::Online);
    tokio::time::timeout(Duration::from_secs(120), walk(&foreign)).await.expect("it hangs");
}

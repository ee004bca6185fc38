//! The mock on a port, with the client and the fallback that nodes use.

use std::time::Duration;

use engine::{EngineReply, EngineRequest, PayloadStatus};
use execution::{
    Backoff, ClientVersion, DepositLog, Engine, EngineError, EngineState, Engines, EnginesConfig, JwtSecret,
    RpcConfig, SyncState,
};
use mock_engine::{Conduct, MockConfig, MockServer, MockServerConfig};
use types::{DepositRequest, FixedBytes, ForkName, Gwei, Root};

use crate::walk::{build, head};

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}

fn secret(byte: u8) -> JwtSecret {
    JwtSecret::from_bytes([byte; 32])
}

async fn server(conduct: Conduct) -> MockServer {
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = MockServerConfig {
        listen,
        secret: Some(secret(1)),
        rpc_listen: None,
        engine: MockConfig::default(),
        conduct,
    };
    MockServer::start(config).await.unwrap()
}

fn client(server: &MockServer, byte: u8, timeout_ms_max: Option<u64>) -> Engine {
    Engine::new(RpcConfig { url: server.url(), secret: Some(secret(byte)), timeout_ms_max })
}

#[tokio::test]
async fn only_who_has_the_secret_is_answered() {
    let server = server(Conduct::default()).await;
    assert_eq!(in_time(client(&server, 1, None).chain_id()).await, Ok(1));
    let refused = in_time(client(&server, 2, None).chain_id()).await;
    assert_eq!(refused, Err(EngineError::Unauthorized { status: 401 }));
    let without = Engine::new(RpcConfig { url: server.url(), secret: None, timeout_ms_max: None });
    assert_eq!(in_time(without.chain_id()).await, Err(EngineError::Unauthorized { status: 401 }));
}

#[tokio::test]
async fn blocks_logs_and_the_version_can_be_asked_for() {
    let server = server(Conduct { syncing_until_ms: u64::MAX, ..Conduct::default() }).await;
    let engine = client(&server, 1, None);
    assert_eq!(in_time(engine.syncing()).await, Ok(SyncState::Syncing { current: 0, highest: 0 }));
    server.engine().conduct_mut().syncing_until_ms = 0;
    assert_eq!(in_time(engine.syncing()).await, Ok(SyncState::Synced));

    let genesis = server.engine().genesis_hash();
    let block = build(&mut server.engine(), ForkName::Capella, genesis, 12);
    in_time(engine.new_payload(&block)).await.unwrap();
    let hash = block.payload.block_hash;
    in_time(engine.forkchoice_updated(ForkName::Capella, &head(hash), None)).await.unwrap();
    let newest = in_time(engine.latest_block()).await.unwrap().unwrap();
    assert_eq!((newest.hash, newest.parent_hash, newest.number, newest.timestamp), (hash, genesis, 1, 12));
    assert_eq!(in_time(engine.block_by_number(0)).await.unwrap().unwrap().hash, genesis);
    assert_eq!(in_time(engine.block_by_hash(hash)).await, Ok(Some(newest)));
    assert_eq!(in_time(engine.block_by_hash(Root::ZERO)).await, Ok(None));
    assert_eq!(in_time(engine.block_by_number(2)).await, Ok(None));

    let log = |number: u64| DepositLog {
        block_number: number,
        block_hash: Root::from([number as u8; 32]),
        deposit: DepositRequest { amount: Gwei(32_000_000_000), index: number, ..DepositRequest::default() },
    };
    (1..5).for_each(|number| server.engine().add_deposit_log(log(number)));
    let logs = in_time(engine.deposit_logs(FixedBytes([7; 20]), 2, 3)).await.unwrap();
    assert_eq!(logs, [log(2), log(3)]);

    let ours = ClientVersion {
        code: "XX".to_owned(),
        name: "test".to_owned(),
        version: "1".to_owned(),
        commit: FixedBytes([0; 4]),
    };
    assert_eq!(in_time(engine.client_version(&ours)).await.unwrap()[0].name, "Interlock mock engine");
}

#[tokio::test]
async fn a_slow_engine_costs_its_time_and_then_the_next_answers() {
    let (slow, quick) = (server(Conduct::default()).await, server(Conduct::default()).await);
    let config = EnginesConfig { chain_id: 1, latest_fork: ForkName::Fulu, backoff: Backoff::default() };
    let engines = Engines::new(vec![client(&slow, 1, Some(500)), client(&quick, 1, None)], config);
    in_time(engines.check_due()).await;
    let states = |engines: &Engines| engines.states().into_iter().map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!(states(&engines), [EngineState::Online, EngineState::Online]);
    slow.engine().conduct_mut().delay_ms = 3_600_000;
    let genesis = quick.engine().genesis_hash();
    let block = build(&mut quick.engine(), ForkName::Electra, genesis, 12);
    let hash = block.payload.block_hash;
    let reply = in_time(engines.answer(&EngineRequest::NewPayload(block.into()))).await;
    assert_eq!(reply, EngineReply::NewPayload(PayloadStatus::valid(hash)));
    assert_eq!(states(&engines), [EngineState::Offline, EngineState::Online]);
    // The slow one did the work all the same: only its answer was late.
    assert!(slow.engine().block(hash).is_some());
}

#[tokio::test]
async fn another_chain_id_is_said() {
    let server = server(Conduct::default()).await;
    let config = EnginesConfig { chain_id: 5, latest_fork: ForkName::Fulu, backoff: Backoff::default() };
    let engines = Engines::new(vec![client(&server, 1, None)], config);
    in_time(engines.check_due()).await;
    assert_eq!(engines.states()[0].1, EngineState::WrongChain);
}

#[tokio::test]
async fn blocks_can_be_asked_for_without_a_token_on_a_port_of_their_own() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = MockServerConfig {
        listen,
        secret: Some(secret(1)),
        rpc_listen: Some(listen),
        engine: MockConfig::default(),
        conduct: Conduct::default(),
    };
    let server = MockServer::start(config).await.unwrap();
    let url = format!("http://{}", server.rpc_address().unwrap());
    let engine = Engine::new(RpcConfig { url, secret: None, timeout_ms_max: None });
    let genesis = server.engine().genesis_hash();
    assert_eq!(in_time(engine.latest_block()).await.unwrap().unwrap().hash, genesis);
    let refused = in_time(engine.exchange_capabilities()).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused { code: -32601, .. }), "{refused:?}");
}

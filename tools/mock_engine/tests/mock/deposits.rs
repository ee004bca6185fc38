//! Deposits: in logs, in requests, and followed over HTTP as a node follows them.

use std::time::Duration;

use deposits::{Consumed, Follower, Origin};
use engine::{EngineReply, EngineRequest};
use execution::{Backoff, Engine, Engines, EnginesConfig, FollowLinks, RpcConfig, follow};
use mock_engine::{Conduct, DepositSchedule, MockConfig, MockEngine, MockServer, MockServerConfig};
use tokio::sync::watch;
use types::{DepositData, ExecutionAddress, ForkName, Gwei, Root, Spec};

use crate::walk::{extend, head};

fn data(amount: u64) -> DepositData {
    DepositData { amount: Gwei(amount), ..DepositData::default() }
}

/// Deposits in the blocks 2, 2 and 5 of a contract that has none before them.
fn config() -> MockConfig {
    let mut schedule = DepositSchedule::new(0);
    [(2, 1), (2, 2), (5, 3)].into_iter().for_each(|(block, amount)| schedule.add(block, data(amount)));
    MockConfig { deposits: schedule, ..MockConfig::default() }
}

/// Builds blocks up to a number, the last of them the head.
fn grow(mock: &mut MockEngine, fork: ForkName, last: u64) -> Vec<Root> {
    let mut on = mock.forkchoice().head_block_hash;
    let first = mock.block(on).unwrap().number + 1;
    let mut hashes = Vec::new();
    for number in first..=last {
        on = extend(mock, fork, on, number * 12).payload.block_hash;
        hashes.push(on);
    }
    let choose = EngineRequest::ForkchoiceUpdated { fork, state: head(on), attributes: None };
    assert!(matches!(mock.handle(0, &choose), EngineReply::ForkchoiceUpdated { .. }));
    hashes
}

#[test]
fn a_block_logs_its_deposits_and_asks_for_them_since_electra() {
    for fork in [ForkName::Deneb, ForkName::Electra] {
        let mut mock = MockEngine::new(config(), Conduct::default());
        let mut on = mock.genesis_hash();
        for number in 1..=6 {
            let block = extend(&mut mock, fork, on, number * 12);
            on = block.payload.block_hash;
            let expected = match number {
                2 if fork == ForkName::Electra => vec![(0, 1), (1, 2)],
                5 if fork == ForkName::Electra => vec![(2, 3)],
                _ => vec![],
            };
            let requests = &block.execution_requests.deposits;
            let found: Vec<_> = requests.iter().map(|request| (request.index, request.amount.0)).collect();
            assert_eq!(found, expected, "{fork} {number}");
        }
        let mut mock = MockEngine::new(config(), Conduct::default());
        let hashes = grow(&mut mock, fork, 4);
        // Block 5 is not there yet, and neither are its logs.
        let logs = mock.deposit_logs(0, 9);
        let found: Vec<_> =
            logs.iter().map(|log| (log.block_number, log.block_hash, log.deposit.index)).collect();
        assert_eq!(found, [(2, hashes[1], 0), (2, hashes[1], 1)]);
        grow(&mut mock, fork, 6);
        assert_eq!(mock.deposit_logs(3, 9).len(), 1);
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}

/// One block is left alone, and the engine is asked ten times a second.
fn spec() -> &'static Spec {
    let spec = Spec::minimal();
    let mut config = spec.config.clone();
    (config.eth1_follow_distance, config.slot_duration_ms) = (1, 100);
    Spec::new(spec.preset.clone(), config).unwrap()
}

#[tokio::test]
async fn a_node_follows_the_contract_over_http_until_it_is_over() {
    let server = MockServer::start(MockServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        secret: None,
        rpc_listen: None,
        engine: config(),
        conduct: Conduct::default(),
    });
    let server = in_time(server).await.unwrap();
    grow(&mut server.engine(), ForkName::Deneb, 4);
    let engine = Engine::new(RpcConfig { url: server.url(), secret: None, timeout_ms_max: None });
    let engines = Engines::new(
        vec![engine],
        EnginesConfig { chain_id: 1, latest_fork: ForkName::Electra, backoff: Backoff::default() },
    );
    let follower = Follower::new(spec(), 0, Origin::Deployed { block: 0 }, None).unwrap();
    let (finalize, consumed) = watch::channel(None);
    let (on_change, mut changes) = watch::channel(None);
    let (_stop, stop) = watch::channel(false);
    let links = FollowLinks { contract: ExecutionAddress::ZERO, consumed, on_change, stop };
    let task = tokio::spawn(async move { follow(&engines, follower, links).await });

    let followed_to = |number: u64| {
        move |chain: &Option<std::sync::Arc<deposits::Eth1Chain>>| {
            chain.as_ref().and_then(|chain| chain.blocks().last()).is_some_and(|block| block.number == number)
        }
    };
    let first = in_time(changes.wait_for(followed_to(3))).await.unwrap().clone().unwrap();
    assert_eq!(first.tree().count(), 2);
    assert_eq!(first.tree().deposit(1, 2).unwrap().data, data(2));

    grow(&mut server.engine(), ForkName::Deneb, 6);
    let second = in_time(changes.wait_for(followed_to(5))).await.unwrap().clone().unwrap();
    assert_eq!(second.tree().count(), 3);

    // What is finalized is heard, and a snapshot can be taken of it.
    let agreed = first.blocks().last().unwrap().eth1_data.clone();
    let finalized = Consumed { eth1_deposit_index: 2, eth1_data: agreed.clone(), is_over: false };
    finalize.send_replace(Some(finalized.clone()));
    let has_snapshot = |chain: &Option<std::sync::Arc<deposits::Eth1Chain>>| {
        chain.as_ref().is_some_and(|chain| chain.tree().finalized_count() == 2)
    };
    let third = in_time(changes.wait_for(has_snapshot)).await.unwrap().clone().unwrap();
    assert_eq!(third.tree().get_snapshot().unwrap().eth1_data(), agreed);
    finalize.send_replace(Some(Consumed { is_over: true, ..finalized }));
    in_time(task).await.unwrap();
}

#[tokio::test]
async fn following_ends_when_it_is_told_to() {
    let engines = Engines::new(
        Vec::new(),
        EnginesConfig { chain_id: 1, latest_fork: ForkName::Electra, backoff: Backoff::default() },
    );
    let follower = Follower::new(spec(), 0, Origin::Deployed { block: 0 }, None).unwrap();
    let (_finalize, consumed) = watch::channel(None);
    let (on_change, changes) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let links = FollowLinks { contract: ExecutionAddress::ZERO, consumed, on_change, stop: stopped };
    let task = tokio::spawn(async move { follow(&engines, follower, links).await });
    stop.send_replace(true);
    in_time(task).await.unwrap();
    assert!(changes.borrow().is_none());
}

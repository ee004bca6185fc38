//! Finding, greeting and losing peers.

use std::time::{Duration, Instant};

use super::*;
use crate::bootnode::{Bootnode, BootnodeConfig};
use crate::event::{Direction, goodbye};
use crate::start::NetworkError;

async fn bootnode() -> Bootnode {
    let config = BootnodeConfig {
        listen_address: [127, 0, 0, 1].into(),
        udp_port: 0,
        advertised_ip: None,
        advertised_udp_port: None,
        secret_key: SecretKey::generate(),
        bootnodes: Vec::new(),
        eth2: None,
    };
    Bootnode::start(config).await.unwrap()
}

fn discovering(config: &mut Config, bootnode: &Bootnode) {
    config.discovery = true;
    config.bootnodes = vec![bootnode.enr().to_base64()];
}

#[tokio::test]
async fn two_nodes_find_each_other_through_a_bootnode() {
    let bootnode = bootnode().await;
    let mut a = node(|config| discovering(config, &bootnode)).await;
    let mut b = node(|config| discovering(config, &bootnode)).await;
    assert_ne!(a.handle.udp_port(), Some(0));
    a.expect_connected(b.peer()).await;
    b.expect_connected(a.peer()).await;
    assert_eq!(a.expect_status(b.peer()).await, status(1));
    assert_eq!(b.expect_status(a.peer()).await, status(1));
    bootnode.shutdown().await;
}

#[tokio::test]
async fn nodes_that_start_at_once_all_meet_although_they_look_for_subnets_that_nobody_has() {
    let bootnode = bootnode().await;
    let starts = (0..5).map(|_| node(|config| discovering(config, &bootnode)));
    let mut nodes = futures::future::join_all(starts).await;
    // Validators make their node look for subnets again and again.
    for node in &nodes {
        for subnet in 0..64 {
            node.handle.discover_subnet(crate::Subnet::Attestation(subnet)).await;
        }
    }
    let all: Vec<PeerId> = nodes.iter().map(Node::peer).collect();
    let meet = nodes.iter_mut().map(|node| {
        let mut strangers: std::collections::BTreeSet<PeerId> = all.iter().copied().collect();
        strangers.remove(&node.peer());
        async move {
            node.expect("everybody", |event| {
                if let NetworkEvent::PeerConnected { peer, .. } = event {
                    strangers.remove(&peer);
                }
                strangers.is_empty().then_some(())
            })
            .await;
        }
    });
    futures::future::join_all(meet).await;
    bootnode.shutdown().await;
}

#[tokio::test]
async fn a_node_on_another_fork_is_not_dialled() {
    let bootnode = bootnode().await;
    let mut foreign = node(|config| {
        discovering(config, &bootnode);
        config.local.eth2 = eth2([1, 2, 3, 4]);
    })
    .await;
    let mut a = node(|config| discovering(config, &bootnode)).await;
    let mut b = node(|config| discovering(config, &bootnode)).await;
    // That a and b meet shows that queries through this bootnode work while the foreign node is there.
    a.expect_connected(b.peer()).await;
    b.expect_connected(a.peer()).await;
    let connected = |event: &NetworkEvent| matches!(event, NetworkEvent::PeerConnected { .. });
    foreign.never(Duration::from_secs(3), connected).await;
    // With a's fork in its record it is found, by the subnet search or the next query.
    let attnets = [4, 0, 0, 0, 0, 0, 0, 0];
    foreign.handle.update_enr(eth2(DIGEST), attnets, None).await;
    let changed = |event| match event {
        NetworkEvent::LocalEnr { enr } => Some(*enr),
        _ => None,
    };
    let enr = foreign.expect("new ENR", changed).await;
    assert_eq!(crate::enr::fields(&enr).attnets, attnets);
    a.handle.discover_subnet(crate::Subnet::Attestation(2)).await;
    let peer = foreign.expect("peer", |event| match event {
        NetworkEvent::PeerConnected { peer, .. } => Some(peer),
        _ => None,
    });
    let peer = peer.await;
    assert!(peer == a.peer() || peer == b.peer());
}

#[tokio::test]
async fn a_static_peer_is_greeted_and_its_metadata_read() {
    let (mut a, mut b) = pair(|config| {
        config.local.metadata_seq = 7;
        config.local.attnets = [9; 8];
        config.local.syncnets = 3;
    })
    .await;
    let (id_a, id_b) = (a.peer(), b.peer());
    for (node, other) in [(&mut a, id_b), (&mut b, id_a)] {
        let metadata = node.expect("metadata", |event| match event {
            NetworkEvent::PeerMetadata { peer, metadata } if peer == other => Some(metadata),
            _ => None,
        });
        let metadata = metadata.await;
        let expected =
            crate::Metadata { seq: 7, attnets: [9; 8], syncnets: Some(3), custody_group_count: None };
        assert_eq!(metadata, expected);
    }
    assert!(a.metrics().contains("libp2p_peers 1"), "{}", a.metrics());
}

#[tokio::test]
async fn identify_tells_the_agent_and_who_dialled_is_told_too() {
    let a = node(|_| {}).await;
    let address = a.address();
    let mut b = node(|config| config.static_peers = vec![address]).await;
    let direction = b.expect("connection", |event| match event {
        NetworkEvent::PeerConnected { direction, .. } => Some(direction),
        _ => None,
    });
    assert_eq!(direction.await, Direction::Outbound);
    let agent = b.expect("agent", |event| match event {
        NetworkEvent::IdentifyInfo { agent, .. } => Some(agent),
        _ => None,
    });
    assert!(agent.await.starts_with("interlock/"));
}

#[tokio::test]
async fn a_port_in_use_is_named_for_tcp_and_udp() {
    let a = node(|config| config.discovery = true).await;
    let tcp = a.handle.listen_address().iter().find_map(|part| match part {
        libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let mut config = Config::loopback(SecretKey::generate());
    config.tcp_port = tcp.unwrap();
    let error = Network::start(config.clone(), &mut Registry::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("TCP port {} on 127.0.0.1 is in use", config.tcp_port));
    config.tcp_port = 0;
    config.udp_port = a.handle.udp_port().unwrap();
    let error = Network::start(config.clone(), &mut Registry::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("UDP port {} on 127.0.0.1 is in use", config.udp_port));
    config.udp_port = 0;
    config.bootnodes = vec!["enr:nonsense".to_owned()];
    let error = Network::start(config, &mut Registry::default()).await.unwrap_err();
    assert!(matches!(error, NetworkError::Bootnode(..)));
}

#[tokio::test]
async fn a_lost_static_peer_is_dialled_again() {
    let key = SecretKey::generate();
    let first_key = key.clone();
    let mut a = node(move |config| config.secret_key = first_key).await;
    let address = a.address();
    let port = a.handle.listen_address().clone();
    let mut b = node(|config| config.static_peers = vec![address]).await;
    a.expect_status(b.peer()).await;
    b.expect_status(a.peer()).await;
    let started = Instant::now();
    a.handle.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let reason = b.expect("goodbye", |event| match event {
        NetworkEvent::PeerGoodbye { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, goodbye::SHUTDOWN);
    b.expect_disconnected(key.peer_id()).await;
    let again_key = key.clone();
    let mut again = node(move |config| {
        config.secret_key = again_key;
        let part = port.iter().nth(1);
        if let Some(libp2p::multiaddr::Protocol::Tcp(port)) = part {
            config.tcp_port = port;
        }
    })
    .await;
    again.expect_status(b.peer()).await;
    b.expect_connected(key.peer_id()).await;
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_at_once_end_with_one_connection() {
    let mut a = node(|_| {}).await;
    let mut b = node(|_| {}).await;
    let (to_a, to_b) = (a.address().parse().unwrap(), b.address().parse().unwrap());
    tokio::join!(a.handle.dial(to_b), b.handle.dial(to_a));
    a.expect_status(b.peer()).await;
    b.expect_status(a.peer()).await;
    let gone = |event: &NetworkEvent| matches!(event, NetworkEvent::PeerDisconnected { .. });
    a.never(Duration::from_secs(4), gone).await;
    a.handle.refresh_status(b.peer()).await;
    a.expect_status(b.peer()).await;
}

#[tokio::test]
async fn a_peer_with_a_bad_score_is_sent_away_and_stays_banned() {
    let (mut a, mut b) = pair(|_| {}).await;
    a.handle.report_peer(b.peer(), -150.0, "test").await;
    let reason = |event| match event {
        NetworkEvent::PeerGoodbye { reason, .. } => Some(reason),
        _ => None,
    };
    assert_eq!(b.expect("goodbye", reason).await, goodbye::BAD_SCORE);
    a.expect_disconnected(b.peer()).await;
    b.expect_disconnected(a.peer()).await;
    b.handle.dial(a.address().parse().unwrap()).await;
    assert_eq!(b.expect("goodbye", reason).await, goodbye::BANNED);
    let back = |event: &NetworkEvent| matches!(event, NetworkEvent::PeerConnected { .. });
    a.never(Duration::from_secs(1), back).await;
}

#[tokio::test]
async fn one_peer_too_many_is_told_so() {
    let mut a = node(|config| (config.target_peers, config.max_peers) = (1, 1)).await;
    let address = a.address();
    let b = node(|config| config.static_peers = vec![address.clone()]).await;
    a.expect_status(b.peer()).await;
    let mut c = node(|config| config.static_peers = vec![address]).await;
    let reason = c.expect("goodbye", |event| match event {
        NetworkEvent::PeerGoodbye { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, goodbye::TOO_MANY_PEERS);
    a.expect_disconnected(c.peer()).await;
}

//! Whole networks on loopback: conditions are waited for with deadlines, ports are the system's choice.

mod connect;
mod forks;
mod gossip;
mod mplex;
mod reqresp;

use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::event::NetworkEvent;
use crate::key::SecretKey;
use crate::start::Network;
use crate::{NetworkHandle, PeerId};

const DEADLINE: Duration = Duration::from_secs(20);
const DIGEST: [u8; 4] = [0xb5, 0x30, 0x3f, 0x2a];

fn eth2(digest: [u8; 4]) -> [u8; 16] {
    let mut field = [0xff; 16];
    field[..4].copy_from_slice(&digest);
    field
}

fn status(head_slot: u64) -> Vec<u8> {
    let mut status = vec![0; 84];
    status[..4].copy_from_slice(&DIGEST);
    status[76..].copy_from_slice(&head_slot.to_le_bytes());
    status
}

struct Node {
    handle: NetworkHandle,
    events: mpsc::Receiver<NetworkEvent>,
    registry: Registry,
}

async fn node(change: impl FnOnce(&mut Config)) -> Node {
    let mut config = Config::loopback(SecretKey::generate());
    config.discovery = false;
    config.local.eth2 = eth2(DIGEST);
    config.local.status = Some(status(1));
    config.gossip.slot_ms = 1000;
    config.gossip.slots_per_epoch = 8;
    change(&mut config);
    let mut registry = Registry::default();
    let (handle, events) = Network::start(config, &mut registry).await.unwrap();
    Node { handle, events, registry }
}

impl Node {
    fn peer(&self) -> PeerId {
        self.handle.peer_id()
    }

    fn address(&self) -> String {
        format!("{}/p2p/{}", self.handle.listen_address(), self.peer())
    }

    /// Waits for an event that `pick` takes; others are passed over.
    async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        let search = async {
            while let Some(event) = self.events.recv().await {
                if let Some(found) = pick(event) {
                    return found;
                }
            }
            panic!("events ended before {what}");
        };
        tokio::time::timeout(DEADLINE, search).await.unwrap_or_else(|_| panic!("no {what} in time"))
    }

    async fn expect_connected(&mut self, with: PeerId) {
        let pick = |event| match event {
            NetworkEvent::PeerConnected { peer, .. } if peer == with => Some(()),
            _ => None,
        };
        self.expect("connection", pick).await;
    }

    async fn expect_status(&mut self, of: PeerId) -> Vec<u8> {
        let pick = |event| match event {
            NetworkEvent::PeerStatus { peer, status, .. } if peer == of => Some(status),
            _ => None,
        };
        self.expect("status", pick).await
    }

    async fn expect_disconnected(&mut self, from: PeerId) {
        let pick = |event| match event {
            NetworkEvent::PeerDisconnected { peer } if peer == from => Some(()),
            _ => None,
        };
        self.expect("disconnection", pick).await;
    }

    /// Asserts that `unwanted` does not happen within `time`.
    async fn never(&mut self, time: Duration, mut unwanted: impl FnMut(&NetworkEvent) -> bool) {
        let search = async {
            while let Some(event) = self.events.recv().await {
                assert!(!unwanted(&event), "unwanted {event:?}");
            }
        };
        let _ = tokio::time::timeout(time, search).await;
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// Two nodes, the second with the first as its static peer, after their handshake.
async fn pair(change: impl Fn(&mut Config)) -> (Node, Node) {
    let mut first = node(&change).await;
    let address = first.address();
    let mut second = node(|config| {
        change(config);
        config.static_peers = vec![address];
    })
    .await;
    second.expect_status(first.peer()).await;
    first.expect_status(second.peer()).await;
    (first, second)
}

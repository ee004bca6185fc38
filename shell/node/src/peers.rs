//! Connected peers: the numbers by which sync knows them, and what the API tells of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use api::PeerInfo;
use data_availability::ColumnIndex;
use network::{Direction, Multiaddr, PeerId};

use crate::metrics::client;

/// A connected peer.
#[derive(Clone, Debug)]
struct Entry {
    number: sync::PeerId,
    direction: Direction,
    address: Multiaddr,
    enr: Option<String>,
    agent: String,
    /// The columns that it has in custody.
    columns: BTreeSet<ColumnIndex>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<PeerId, Entry>,
    by_number: HashMap<sync::PeerId, PeerId>,
    next: u64,
}

/// All connected peers; bounded by the network shell, which sends the excess away.
#[derive(Debug, Default)]
pub struct Peers {
    // Held for single look-ups only: by the bridge, by the core when it sends a request, and by the API.
    table: Mutex<Table>,
}

impl Peers {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a peer and gives it a number, which no other peer had or will have.
    pub fn connected(
        &self,
        peer: PeerId,
        direction: Direction,
        address: Multiaddr,
        enr: Option<String>,
    ) -> sync::PeerId {
        let mut table = self.lock();
        if let Some(entry) = table.by_id.get(&peer) {
            return entry.number;
        }
        let number = sync::PeerId(table.next);
        table.next += 1;
        let entry = Entry { number, direction, address, enr, agent: String::new(), columns: BTreeSet::new() };
        table.by_id.insert(peer, entry);
        table.by_number.insert(number, peer);
        number
    }

    /// Forgets a peer; its number, where it had one.
    pub fn disconnected(&self, peer: &PeerId) -> Option<sync::PeerId> {
        let mut table = self.lock();
        let entry = table.by_id.remove(peer)?;
        table.by_number.remove(&entry.number);
        Some(entry.number)
    }

    /// Remembers the name of a peer's software.
    pub fn agent(&self, peer: &PeerId, agent: String) {
        if let Some(entry) = self.lock().by_id.get_mut(peer) {
            entry.agent = agent;
        }
    }

    /// Remembers which columns a peer has.
    pub fn set_columns(&self, peer: &PeerId, columns: &BTreeSet<ColumnIndex>) {
        if let Some(entry) = self.lock().by_id.get_mut(peer) {
            entry.columns.clone_from(columns);
        }
    }

    /// Those of these columns that no connected peer has.
    pub fn columns_without_peer(&self, columns: &BTreeSet<ColumnIndex>) -> BTreeSet<ColumnIndex> {
        let table = self.lock();
        let has = |column: &ColumnIndex| table.by_id.values().any(|entry| entry.columns.contains(column));
        columns.iter().copied().filter(|column| !has(column)).collect()
    }

    /// The number of a connected peer.
    pub fn number(&self, peer: &PeerId) -> Option<sync::PeerId> {
        self.lock().by_id.get(peer).map(|entry| entry.number)
    }

    /// The connected peer with a number.
    pub fn peer(&self, number: sync::PeerId) -> Option<PeerId> {
        self.lock().by_number.get(&number).copied()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    /// How many run which client, and who dialled.
    pub fn by_client(&self) -> BTreeMap<(&'static str, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for entry in self.lock().by_id.values() {
            let direction = match entry.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            };
            *counts.entry((client(&entry.agent), direction)).or_default() += 1;
        }
        counts
    }

    /// All connected peers, for the API.
    pub fn list(&self) -> Vec<PeerInfo> {
        let info = |(peer, entry): (&PeerId, &Entry)| PeerInfo {
            peer_id: peer.to_string(),
            enr: entry.enr.clone(),
            last_seen_p2p_address: entry.address.to_string(),
            state: "connected".to_owned(),
            direction: match entry.direction {
                Direction::Inbound => "inbound".to_owned(),
                Direction::Outbound => "outbound".to_owned(),
            },
            agent: entry.agent.clone(),
        };
        let mut list: Vec<PeerInfo> = self.lock().by_id.iter().map(info).collect();
        list.sort_by(|a, b| a.peer_id.cmp(&b.peer_id));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_comes_back_gets_another_number() {
        let (peers, peer) = (Peers::default(), PeerId::random());
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/9000".parse().unwrap();
        let first = peers.connected(peer, Direction::Inbound, address.clone(), None);
        assert_eq!(peers.connected(peer, Direction::Inbound, address.clone(), None), first);
        peers.agent(&peer, "other/1".into());
        assert_eq!((peers.peer(first), peers.number(&peer)), (Some(peer), Some(first)));
        assert_eq!(peers.list()[0].agent, "other/1");

        let columns = BTreeSet::from([3, 9, 12]);
        assert_eq!(peers.columns_without_peer(&columns), columns);
        peers.set_columns(&peer, &BTreeSet::from([3, 12, 13]));
        assert_eq!(peers.columns_without_peer(&columns), [9].into());

        assert_eq!(peers.disconnected(&peer), Some(first));
        assert_eq!((peers.peer(first), peers.count()), (None, 0));
        assert_ne!(peers.connected(peer, Direction::Outbound, address, None), first);
    }
}

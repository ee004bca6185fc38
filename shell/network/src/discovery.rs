//! discv5: our record, and queries for peers on our fork.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::enr::NodeId;
use discv5::{Discv5, Enr, ListenConfig, QueryError};
use futures::future::BoxFuture;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::command::Subnet;
use crate::custody::ColumnCustody;
use crate::dials::Candidate;
use crate::enr::{self, Address, Fields};
use crate::key::SecretKey;

/// Records that one query looks for.
const QUERY_RECORDS: usize = 16;
/// Time between queries: short at first and when we are alone, then growing.
const QUERY_PAUSE_FIRST: Duration = Duration::from_millis(500);
const QUERY_PAUSE_LAST: Duration = Duration::from_secs(15);
/// Subnet searches that wait, enough for every subnet of Fulu; a further one is dropped, the node asks again when it
/// still needs peers.
const SEARCHES_MAX: usize = 256;
/// Subnets that one query looks for. One each would take minutes where validators need many, and whom one query finds
/// are too few for all of Fulu's.
const SEARCHES_A_QUERY: usize = 16;

/// What discovery needs to start.
pub(crate) struct Settings<'a> {
    pub(crate) key: &'a SecretKey,
    pub(crate) listen: SocketAddr,
    /// Address for the record; a UDP port of `None` becomes the bound one.
    pub(crate) address: Address,
    pub(crate) fields: Option<Fields>,
    pub(crate) bootnodes: &'a [Enr],
    pub(crate) enabled: bool,
    pub(crate) custody: ColumnCustody,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Found {
    Candidates(Vec<Candidate>),
    /// Our own record changed because peers see us at another address.
    RecordChanged,
}

type Query = BoxFuture<'static, (Result<Vec<Enr>, QueryError>, Vec<Subnet>)>;

/// A discv5 node, or only its record when discovery is off.
pub(crate) struct Discovery {
    discv5: Discv5,
    custody: ColumnCustody,
    enabled: bool,
    pub(crate) udp_port: Option<u16>,
    events: Option<mpsc::Receiver<discv5::Event>>,
    query: Option<Query>,
    searches: VecDeque<Subnet>,
    /// The last query was for subnets. Those for any peers take turns with them, since a node that asks for subnets
    /// which nobody has would otherwise never meet anybody.
    searched: bool,
    hungry: bool,
    pause: Duration,
    next_query: Instant,
}

/// Loopback, private and unique-local addresses: many honest nodes may share one there.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

impl Discovery {
    pub(crate) async fn start(settings: Settings<'_>) -> Result<Self, crate::NetworkError> {
        let mut address = settings.address;
        let mut udp_port = None;
        let mut listen = ListenConfig::from_ip(settings.listen.ip(), settings.listen.port());
        if settings.enabled {
            // The socket is bound here, so that port 0 is resolved before the record is signed.
            let bound = UdpSocket::bind(settings.listen).await;
            let socket = bound.map_err(|error| crate::start::bind_error("UDP", settings.listen, error))?;
            let port = socket.local_addr().map_err(crate::start::discovery_error)?.port();
            udp_port = Some(port);
            address.udp = address.udp.or(Some(port));
            let socket = Some(Arc::new(socket));
            listen = match settings.listen {
                SocketAddr::V4(_) => ListenConfig::FromSockets { ipv4: socket, ipv6: None },
                SocketAddr::V6(_) => ListenConfig::FromSockets { ipv4: None, ipv6: socket },
            };
        }
        let key = settings.key.enr_key();
        let record = enr::build(&key, address, settings.fields).map_err(crate::start::discovery_error)?;
        let config = discv5_config(listen, address.ip);
        let mut discv5 = Discv5::new(record, key, config).map_err(crate::start::discovery_error)?;
        let mut events = None;
        if settings.enabled {
            for bootnode in settings.bootnodes {
                if let Err(error) = discv5.add_enr(bootnode.clone()) {
                    tracing::warn!(enr = %bootnode, error, "this bootnode cannot be used for discovery");
                }
            }
            discv5.start().await.map_err(crate::start::discovery_error)?;
            events = Some(discv5.event_stream().await.map_err(crate::start::discovery_error)?);
        }
        Ok(Self {
            discv5,
            custody: settings.custody,
            enabled: settings.enabled,
            udp_port,
            events,
            query: None,
            searches: VecDeque::new(),
            searched: false,
            hungry: true,
            pause: QUERY_PAUSE_FIRST,
            next_query: Instant::now(),
        })
    }

    /// Our record as it is now.
    pub(crate) fn local_enr(&self) -> Enr {
        self.discv5.local_enr()
    }

    /// A record that discovery knows.
    pub(crate) fn find(&self, peer: &libp2p::PeerId) -> Option<Enr> {
        self.discv5.table_entries_enr().into_iter().find(|enr| enr::peer_id(enr) == Some(*peer))
    }

    /// The consensus fields of our record.
    pub(crate) fn fields(&self) -> Fields {
        enr::fields(&self.local_enr())
    }

    /// Changes the consensus fields of our record; true if any did change. A field of `None` stays as it is.
    pub(crate) fn update(&mut self, new: Fields) -> bool {
        let old = self.fields();
        let bytes = |key: &str, value: &[u8]| self.discv5.enr_insert(key, &value).err();
        let mut errors = Vec::new();
        if let Some(eth2) = new.eth2.filter(|eth2| old.eth2 != Some(*eth2)) {
            errors.push(bytes("eth2", &eth2));
        }
        if new.attnets != old.attnets {
            errors.push(bytes("attnets", &new.attnets));
        }
        if new.syncnets != old.syncnets {
            errors.push(bytes("syncnets", &[new.syncnets]));
        }
        if let Some(count) = new.custody_group_count.filter(|count| old.custody_group_count != Some(*count)) {
            errors.push(self.discv5.enr_insert("cgc", &count).err());
        }
        if let Some(digest) = new.next_fork_digest.filter(|digest| old.next_fork_digest != Some(*digest)) {
            errors.push(bytes("nfd", &digest));
        }
        for error in errors.iter().flatten() {
            tracing::warn!(?error, "the local ENR could not be updated");
        }
        let has_changed = !errors.is_empty();
        if has_changed {
            self.wake();
        }
        has_changed
    }

    /// Whether a record is of a node that we want to meet: on our fork.
    pub(crate) fn suits(&self, record: &Enr) -> bool {
        suits(record, enr::fork_digest(&self.local_enr()))
    }

    /// Whether more peers are wanted. `alone` brings the short pause between queries back.
    pub(crate) fn set_hunger(&mut self, hungry: bool, alone: bool) {
        self.hungry = hungry;
        if alone && self.pause > QUERY_PAUSE_FIRST * 4 {
            self.pause = QUERY_PAUSE_FIRST;
            self.wake();
        }
    }

    /// Queues a search for peers of a subnet.
    pub(crate) fn search(&mut self, subnet: Subnet) {
        if self.searches.len() < SEARCHES_MAX && !self.searches.contains(&subnet) {
            self.searches.push_back(subnet);
            self.wake();
        }
    }

    fn wake(&mut self) {
        self.next_query = self.next_query.min(Instant::now() + QUERY_PAUSE_FIRST);
    }

    /// The next thing that happens; never returns when discovery is off. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Found {
        loop {
            if !self.enabled {
                std::future::pending::<()>().await;
            }
            if self.query.is_none() && self.next_query <= Instant::now() {
                self.start_query();
            }
            let next_query = self.next_query;
            tokio::select! {
                (result, searches) = poll_query(&mut self.query) => {
                    self.query = None;
                    return Found::Candidates(self.candidates(result, &searches));
                }
                event = poll_events(&mut self.events) => match event {
                    Some(discv5::Event::SocketUpdated(address)) => {
                        tracing::info!(%address, "peers see this node at a new address");
                        return Found::RecordChanged;
                    }
                    Some(_) => {}
                    None => self.events = None,
                },
                () = tokio::time::sleep_until(next_query), if self.query.is_none() => {}
            }
        }
    }

    fn start_query(&mut self) {
        let is_search = !(self.searches.is_empty() || self.hungry && self.searched);
        if !is_search && !self.hungry {
            self.next_query = Instant::now() + Duration::from_secs(1);
            return;
        }
        let count = if is_search { self.searches.len().min(SEARCHES_A_QUERY) } else { 0 };
        let searches: Vec<Subnet> = self.searches.drain(..count).collect();
        self.searched = is_search;
        let digest = enr::fork_digest(&self.local_enr());
        let own = self.local_enr().node_id();
        let (custody, sought) = (self.custody, searches.clone());
        let predicate = move |record: &Enr| {
            record.node_id() != own
                && suits(record, digest)
                && (sought.is_empty() || is_of_any(record, &sought, &custody))
        };
        let query = self.discv5.find_node_predicate(NodeId::random(), Box::new(predicate), QUERY_RECORDS);
        self.query = Some(Box::pin(async move { (query.await, searches) }));
        self.next_query = Instant::now() + self.pause;
        self.pause = (self.pause * 3 / 2).min(QUERY_PAUSE_LAST);
        if !self.searches.is_empty() {
            self.wake();
        }
    }

    /// Records from a query, and from the routing table, which also holds those who found us.
    fn candidates(&self, result: Result<Vec<Enr>, QueryError>, searches: &[Subnet]) -> Vec<Candidate> {
        let mut records = result.unwrap_or_else(|error| {
            tracing::debug!(?error, "a discovery query failed");
            Vec::new()
        });
        records.extend(self.discv5.table_entries_enr());
        let local = self.local_enr();
        records.retain(|record| record.node_id() != local.node_id() && self.suits(record));
        let wanted = |record: &Enr| is_of_any(record, searches, &self.custody);
        let mut candidates: Vec<Candidate> =
            records.iter().filter_map(|record| candidate(record, wanted(record))).collect();
        candidates.sort_by_key(|candidate| (candidate.peer, !candidate.wanted));
        candidates.dedup_by_key(|candidate| candidate.peer);
        candidates
    }
}

async fn poll_query(query: &mut Option<Query>) -> (Result<Vec<Enr>, QueryError>, Vec<Subnet>) {
    match query {
        Some(query) => query.await,
        None => std::future::pending().await,
    }
}

async fn poll_events(events: &mut Option<mpsc::Receiver<discv5::Event>>) -> Option<discv5::Event> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// A record as something to dial; `None` without a TCP address or with a foreign kind of key.
pub(crate) fn candidate(record: &Enr, wanted: bool) -> Option<Candidate> {
    let addresses = enr::tcp_multiaddrs(record);
    let peer = enr::peer_id(record)?;
    (!addresses.is_empty()).then_some(Candidate { peer, addresses, wanted })
}

/// Whether a record is of our fork. Right after a fork, records are still about whose node has come along and has not
/// said so yet: those that named our digest as their next are of our fork as well.
fn suits(record: &Enr, digest: Option<[u8; 4]>) -> bool {
    let digests = [enr::fork_digest(record), enr::fields(record).next_fork_digest];
    digest.is_some() && digests.contains(&digest)
}

/// Whether a record is of a node that hears one of these subnets.
fn is_of_any(record: &Enr, subnets: &[Subnet], custody: &ColumnCustody) -> bool {
    if subnets.is_empty() {
        return false;
    }
    let fields = enr::fields(record);
    let asks_for_columns = subnets.iter().any(|subnet| matches!(subnet, Subnet::DataColumn(_)));
    let groups = fields.custody_group_count.filter(|_| asks_for_columns).unwrap_or_default();
    let columns = custody.subnets_of(&record.node_id().raw(), groups);
    subnets.iter().any(|subnet| match subnet {
        Subnet::Attestation(index) => enr::bit(&fields.attnets, *index),
        Subnet::Sync(index) => enr::bit(&[fields.syncnets], *index),
        Subnet::DataColumn(subnet) => columns.contains(subnet),
    })
}

fn discv5_config(listen: ListenConfig, advertised: Option<IpAddr>) -> discv5::Config {
    let mut builder = discv5::ConfigBuilder::new(listen);
    builder.disable_report_discovered_peers().query_timeout(Duration::from_secs(10));
    match advertised {
        Some(ip) => {
            // The operator's word stands against what peers see.
            builder.disable_enr_update().auto_nat_listen_duration(None);
            if !is_local(ip) {
                builder.enable_packet_filter().ip_limit();
            }
        }
        None => {
            builder.enable_packet_filter().ip_limit();
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_of_our_fork_and_subnet_suit() {
        let key = SecretKey::generate();
        let fields = |digest: u8| Fields {
            eth2: Some([digest; 16]),
            attnets: [0, 2, 0, 0, 0, 0, 0, 0],
            syncnets: 4,
            ..Fields::default()
        };
        let record = |digest| enr::build(&key.enr_key(), Address::default(), Some(fields(digest))).unwrap();
        let ours = Some([1; 4]);
        assert!(suits(&record(1), ours) && !suits(&record(2), ours));
        let custody = ColumnCustody::of(types::Spec::mainnet());
        let is_of = |subnets: &[Subnet]| is_of_any(&record(1), subnets, &custody);
        assert!(is_of(&[Subnet::Attestation(9)]) && !is_of(&[Subnet::Attestation(8)]));
        assert!(is_of(&[Subnet::Sync(2)]) && !is_of(&[Subnet::Sync(200)]));
        assert!(is_of(&[Subnet::Attestation(8), Subnet::Sync(2)]) && !is_of(&[]));
        let bare = enr::build(&key.enr_key(), Address::default(), None).unwrap();
        assert!(!suits(&bare, ours) && !suits(&bare, None));
    }

    #[test]
    fn a_column_is_looked_for_among_those_who_have_it_in_custody() {
        let custody = ColumnCustody::of(types::Spec::mainnet());
        let key = SecretKey::generate();
        let record = |count| {
            let fields = Fields { eth2: Some([1; 16]), custody_group_count: count, ..Fields::default() };
            enr::build(&key.enr_key(), Address::default(), Some(fields)).unwrap()
        };
        let found = |count| -> Vec<u64> {
            let record = record(count);
            let has = |subnet: &u64| is_of_any(&record, &[Subnet::DataColumn(*subnet)], &custody);
            (0..128).filter(has).collect()
        };
        let id = record(None).node_id().raw();
        assert_eq!(found(Some(4)), custody.subnets_of(&id, 4).into_iter().collect::<Vec<_>>());
        assert_eq!((found(Some(4)).len(), found(Some(128)).len()), (4, 128));
        assert!(found(None).is_empty());
    }

    #[test]
    fn after_a_fork_those_who_named_our_digest_as_their_next_are_still_met() {
        let key = SecretKey::generate();
        let fields = Fields { eth2: Some([1; 16]), next_fork_digest: Some([2; 4]), ..Fields::default() };
        let record = enr::build(&key.enr_key(), Address::default(), Some(fields)).unwrap();
        let suits = |digest| suits(&record, Some([digest; 4]));
        assert!(suits(1) && suits(2) && !suits(3));
    }
}

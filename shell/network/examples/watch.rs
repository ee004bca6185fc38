//! Follows one peer through the forks of its network: prints what it says, asks it for the blocks that its status
//! promises, and counts what it gossips by fork and topic.
//!
//! `cargo run --release -p network --example watch -- MULTIADDR CONFIG_YAML VALIDATORS_ROOT GENESIS_TIME SECONDS [ENR]`
//! With an ENR, the peer is looked for through discv5 instead of dialled at its address.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use network::{
    Announcement, Config, ForkSchedule, Method, Network, NetworkEvent, NetworkHandle, PeerId, SecretKey,
    Subscriptions, Topic, Verdict, topics_at,
};
use prometheus_client::registry::Registry;
use types::{Epoch, Spec};

type Failure = Box<dyn std::error::Error>;

fn shorten(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes {shown}…", bytes.len())
}

/// What follows the clock.
struct Follower {
    schedule: ForkSchedule,
    genesis_time: u64,
    handle: NetworkHandle,
    joined: BTreeSet<String>,
    epoch: Option<Epoch>,
    heard: BTreeMap<String, u64>,
    asked: BTreeSet<[u8; 4]>,
    peer: Option<PeerId>,
}

fn epoch_now(spec: &Spec, genesis_time: u64) -> Epoch {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64);
    let slot = now.saturating_sub(genesis_time * 1000) / spec.config.slot_duration_ms;
    Epoch(slot / spec.preset.slots_per_epoch)
}

/// A status of someone who has nothing but the genesis.
fn status(schedule: &ForkSchedule, epoch: Epoch) -> Vec<u8> {
    let mut status = vec![0; 84];
    status[..4].copy_from_slice(&schedule.at(epoch).digest.0);
    status
}

impl Follower {
    async fn turn(&mut self) {
        let epoch = epoch_now(self.schedule.spec(), self.genesis_time);
        if self.epoch == Some(epoch) {
            return;
        }
        self.epoch = Some(epoch);
        let topics = topics_at(&self.schedule, epoch, &Subscriptions::all(self.schedule.spec()));
        for topic in topics.difference(&self.joined) {
            self.handle.subscribe(topic.clone()).await;
        }
        for topic in self.joined.difference(&topics) {
            self.handle.unsubscribe(topic.clone()).await;
        }
        self.joined = topics;
        let announcement = Announcement {
            metadata_seq: epoch.0,
            attnets: [0xff; 8],
            syncnets: 0xf,
            custody_group_count: None,
            eth2: self.schedule.enr_fork_id(epoch),
            next_fork_digest: self.schedule.next_fork_digest(epoch),
        };
        self.handle.announce(announcement).await;
        self.handle.set_status(status(&self.schedule, epoch)).await;
        if let Some(peer) = self.peer {
            self.handle.refresh_status(peer).await;
        }
        println!("epoch {epoch}: {:?}, {} topics", self.schedule.at(epoch), self.joined.len());
    }

    async fn take(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Gossip { topic, message_id, source, data } => {
                let known = Topic::parse(&topic);
                let fork = known.and_then(|(digest, _)| self.schedule.fork_of(digest));
                let line = format!("{fork:?} {:?}", known.map(|(_, topic)| topic));
                let count = self.heard.entry(line.clone()).or_default();
                *count += 1;
                if *count == 1 {
                    println!("first gossip {line} {message_id} {}", shorten(&data));
                }
                self.handle.report_validation(message_id, source, Verdict::Accept).await;
            }
            NetworkEvent::PeerStatus { peer, status, earliest_available_slot } => {
                let head = u64::from_le_bytes(status[76..84].try_into().expect("8 of 84 bytes"));
                let digest: [u8; 4] = status[..4].try_into().expect("4 of 84 bytes");
                println!(
                    "status of {peer}: head slot {head}, digest {}, {earliest_available_slot:?}",
                    shorten(&digest)
                );
                if head > 0 && self.asked.insert(digest) {
                    let start = head.saturating_sub(16).max(1);
                    let range = [start, head - start + 1, 1].map(u64::to_le_bytes).concat();
                    self.handle.request(peer, Method::BlocksByRange, range, 1).await;
                    self.handle.request(peer, Method::BlocksByRoot, status[44..76].to_vec(), 2).await;
                    self.handle.request(peer, Method::LightClientFinality, Vec::new(), 3).await;
                    self.handle.request(peer, Method::ColumnsByRoot, Vec::new(), 4).await;
                }
            }
            NetworkEvent::ResponseChunk { request_id, protocol, context, ssz, .. } => {
                let fork = self.schedule.fork_of_chunk(protocol, context);
                println!("chunk of {request_id} {protocol} {fork:?} {}", shorten(&ssz));
            }
            NetworkEvent::PeerConnected { peer, .. } => self.peer = Some(peer),
            NetworkEvent::IdentifyInfo { .. } => {}
            other => println!("{other:?}"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    let usage = "usage: watch MULTIADDR CONFIG_YAML VALIDATORS_ROOT GENESIS_TIME SECONDS [ENR]";
    let [address, yaml, root, time, seconds] = args.get(1..6).ok_or(usage)? else { return Err(usage.into()) };
    let schedule = ForkSchedule::new(Spec::from_yaml(&std::fs::read_to_string(yaml)?, None)?, root.parse()?);
    let genesis_time: u64 = time.parse()?;
    let epoch = epoch_now(schedule.spec(), genesis_time);

    let mut config = Config::loopback(SecretKey::generate());
    config.follow(&schedule);
    config.requests.protocols = network::Protocol::all().collect();
    config.local.custody_group_count.get_or_insert(4);
    config.local.eth2 = schedule.enr_fork_id(epoch);
    config.local.status = Some(status(&schedule, epoch));
    match args.get(6) {
        Some(enr) => config.bootnodes = vec![enr.clone()],
        None => config.static_peers = vec![address.clone()],
    }
    let mut registry = Registry::default();
    let (handle, mut events) = Network::start(config, &mut registry).await?;
    println!("we are {} at {}", handle.peer_id(), handle.listen_address());
    let (joined, heard, asked) = Default::default();
    let (epoch, peer) = (None, None);
    let mut follower = Follower { schedule, genesis_time, handle, joined, epoch, heard, asked, peer };
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds.parse()?);
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(end) => break,
            _ = tick.tick() => follower.turn().await,
            event = events.recv() => match event {
                Some(event) => follower.take(event).await,
                None => break,
            },
        }
    }
    follower.handle.shutdown().await;
    println!("{:#?}", follower.heard);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    println!("{text}");
    Ok(())
}

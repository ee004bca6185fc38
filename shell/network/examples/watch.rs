//! Connects to one peer, prints what it says, and asks it for the blocks that its status promises.
//!
//! `cargo run --release -p network --example watch -- MULTIADDR FORK_DIGEST SECONDS [enr:…]`
//! With an ENR, the peer is looked for through discv5 instead of dialled at its address.

use std::time::Duration;

use network::{Config, Method, Network, NetworkEvent, SecretKey, Verdict};

fn shorten(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes {shown}…", bytes.len())
}

fn digest(text: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).ok().map(u32::to_be_bytes)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let usage = "usage: watch MULTIADDR FORK_DIGEST SECONDS [ENR]";
    let (address, digest) = (args.get(1).ok_or(usage)?, args.get(2).and_then(|t| digest(t)).ok_or(usage)?);
    let seconds: u64 = args.get(3).ok_or(usage)?.parse()?;

    let mut config = Config::loopback(SecretKey::generate());
    config.local.eth2 = [0xff; 16];
    config.local.eth2[..4].copy_from_slice(&digest);
    let mut status = vec![0; 84];
    status[..4].copy_from_slice(&digest);
    config.local.status = Some(status);
    config.gossip.phase0_digest = Some(digest);
    match args.get(4) {
        Some(enr) => config.bootnodes = vec![enr.clone()],
        None => config.static_peers = vec![address.clone()],
    }
    let mut registry = prometheus_client::registry::Registry::default();
    let (handle, mut events) = Network::start(config, &mut registry).await?;
    println!("we are {} at {}", handle.peer_id(), handle.listen_address());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for name in ["beacon_block", "beacon_aggregate_and_proof", "beacon_attestation_0", "beacon_attestation_1"]
    {
        handle.subscribe(format!("/eth2/{hex}/{name}/ssz_snappy")).await;
    }

    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let mut asked = false;
    while let Ok(Some(event)) = tokio::time::timeout_at(end, events.recv()).await {
        match event {
            NetworkEvent::Gossip { topic, message_id, source, data } => {
                println!("gossip {topic} {message_id} {}", shorten(&data));
                handle.report_validation(message_id, source, Verdict::Accept).await;
            }
            NetworkEvent::PeerStatus { peer, status, .. } => {
                let head = u64::from_le_bytes(status[76..84].try_into()?);
                println!("status of {peer}: head slot {head}, digest {}", shorten(&status[..4]));
                if !asked && head > 0 {
                    asked = true;
                    let range = [1u64.to_le_bytes(), head.min(64).to_le_bytes(), 1u64.to_le_bytes()].concat();
                    handle.request(peer, Method::BlocksByRange, range, 1).await;
                    handle.request(peer, Method::BlocksByRoot, status[44..76].to_vec(), 2).await;
                }
            }
            NetworkEvent::ResponseChunk { request_id, protocol, context, ssz, .. } => {
                println!("chunk of {request_id} {protocol} {context:02x?} {}", shorten(&ssz));
            }
            other => println!("{other:?}"),
        }
    }
    handle.shutdown().await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    println!("{text}");
    Ok(())
}

//! The ways by which bytes come in, without sockets, for tests that throw bytes at them.

use discv5::Enr;
use futures::executor::block_on;
use futures::io::Cursor;
use libp2p::gossipsub::{DataTransform, RawMessage, TopicHash};
use types::Spec;

use crate::config::RequestLimits;
use crate::enr::EnrSummary;
use crate::gossip::sizes::PayloadSizes;
use crate::gossip::snappy::Snappy;
use crate::gossip::topic::Topic;
use crate::reqresp::codec::{self, Chunk};
use crate::reqresp::protocol::Protocol;
use crate::reqresp::sizes::RequestSizes;
use crate::start::parse_enrs;

/// The topic and the payload of a message as gossipsub hands them on; none where it is refused.
pub fn gossip_payload(spec: &Spec, topic: &str, compressed: &[u8]) -> Option<(Topic, Vec<u8>)> {
    let max = usize::try_from(spec.config.max_payload_size).unwrap_or(usize::MAX);
    let raw = RawMessage {
        source: None,
        data: compressed.to_vec(),
        sequence_number: None,
        topic: TopicHash::from_raw(topic),
        signature: None,
        key: None,
        validated: false,
    };
    let message = Snappy::new(max, PayloadSizes::of(spec)).inbound_transform(raw).ok()?;
    let (_, topic) = Topic::parse(topic)?;
    Some((topic, message.data))
}

/// The limits of a node of this network.
pub fn limits(spec: &Spec) -> RequestLimits {
    RequestLimits {
        sizes: RequestSizes::of(spec),
        blocks_max: spec.config.max_request_blocks,
        protocols: Protocol::all().collect(),
        ..RequestLimits::default()
    }
}

/// The request in what a peer wrote, and how many items it asks for; none where it is refused.
pub fn request(limits: &RequestLimits, protocol: Protocol, bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
    let ssz = block_on(codec::read_request(&mut Cursor::new(bytes), protocol, limits)).ok()?;
    let items = protocol.method.items(&ssz, limits);
    Some((ssz, items))
}

/// The chunks in what a peer answered, at most so many, up to the first that is refused: the context and the payload
/// of each that is no error.
pub fn chunks(
    limits: &RequestLimits,
    protocol: Protocol,
    bytes: &[u8],
    max: usize,
) -> Vec<(Option<[u8; 4]>, Vec<u8>)> {
    let payload_max = usize::try_from(Spec::mainnet().config.max_payload_size).unwrap_or(usize::MAX);
    let bounds = protocol.response_bounds(limits, payload_max);
    let (mut stream, mut found) = (Cursor::new(bytes), Vec::new());
    for _ in 0..max {
        match block_on(codec::read_chunk(&mut stream, protocol, bounds)) {
            Ok(Some(Chunk::Success { context, ssz })) => found.push((context, ssz)),
            Ok(Some(Chunk::Error { .. })) => {}
            Ok(None) | Err(_) => break,
        }
    }
    found
}

/// A payload as it is written to a peer.
pub fn framed(ssz: &[u8]) -> Vec<u8> {
    codec::encode_payload(ssz)
}

/// What is read of a record given as text, as those of bootnodes are.
pub fn record_of_text(text: &str) -> Option<(Enr, EnrSummary)> {
    let enr = parse_enrs(&[text.to_owned()]).ok()?.pop()?;
    let summary = summarized(&enr);
    Some((enr, summary))
}

/// What is read of a record given in RLP, as discovery has it from others.
pub fn record_of_rlp(bytes: &[u8]) -> Option<(Enr, EnrSummary)> {
    let enr = <Enr as alloy_rlp::Decodable>::decode(&mut &*bytes).ok()?;
    let summary = summarized(&enr);
    Some((enr, summary))
}

fn summarized(enr: &Enr) -> EnrSummary {
    let fields = crate::enr::fields(enr);
    for index in 0..=u8::MAX {
        crate::enr::bit(&fields.attnets, index);
    }
    let summary = EnrSummary::of(enr);
    if let Some(peer) = &summary.peer_id {
        crate::enr::node_id_of(peer);
    }
    summary
}

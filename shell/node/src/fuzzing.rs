//! The decoder of gossip, for tests that throw bytes at it.

use chain::GossipMessage;
use network::Topic;
use types::{ForkName, Spec};

use crate::wire_message::{Decoded, decode, encode};

/// The message of a topic at a fork, and its encoding; none where it is none, or of no use to a node.
pub fn gossip_message(
    spec: &'static Spec,
    fork: ForkName,
    topic: Topic,
    payload: &[u8],
) -> Option<(GossipMessage, Vec<u8>)> {
    let Decoded::Message(message) = decode(topic, payload, spec, fork) else { return None };
    let (_, encoded) = encode(&message, spec.ctx(fork));
    Some((message, encoded))
}

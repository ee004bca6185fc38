//! The network shell: libp2p (gossipsub, req/resp) and discv5 behind two bounded channels.
//!
//! It moves bytes and decodes no consensus container: payloads are uncompressed SSZ, typed encoding and
//! decoding belong to the `node` package. The libp2p swarm and every generic type of it stay inside.
//!
//! What the specification says of the wire follows from a [`ForkSchedule`], plain data without a clock:
//! which digest rules when, which topics to have ([`topics_at`]), where a message is published
//! ([`topic_at_slot`]), which fork's types a message or a chunk has ([`ForkSchedule::fork_of`],
//! [`ForkSchedule::fork_of_chunk`]), and what a record says of forks. [`Config::follow`] takes over all sizes and
//! protocols of a network. The node asks these once a slot and tells the handle what has changed.
//!
//! ```text
//!  NetworkHandle ──Command──▶ ┌─────────── Wire (one task) ───────────┐ ◀── TCP: noise, yamux | mplex
//!                             │ swarm: gossip · reqresp · identify    │
//!  node ◀──NetworkEvent────── │ peers (scores, bans, backoff)         │ ◀── UDP: discv5
//!  respond_* ────(per stream)─▶ discovery (queries, candidates)       │
//!                             └────────────────────────────────────────┘
//! ```
//!
//! Overflow rule of the event channel: gossip is dropped (counted, and ignored for scoring), inbound
//! requests are answered `ResourceUnavailable`, everything else waits and the swarm waits with it.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md>
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod behaviour;
mod bootnode;
mod command;
mod config;
mod custody;
mod dials;
mod discovery;
mod enr;
mod event;
mod forks;
pub mod fuzzing;
mod gossip;
mod key;
mod metrics;
mod peers;
mod reqresp;
mod requests;
mod start;
mod swarm;
mod wire;

#[cfg(test)]
mod tests;

pub use bootnode::{Bootnode, BootnodeConfig};
pub use command::{Announcement, Handle as NetworkHandle, Subnet};
pub use config::{Advertised, Config, GossipParams, LocalState, Quota, RequestLimits};
pub use custody::ColumnCustody;
pub use discv5::Enr;
pub use enr::{EnrSummary, node_id_of};
pub use event::{Direction, Metadata, NetworkEvent, ResponseFailure, Verdict, goodbye};
pub use forks::{DigestPeriod, ForkSchedule, TOPICS_AHEAD_EPOCHS, TOPICS_BEHIND_EPOCHS};
pub use gossip::message_id::{MessageId, message_id};
pub use gossip::sizes::PayloadSizes;
pub use gossip::topic::{Subscriptions, Topic, topic_at_slot, topics_at};
pub use key::{KeyError, SecretKey, load_or_create_key};
pub use libp2p::{Multiaddr, PeerId};
pub use reqresp::protocol::{Method, Protocol, code};
pub use reqresp::replies::{InboundId, RespondError};
pub use reqresp::sizes::RequestSizes;
pub use start::{Network, NetworkError};

//! The gossip domain: gossipsub with Ethereum's message ids, compression and parameters.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#the-gossip-domain-gossipsub>

pub(crate) mod config;
pub(crate) mod message_id;
pub(crate) mod sizes;
pub(crate) mod snappy;
pub(crate) mod topic;
pub(crate) mod unjudged;

//! The req/resp domain: one stream a request, answers streamed in chunks.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#the-reqresp-domain>

pub(crate) mod behaviour;
pub(crate) mod codec;
pub(crate) mod limits;
pub(crate) mod peer_streams;
pub(crate) mod protocol;
pub(crate) mod replies;
pub(crate) mod sizes;
pub(crate) mod streams;

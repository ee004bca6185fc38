//! What the consensus layer asks of an execution engine, as values, and the hash of an execution block.
//!
//! ```text
//!   Chain ──▶ EngineRequest ──▶ shell/execution ──▶ HTTP ──▶ execution client
//!   Chain ◀── EngineReply   ◀──        or
//!                               tools/mock_engine, which is a function of requests and time
//! ```
//!
//! Whoever decides what to ask emits [`EngineRequest`]s, each under an [`EngineCallId`], and gets exactly one
//! [`EngineReply`] for each; who carries them is not its business. So the same machine runs against an execution client
//! over HTTP and, in a simulation, against a mock engine in the same thread.
//!
//! [`block_hash`] is what `is_valid_block_hash` of the specification stands for: an engine that is still syncing does
//! not look at a payload, so that a wrong hash is found here or not at all.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blobs;
mod header;
mod keccak;
mod pow_block;
mod reply;
mod request;
mod requests_list;
pub mod rlp;
mod trie;

pub use blobs::{InvalidBlobs, blob_versioned_hashes, is_valid_versioned_hashes};
pub use header::{BLOOM_OF_NOTHING, ExecutionHeader, OMMERS_HASH_OF_NONE, block_hash, is_valid_block_hash};
pub use keccak::keccak256;
pub use pow_block::{MergeInvalid, PowBlock, is_valid_terminal_pow_block, validate_merge_block};
pub use reply::{
    BlobAndProofs, BlobsBundle, BuiltPayload, EngineFailure, EngineReply, PayloadBody, PayloadStatus,
    PayloadVerdict,
};
pub use request::{EngineCallId, EngineRequest, ForkchoiceState, NewPayload, PayloadAttributes, PayloadId};
pub use requests_list::{
    InvalidRequests, compute_requests_hash, get_execution_requests, get_execution_requests_list,
};
pub use trie::{EMPTY_TRIE_ROOT, ordered_trie_root};

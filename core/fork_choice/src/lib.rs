//! The fork choice of phase 0 and its successors: which block is the head.
//!
//! [`ForkChoice`] is the `Store` of
//! [fork-choice.md](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md)
//! on a proto-array: every block is an entry of a flat array, a parent always before its children. A vote
//! is two indices into that array, so that all changes since the last question are settled by one pass
//! backwards, and an unchanged store answers at once.
//!
//! ```text
//!  on_block ───────► tree ─────────┐
//!  on_attestation ─► votes ──deltas┤
//!  on_attester_slashing ─► votes   ├─► one pass from the youngest block to the oldest:
//!  set_justified_balances ─► votes ┤   weight, viability, best child ─► get_head
//!  on_tick ─► boost, checkpoints ──┘
//! ```
//!
//! The store sees indices and balances, never a state: the caller runs the state transition and hands over
//! what follows from it ([`BlockFacts`], [`AttestationFacts`], [`JustifiedBalances`]). When
//! [`ForkChoice::wants_balances`] names a checkpoint, the caller owes the balances of its state; until they
//! come the previous ones count.
//!
//! Bounds: at most [`BLOCKS_MAX`] blocks, votes of indices below [`VALIDATORS_MAX`], and
//! [`QUEUED_VOTES_MAX`] votes that wait for the next slot. What exceeds them is refused with an error and
//! changes nothing.
//!
//! Blocks are followed before an engine has executed their payloads; its verdicts come afterwards
//! ([`ForkChoice::on_valid_payload`], [`ForkChoice::on_invalid_payload`]), see
//! [optimistic sync](https://github.com/ethereum/consensus-specs/blob/master/sync/optimistic.md). An invalid block stays
//! in the array, where it weighs nothing and leads to no head, until finality passes it.
//!
//! [`naive`] is the specification written down directly. It is slow, public, and what the tests and the
//! simulation compare with.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attestation;
mod block;
mod bytes;
mod checkpoints;
mod facts;
mod head;
mod index;
mod invalid;
#[cfg(feature = "measure")]
pub mod measure;
pub mod naive;
mod optimistic;
mod proposer_head;
mod pruning;
mod settle;
mod snapshot;
mod store;
mod tree;
mod votes;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod optimistic_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod scenario_tests;

pub use attestation::{Counted, QUEUED_VOTES_MAX};
pub use block::Imported;
pub use facts::{AnchorBlock, AttestationFacts, BlockFacts, ExecutionStatus, JustifiedBalances, Origin};
pub use invalid::{
    AttestationInvalid, BalancesInvalid, BlockInvalid, PayloadVerdictInvalid, ProposerHeadInvalid,
    SnapshotInvalid,
};
pub use optimistic::SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY;
pub use store::{ForkChoice, NodeView};
pub use tree::{BLOCKS_MAX, Node};
pub use votes::{EPOCHS_MAX, VALIDATORS_MAX};

//! The rules of gossip: the specification's executable `validate_*_gossip` functions.
//!
//! Each function does all checks but those of signatures and answers with a verdict, or with what must still be
//! verified ([`Checked`]). Once the signatures are found good, `mark_seen` of what was checked closes the case. So the
//! pairings run elsewhere, in batches; two copies of a message that are verified at once are told apart by asking
//! `is_seen` again before `mark_seen`.
//!
//! The specification puts some signature checks between others. A message that breaks several rules may be refused
//! here for another of them; whether it is refused is the same.

mod aggregate;
mod attestation;
mod attester_slashing;
mod block;
mod bls_change;
mod contribution;
mod proposer_slashing;
mod seen;
mod store;
mod sync_committee;
mod sync_message;
mod time;
mod voluntary_exit;

pub use data_availability::gossip::Checked;

pub use aggregate::{
    AGGREGATE_KNOWN, CheckedAggregate, is_aggregator, validate_beacon_aggregate_and_proof_gossip,
};
pub(crate) use attestation::check_slot as check_attestation_slot;
pub use attestation::{
    CheckedAttestation, Unaggregated, compute_subnet_for_attestation, validate_beacon_attestation_gossip,
};
pub use attester_slashing::{CheckedAttesterSlashing, validate_attester_slashing_gossip};
pub use block::{CheckedBlock, PARENT_NOT_SEEN, validate_beacon_block_gossip};
pub use bls_change::{CheckedBlsChange, validate_bls_to_execution_change_gossip};
pub use contribution::{
    CONTRIBUTION_KNOWN, CheckedContribution, validate_sync_committee_contribution_and_proof_gossip,
};
pub use proposer_slashing::{CheckedProposerSlashing, validate_proposer_slashing_gossip};
pub use seen::Seen;
pub use store::{BlockStore, KnownBlock};
pub use sync_committee::{
    compute_subnets_for_sync_committee, compute_sync_committee_period, get_sync_subcommittee_pubkeys,
    is_sync_committee_aggregator, sync_committee_of_slot, sync_subcommittee_size,
};
pub use sync_message::{CheckedSyncMessage, validate_sync_committee_message_gossip};
pub use time::{
    compute_time_at_slot_ms, is_current_or_previous_epoch, is_current_slot, is_not_from_future_slot,
    is_within_slot_range,
};
pub use voluntary_exit::{CheckedVoluntaryExit, validate_voluntary_exit_gossip};

use crate::Why;

/// The reason for ignoring what votes for a block that is not known.
pub const BLOCK_NOT_SEEN: Why = Why("block being voted for has not been seen");

/// The reason for ignoring what the head's state cannot judge.
pub const STATE_CANNOT_TELL: Why = Why("the state cannot tell whether it is valid");

/// The reason for ignoring what is of a slot that has not begun.
pub const FUTURE_SLOT: Why = Why("block is from a future slot");

/// The reason for ignoring a block whose proposer cannot be told from the states at hand.
pub const SHUFFLING_NOT_KNOWN: Why = Why("the shuffling of the block's slot is not available");

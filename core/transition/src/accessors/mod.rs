//! Reading a state: the specification's accessors.

mod active;
mod committees;
mod participation;
mod proposers;
mod registry;
mod roots;
mod sync_committee;

pub(crate) use active::active_set;
pub use committees::{
    Committee, committee_attesters, committee_cache, get_attesting_indices, get_beacon_committee,
    get_committee_count_per_slot, get_committee_indices, get_indexed_attestation, offer_committees,
    shuffling_key,
};
pub use participation::{add_flag, get_attestation_participation_flag_indices, has_flag};
pub use proposers::{
    draw_proposers, get_beacon_proposer_index, get_beacon_proposer_indices, initialize_proposer_lookahead,
};
pub(crate) use registry::refresh_validator_index;
pub use registry::{
    get_active_validator_indices, get_pending_balance_to_withdraw, get_total_active_balance,
    get_total_balance, get_validator_churn_limit, public_key, validator_index,
};
pub use roots::{
    get_block_root, get_block_root_at_slot, get_current_epoch, get_domain, get_previous_epoch,
    get_randao_mix, get_seed,
};
pub use sync_committee::{
    get_next_sync_committee, get_next_sync_committee_indices, sync_committee_validators,
};

pub use crate::misc::compute_activation_exit_epoch;
pub use crate::predicates::{
    is_active_validator, is_eligible_for_activation, is_eligible_for_activation_queue, is_slashable_validator,
};

use types::{BlsPubkey, CommitteeIndex, Epoch, Slot, ValidatorIndex};

/// What a state cannot tell, or cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// A slot outside the ring of block roots.
    #[error("a state at slot {state} has no block root of slot {slot}")]
    BlockRoot {
        /// The slot asked for.
        slot: Slot,
        /// The state's slot.
        state: Slot,
    },
    /// An epoch further than one from the state's.
    #[error("a state at epoch {state} does not tell committees of epoch {epoch}")]
    CommitteeEpoch {
        /// The epoch asked for.
        epoch: Epoch,
        /// The state's epoch.
        state: Epoch,
    },
    /// No such committee.
    #[error("slot {slot} has no committee {index}")]
    NoCommittee {
        /// The slot.
        slot: Slot,
        /// The committee's place.
        index: CommitteeIndex,
    },
    /// Nobody to draw from.
    #[error("no validator is active")]
    NoActiveValidators,
    /// A lookahead of another length than the spec has.
    #[error("the state tells not as many proposers as it should")]
    LookaheadLength,
    /// A proposer in the lookahead that does not exist.
    #[error("the state names validator {0} as a proposer, who does not exist")]
    NoProposer(ValidatorIndex),
    /// No such validator.
    #[error("there is no validator {0}")]
    NoValidator(ValidatorIndex),
    /// A sync committee with a key that no validator has.
    #[error("no validator has the key {0}")]
    NoValidatorOfKey(BlsPubkey),
    /// A message whose key is no key.
    #[error("{0} is no valid public key")]
    BadKey(BlsPubkey),
    /// Keys that cannot be added up.
    #[error("the keys of the sync committee have no sum")]
    NoAggregateKey,
    /// A registry entry whose key is no key.
    #[error("the key of validator {0} is no valid public key")]
    BadPubkey(ValidatorIndex),
    /// There are fewer committees.
    #[error("there is no committee {index} of {count}")]
    CommitteeIndex {
        /// The committee asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// A list of the state that holds as much as it can.
    #[error("{0} is full")]
    Full(&'static str),
    /// A number that the specification bounds by 64 bits.
    #[error("{0} exceeds 64 bits")]
    Overflow(&'static str),
    /// Bits that do not match the committee.
    #[error("{bits} aggregation bits for a committee of {members}")]
    BitsLength {
        /// Bits given.
        bits: usize,
        /// Members of the committee.
        members: usize,
    },
}

impl AccessError {
    /// True where it is the state that is wrong, and not what was asked.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::BlockRoot { .. }
                | Self::NoActiveValidators
                | Self::NoValidatorOfKey(_)
                | Self::NoAggregateKey
                | Self::BadPubkey(_)
                | Self::LookaheadLength
                | Self::NoProposer(_)
        )
    }
}

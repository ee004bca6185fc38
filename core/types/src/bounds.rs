//! List and vector bounds as data: a name in a container's declaration, a value per preset and fork.

use ssz::{Bound, BoundRef};

use crate::{ForkName, Preset};

macro_rules! bounds {
    ($($name:ident = $value:expr),* $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Name { $($name),* }

        $(
            #[doc = concat!("The bound `", stringify!($name), "`.")]
            pub const $name: BoundRef = BoundRef::Named(Name::$name as u16);
        )*

        /// The values of all named bounds at one preset and fork.
        pub fn bounds(preset: &Preset, fork: ForkName) -> Vec<Bound> {
            vec![$({
                let value: fn(&Preset, ForkName) -> u64 = $value;
                Bound::Limit(value(preset, fork))
            }),*]
        }
    };
}

bounds! {
    MAX_VALIDATORS_PER_COMMITTEE = |p, _| p.max_validators_per_committee,
    // One committee's members until Electra (EIP-7549), then those of all committees of the slot.
    ATTESTING_INDICES = |p, fork| {
        let committees = if fork >= ForkName::Electra { p.max_committees_per_slot } else { 1 };
        p.max_validators_per_committee * committees
    },
    MAX_COMMITTEES_PER_SLOT = |p, _| p.max_committees_per_slot,
    SLOTS_PER_HISTORICAL_ROOT = |p, _| p.slots_per_historical_root,
    HISTORICAL_ROOTS_LIMIT = |p, _| p.historical_roots_limit,
    ETH1_DATA_VOTES = |p, _| p.epochs_per_eth1_voting_period * p.slots_per_epoch,
    VALIDATOR_REGISTRY_LIMIT = |p, _| p.validator_registry_limit,
    EPOCHS_PER_HISTORICAL_VECTOR = |p, _| p.epochs_per_historical_vector,
    EPOCHS_PER_SLASHINGS_VECTOR = |p, _| p.epochs_per_slashings_vector,
    PENDING_ATTESTATIONS = |p, _| p.max_attestations * p.slots_per_epoch,
    MAX_PROPOSER_SLASHINGS = |p, _| p.max_proposer_slashings,
    MAX_ATTESTER_SLASHINGS = |p, fork| {
        if fork >= ForkName::Electra { p.max_attester_slashings_electra } else { p.max_attester_slashings }
    },
    MAX_ATTESTATIONS = |p, fork| {
        if fork >= ForkName::Electra { p.max_attestations_electra } else { p.max_attestations }
    },
    MAX_DEPOSITS = |p, _| p.max_deposits,
    MAX_VOLUNTARY_EXITS = |p, _| p.max_voluntary_exits,
    SYNC_COMMITTEE_SIZE = |p, _| p.sync_committee_size,
    SYNC_SUBCOMMITTEE_SIZE = |p, _| p.sync_committee_size / crate::constants::SYNC_COMMITTEE_SUBNET_COUNT,
    MAX_EXTRA_DATA_BYTES = |p, _| p.max_extra_data_bytes,
    MAX_BYTES_PER_TRANSACTION = |p, _| p.max_bytes_per_transaction,
    MAX_TRANSACTIONS_PER_PAYLOAD = |p, _| p.max_transactions_per_payload,
    MAX_WITHDRAWALS_PER_PAYLOAD = |p, _| p.max_withdrawals_per_payload,
    MAX_BLS_TO_EXECUTION_CHANGES = |p, _| p.max_bls_to_execution_changes,
    MAX_BLOB_COMMITMENTS_PER_BLOCK = |p, _| p.max_blob_commitments_per_block,
    // Proofs of a block's blobs: of whole blobs until Fulu, then of their cells.
    BLOB_PROOFS = |p, fork| {
        let each = if fork >= ForkName::Fulu { p.cells_per_ext_blob } else { 1 };
        p.max_blob_commitments_per_block * each
    },
    BLOB_BYTES = |p, _| p.field_elements_per_blob * crate::constants::BYTES_PER_FIELD_ELEMENT,
    KZG_COMMITMENT_INCLUSION_PROOF_DEPTH = |p, _| p.kzg_commitment_inclusion_proof_depth,
    KZG_COMMITMENTS_INCLUSION_PROOF_DEPTH = |p, _| p.kzg_commitments_inclusion_proof_depth,
    CELL_BYTES = |p, _| p.field_elements_per_cell * crate::constants::BYTES_PER_FIELD_ELEMENT,
    NUMBER_OF_COLUMNS = |p, _| p.number_of_columns,
    PENDING_DEPOSITS_LIMIT = |p, _| p.pending_deposits_limit,
    PENDING_PARTIAL_WITHDRAWALS_LIMIT = |p, _| p.pending_partial_withdrawals_limit,
    PENDING_CONSOLIDATIONS_LIMIT = |p, _| p.pending_consolidations_limit,
    MAX_DEPOSIT_REQUESTS_PER_PAYLOAD = |p, _| p.max_deposit_requests_per_payload,
    MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD = |p, _| p.max_withdrawal_requests_per_payload,
    MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD = |p, _| p.max_consolidation_requests_per_payload,
    PROPOSER_LOOKAHEAD = |p, _| (p.min_seed_lookahead + 1) * p.slots_per_epoch,
    // Depths of the generalized indices of the light-client protocol, deeper by one since Electra's larger state.
    FINALITY_BRANCH_DEPTH = |_, fork| if fork >= ForkName::Electra { 7 } else { 6 },
    SYNC_COMMITTEE_BRANCH_DEPTH = |_, fork| if fork >= ForkName::Electra { 6 } else { 5 },
}

//! The preset: the compile-time constants of the specification, here a value.

use crate::settings::{SettingError, Settings};

macro_rules! preset {
    ($($field:ident),* $(,)?) => {
        /// The preset of a network: sizes and rewards that its clients share.
        ///
        /// Each field is the specification's constant of the same name, in lower case.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub struct Preset {
            $(pub $field: u64,)*
        }

        impl Preset {
            /// Takes every key of the preset; a missing or wrong one is an error with its name.
            pub fn from_settings(settings: &mut Settings) -> Result<Self, SettingError> {
                Ok(Self { $($field: settings.take(&stringify!($field).to_uppercase())?,)* })
            }

            /// Keys and values as the Beacon API writes them.
            pub fn entries(&self) -> Vec<(String, String)> {
                vec![$((stringify!($field).to_uppercase(), self.$field.to_string()),)*]
            }
        }
    };
}

preset!(
    max_committees_per_slot,
    target_committee_size,
    max_validators_per_committee,
    shuffle_round_count,
    hysteresis_quotient,
    hysteresis_downward_multiplier,
    hysteresis_upward_multiplier,
    min_deposit_amount,
    max_effective_balance,
    effective_balance_increment,
    min_attestation_inclusion_delay,
    slots_per_epoch,
    min_seed_lookahead,
    max_seed_lookahead,
    epochs_per_eth1_voting_period,
    slots_per_historical_root,
    min_epochs_to_inactivity_penalty,
    epochs_per_historical_vector,
    epochs_per_slashings_vector,
    historical_roots_limit,
    validator_registry_limit,
    base_reward_factor,
    whistleblower_reward_quotient,
    proposer_reward_quotient,
    inactivity_penalty_quotient,
    min_slashing_penalty_quotient,
    proportional_slashing_multiplier,
    max_proposer_slashings,
    max_attester_slashings,
    max_attestations,
    max_deposits,
    max_voluntary_exits,
    inactivity_penalty_quotient_altair,
    min_slashing_penalty_quotient_altair,
    proportional_slashing_multiplier_altair,
    sync_committee_size,
    epochs_per_sync_committee_period,
    min_sync_committee_participants,
    update_timeout,
    inactivity_penalty_quotient_bellatrix,
    min_slashing_penalty_quotient_bellatrix,
    proportional_slashing_multiplier_bellatrix,
    max_bytes_per_transaction,
    max_transactions_per_payload,
    bytes_per_logs_bloom,
    max_extra_data_bytes,
    max_bls_to_execution_changes,
    max_withdrawals_per_payload,
    max_validators_per_withdrawals_sweep,
    max_blob_commitments_per_block,
    kzg_commitment_inclusion_proof_depth,
    field_elements_per_blob,
    min_activation_balance,
    max_effective_balance_electra,
    min_slashing_penalty_quotient_electra,
    whistleblower_reward_quotient_electra,
    pending_deposits_limit,
    pending_partial_withdrawals_limit,
    pending_consolidations_limit,
    max_attester_slashings_electra,
    max_attestations_electra,
    max_deposit_requests_per_payload,
    max_withdrawal_requests_per_payload,
    max_consolidation_requests_per_payload,
    max_pending_partials_per_withdrawals_sweep,
    max_pending_deposits_per_epoch,
    kzg_commitments_inclusion_proof_depth,
    field_elements_per_cell,
    field_elements_per_ext_blob,
    cells_per_ext_blob,
    number_of_columns,
    ptc_size,
    max_payload_attestations,
    max_builder_deposit_requests_per_payload,
    max_builder_exit_requests_per_payload,
    max_builders_per_withdrawals_sweep,
    max_signed_aggregate_and_proof_size,
    max_attester_slashing_size,
    max_data_column_sidecar_size,
    max_partial_data_column_sidecar_size,
    max_signed_execution_payload_bid_size,
);

impl Preset {
    /// The mainnet preset.
    pub const MAINNET_YAML: &'static str = include_str!("../presets/mainnet.yaml");
    /// The minimal preset, for tests and small networks.
    pub const MINIMAL_YAML: &'static str = include_str!("../presets/minimal.yaml");

    /// Reads a preset file.
    pub fn from_yaml(text: &str) -> Result<Self, SettingError> {
        let preset = Self::from_settings(&mut Settings::parse(text)?)?;
        preset.check()?;
        Ok(preset)
    }

    /// Refuses values that would make the state machine divide by zero or lose its place in a ring.
    fn check(&self) -> Result<(), SettingError> {
        let entries = self.entries();
        let zero = entries.iter().find(|(key, value)| value == "0" && !key.contains("GLOAS"));
        match zero {
            Some((key, _)) => Err(SettingError::Wrong {
                key: key.clone(),
                value: "0".into(),
                wanted: "a number above zero",
            }),
            None => Ok(()),
        }
    }
}

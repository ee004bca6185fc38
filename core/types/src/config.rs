//! The configuration of a network: the values of its `config.yaml`.

use crate::settings::{SettingError, Settings};
use crate::{Epoch, Gwei, Version};
use ssz::{FixedBytes, Root, Uint256};

macro_rules! config {
    ($($field:ident: $type:ty),* $(,)?) => {
        /// The configuration of a network.
        ///
        /// Each field is the specification's constant of the same name, in lower case.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub struct Config {
            $(pub $field: $type,)*
            /// `BLOB_SCHEDULE`, by epoch.
            pub blob_schedule: Vec<BlobParameters>,
            /// Keys that Interlock does not know, kept as they were written.
            pub unknown: Vec<(String, String)>,
        }

        impl Config {
            /// Takes every key; a key that the file lacks comes from `base`, the configuration that goes with the
            /// file's preset. A wrong value is an error with the key's name.
            pub fn from_settings(mut settings: Settings, mut base: Settings) -> Result<Self, SettingError> {
                let blob_schedule = settings.take_blob_schedule()?;
                Ok(Self {
                    $($field: settings.take_or(&mut base, &stringify!($field).to_uppercase())?,)*
                    blob_schedule,
                    unknown: settings.rest(),
                })
            }

            /// Keys and values as `config.yaml` and the Beacon API write them, without `BLOB_SCHEDULE`.
            pub fn entries(&self) -> Vec<(String, String)> {
                let mut entries = vec![
                    $((stringify!($field).to_uppercase(), self.$field.to_string()),)*
                ];
                entries.extend(self.unknown.iter().cloned());
                entries
            }
        }
    };
}

/// One entry of `BLOB_SCHEDULE` (EIP-7892).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobParameters {
    /// The first epoch with this limit.
    pub epoch: Epoch,
    /// The most blobs that a block may carry.
    pub max_blobs_per_block: u64,
}

config!(
    preset_base: String,
    config_name: String,
    terminal_total_difficulty: Uint256,
    terminal_block_hash: Root,
    terminal_block_hash_activation_epoch: Epoch,
    min_genesis_active_validator_count: u64,
    min_genesis_time: u64,
    genesis_fork_version: Version,
    genesis_delay: u64,
    altair_fork_version: Version,
    altair_fork_epoch: Epoch,
    bellatrix_fork_version: Version,
    bellatrix_fork_epoch: Epoch,
    capella_fork_version: Version,
    capella_fork_epoch: Epoch,
    deneb_fork_version: Version,
    deneb_fork_epoch: Epoch,
    electra_fork_version: Version,
    electra_fork_epoch: Epoch,
    fulu_fork_version: Version,
    fulu_fork_epoch: Epoch,
    gloas_fork_version: Version,
    gloas_fork_epoch: Epoch,
    heze_fork_version: Version,
    heze_fork_epoch: Epoch,
    slot_duration_ms: u64,
    seconds_per_eth1_block: u64,
    min_validator_withdrawability_delay: u64,
    shard_committee_period: u64,
    eth1_follow_distance: u64,
    proposer_reorg_cutoff_bps: u64,
    attestation_due_bps: u64,
    aggregate_due_bps: u64,
    sync_message_due_bps: u64,
    contribution_due_bps: u64,
    min_builder_withdrawability_delay: u64,
    attestation_due_bps_gloas: u64,
    aggregate_due_bps_gloas: u64,
    sync_message_due_bps_gloas: u64,
    contribution_due_bps_gloas: u64,
    payload_due_bps: u64,
    payload_attestation_due_bps: u64,
    inclusion_list_due_bps: u64,
    inactivity_score_bias: u64,
    inactivity_score_recovery_rate: u64,
    ejection_balance: Gwei,
    min_per_epoch_churn_limit: u64,
    churn_limit_quotient: u64,
    max_per_epoch_activation_churn_limit: u64,
    min_per_epoch_churn_limit_electra: u64,
    max_per_epoch_activation_exit_churn_limit: u64,
    churn_limit_quotient_gloas: u64,
    consolidation_churn_limit_quotient: u64,
    max_per_epoch_activation_churn_limit_gloas: u64,
    proposer_score_boost: u64,
    reorg_head_weight_threshold: u64,
    reorg_parent_weight_threshold: u64,
    reorg_max_epochs_since_finalization: u64,
    deposit_chain_id: u64,
    deposit_network_id: u64,
    deposit_contract_address: FixedBytes<20>,
    max_payload_size: u64,
    max_request_blocks: u64,
    epochs_per_subnet_subscription: u64,
    attestation_propagation_slot_range: u64,
    maximum_gossip_clock_disparity: u64,
    message_domain_invalid_snappy: FixedBytes<4>,
    message_domain_valid_snappy: FixedBytes<4>,
    subnets_per_node: u64,
    attestation_subnet_count: u64,
    attestation_subnet_extra_bits: u64,
    max_request_blocks_deneb: u64,
    min_epochs_for_blob_sidecars_requests: u64,
    blob_sidecar_subnet_count: u64,
    max_blobs_per_block: u64,
    blob_sidecar_subnet_count_electra: u64,
    max_blobs_per_block_electra: u64,
    number_of_custody_groups: u64,
    data_column_sidecar_subnet_count: u64,
    samples_per_slot: u64,
    custody_requirement: u64,
    validator_custody_requirement: u64,
    balance_per_additional_custody_group: u64,
    min_epochs_for_data_column_sidecars_requests: u64,
    max_request_payloads: u64,
    max_request_inclusion_list: u64,
    min_slots_for_inclusion_lists_requests: u64,
    max_bytes_per_inclusion_list: u64,
    confirmation_byzantine_threshold: u64,
);

impl Config {
    /// The configuration of Ethereum mainnet.
    pub const MAINNET_YAML: &'static str = include_str!("../configs/mainnet.yaml");
    /// The configuration of the minimal test network.
    pub const MINIMAL_YAML: &'static str = include_str!("../configs/minimal.yaml");
    /// The configuration of the Sepolia network.
    pub const SEPOLIA_YAML: &'static str = include_str!("../configs/sepolia.yaml");
    /// The configuration of the Hoodi network.
    pub const HOODI_YAML: &'static str = include_str!("../configs/hoodi.yaml");

    /// The configuration as a `config.yaml` that other clients read.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        let quoted = ["PRESET_BASE", "CONFIG_NAME"];
        for (key, value) in self.entries() {
            let line = if quoted.contains(&key.as_str()) {
                format!("{key}: '{value}'\n")
            } else {
                format!("{key}: {value}\n")
            };
            text.push_str(&line);
        }
        if self.blob_schedule.is_empty() {
            text.push_str("BLOB_SCHEDULE: []\n");
        } else {
            text.push_str("BLOB_SCHEDULE:\n");
            for entry in &self.blob_schedule {
                text.push_str(&format!(
                    "  - EPOCH: {}\n    MAX_BLOBS_PER_BLOCK: {}\n",
                    entry.epoch, entry.max_blobs_per_block
                ));
            }
        }
        text
    }
}
